/** The scenarios with modelled systems, in short: what they conclude. */

import { assert, assertEquals } from "@std/assert";
import { recordOf } from "./record_of.ts";

Deno.test("disruptive_neighbour: a hypervisor isolates, a kernel that all share does not", async () => {
  const settings = { connections: 60, warmUp: "1s", duration: "2s" };
  const { tables, conclusions } = await recordOf("disruptive_neighbour", settings);
  assertEquals(conclusions, [
    "native: unusable beside such neighbours",
    "xen-pv: both keep their service",
  ]);
  const [native, xen] = tables.find(({ name }) => name === "kept")!.rows;
  assert(Number(native[1]) < 10, `${native}`);
  for (const kept of xen.slice(1)) assert(Number(kept) > 94, `${xen}`);
});
