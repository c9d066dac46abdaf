/** A scenario's parameters as options of a command line. */

import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { invariant } from "../../core/lib/assert.ts";
import type { ParameterValue } from "../runs/run_record.ts";
import { optionName } from "../scenarios/command_line.ts";
import { DEFAULT_SEED, MAX_SEED } from "../scenarios/new_run.ts";
import {
  accepted,
  checkSetting,
  defaultText,
  type Parameter,
  type Settings,
} from "../scenarios/parameters.ts";
import type { FoundScenario } from "../scenarios/scenario_shelf.ts";
import { wholeNumber } from "./option_values.ts";

/** What every run can be told. */
export interface RunChoices {
  readonly seed: number;
  /** Print the record as JSON instead of text. */
  readonly json: boolean;
  /** A file, `true` for the usual one, `false` for none. */
  readonly store: string | boolean;
}

/** What every run can be told, as options. */
const COMMON: readonly (() => Option)[] = [
  () =>
    new Option("--seed <number>", "what everything random follows from")
      .default(DEFAULT_SEED).argParser(wholeNumber(0, MAX_SEED)),
  () => new Option("--json", "print the run's record as JSON").default(false),
  () => new Option("--store <file>", "keep the run in this file"),
  () => new Option("--no-store", "do not keep the run"),
];

/** The command line of one scenario; `run` gets what was asked for. */
export function scenarioCommand(
  { name, scenario }: FoundScenario,
  run: (settings: Settings, choices: RunChoices) => Promise<void>,
): CommandUnknownOpts {
  const command: Command = new Command(name).description(scenario.summary);
  const options = Object.entries(scenario.parameters ?? {}).flatMap(([parameter, declared]) =>
    optionsOf(parameter, declared).map((option) =>
      [parameter, option.attributeName(), option] as const
    )
  );
  for (const [, , option] of options) command.addOption(option);
  const reserved = command.options.map(({ long }) => long);
  for (const make of COMMON) {
    const option = make();
    invariant(!reserved.includes(option.long), `${name}: ${option.long} is an option of every run`);
    command.addOption(option);
  }
  return command.action(async () => {
    const values: Record<string, unknown> = command.opts();
    const given = options.filter(([, key]) => command.getOptionValueSource(key) !== "default")
      .map(([parameter, key]) => [parameter, values[key] as ParameterValue]);
    await run(Object.fromEntries(given), {
      seed: Number(values.seed),
      json: Boolean(values.json),
      store: values.store as string | boolean,
    });
  });
}

/** A flag is switched on by its name and off by `--no-…`; help shows what differs from the default. */
function optionsOf(name: string, parameter: Parameter): Option[] {
  const long = optionName(name);
  if (parameter.kind === "flag") {
    const { help, default: isOn } = parameter;
    return [
      new Option(`--${long}`, help).default(isOn).hideHelp(isOn),
      new Option(`--no-${long}`, help).hideHelp(!isOn),
    ];
  }
  const unit = "unit" in parameter && parameter.unit ? parameter.unit : "value";
  const option = new Option(
    `--${long} <${unit}>`,
    `${parameter.help}: ${accepted(parameter)}`,
  )
    .default(parameter.default, defaultText(parameter))
    .argParser((text) => {
      try {
        return checkSetting(parameter, text);
      } catch (error) {
        throw new InvalidArgumentError((error as Error).message);
      }
    });
  return [option];
}
