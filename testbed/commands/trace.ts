/** `xenarium trace`: what is done with recorded traces. */

import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { TRACE_KINDS } from "../../core/trace/trace.ts";
import { suggest } from "../suggestion.ts";
import { describeTraceDifference, diffTraces, linesOf } from "../trace_export/trace_diff.ts";
import { ExitCode } from "./exit_codes.ts";
import { repeated } from "./option_values.ts";
import type { Services } from "./services.ts";

const EXAMPLES = `
Examples:
  xenarium boot --kernel debian --engine cold --trace cold.trace --until "xenarium# "
  xenarium boot --kernel debian --engine hot --trace hot.trace --until "xenarium# "
  xenarium trace diff cold.trace hot.trace
  xenarium trace diff monday.trace tuesday.trace --kind input`;

/** `trace diff A B`. */
export function traceCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  const diff = new Command("diff")
    .description("find the first event in which two traces differ (of boot --trace)")
    .argument("<a>", "a trace file")
    .argument("<b>", "another one")
    .option("--kind <kind>", "compare events of this kind only; repeatable", repeated)
    .addHelpText("after", EXAMPLES)
    .action(async (a, b, { kind }) => finish(await diffFiles(services, a, b, kind)));
  return new Command("trace").description("compare recorded traces").addCommand(diff);
}

async function diffFiles(
  { terminal }: Services,
  a: string,
  b: string,
  kinds: readonly string[] | undefined,
): Promise<number> {
  const known = Object.keys(TRACE_KINDS);
  const wrong = kinds?.find((kind) => !known.includes(kind));
  if (wrong !== undefined) {
    throw new RangeError(`option --kind: there is no ${wrong}; ${suggest(wrong, known)}`);
  }
  const difference = await diffTraces(linesOf(a), linesOf(b), { kinds });
  if (difference === null) {
    terminal.write("the traces are the same\n");
    return ExitCode.success;
  }
  terminal.write(`${describeTraceDifference(difference, [a, b])}\n`);
  return ExitCode.parting;
}
