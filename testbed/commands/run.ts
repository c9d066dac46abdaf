/** `xenarium run` and `xenarium start`: scenarios by name. */

import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Scenario } from "../scenario.ts";
import { table } from "../tables.ts";
import { ExitCode } from "./exit_codes.ts";
import type { ScenarioShelf, Services } from "./services.ts";

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
      if (name !== undefined) {
        finish(await runScenario(services, await services.scenarios.load(name)));
      } else services.terminal.write(`${await listScenarios(services.scenarios, "scenario")}\n`);
    });
}

/** `start`. */
export function startCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  return new Command("start")
    .description("boot a tiny kernel of our own and show what it reports; needs no download")
    .action(async () =>
      finish(await runScenario(services, await services.scenarios.load(DEFAULT_SCENARIO)))
    );
}

/** `bench [filter...]`. */
export function benchCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  return new Command("bench")
    .description("measure; beside other emulators where they are installed")
    .argument("[filter...]", "parts of the names of what to measure")
    .option("--list", "list the measurements")
    .action(async (filters, { list }) => {
      const { benches, terminal } = services;
      if (list) return terminal.write(`${await listScenarios(benches, "measurement")}\n`);
      const all = await benches.names();
      const names = all.filter((name) =>
        filters.length === 0 || filters.some((filter) => name.includes(filter))
      );
      if (names.length === 0) {
        throw new RangeError(`no measurement fits; there are: ${all.join(", ") || "none"}`);
      }
      for (const name of names) {
        const code = await runScenario(services, await benches.load(name));
        if (code !== ExitCode.success) return finish(code);
      }
    });
}

/** Runs one scenario to its end; returns the exit code. */
async function runScenario(services: Services, scenario: Scenario): Promise<number> {
  const { terminal, createMachine } = services;
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

async function listScenarios(shelf: ScenarioShelf, what: string): Promise<string> {
  const names = await shelf.names();
  const rows = await Promise.all(
    names.map(async (name) => [name, (await shelf.load(name)).summary]),
  );
  return rows.length === 0 ? `no ${what}s` : table([what, ""], rows);
}
