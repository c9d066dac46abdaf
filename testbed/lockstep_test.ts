import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Cycle } from "../core/clock/clock.ts";
import { tinyGuests } from "../guests/tiny/mod.ts";
import { describeParting, runLockstep } from "./lockstep.ts";
import { createMachine } from "./machine.ts";
import { PcMachine } from "./machine/machine.ts";
import type { CreateMachine } from "./machine_api.ts";

const OPTIONS = { kernel: tinyGuests[0].image(), memory: "4MiB" };
const END = 100_000 as Cycle;
/** Where the broken engine goes wrong: it changes a byte of memory, once. */
const BREAKS_AT = 43_210 as Cycle;
const BROKEN_BYTE = 0x30_0000;

/** Machines whose hot engine is broken. */
const createBroken: CreateMachine = async (options) => {
  const machine = await createMachine(options);
  if (options.engine !== "hot" || !(machine instanceof PcMachine)) return machine;
  const { run } = machine;
  machine.run = async (how = {}) => {
    const end = how.untilCycle ?? END;
    if (machine.now < BREAKS_AT && end >= BREAKS_AT) {
      await run.call(machine, { ...how, untilCycle: BREAKS_AT });
      machine.machineMemory.write(BROKEN_BYTE, 1, 0x5a);
    }
    return await run.call(machine, how);
  };
  return machine;
};

Deno.test("engines in lock-step that agree reach the end", async () => {
  const result = await runLockstep(createMachine, OPTIONS, {
    tiers: ["cold", "hot"],
    everyCycles: 30_000,
    untilCycle: () => END,
  });
  assertEquals(result, { stop: { kind: "limit" }, now: END, comparisons: 4, parting: null });
});

Deno.test("where engines part is found to the cycle, with what differs and the instruction", async () => {
  const { parting } = await runLockstep(createBroken, OPTIONS, {
    tiers: ["cold", "hot"],
    everyCycles: 30_000,
    untilCycle: () => END,
  });
  const { from, to, exact, differences } = parting!;
  assertEquals([from, to, exact], [BREAKS_AT - 1, BREAKS_AT, true]);
  assertEquals(differences.length, 1);
  assertMatch(differences[0], /\[0x300000\]: 0x0 and 0x5a/);
  assertMatch(
    describeParting(parting!),
    /between cycles 43209 and 43210.*cpu0 at 0x[0-9a-f]+: \w+/s,
  );
});

Deno.test("one engine twice is no lock-step", async () => {
  await assertRejects(
    () => runLockstep(createMachine, OPTIONS, { tiers: ["hot", "hot"] }),
    TypeError,
    "two different engines, found hot twice",
  );
});
