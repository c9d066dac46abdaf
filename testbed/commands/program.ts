/** The `xenarium` command: its subcommands, help, completion, and how errors read. */

import completion from "@bomb.sh/tab/commander";
import { Command, CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { bootCommand } from "./boot.ts";
import { dashboardCommand } from "./dashboard.ts";
import { ExitCode } from "./exit_codes.ts";
import { imagesCommand } from "./images.ts";
import { messageOf } from "../scenarios/execute_run.ts";
import { quietly } from "./quietly.ts";
import { replayCommand } from "./replay.ts";
import { benchCommand, runCommand, startCommand } from "./run.ts";
import { runsCommand } from "./runs.ts";
import type { Services } from "./services.ts";
import { traceCommand } from "./trace.ts";
import { xlCommand } from "./xl.ts";

const EXAMPLES = `
Examples:
  xenarium start                          a network in one box and what disturbs it; needs no download
  xenarium images add debian              get Debian's kernel
  xenarium boot --kernel debian           boot it to a shell
  xenarium xl                             a host with domains, managed as by Xen's xl
  xenarium repl                           build machines line by line
  source <(xenarium complete bash)        completion in this shell`;

/** Runs the command line `args`; returns the exit code. Errors are printed, never thrown. */
export async function runProgram(services: Services, args: readonly string[]): Promise<number> {
  const { terminal } = services;
  let exitCode: number = ExitCode.success;
  const program = buildProgram(services, (code) => exitCode = code);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ExitCode.usage;
    if (error instanceof Error && error.name === "ExitPromptError") return ExitCode.interrupted;
    terminal.writeError(`xenarium: ${messageOf(error)}\n`);
    return ExitCode.usage;
  }
  return exitCode;
}

/** The program with all its commands; `finish` takes the exit code of the one that runs. */
export function buildProgram(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  const { terminal } = services;
  const program = new Command("xenarium")
    .description("a scriptable virtualization testbed")
    .enablePositionalOptions()
    .addHelpText("after", EXAMPLES);
  const commands = [
    startCommand(services, finish),
    bootCommand(services, finish),
    replayCommand(services, finish),
    runCommand(services, finish),
    runsCommand(services),
    xlCommand(services, finish),
    dashboardCommand(services, finish),
    imagesCommand(services),
    new Command("repl")
      .description("TypeScript at a prompt, with machines that can be looked at")
      .argument("[file...]", "scripts to run first; what they export is there by its name")
      .action(async (files) => finish(await services.repl(files))),
    benchCommand(services, finish),
    traceCommand(services, finish),
  ];
  for (const command of commands) program.addCommand(command);
  // The package is typed for plain commander; the object is the same.
  completion(program as unknown as Parameters<typeof completion>[0]);
  quietly(program, terminal);
  return program;
}
