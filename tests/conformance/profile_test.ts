/** Sampling: the same samples in every tier, and a guest that cannot tell. */

import { assertEquals, assertNotEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { callersByFramePointer, codeAddress } from "../../core/x86/sampling.ts";
import { type TinyGuest, tinyGuests } from "../../guests/tiny/mod.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { EngineName } from "../../testbed/machine_api.ts";
import { foldedStacks } from "../../testbed/profile/speedscope.ts";
import { ENGINES, PROGRAM, SmallMachine } from "./small_machine.ts";

const LIMIT = 20_000_000 as Cycles;
const EVERY_CYCLES = 97;

async function run(guest: TinyGuest, engine: EngineName, profiled: boolean) {
  const machine = await createMachine({
    name: `${guest.name}-${engine}-${profiled}`,
    kernel: guest.image(),
    memory: "16MiB",
    cpus: guest.cpus,
    engine,
    translator: { hotAfter: 1 },
  });
  const profile = profiled ? machine.profile({ everyCycles: EVERY_CYCLES }) : null;
  await machine.run({ forCycles: LIMIT });
  const outcome = { now: machine.now, hash: machine.trace.hash, text: machine.console.text };
  return { outcome, stacks: profile && foldedStacks(profile) };
}

for (const guest of tinyGuests) {
  Deno.test(`${guest.name} runs the same with and without samples, and has the same in every tier`, async () => {
    const plain = await run(guest, "reference", false);
    const reference = await run(guest, "reference", true);
    assertEquals(reference.outcome, plain.outcome);
    assertNotEquals(reference.stacks, []);
    for (const engine of ["cold", "hot"] as const) {
      assertEquals(await run(guest, engine, true), reference, engine);
    }
  });
}

/** Two calls deep, with frames; then a frame pointer that leads nowhere. */
const FRAMES = `
  mov rbp, 0
  call outer
after_outer:
  mov rbp, 7
stray:
  jmp stray
outer:
  push rbp
  mov rbp, rsp
  call inner
after_inner:
  pop rbp
  ret
inner:
  push rbp
  mov rbp, rsp
deep:
  nop
  pop rbp
  ret
`;

for (const engine of ENGINES) {
  Deno.test(`callers are those whose frames are on the stack, on the ${engine} engine`, () => {
    const machine = new SmallMachine(engine);
    const { after_outer, after_inner, deep, stray } = machine.place(FRAMES);
    const seen = new Map<bigint, bigint[]>();
    machine.processors.observe({
      nextAfter: (cycle) => cycle + 1,
      sample: (cpu) => seen.set(codeAddress(cpu), callersByFramePointer(cpu)),
    });
    machine.runTo(40);
    assertEquals(seen.get(deep), [after_inner, after_outer]);
    assertEquals(seen.get(after_inner), [after_outer]);
    assertEquals(seen.get(stray), []);
    assertEquals(seen.has(BigInt(PROGRAM)), false, "the first sample follows the first instant");
  });
}

Deno.test("a sampler that is taken away looks no longer", () => {
  const machine = new SmallMachine("cold");
  machine.place("again: jmp again");
  const cycles: number[] = [];
  const sampler = {
    nextAfter: (cycle: number) => (Math.floor(cycle / 10) + 1) * 10,
    sample: (_: unknown, cycle: number) => void cycles.push(cycle),
  };
  machine.processors.observe(sampler);
  machine.runTo(35);
  machine.processors.unobserve(sampler);
  machine.runTo(100);
  assertEquals(cycles, [10, 20, 30]);
});
