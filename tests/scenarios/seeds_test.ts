/** Every scenario, in short: one seed gives one trace hash; another seed another, and the same conclusions. */

import { assertEquals } from "@std/assert";
import { ownScenarios, type Settings } from "../../mod.ts";
import { recordOf } from "./record_of.ts";

const SHORT: Readonly<Record<string, Settings>> = {
  application_benchmarks: { benchmarks: "OSDB-OLTP", systems: "L,X", duration: "1s" },
  disruptive_neighbour: { connections: 40, warmUp: "1s", duration: "1s" },
  lmbench: { systems: "L-UP,Xen,UML" },
  many_domains: { duration: "1s", domains: "1,4" },
  network_bandwidth: { megabytes: 2 },
  osdb_scaling: { tests: "ir", bars: "1,2", duration: "1s" },
  own_lab: { duration: "1s" },
  rent_a_server: { customers: 4, stay: "500ms" },
  scheduler_fairness: { duration: "2s" },
  server_consolidation: { servers: "1,3", connections: 10, duration: "1s" },
  specweb_scaling: { instances: "1", systems: "UML", duration: "2s" },
};
/** Machine code on a bare machine, that nobody asks anything from outside: there is no chance in it. */
const WITHOUT_CHANCE: Readonly<Record<string, Settings>> = { tiny_kernels: {} };

Deno.test("every scenario is run with two seeds", async () => {
  const named = [...Object.keys(SHORT), ...Object.keys(WITHOUT_CHANCE)].sort();
  assertEquals(named, await ownScenarios.names());
});

for (const [name, settings] of Object.entries({ ...SHORT, ...WITHOUT_CHANCE })) {
  const hasChance = name in SHORT;
  const claim = hasChance ? "another seed another" : "so does another seed";
  Deno.test(`${name}: one seed gives one trace hash; ${claim}, and the same conclusions`, async () => {
    const first = await recordOf(name, settings);
    const again = await recordOf(name, settings);
    const other = await recordOf(name, settings, 2);
    assertEquals(first.traceHash, again.traceHash);
    assertEquals(first.traceHash !== other.traceHash, hasChance);
    assertEquals(first.conclusions, other.conclusions);
    assertEquals(first.conclusions.length > 0, hasChance);
  });
}
