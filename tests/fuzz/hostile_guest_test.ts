/**
 * Whatever a guest does stays in its machine: random code in every mode runs against the whole machine, devices
 * included, and nothing is thrown, nothing hangs, and a well-behaved machine beside it notices nothing.
 */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { tinyGuests } from "../../guests/tiny/mod.ts";
import { PcMachine } from "../../testbed/machine/machine.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { EngineName } from "../../testbed/machine_api.ts";
import { differences } from "../../testbed/machine_differences.ts";
import { HOSTILE_MODES, HOSTILE_RAM_BYTES, plantAttack, startAtEndOfRam } from "./hostile_guest.ts";
import { Random } from "./softfloat_operands.ts";

// A seed that finds a bug becomes a case of its own.
const SEEDS = (Deno.env.get("XENARIUM_FUZZ_SEEDS") ?? "1").split(",").map(Number);
const ROUNDS = Number(Deno.env.get("XENARIUM_FUZZ_ROUNDS") ?? 40);
const ROUND_CYCLES = 10_000 as Cycles;

/** Rounds in which the reference engine runs the same attack, and for how long: it is slow. */
const TWIN_ROUNDS = Math.ceil(ROUNDS / 4);
const TWIN_CYCLES = 2_000 as Cycles;

async function victim(cpus: number, engine: EngineName = "cold"): Promise<PcMachine> {
  const machine = await createMachine({
    kernel: tinyGuests[0].image(),
    memory: `${HOSTILE_RAM_BYTES / 2 ** 20}MiB`,
    cpus,
    engine,
  });
  assert(machine instanceof PcMachine);
  return machine;
}

for (const mode of HOSTILE_MODES) {
  for (const seed of SEEDS) {
    Deno.test(`random code in ${mode} mode, seed ${seed}, stays in its machine`, async () => {
      const random = new Random(seed);
      const machine = await victim(seed % 4 === 0 ? 2 : 1);
      const ends = new Map<string, number>();
      for (let round = 0; round < ROUNDS; round++) {
        plantAttack(machine, mode, random);
        if (round % 8 === 7 && mode !== "real") startAtEndOfRam(machine, random);
        const end = machine.now + ROUND_CYCLES;
        const { kind } = await machine.run({ untilCycle: end as typeof machine.now })
          .catch((error) => {
            throw new Error(`seed ${seed}, round ${round}: ${error}`, { cause: error });
          });
        ends.set(kind, (ends.get(kind) ?? 0) + 1);
        assert(machine.now <= end, `seed ${seed}, round ${round} ran beyond its end`);
      }
      assertEquals([...ends.values()].reduce((sum, count) => sum + count), ROUNDS);
    });
  }
}

for (const mode of HOSTILE_MODES) {
  for (const seed of SEEDS) {
    Deno.test(`random code in ${mode} mode, seed ${seed}, is the same on both engines`, async () => {
      const random = new Random(seed);
      const [cold, reference] = [await victim(1), await victim(1, "reference")];
      for (let round = 0; round < TWIN_ROUNDS; round++) {
        plantAttack(cold, mode, random);
        reference.restore(cold.snapshot());
        const stops = [];
        for (const machine of [cold, reference]) {
          stops.push((await machine.run({ forCycles: TWIN_CYCLES })).kind);
        }
        const where = `seed ${seed}, round ${round}`;
        assertEquals(stops[1], stops[0], where);
        assertEquals(differences(cold.snapshot(), reference.snapshot()), [], where);
      }
    });
  }
}
