/**
 * Pages with the same code, of which now one and now another is changed by the code in it: they share blocks and
 * translations (core/x86/cold/code_sharing.ts), and no engine lets the guest notice.
 */

import { assert, assertEquals } from "@std/assert";
import type { EngineName } from "../../core/x86/engine.ts";
import { Activity } from "../../core/x86/state/layout.ts";
import { HotEngine, type HotEngineOptions } from "../../core/translate/mod.ts";
import { ColdEngine } from "../../core/x86/cold/cold_engine.ts";
import { differences } from "../../testbed/machine_differences.ts";
import { RAM_BYTES, SmallMachine } from "./small_machine.ts";

/** Engines that are held against the reference, and after how many cycles they must stop each time. */
const TIERS: readonly (readonly [EngineName, HotEngineOptions, sliceCycles: number])[] = [
  ["cold", {}, 1_000_000],
  ["cold", { passes: 0 }, 1_000_000],
  ["cold", { passes: 20 }, 1_000_000],
  ["hot", { hotAfter: 1 }, 1_000_000],
  ["hot", { hotAfter: 3, cacheBytes: 4096 }, 13],
  ["hot", { hotAfter: 20 }, 1009],
];
const CYCLES = 40_000;
/** Copies of the program's page lie at these distances from it. */
const COPIES = [0x10000, 0x11000, 0x12000];

/** No page of the program. */
const UNUSED = 0x13000;

/** Calls a function in the copy at `distance`, 0 for the original, with RDX leading to an operand in another. */
const call = (name: string, distance: number, patched = 0) => `
      lea edx, [patched + 2 + ${patched}]
      lea eax, [${name} + ${distance}]
      call rax`;

const copy = (distance: number) => `
      lea esi, [start]
      lea edi, [start + ${distance}]
      mov ecx, 1024
      rep movsd`;

/**
 * At first the instruction that patches is met elsewhere, so that it can be executed in passing. In each of six rounds all copies are
 * made equal again; more often than a page is shared after a store.
 */
const SOURCE = `
    start:
      lea edx, [start + ${UNUSED}]
      inc byte [rdx]
      mov r8d, 6
    round:
      ${COPIES.map(copy).join("")}
      ${[0, ...COPIES, ...COPIES].map((distance) => call("adding", distance)).join("")}
      ${call("patching", COPIES[0], COPIES[0])}
      ${call("patching", COPIES[1], COPIES[2])}
      ${call("patching", COPIES[2], 0)}
      ${[0, ...COPIES].map((distance) => call("adding", distance)).join("")}
      dec r8d
      jnz round
      rdtsc
      hlt
    adding:
      mov ebp, 40
    turn:
      add ebx, 5
      rol ebx, 3
      dec ebp
      jnz turn
      ret
    patching:
      mov ebp, 40
    again:
      inc byte [rdx]
    patched:
      add ebx, 7
      rol ebx, 5
      dec ebp
      jnz again
      ret`;

/** Runs the program; returns what a guest could notice, and the most pages that had their code elsewhere. */
function run(engine: EngineName, options: HotEngineOptions = {}, sliceCycles = CYCLES) {
  const machine = new SmallMachine(engine, options);
  machine.place(SOURCE);
  let shared = 0;
  for (let to = 500; to <= CYCLES; to += Math.min(sliceCycles, 500)) {
    machine.runTo(Math.min(to, CYCLES));
    shared = Math.max(shared, members(machine));
  }
  const ram = new Uint8Array(RAM_BYTES);
  machine.memory.readRam(ram);
  const { state } = machine.cpu;
  assertEquals(state.activity, Activity.hlt, "the program ended");
  return {
    shared,
    outcome: { kind: "outcome", version: 1, state: { ram, cpu: { ...state.save() } } },
  };
}

function members({ processors: { engine } }: SmallMachine): number {
  if (engine instanceof HotEngine) return engine.cold.cache.sharing.members;
  return engine instanceof ColdEngine ? engine.cache.sharing.members : 0;
}

for (const [engine, options, sliceCycles] of TIERS) {
  const name = `${engine} ${JSON.stringify(options)}, ${sliceCycles} cycles at a time`;
  Deno.test(`equal pages that change share code without that the guest notices: ${name}`, () => {
    const expected = run("reference");
    const found = run(engine, options, sliceCycles);
    assertEquals(differences(expected.outcome, found.outcome), []);
    assert(found.shared >= COPIES.length, `${found.shared} pages shared code`);
  });
}

/** Where the program meets a stop in the second copy, which is set at a time when all pages share their code. */
function stopsMet(engine: EngineName): string[] {
  const machine = new SmallMachine(engine, { hotAfter: 1 });
  const { adding } = machine.place(SOURCE);
  machine.runTo(4_000);
  if (engine !== "reference") assertEquals(members(machine), COPIES.length, engine);
  const { debugging } = machine.processors;
  const met: string[] = [];
  debugging.attach({
    nextLook: () => Infinity,
    hearsEvents: false,
    stopsBefore: ({ state }, cycle) => {
      met.push(`${state.rip.toString(16)} at ${cycle}`);
      return false;
    },
    stopsAfter: () => false,
    trap: () => {},
    system: () => {},
  });
  debugging.setCodeStops([adding + BigInt(COPIES[1])]);
  machine.runTo(CYCLES);
  assertEquals(members(machine), 0, engine);
  return met;
}

Deno.test("a debugger's stop in one of several equal pages is met there alone, on every engine", () => {
  const expected = stopsMet("reference");
  assert(expected.length > 10, `${expected.length} stops`);
  for (const engine of ["cold", "hot"] as const) assertEquals(stopsMet(engine), expected, engine);
});
