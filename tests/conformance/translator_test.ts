/**
 * Code that is hard to translate: each program leaves the same registers and the same memory on every engine, whenever
 * its parts become hot.
 */

import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import type { EngineName } from "../../core/x86/engine.ts";
import { Activity } from "../../core/x86/state/layout.ts";
import { HotEngine, type HotEngineOptions } from "../../core/translate/mod.ts";
import { differences } from "../../testbed/machine_differences.ts";
import { manyBlocks, type Program, PROGRAMS } from "./hard_programs.ts";
import { RAM_BYTES, SmallMachine } from "./small_machine.ts";

/** Engines that are held against the reference, and after how many cycles they must stop each time. */
const TIERS: readonly (readonly [EngineName, HotEngineOptions, sliceCycles: number])[] = [
  ["cold", { passes: 0 }, 1_000_000],
  ["cold", { passes: 256 }, 1_000_000],
  ["cold", { passes: 2 }, 97],
  ["hot", { hotAfter: 1 }, 1_000_000],
  // So few bytes that the cache is flushed again and again.
  ["hot", { hotAfter: 3, cacheBytes: 4096 }, 13],
  ["hot", {}, 1009],
];

/** Everything that a guest could notice. */
function outcome(machine: SmallMachine) {
  const ram = new Uint8Array(RAM_BYTES);
  machine.memory.readRam(ram);
  const { state } = machine.cpu;
  assertEquals(state.activity, Activity.hlt, "the program ended");
  return { kind: "outcome", version: 1, state: { ram, cpu: { ...state.save() } } };
}

function run(
  { source, cycles }: Program,
  engine: EngineName,
  options: HotEngineOptions = {},
  sliceCycles = cycles,
): SmallMachine {
  const machine = new SmallMachine(engine, options);
  machine.place(source);
  for (let to = sliceCycles; to < cycles; to += sliceCycles) machine.runTo(to);
  machine.runTo(cycles);
  return machine;
}

for (const program of PROGRAMS) {
  Deno.test(`all tiers agree on ${program.claim}`, () => {
    const expected = outcome(run(program, "reference"));
    for (const [engine, options, sliceCycles] of TIERS) {
      const found = outcome(run(program, engine, options, sliceCycles));
      assertEquals(differences(expected, found), [], `${engine} ${JSON.stringify(options)}`);
    }
  });
}

Deno.test("the hot engine that is forced translates what it meets", () => {
  const machine = run(PROGRAMS[0], "hot", { hotAfter: 1 });
  const { engine } = machine.processors;
  assert(engine instanceof HotEngine);
  assert(engine.counters.regions > 0);
});

Deno.test("a full cache is flushed, and what is hot translated again", () => {
  const { processors: { engine } } = run(PROGRAMS[0], "hot", { hotAfter: 1, cacheBytes: 4096 });
  assert(engine instanceof HotEngine);
  const { flushes, regions } = engine.counters;
  assert(flushes > 0 && regions > flushes, `${flushes} flushes, ${regions} regions`);
});

const MANY: readonly (readonly [count: number, EngineName, HotEngineOptions])[] = [
  [2_000, "hot", { hotAfter: 1 }],
  [2_000, "hot", { hotAfter: 2, cacheBytes: 65536 }],
  // More than there is room for.
  [400_000, "cold", { passes: 0 }],
  [400_000, "cold", {}],
  [400_000, "hot", {}],
];

for (const [count, engine, options] of MANY) {
  Deno.test(`${count} blocks, each executed twice, are the same on ${engine} ${JSON.stringify(options)}`, () => {
    const program = manyBlocks(count);
    const { cpu: { state }, memory } = run(program, engine, options);
    // Each function adds its sign-extended immediate twice.
    let sum = 0;
    for (let left = count; left > 0; left--) sum = (sum + 2 * (left << 24 >> 24)) | 0;
    assertEquals(state.activity, Activity.hlt, "the program ended");
    assertEquals(Number(state.rbx), sum >>> 0);
    const last = 0x10_0000 + 4 * ((count - 1) % 0xbc000);
    assertEquals(memory.read(last, 4), 0xc301c383);
  });
}

Deno.test("code that a device changes by DMA is executed as it is now, on every tier", () => {
  const source = `
      mov ecx, 4000
    again:
    patched:
      add ebx, 1
      rol ebx, 1
      dec ecx
      jnz again
      rdtsc
      hlt`;
  const outcomes = [["reference", {}, 0] as const, ...TIERS].map(([engine, options]) => {
    const machine = new SmallMachine(engine, options);
    const { patched } = machine.place(source);
    for (let cycle = 501; cycle < 16_000; cycle += 500) {
      const timer = machine.clock.createTimer(`dma.${cycle}`, () => {
        const { memory } = machine;
        memory.writeDma(physical(Number(patched) + 2), Uint8Array.of(cycle & 0x7f));
      });
      timer.armAt(cycle as Cycle);
    }
    machine.runTo(20_000);
    return outcome(machine);
  });
  for (const found of outcomes.slice(1)) assertEquals(differences(outcomes[0], found), []);
});
