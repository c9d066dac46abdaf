/** How a run is asked for on the command line. */

import type { ParameterValue, RunSummary } from "../runs/run_record.ts";
import { settingText } from "./parameters.ts";

/** The option for a parameter, without its dashes: `sliceLength` is `slice-length`. */
export function optionName(parameter: string): string {
  return parameter.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * What to type for the same run again; a shell reads it as it is meant, whatever the parameters say.
 *
 * ```ts
 * import { commandLineOf } from "@xenarium/xenarium";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   commandLineOf({ scenario: "own_lab", seed: 2, parameters: { warmUp: "1s", quiet: false } }),
 *   "xenarium run own_lab --seed 2 --warm-up 1s --no-quiet",
 * );
 * ```
 */
export function commandLineOf(
  { scenario, seed, parameters }: Pick<RunSummary, "scenario" | "seed" | "parameters">,
): string {
  const options = Object.entries(parameters).map(([name, value]) => optionText(name, value));
  return ["xenarium run", scenario, `--seed ${seed}`, ...options].join(" ");
}

function optionText(parameter: string, value: ParameterValue): string {
  const name = optionName(parameter);
  if (typeof value === "boolean") return value ? `--${name}` : `--no-${name}`;
  return `--${name} ${shellWord(settingText(value))}`;
}

/** A word of a shell's command line that means just `text`. */
function shellWord(text: string): string {
  return /^[\w.,:/+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
