/** The scenarios with real kernels: a seed decides them, and what they conclude. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Settings } from "../../mod.ts";
import { requireDebian } from "../guests/debian_image.ts";
import { recordOf } from "../scenarios/record_of.ts";

const SHORT: [name: string, settings: Settings][] = [
  ["disruptive_neighbour", { fidelity: "instruction", warmUp: "1s", duration: "2s" }],
  ["server_consolidation", {
    fidelity: "instruction",
    servers: "1,4",
    connections: 10,
    duration: "2s",
  }],
];
for (const [name, settings] of SHORT) {
  Deno.test(`${name} with Debian domains: one seed gives one trace hash; another seed another, and the same conclusions`, async () => {
    if (!await requireDebian("amd64")) return;
    const first = await recordOf(name, settings);
    const again = await recordOf(name, settings);
    const other = await recordOf(name, settings, 2);
    assertEquals(first.traceHash, again.traceHash);
    assertNotEquals(first.traceHash, other.traceHash);
    assertEquals(first.conclusions.length, 1);
    assertEquals(first.conclusions, other.conclusions);
    assert(Number(first.tables[0].rows[0].at(-1)) === 0, "no failures at first");
  });
}
