/**
 * Whatever a guest does stays in its machine: random code in every mode runs against the whole machine, devices
 * included, and nothing is thrown, nothing hangs, and a well-behaved machine beside it notices nothing.
 */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import type { HotEngineOptions } from "../../core/translate/mod.ts";
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

/** Rounds in which another engine runs the same attack, and for how long the reference does: it is slow. */
const TWIN_ROUNDS = Math.ceil(ROUNDS / 4);
const TWIN_CYCLES = 2_000 as Cycles;

/** Engines that are held against the cold tier, and for how many cycles; the hot one by default, and forced. */
const TWINS: readonly (readonly [EngineName, HotEngineOptions, Cycles])[] = [
  ["reference", {}, TWIN_CYCLES],
  ["hot", {}, ROUND_CYCLES],
  ["hot", { hotAfter: 1 }, ROUND_CYCLES],
];

async function victim(
  cpus: number,
  engine: EngineName,
  translator: HotEngineOptions = {},
): Promise<PcMachine> {
  const machine = await createMachine({
    kernel: tinyGuests[0].image(),
    memory: `${HOSTILE_RAM_BYTES / 2 ** 20}MiB`,
    cpus,
    engine,
    translator,
  });
  assert(machine instanceof PcMachine);
  return machine;
}

for (const mode of HOSTILE_MODES) {
  for (const seed of SEEDS) {
    Deno.test(`random code in ${mode} mode, seed ${seed}, stays in its machine`, async () => {
      const random = new Random(seed);
      const machine = await victim(seed % 4 === 0 ? 2 : 1, "hot", { hotAfter: 1 });
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

for (const [engine, translator, cycles] of TWINS) {
  for (const mode of HOSTILE_MODES) {
    for (const seed of SEEDS) {
      const tier = engine === "hot" ? `hot after ${translator.hotAfter ?? "many"}` : engine;
      Deno.test(`random code in ${mode} mode, seed ${seed}, is the same cold and ${tier}`, async () => {
        const random = new Random(seed);
        const [cold, twin] = [await victim(1, "cold"), await victim(1, engine, translator)];
        for (let round = 0; round < TWIN_ROUNDS; round++) {
          plantAttack(cold, mode, random);
          const planted = cold.snapshot();
          const stops = [];
          for (const machine of [cold, twin]) {
            machine.restore(planted);
            stops.push((await machine.run({ forCycles: cycles })).kind);
          }
          const where = `seed ${seed}, round ${round}`;
          assertEquals(stops[1], stops[0], where);
          assertEquals(differences(cold.snapshot(), twin.snapshot()), [], where);
        }
      });
    }
  }
}
