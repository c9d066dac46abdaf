/** Snapshots at random cycles of a boot: what goes on from them is what went on without. */

import { assertEquals } from "@std/assert";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import type { EngineName } from "../../core/x86/engine.ts";
import type { Machine } from "../../testbed/machine_api.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { PcMachine } from "../../testbed/machine/machine.ts";

/** How long it runs on from each snapshot, in cycles. */
const RUN_ON = 20_000_000;
/** How far it has run from a checkpoint when it is sent back there. */
const ASTRAY = 500_000 as Cycles;

/** What to try. */
export interface SnapshotPoints {
  readonly engine: EngineName;
  readonly points: number;
  /** Points lie before this cycle. */
  readonly before: number;
  readonly seed: number;
  /** One point in so many is taken over by another machine, as a record; all are gone back to in memory. */
  readonly recordEvery: number;
  /** Told of each point that was as it should be. */
  readonly onPoint?: (done: number) => void;
}

/**
 * Boots Debian without an interruption, and once more from point to point: at each it is saved, goes astray, is sent
 * back, and runs on to where its trace hash must be that of the first boot.
 */
export async function checkSnapshots(
  { engine, points, before, seed, recordEvery, onPoint }: SnapshotPoints,
): Promise<void> {
  const options = { kernel: "debian", memory: "128MiB", append: "console=ttyS0", engine };
  const cycles = pointsOf(points, before, seed);
  const expected = await hashesBehind(await createMachine(options), cycles);
  const machine = await createMachine(options) as PcMachine;
  const other = await createMachine(options);
  const runOn = async (from: Machine, i: number, how: string) => {
    await from.run({ untilCycle: cycles[i] + RUN_ON as Cycle });
    assertEquals(from.trace.hash, expected[i], `${how} at cycle ${cycles[i]} (seed ${seed})`);
  };
  for (const [i, cycle] of cycles.entries()) {
    await machine.run({ untilCycle: cycle as Cycle });
    const checkpoint = machine.timeline.take();
    if (i % recordEvery === 0) {
      other.restore(machine.snapshot());
      await runOn(other, i, "from a record");
    }
    await machine.run({ forCycles: ASTRAY });
    machine.timeline.goTo(checkpoint);
    await runOn(machine, i, "from a checkpoint");
    machine.timeline.goTo(checkpoint);
    machine.timeline.drop(checkpoint);
    onPoint?.(i + 1);
  }
}

/** The trace hash that an undisturbed machine has behind each point. */
async function hashesBehind(machine: Machine, cycles: readonly number[]): Promise<string[]> {
  const hashes: string[] = [];
  for (const cycle of cycles) {
    await machine.run({ untilCycle: cycle + RUN_ON as Cycle });
    hashes.push(machine.trace.hash);
  }
  return hashes;
}

/** Cycles in ascending order, from a small generator of Lehmer's kind. */
function pointsOf(count: number, before: number, seed: number): number[] {
  let state = seed;
  const next = () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
  return Array.from({ length: count }, () => Math.floor(next() * before)).sort((a, b) => a - b);
}
