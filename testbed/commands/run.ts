/** `xenarium run` and `xenarium start`: scenarios by name. */

import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { table } from "../tables.ts";
import { ExitCode } from "./exit_codes.ts";
import type { Services } from "./services.ts";

/** The scenario that `xenarium start` runs: it needs nothing but this program. */
export const DEFAULT_SCENARIO = "start";

const EXAMPLES = `
Examples:
  xenarium run                     list the scenarios
  xenarium run ${DEFAULT_SCENARIO}               a tiny kernel of our own
  xenarium run ./my_scenario.ts    a file of yours; its default export is { summary, run(context) }`;

/** `run [scenario]`. */
export function runCommand(services: Services, finish: (code: number) => void): CommandUnknownOpts {
  return new Command("run")
    .description("run a scenario, by name or by file; without one, list them")
    .argument("[scenario]", "its name, or the path of a TypeScript file")
    .addHelpText("after", EXAMPLES)
    .action(async (name) => {
      if (name !== undefined) finish(await runScenario(services, name));
      else services.terminal.write(`${await listScenarios(services)}\n`);
    });
}

/** `start`. */
export function startCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  return new Command("start")
    .description("boot a tiny kernel of our own and show what it reports; needs no download")
    .action(async () => finish(await runScenario(services, DEFAULT_SCENARIO)));
}

/** Runs one scenario to its end; returns the exit code. */
export async function runScenario(services: Services, nameOrPath: string): Promise<number> {
  const { terminal, createMachine } = services;
  const scenario = await services.scenarios.load(nameOrPath);
  const interrupted = new AbortController();
  const ignoreInterrupts = terminal.onInterrupt(() => interrupted.abort());
  try {
    await scenario.run({
      print: (line) => terminal.write(`${line}\n`),
      createMachine,
      signal: interrupted.signal,
    });
  } finally {
    ignoreInterrupts();
  }
  return interrupted.signal.aborted ? ExitCode.interrupted : ExitCode.success;
}

async function listScenarios({ scenarios }: Services): Promise<string> {
  const names = await scenarios.names();
  const rows = await Promise.all(
    names.map(async (name) => [name, (await scenarios.load(name)).summary]),
  );
  return rows.length === 0 ? "no scenarios" : table(["scenario", ""], rows);
}
