/** What the hot tier shows of itself: regions with their code and counts, and that counting changes nothing. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { tinyGuests } from "../../guests/tiny/mod.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { Machine, MachineOptions } from "../../testbed/machine_api.ts";

const LIMIT = 20_000_000 as Cycles;
const [hello32] = tinyGuests;

async function run(options: MachineOptions): Promise<Machine> {
  const machine = await createMachine({
    kernel: hello32.image(),
    memory: "16MiB",
    translator: { hotAfter: 1, profile: true },
    ...options,
  });
  await machine.run({ forCycles: LIMIT });
  return machine;
}

for (const guest of tinyGuests) {
  Deno.test(`each region of ${guest.name} was left as often as it was entered`, async () => {
    const machine = await run({ name: guest.name, kernel: guest.image(), cpus: guest.cpus });
    const regions = machine.translations.list();
    assert(regions.some(({ executions }) => executions! > 0));
    for (const { address, executions, exits } of regions) {
      const left = exits!.reduce((sum, { count }) => sum + count, 0);
      assertEquals(left, executions, `region at 0x${address.toString(16)}`);
    }
  });
}

Deno.test("regions are the most executed first, and alike in every run", async () => {
  const seen = async (name: string) =>
    (await run({ name })).translations.list().map((region) => ({
      address: region.address,
      blocks: region.blocks,
      executions: region.executions,
      exits: region.exits,
    }));
  const first = await seen("first");
  assertEquals(await seen("second"), first);
  const executions = first.map((region) => region.executions!);
  assertEquals(executions, executions.toSorted((a, b) => b - a));
});

Deno.test("a region's text is guest code, its meaning, and WebAssembly", async () => {
  const machine = await run({ name: "text" });
  const [region] = machine.translations.list();
  const text = await region.text();
  const address = `0x${region.address.toString(16)}`;
  assertMatch(text, new RegExp(`block, an entry\n  ${address}  [a-z]+`));
  assertMatch(text, /\n {6}v0 = /);
  assertStringIncludes(text, "\n(func (param i64 i64 i32)\n");
  assertEquals(text.split("\n").at(-1), ")");
  assert(!text.includes("(changed)"));
});

Deno.test("a region is found by an instruction's linear address", async () => {
  const machine = await run({ name: "found" });
  const [region] = machine.translations.list();
  const found = machine.translations.find(BigInt(region.address));
  assert(found.some(({ address }) => address === region.address));
  assertEquals(machine.translations.find(0xffff_0000n), []);
});

Deno.test("without profiling regions are listed, but neither counted nor kept", async () => {
  const machine = await run({ name: "plain", translator: { hotAfter: 1 } });
  const [region] = machine.translations.list();
  assertEquals([region.executions, region.exits], [null, null]);
  assertStringIncludes(await region.text(), "(its WebAssembly was not kept)");
});

Deno.test("profiling regions changes neither the trace hash nor the end", async () => {
  const outcomes = [];
  for (const profile of [false, true]) {
    const machine = await run({ name: `p${profile}`, translator: { hotAfter: 1, profile } });
    outcomes.push([machine.trace.hash, machine.now, machine.lastStop]);
  }
  assertEquals(outcomes[1], outcomes[0]);
});

Deno.test("on another engine there are no regions", async () => {
  assertEquals((await run({ name: "cold", engine: "cold" })).translations.list(), []);
});
