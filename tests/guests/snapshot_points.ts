/** Snapshots at random cycles of a boot: what goes on from them is what went on without. */

import { assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import type { EngineName } from "../../core/x86/engine.ts";
import { createMachine } from "../../testbed/machine.ts";

/** How long it runs on from each snapshot, in cycles. */
const RUN_ON = 20_000_000;

/** What to try. */
export interface SnapshotPoints {
  readonly engine: EngineName;
  readonly points: number;
  /** Points lie before this cycle. */
  readonly before: number;
  readonly seed: number;
}

/** Boots Debian, and compares the trace hash behind each point with that of a boot without snapshots. */
export async function checkSnapshots(
  { engine, points, before, seed }: SnapshotPoints,
): Promise<void> {
  const options = { kernel: "debian", memory: "128MiB", append: "console=ttyS0", engine };
  const cycles = pointsOf(points, before, seed);
  const plain = await createMachine(options);
  const expected: string[] = [];
  for (const cycle of cycles) {
    await plain.run({ untilCycle: cycle + RUN_ON as Cycle });
    expected.push(plain.trace.hash);
  }
  const from = await createMachine(options);
  const to = await createMachine(options);
  for (const [i, cycle] of cycles.entries()) {
    await from.run({ untilCycle: cycle as Cycle });
    to.restore(from.snapshot());
    await to.run({ untilCycle: cycle + RUN_ON as Cycle });
    assertEquals(to.trace.hash, expected[i], `from cycle ${cycle} (seed ${seed})`);
  }
}

/** Cycles in ascending order, from a small generator of Lehmer's kind. */
function pointsOf(count: number, before: number, seed: number): number[] {
  let state = seed;
  const next = () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
  return Array.from({ length: count }, () => Math.floor(next() * before)).sort((a, b) => a - b);
}
