/** `xenarium dashboard`: runs, scenarios and live views in a browser. */

import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
} from "@commander-js/extra-typings";
import { ExitCode } from "./exit_codes.ts";
import type { DashboardChoice, Services } from "./services.ts";

const EXAMPLES = `
Examples:
  xenarium dashboard                    at its usual port, for this machine only
  xenarium dashboard --port 0           at any free port
  xenarium dashboard --host 0.0.0.0 --token SECRET-OF-YOURS
                                        for whoever knows the token`;

/** `dashboard`. */
export function dashboardCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  return new Command("dashboard")
    .description("show runs, scenarios and what goes on in a browser")
    .option("--port <number>", "where to listen; 0 for any free port", portNumber)
    .option("--host <address>", "the address to listen on; others than this machine's need --token")
    .option("--token <secret>", "what every browser must show")
    .option("--store <file>", "the run store; default: its usual place")
    .addHelpText("after", EXAMPLES)
    .action(async ({ store, ...options }) => {
      await showDashboard(services, options, store);
      finish(ExitCode.success);
    });
}

/** Serves the dashboard over the store in `file` until the user interrupts. */
export async function showDashboard(
  services: Services,
  options: DashboardChoice,
  file?: string,
): Promise<void> {
  const { terminal } = services;
  const { promise, resolve } = Promise.withResolvers<void>();
  const ignoreInterrupts = terminal.onInterrupt(resolve);
  try {
    const dashboard = await services.dashboard(await services.runStore(file), options);
    terminal.write(`${dashboard.url}\nCtrl-C ends it\n`);
    await promise;
    await dashboard.close();
  } finally {
    ignoreInterrupts();
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError("A port is a whole number from 0 to 65535.");
}
