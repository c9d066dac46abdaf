/**
 * How a run goes, of a machine as of a host: simulated time in bounded slices, between which the abort signal is looked
 * at, the console's text is searched, and the process breathes.
 */

import type { Cycle } from "../core/clock/clock.ts";
import type { RunOptions, StopReason } from "./machine_api.ts";

/** Longest stretch between two looks at the abort signal, in cycles. */
export const SLICE_CYCLES = 2_000_000;
/**
 * By how much the CPUs of one machine may run ahead of each other unless it is told, in cycles. A prime: a spin
 * loop whose length divides the quantum could otherwise end each turn with its lock held.
 */
export const QUANTUM_CYCLES = 20_011;
/** How long the process goes without a pause for others, in milliseconds of its own time. */
const BREATH_MS = 30;

/** Where the slice ends that begins at `now`, in a run up to `limit`. */
export function sliceEnd(now: Cycle, limit: number): Cycle {
  return Math.min(limit, now + SLICE_CYCLES) as Cycle;
}

/** What can be run in slices. */
export interface Sliced {
  now(): Cycle;
  /** Whether somebody wants the run to end. */
  isInterrupted(): boolean;
  /** Advances by one slice, to `limit` at most; returns why the run must end, or `null`. */
  slice(limit: number): StopReason | null | Promise<StopReason | null>;
  /** Passes on what consoles have printed. */
  flush(): void;
}

/** Advances `sliced` until something of `options` holds, whose text is that of `console`, or it must end. */
export async function runSlices(
  sliced: Sliced,
  options: RunOptions,
  console: { readonly text: string } | null,
): Promise<StopReason> {
  const { untilCycle, forCycles, untilText, signal } = options;
  const limit = untilCycle ?? (forCycles === undefined ? Infinity : sliced.now() + forCycles);
  const from = console?.text.length ?? 0;
  let breathed = performance.now();
  for (;;) {
    if (signal?.aborted || sliced.isInterrupted()) return { kind: "aborted" };
    const ended = sliced.slice(limit);
    const stop = ended instanceof Promise ? await ended : ended;
    if (untilText !== undefined && console?.text.includes(untilText, from)) {
      return { kind: "marker", text: untilText };
    }
    if (stop) return stop;
    if (performance.now() - breathed <= BREATH_MS) continue;
    sliced.flush();
    await new Promise((resolve) => setTimeout(resolve, 0));
    breathed = performance.now();
  }
}
