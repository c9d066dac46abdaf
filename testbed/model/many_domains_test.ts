import { assert, assertEquals } from "@std/assert";
import { FIGURE_6, manyCopies } from "./many_domains.ts";

for (const [copies, linux, at50ms, at5ms] of FIGURE_6) {
  // The rest is the scenario's: these are a single program, the steepest part, and the end.
  if (![1, 4, 16].includes(copies)) continue;
  Deno.test(`${copies} copies of a computing program have the throughput of Figure 6 within 1.5 %`, async () => {
    const published = [[null, linux], [50, at50ms], [5, at5ms]] as const;
    for (const [sliceMs, expected] of published) {
      const { throughput: found } = await manyCopies({ copies, sliceMs });
      assert(Math.abs(found / expected - 1) < 0.015, `slice ${sliceMs}: ${found} of ${expected}`);
    }
  });
}

Deno.test("many domains compute the same in two runs", async () => {
  const run = () => manyCopies({ copies: 6, sliceMs: 5, seconds: 1 });
  assertEquals(await run(), await run());
});
