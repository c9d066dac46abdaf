/**
 * The engines side by side: a booting Debian is taken by snapshot from a machine on the cold tier to one on each other
 * engine, all run on, and afterwards nothing that a guest could notice differs. The same snapshots show that saving
 * and restoring a machine is invisible.
 */

import { assertEquals } from "@std/assert";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import type { HotEngineOptions } from "../../core/translate/mod.ts";
import { debian, type DebianFlavour } from "../../testbed/images/mod.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { EngineName, Machine, MachineOptions } from "../../testbed/machine_api.ts";
import { requireDebian } from "../guests/debian_image.ts";
import { differences } from "../../testbed/machine_differences.ts";

/**
 * Engines that are held against the cold tier, and for how long: the reference retires some 300,000 instructions a second,
 * and where everything is translated at its first execution, that takes most of the time.
 */
const TWINS: readonly (readonly [EngineName, HotEngineOptions, Cycles])[] = [
  ["reference", {}, 200_000 as Cycles],
  ["hot", { hotAfter: 1 }, 1_000_000 as Cycles],
  ["hot", { hotAfter: 128 }, 10_000_000 as Cycles],
];

/** Options of a machine that boots the kernel, or `null` with a reason printed where there is none. */
async function booting(flavour: DebianFlavour, cpus: number): Promise<MachineOptions | null> {
  const store = await requireDebian(flavour);
  if (!store) return null;
  const { vmlinux, initrd } = await debian(flavour, { store });
  return { kernel: vmlinux, initrd, append: "console=ttyS0", memory: "128MiB", cpus };
}

async function runTo(machine: Machine, cycle: number): Promise<void> {
  await machine.run({ untilCycle: cycle as Cycle });
}

// The first steps; decompression and early set-up; interrupts, system calls and processes.
const LOCKSTEP: readonly [DebianFlavour, cpus: number, cycles: readonly number[]][] = [
  ["amd64", 1, [1_000, 5_000_000, 60_000_000, 400_000_000]],
  ["686", 1, [30_000_000, 300_000_000]],
  ["amd64", 4, [200_000_000]],
];

for (const [engine, translator, stretchCycles] of TWINS) {
  const tier = engine === "hot" ? `hot (after ${translator.hotAfter})` : engine;
  for (const [flavour, cpus, cycles] of LOCKSTEP) {
    Deno.test(`cold and ${tier} take Debian ${flavour} on ${cpus} CPU(s) through the same states`, async () => {
      const options = await booting(flavour, cpus);
      if (!options) return;
      const cold = await createMachine({ ...options, engine: "cold" });
      const twin = await createMachine({ ...options, engine, translator });
      for (const cycle of cycles) {
        await runTo(cold, cycle);
        twin.restore(cold.snapshot());
        for (const machine of [cold, twin]) await machine.run({ forCycles: stretchCycles });
        assertEquals(twin.trace.hash, cold.trace.hash, `trace hash after cycle ${cycle}`);
        assertEquals(differences(cold.snapshot(), twin.snapshot()), [], `after cycle ${cycle}`);
      }
    });
  }
}

const SNAPSHOTS: readonly [DebianFlavour, cpus: number, cycles: readonly number[]][] = [
  ["amd64", 1, [1_234_567, 98_765_432, 170_000_001, 250_000_000]],
  ["686", 3, [20_000_003, 54_321_098, 100_000_007, 120_000_000]],
];

for (const [flavour, cpus, cycles] of SNAPSHOTS) {
  Deno.test(`Debian ${flavour} on ${cpus} CPU(s) does not notice that it moves to another machine`, async () => {
    const options = await booting(flavour, cpus);
    if (!options) return;
    const end = cycles[cycles.length - 1];
    const uninterrupted = await createMachine(options);
    await runTo(uninterrupted, end);
    let [from, to] = [await createMachine(options), await createMachine(options)];
    for (const cycle of cycles) {
      await runTo(from, cycle);
      to.restore(from.snapshot());
      [from, to] = [to, from];
    }
    assertEquals(from.trace.hash, uninterrupted.trace.hash);
    assertEquals(differences(uninterrupted.snapshot(), from.snapshot()), []);
  });
}
