/** The scenarios with modelled systems, in short: what they conclude, and that a seed decides them. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Settings } from "../../mod.ts";
import { recordOf } from "./record_of.ts";

const SHORT: [name: string, settings: Settings][] = [
  ["disruptive_neighbour", { connections: 40, warmUp: "1s", duration: "1s" }],
  ["server_consolidation", { servers: "1,3", connections: 10, duration: "1s" }],
  ["rent_a_server", { customers: 4, stay: "500ms" }],
  ["application_benchmarks", { benchmarks: "OSDB-OLTP", systems: "U", duration: "1s" }],
  ["osdb_scaling", { tests: "ir", bars: "1", duration: "1s" }],
  ["lmbench", { systems: "L-UP" }],
];
for (const [name, settings] of SHORT) {
  Deno.test(`${name}: one seed gives one trace hash; another seed another, and the same conclusions`, async () => {
    const first = await recordOf(name, settings);
    const again = await recordOf(name, settings);
    const other = await recordOf(name, settings, 2);
    assertEquals(first.traceHash, again.traceHash);
    assertNotEquals(first.traceHash, other.traceHash);
    assertEquals(first.conclusions, other.conclusions);
  });
}

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
