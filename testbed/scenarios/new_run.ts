/** A run about to start: what was asked is checked, and there is a place for what happens. */

import { newRunId, type RunStore } from "../runs/run_store.ts";
import type { RunEvent } from "../runs/run_events.ts";
import type { RunHead } from "../runs/run_record.ts";
import { checkSettings, type Settings } from "./parameters.ts";
import { PROGRAM_VERSION } from "./program_version.ts";
import type { FoundScenario } from "./scenario_shelf.ts";

/** The seed of those who name none. */
export const DEFAULT_SEED = 1;
/** Seeds are whole numbers from 0 to this. */
export const MAX_SEED = 2 ** 32 - 1;

/** A run that has been entered in the store, if there is one. */
export interface NewRun {
  readonly head: RunHead;
  readonly settings: Settings;
  /** Keeps an event. The run's `started` has been kept already. */
  keep(event: RunEvent): void;
}

/**
 * Checks parameters and seed, and enters the run. Throws `RangeError` or `SyntaxError` that says which parameter is
 * wrong, what was found and what is accepted; then nothing was entered.
 */
export function newRun(
  { name, scenario }: FoundScenario,
  given: Settings,
  seed: number,
  store: RunStore | null,
): NewRun {
  const settings = checkSettings(scenario.parameters ?? {}, given);
  if (!Number.isSafeInteger(seed) || seed < 0 || seed > MAX_SEED) {
    throw new RangeError(`seed: expected a whole number from 0 to ${MAX_SEED}, found ${seed}`);
  }
  const head = {
    scenario: name,
    title: scenario.title ?? name,
    parameters: settings,
    seed,
    profile: scenario.profile ?? "",
    version: PROGRAM_VERSION,
    startedMs: Date.now(),
  };
  if (store === null) return { head: { ...head, id: newRunId() }, settings, keep: () => {} };
  const writer = store.begin(head);
  return {
    head: { ...head, id: writer.id },
    settings,
    keep: (event) => void writer.append(event),
  };
}
