/** The `xenarium` command: puts the testbed, the scenarios and the measurements together. */

import { dirname } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { hostTerminal } from "./testbed/commands/host_terminal.ts";
import { runProgram } from "./testbed/commands/program.ts";
import type { DashboardChoice, OpenDashboard, Services } from "./testbed/commands/services.ts";
import { ownScenarios, scenarioShelf } from "./testbed/scenarios/scenario_shelf.ts";

/** What each command needs is loaded when it is used, so that help and completion answer at once. */
const services: Services = {
  terminal: hostTerminal,
  questions: {
    async choose(question, choices) {
      const { checkbox } = await import("@inquirer/prompts");
      return await checkbox({ message: question, choices, required: true });
    },
    async confirm(question) {
      const { confirm } = await import("@inquirer/prompts");
      return await confirm({ message: question, default: false });
    },
  },
  scenarios: ownScenarios,
  benches: scenarioShelf(new URL("./bench/", import.meta.url)),

  async replay(path, options) {
    return await (await import("./testbed/replay_log.ts")).replayLog(path, options);
  },
  async createMachine(options) {
    return await (await import("./testbed/machine.ts")).createMachine(options);
  },

  async images() {
    return (await import("./testbed/images/mod.ts")).imageCatalogue();
  },

  async dashboard(store, options) {
    const { serveDashboard, testbedServices } = await import("./web/mod.ts");
    return serveDashboard({ services: testbedServices(store), ...options });
  },

  async repl(files) {
    const { historyPath } = await import("./testbed/repl/history.ts");
    const { hosts } = await import("./testbed/host_registry.ts");
    const { machines } = await import("./testbed/machine_registry.ts");
    const { runShell } = await import("./testbed/repl/shell.ts");
    return await runShell({
      input: process.stdin,
      output: process.stdout,
      machines,
      hosts,
      globals: { ...await import("./mod.ts"), dashboard: watchSession },
      historyPath: historyPath(Deno.env),
      base: pathToFileURL(`${Deno.cwd()}/`),
      files,
    });
  },

  async runStore(file) {
    const { defaultStorePath, RunStore } = await import("./testbed/runs/mod.ts");
    return RunStore.open(file ?? defaultStorePath(Deno.env));
  },

  writeText(path, text) {
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeTextFileSync(path, text);
  },

  writeBytes(path, bytes) {
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeFileSync(path, bytes);
  },

  openText(path) {
    const file = Deno.openSync(path, { write: true, create: true, truncate: true });
    const encoder = new TextEncoder();
    return {
      writeLine: (line) => void file.writeSync(encoder.encode(`${line}\n`)),
      close: () => file.close(),
    };
  },
};

/** `dashboard()` of the REPL: its own hosts and machines in a browser. */
async function watchSession(options: DashboardChoice = {}): Promise<OpenDashboard> {
  const { ownSession, serveDashboard, testbedServices } = await import("./web/mod.ts");
  const store = await services.runStore();
  return serveDashboard({ services: testbedServices(store, ownSession("REPL")), ...options });
}

Deno.exit(await runProgram(services, Deno.args));
