/** The scenarios about scheduling, in short: what they conclude. */

import { assert, assertEquals } from "@std/assert";
import { recordOf } from "./record_of.ts";

Deno.test("many_domains: Figure 6 within 1 % of its plotted points", async () => {
  const settings = { duration: "4s", domains: "1,2,4,8,32,128" };
  const { comparisons } = await recordOf("many_domains", settings);
  const figure6 = comparisons.find(({ name }) => name === "figure6")!;
  assertEquals(figure6.cells.length, 18);
  assertEquals(figure6.cells.filter(({ errorPercent }) => Math.abs(errorPercent!) > 1), []);
  assertEquals(figure6.cells.filter(({ fitted }) => fitted).length, 1);
});

Deno.test("scheduler_fairness: BVT and credit2 give fair shares within 2 %", async () => {
  const settings = { duration: "10s", schedulers: "bvt,credit2" };
  const { tables } = await recordOf("scheduler_fairness", settings);
  const judged = tables.find(({ name }) => name === "schedulers")!;
  assertEquals(judged.rows.map(([scheduler]) => scheduler), ["bvt", "credit2"]);
  for (const [, deviation] of judged.rows) assert(Number(deviation) < 2, `${deviation}`);
});
