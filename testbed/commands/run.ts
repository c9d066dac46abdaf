/** `xenarium run`, `xenarium start` and `xenarium bench`: scenarios by name. */

import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { toJson } from "../runs/export.ts";
import { growRecord, newRecord } from "../runs/run_events.ts";
import type { RunRecord } from "../runs/run_record.ts";
import type { RunStore } from "../runs/run_store.ts";
import { executeRun } from "../scenarios/execute_run.ts";
import { DEFAULT_SEED, newRun } from "../scenarios/new_run.ts";
import type { Settings } from "../scenarios/parameters.ts";
import type { FoundScenario, ScenarioShelf } from "../scenarios/scenario_shelf.ts";
import { table } from "../tables.ts";
import { ExitCode } from "./exit_codes.ts";
import { showDashboard } from "./dashboard.ts";
import { quietly } from "./quietly.ts";
import { RunDisplay } from "./run_display.ts";
import { resultsText } from "./run_report.ts";
import { type RunChoices, scenarioCommand } from "./scenario_options.ts";
import type { Services } from "./services.ts";

/** The scenario that `xenarium start` runs, and its settings: it needs nothing but this program, and half a minute. */
export const DEFAULT_SCENARIO = "disruptive_neighbour";
const DEFAULT_SETTINGS: Settings = { connections: 100, warmUp: "1s", duration: "2s" };

const EXAMPLES = `
Examples:
  xenarium run --list                       list the scenarios
  xenarium run scheduler_fairness --help    what it can be told
  xenarium run scheduler_fairness --seed 2 --json
  xenarium run ./my_scenario.ts             a file of yours; scenarios/own_lab.ts is a template`;

const NEXT = `
Next:
  deno task xenarium run --list       more scenarios
  deno task xenarium dashboard        runs beside published figures, in a browser
  deno task repl                      machines, line by line
`;

/** `run [scenario] [options...]`. */
export function runCommand(services: Services, finish: (code: number) => void): CommandUnknownOpts {
  return new Command("run")
    .description("run a scenario, by name or by file; without one, list them")
    .argument("[scenario]", "its name, or the path of a TypeScript file")
    .argument("[options...]", "--seed, --json, --store, and its own: run <scenario> --help")
    .option("--list", "list the scenarios")
    .passThroughOptions()
    .addHelpText("after", EXAMPLES)
    .action(async (name, rest, { list }) => {
      const { scenarios, terminal } = services;
      if (name === undefined || list) {
        return terminal.write(`${await listScenarios(scenarios, "scenario")}\n`);
      }
      const found = await scenarios.load(name);
      const command = scenarioCommand(found, async (settings, choices) => {
        finish(await runAndReport(services, found, settings, choices));
      });
      command.name(`xenarium run ${name}`);
      await quietly(command, terminal).parseAsync(rest, { from: "user" });
    });
}

/** `start`. */
export function startCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  return new Command("start")
    .description("show what this is for: a short scenario; at a terminal, then the dashboard")
    .action(async () => {
      const { scenarios, terminal } = services;
      const found = await scenarios.load(DEFAULT_SCENARIO);
      const known = Object.keys(found.scenario.parameters ?? {});
      const settings = Object.entries(DEFAULT_SETTINGS).filter(([name]) => known.includes(name));
      const choices = { seed: DEFAULT_SEED, json: false, store: terminal.interactive };
      const code = await runAndReport(services, found, Object.fromEntries(settings), choices);
      terminal.write(NEXT);
      if (code === ExitCode.success && terminal.interactive) await showDashboard(services, {});
      finish(code);
    });
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
      const choices = { seed: DEFAULT_SEED, json: false, store: false };
      for (const name of names) {
        const code = await runAndReport(services, await benches.load(name), {}, choices);
        if (code !== ExitCode.success) return finish(code);
      }
    });
}

/** Runs one scenario to its end, tells of it, and keeps it; returns the exit code. */
async function runAndReport(
  services: Services,
  found: FoundScenario,
  settings: Settings,
  choices: RunChoices,
): Promise<number> {
  const { store: wanted } = choices;
  const store = wanted === false
    ? null
    : await services.runStore(typeof wanted === "string" ? wanted : undefined);
  try {
    const record = await runScenario(services, found, settings, choices, store);
    if (choices.json) services.terminal.write(toJson(record));
    else services.terminal.write(resultsText(record));
    services.terminal.writeError(endText(record, store));
    return record.status === "complete"
      ? ExitCode.success
      : record.status === "interrupted"
      ? ExitCode.interrupted
      : ExitCode.usage;
  } finally {
    store?.close();
  }
}

async function runScenario(
  { terminal, createMachine }: Services,
  found: FoundScenario,
  given: Settings,
  { seed, json }: RunChoices,
  store: RunStore | null,
): Promise<RunRecord> {
  const { head, settings, keep } = newRun(found, given, seed, store);
  const record = newRecord(head);
  const display = new RunDisplay(terminal, head.title, !json);
  const interrupted = new AbortController();
  // A second interrupt finds no handler and ends the process at once.
  const ignoreInterrupts = terminal.onInterrupt(() => {
    ignoreInterrupts();
    interrupted.abort();
  });
  try {
    await executeRun({
      scenario: found.scenario,
      settings,
      seed,
      signal: interrupted.signal,
      createMachine,
      emit(event) {
        keep(event);
        growRecord(record, event);
        display.show(event);
      },
    });
  } finally {
    display.close();
    ignoreInterrupts();
  }
  return record;
}

/** The last lines: where the run is, and why it ended if not by itself. */
function endText({ id, status, error, traceHash }: RunRecord, store: RunStore | null): string {
  const place = store === null ? "" : `run ${id} is kept in ${store.path}`;
  switch (status) {
    case "failed":
      return `xenarium: ${error}\n${place && `${place}, with what was measured before\n`}`;
    case "interrupted":
      return `interrupted: what was measured so far is above${place && `, and ${place}`}\n`;
    default:
      return place && `${place}; trace hash ${traceHash}\n`;
  }
}

async function listScenarios(shelf: ScenarioShelf, what: string): Promise<string> {
  const names = await shelf.names();
  const rows = await Promise.all(
    names.map(async (name) => [name, (await shelf.load(name)).scenario.summary]),
  );
  return rows.length === 0 ? `no ${what}s` : table([what, "what it tells"], rows);
}
