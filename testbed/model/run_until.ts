/**
 * Simulated time passes on a machine of models, in stretches: between two of them the host gets its breath, so that a page is
 * served and a Ctrl-C is heard.
 */

import type { Cycle, MachineClock } from "../../core/clock/clock.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";

/** What runs. */
export interface Advancing {
  readonly clock: MachineClock;
  readonly dispatcher: CpuDispatcher;
}

/** Who may end it sooner. */
export interface RunLimits {
  readonly signal?: AbortSignal;
  /** Asked between two stretches: whether there is nothing left to do. */
  readonly isOver?: () => boolean;
}

/** Longest stretch between two looks at the abort signal, in simulated seconds. */
const STRETCH_SECONDS = 0.05;
/** How long the host may be busy without a pause, in milliseconds of its own time. */
const BREATH_MS = 30;

/** Advances simulated time to `end`, until nothing happens any more, or until the signal fires. */
export async function runUntil(
  { clock, dispatcher }: Advancing,
  end: number,
  { signal, isOver = () => false }: RunLimits = {},
): Promise<void> {
  const stretch = STRETCH_SECONDS * clock.frequencyHz;
  let breath = performance.now();
  while (clock.now < end && !isOver() && !signal?.aborted) {
    const before = clock.now;
    dispatcher.advance(Math.min(end, before + stretch) as Cycle);
    if (clock.now === before) return;
    if (performance.now() - breath <= BREATH_MS) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    breath = performance.now();
  }
}
