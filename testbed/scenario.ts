/** What `xenarium run` runs: a story told by a script, with what it needs handed to it. */

import type { CreateMachine } from "./machine_api.ts";

/** What a scenario gets. */
export interface ScenarioContext {
  /** Prints one line. */
  print(line: string): void;
  readonly createMachine: CreateMachine;
  /** Fires when the user interrupts; pass it on to whatever runs. */
  readonly signal: AbortSignal;
}

/** The default export of a file in `scenarios/`. */
export interface Scenario {
  /** One line for listings. */
  readonly summary: string;
  /** Resolves when the story is told; rejects if it did not go as it should. */
  run(context: ScenarioContext): Promise<void>;
}

/** Whether `value` is a scenario, as far as its shape tells. */
export function isScenario(value: unknown): value is Scenario {
  if (typeof value !== "object" || value === null) return false;
  const { summary, run } = value as Partial<Scenario>;
  return typeof summary === "string" && typeof run === "function";
}
