/** How a command speaks: errors are thrown, not ended with; texts go to the terminal it was given. */

import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Terminal } from "./services.ts";

/** Sets up `command` and all below it; returns it. */
export function quietly(command: CommandUnknownOpts, terminal: Terminal): CommandUnknownOpts {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.writeError(text),
    });
  for (const child of command.commands) quietly(child, terminal);
  return command;
}
