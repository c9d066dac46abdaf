/**
 * Going back: a machine is put at the checkpoint before the wanted instant and runs from there, with the inputs that it
 * had. Since it runs the same way again, nobody inside can tell.
 */

import type { Cycle } from "../../core/clock/clock.ts";
import type { RunOptions, StopReason } from "../machine_api.ts";
import type { Checkpoint, Timeline } from "./timeline.ts";

/** What going back needs of a machine. */
export interface TimeTraveller {
  readonly name: string;
  readonly now: Cycle;
  readonly timeline: Timeline;
  /** Grows with whatever a CPU does: tells instants of a turn apart that have one cycle. */
  readonly progress: number;
  /** The cycle of the CPU that has run furthest. */
  readonly furthestCycle: number;
  /** Since when the first CPU has done nothing but wait, as far as was seen; `null` if it does not wait. */
  readonly waitingSince: number | null;
  /** The first cycle by which one more instruction has begun. */
  readonly nextBoundary: Cycle;
  /** Runs without telling those who listen, and stops for nothing but `cycle` and the machine's own end. */
  rerun(cycle: Cycle): Promise<StopReason>;
  /** As `rerun`, but stops at breakpoints, too. */
  rerunToHit(options: RunOptions, cycle: Cycle): Promise<StopReason>;
}

/** How far before the present the search for the last instruction begins, in cycles. */
const STEP_WINDOW = 512;
const WINDOW_GROWTH = 16;
/** A checkpoint that is no farther is where it begins. */
const NEAR_CYCLES = 2048;

/** Brings the machine to `cycle`, be it past or future. Throws `RangeError` if no checkpoint is as old. */
export async function seek(machine: TimeTraveller, cycle: Cycle): Promise<void> {
  if (cycle < machine.now) machine.timeline.goTo(checkpointBefore(machine, cycle));
  else {
    const nearer = machine.timeline.latest(cycle);
    if (nearer && nearer.cycle > machine.now) machine.timeline.goTo(nearer);
  }
  await advance(machine, cycle);
}

/** Runs to `cycle`, over resets and whatever else a run returns for. */
async function advance(machine: TimeTraveller, cycle: Cycle): Promise<void> {
  while (machine.now < cycle) {
    const from = machine.now;
    await machine.rerun(cycle);
    if (machine.now === from) return;
  }
}

function checkpointBefore(machine: TimeTraveller, cycle: number): Checkpoint {
  const found = machine.timeline.latest(cycle);
  if (found) return found;
  const [oldest] = machine.timeline.checkpoints;
  throw new RangeError(
    oldest
      ? `${machine.name} cannot go back to cycle ${cycle}: its oldest checkpoint is of cycle ${oldest.cycle}`
      : `${machine.name} has no checkpoint to go back to: make it with the option checkpoints, ` +
        "or take one by checkpoint()",
  );
}

/**
 * Goes back to where the last instruction (or the wait that ended now) began. Where a wait began is known once it was
 * seen to; the instants at which instructions begin are found by going through a short stretch again, one by one.
 */
export async function reverseStep(machine: TimeTraveller): Promise<void> {
  const { now: end, timeline } = machine;
  const near = checkpointBefore(machine, end - 1);
  const first = timeline.checkpoints[0].cycle;
  let from = near.cycle >= end - NEAR_CYCLES ? near.cycle : Math.max(first, end - STEP_WINDOW);
  for (let window = STEP_WINDOW;; from = Math.max(first, end - (window *= WINDOW_GROWTH))) {
    await seek(machine, from as Cycle);
    const base = timeline.takeWorking();
    await advance(machine, end);
    const since = machine.waitingSince ?? end;
    if (since <= from && from > first) continue;
    timeline.goTo(base);
    if (since < end) return await advance(machine, Math.max(since, from) as Cycle);
    const last = await lastBoundary(machine, end);
    if (last === null && from > first) continue;
    timeline.goTo(base);
    return await advance(machine, last ?? base.cycle);
  }
}

/** The last instant before `end` at which an instruction began; `null` if none did. */
async function lastBoundary(machine: TimeTraveller, end: Cycle): Promise<Cycle | null> {
  let last = machine.nextBoundary === machine.now + 1 ? machine.now : null;
  while (machine.now < end) {
    const from = machine.now;
    await machine.rerun(machine.nextBoundary);
    if (machine.now === from) break;
    if (machine.now < end) last = machine.now;
  }
  return last;
}

/**
 * Goes back to the last instant before the present at which a run would have stopped: stretch by stretch from the
 * latest checkpoint on, each run forward once, the one with the hit once more up to there. Without a hit the machine is
 * left at its oldest checkpoint, and the result is `limit`. Stretches of which `mayHit` knows better are left out.
 */
export async function reverseContinue(
  machine: TimeTraveller,
  options: RunOptions,
  mayHit: (from: Checkpoint, next: Checkpoint | null) => boolean = () => true,
): Promise<StopReason> {
  const { timeline } = machine;
  if (machine.now === timeline.checkpoints[0]?.cycle) return { kind: "limit" };
  let end = instantOf(machine);
  let from = checkpointBefore(machine, machine.now - 1);
  let next: Checkpoint | null = null;
  // A hit at the instant of a checkpoint is found by the run that ends there: that which begins there passes it.
  for (let counts = (hit: Instant) => isBefore(hit, end);;) {
    timeline.goTo(from);
    const start = instantOf(machine);
    const limit = end.furthest + 1 as Cycle;
    const hits = mayHit(from, next) ? await hitsWhile(machine, options, counts, limit) : 0;
    if (hits === "aborted") return { kind: "aborted" };
    timeline.goTo(from);
    if (hits > 0) return await runToHit(machine, options, hits, limit);
    if (from === timeline.checkpoints[0]) return { kind: "limit" };
    end = start;
    counts = (hit) => !isBefore(start, hit);
    [from, next] = [checkpointBefore(machine, from.cycle - 1), from];
  }
}

/** An instant of a machine's past: of several CPUs, those within a turn have cycles that overlap. */
interface Instant {
  readonly progress: number;
  readonly now: number;
  /** The cycle by which all of it has happened. */
  readonly furthest: number;
}

function instantOf({ progress, now, furthestCycle }: TimeTraveller): Instant {
  return { progress, now, furthest: Math.max(now, furthestCycle) };
}

/** Machines that wait come to later cycles without progress. */
function isBefore(one: Instant, other: Instant): boolean {
  return one.progress < other.progress || (one.progress === other.progress && one.now < other.now);
}

/** How many hits there are from the present on for which `counts` holds, as it does for all instants up to some. */
async function hitsWhile(
  machine: TimeTraveller,
  options: RunOptions,
  counts: (hit: Instant) => boolean,
  limit: Cycle,
): Promise<number | "aborted"> {
  let hits = 0;
  for (let at = instantOf(machine); counts(at);) {
    const from = at;
    const stop = await machine.rerunToHit(options, limit);
    if (stop.kind === "aborted") return "aborted";
    at = instantOf(machine);
    if (isHit(stop)) {
      if (counts(at)) hits++;
    } else if (!isBefore(from, at)) break;
  }
  return hits;
}

async function runToHit(
  machine: TimeTraveller,
  options: RunOptions,
  hits: number,
  limit: Cycle,
): Promise<StopReason> {
  for (let left = hits;;) {
    const stop = await machine.rerunToHit(options, limit);
    if (isHit(stop) ? --left === 0 : stop.kind === "aborted" || machine.now >= limit) return stop;
  }
}

/** Whether a run ended where the user asked it to. */
function isHit({ kind }: StopReason): boolean {
  return kind === "breakpoint";
}
