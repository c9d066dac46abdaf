/**
 * Back by one instruction of one CPU of several: to the last boundary of that CPU before the one that it is at, with the
 * others where they were when it stood there.
 */

import type { Cycle } from "../../core/clock/clock.ts";
import type { TimeTraveller } from "./time_travel.ts";

/** What this needs besides travelling. */
export interface CpuTraveller extends TimeTraveller {
  /** The cycle that one CPU has run to by itself. */
  cycleOf(cpu: number): number;
  /** Runs quietly until a CPU is between two instructions at or after its cycle `cycle`, or to cycle `limit`. */
  rerunCpu(cpu: number, cycle: number, limit: Cycle): Promise<void>;
}

/** Each look starts so many times as far back as the one before. */
const GROWTH = 8;

/** See the module comment. Throws `RangeError` if no checkpoint is as old. */
export async function reverseCpuStep(machine: CpuTraveller, cpu: number): Promise<void> {
  const { timeline } = machine;
  const known = [...timeline.checkpoints];
  const present = timeline.take();
  const end = machine.cycleOf(cpu);
  const limit = Math.max(machine.now, machine.furthestCycle) + 1 as Cycle;
  try {
    for (const from of known.toReversed()) {
      timeline.goTo(from);
      const first = machine.cycleOf(cpu);
      if (first >= end) continue;
      for (let back = 1, start = end; start > first + 1; back *= GROWTH) {
        start = Math.max(first + 1, end - back);
        timeline.goTo(from);
        const last = await lastBoundary(machine, cpu, [start, end], limit);
        if (last === null) continue;
        timeline.goTo(from);
        return await machine.rerunCpu(cpu, last, limit);
      }
      // No boundary lies between: this CPU has stood there when the checkpoint was taken.
      return timeline.goTo(from);
    }
    timeline.goTo(present);
    throw new RangeError(`no checkpoint is old enough for a step back of CPU ${cpu}`);
  } finally {
    if (!known.includes(present)) timeline.drop(present);
  }
}

/** The last boundary of a CPU within [from, to) of its own cycles, or `null`. */
async function lastBoundary(
  machine: CpuTraveller,
  cpu: number,
  [from, to]: readonly [from: number, to: number],
  limit: Cycle,
): Promise<number | null> {
  let last: number | null = null;
  for (let wanted = from;;) {
    await machine.rerunCpu(cpu, wanted, limit);
    const at = machine.cycleOf(cpu);
    if (at >= to || at < wanted) return last;
    last = at;
    wanted = at + 1;
  }
}
