/** `xenarium replay`: a recorded machine or host once more. */

import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cycle } from "../../core/clock/clock.ts";
import { ExitCode } from "./exit_codes.ts";
import { wholeNumber } from "./option_values.ts";
import type { Services } from "./services.ts";

const EXAMPLES = `
Examples:
  xenarium boot --kernel debian --record boot.log     type, then Ctrl-C
  xenarium replay boot.log                            the same once more; its trace hash is compared
  xenarium replay boot.log --to 500000000             stop there
  xenarium xl "record xl.log" "create web1.cfg"       a host, with whatever its domains are given

Exit codes: 0 if it was the same, 2 if not, or if the log cannot be replayed.`;

/** The command; `finish` takes its exit code. */
export function replayCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  return new Command("replay")
    .description("run a recorded machine or host as it was recorded, and compare the trace hash")
    .argument("<log>", "what boot --record, xl record, machine.record() or Host.record() wrote")
    .option("--to <cycle>", "stop at this cycle", wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option("--snapshot <file>", "what the log begins from, if it is not beside it")
    .addHelpText("after", EXAMPLES)
    .action(async (log, { to, snapshot }) => {
      const { terminal } = services;
      const interrupted = new AbortController();
      const ignoreInterrupts = terminal.onInterrupt(() => interrupted.abort());
      try {
        const { now, hash, recordedTo, checked, tornBytes } = await services.replay(log, {
          to: to as Cycle | undefined,
          snapshot,
          signal: interrupted.signal,
          output: (bytes) => terminal.write(bytes),
        });
        if (tornBytes > 0) {
          terminal.writeError(
            `\nxenarium: the last ${tornBytes} bytes of the log are torn, and left out\n`,
          );
        }
        terminal.writeError(
          `\nxenarium: at cycle ${now} of ${recordedTo} that were recorded, ` +
            `trace ${hash}; ${checked} hashes compared, all as recorded\n`,
        );
      } finally {
        ignoreInterrupts();
      }
      finish(interrupted.signal.aborted ? ExitCode.interrupted : ExitCode.success);
    });
}
