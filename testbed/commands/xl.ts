/** `xenarium xl`: a host of one's own, and xl's commands for it, from arguments, a script, or a prompt. */

import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { profileNamed, PROFILES } from "../../core/clock/profiles/profiles.ts";
import { type SchedulerName, SCHEDULERS } from "../../core/hypervisor/scheduling/ports.ts";
import { BACK_ENDS_CHOICES, type BackEndsChoice } from "../host/back_ends_choice.ts";
import type { HostDomain } from "../host/host.ts";
import type { DomainReference, XlSession } from "../toolstack/mod.ts";
import type { Bytes } from "../units.ts";
import { describeStop } from "../views.ts";
import { ConsoleKeys } from "./console_keys.ts";
import { ExitCode } from "./exit_codes.ts";
import { sizeValue, wholeNumber } from "./option_values.ts";
import type { Services, Terminal } from "./services.ts";

const EXAMPLES = `
Examples:
  xenarium xl --memory 1GiB "create web1.cfg" "wait web1 login:" list
  xenarium xl --scheduler bvt < commands.txt
  xenarium xl                              a prompt; help lists the verbs

A host lives as long as the command. Each argument, and each line of standard input if there are none, is
one command of xl; "run 5s", "wait Domain Text" and "send Domain Text" let simulated time pass and use consoles.`;

interface XlOptions {
  cpus: number;
  memory: Bytes;
  scheduler: SchedulerName;
  backEnds: BackEndsChoice;
  profile: string;
  load?: string;
}

/** The command; `finish` takes its exit code. */
export function xlCommand(services: Services, finish: (code: number) => void): CommandUnknownOpts {
  return new Command("xl")
    .description("boot a host and manage its domains as Xen's xl does")
    .argument(
      "[command...]",
      "commands of xl, each in quotes; without any, lines of standard input",
    )
    .option("--cpus <count>", "physical CPUs", wholeNumber(1, 64), 2)
    .option("-m, --memory <size>", "RAM of the host", sizeValue, sizeValue("2GiB"))
    .addOption(
      new Option("--scheduler <name>", "scheduler of the first cpupool")
        .choices(Object.keys(SCHEDULERS) as SchedulerName[]).default("credit2" as SchedulerName),
    )
    .addOption(
      new Option(
        "--back-ends <place>",
        "where disks and cards are served that name no domain for it",
      )
        .choices(BACK_ENDS_CHOICES).default("domain-0" as BackEndsChoice),
    )
    .option("--load <file>", "go on with a host that the command snapshot, or Host.save, wrote")
    .addOption(
      new Option("--profile <name>", "what the work of the hypervisor costs")
        .choices(PROFILES.map(({ name }) => name)).default("free"),
    )
    .addHelpText("after", EXAMPLES)
    .action(async (commands, options) => finish(await runSession(services, commands, options)));
}

async function runSession(
  { terminal }: Services,
  commands: readonly string[],
  { memory, profile, load, ...options }: XlOptions,
): Promise<number> {
  const { Host } = await import("../host/host.ts");
  const { runVerb, Toolstack, wordsOf, savedDomainFiles } = await import("../toolstack/mod.ts");
  const { name } = profileNamed(profile);
  const host = load === undefined
    ? await Host.boot({ ...options, memory: `${memory}B`, profile: name })
    : await (await import("../host/host_file.ts")).readHost(load);
  const tools = Toolstack.of(host);
  const keyboard = new Keyboard(terminal);
  const session: XlSession = {
    tools,
    destination: (name) => Promise.reject(new RangeError(`there is no host ${name}: this is one`)),
    top: { cycle: 0, running: new Map() },
    files: savedDomainFiles,
    console: (domain: DomainReference) => attach(terminal, keyboard, tools.domain(domain)),
  };
  const stopIgnoring = terminal.onInterrupt(() => host.interrupt());
  let failures = 0;
  try {
    const lines = commands.length > 0 ? commands : linesOf(terminal, keyboard);
    for await (const line of lines) {
      const words = wordsOf(line.replace(/^\s*#.*/, ""));
      if (words[0] === "exit") break;
      if (words.length === 0) continue;
      try {
        const printed = await runVerb(session, words);
        if (printed !== "") terminal.write(`${printed}\n`);
      } catch (error) {
        failures++;
        terminal.writeError(`xl: ${error instanceof Error ? error.message : error}\n`);
        if (!terminal.interactive) break;
      }
    }
  } finally {
    stopIgnoring();
  }
  return failures > 0 && !terminal.interactive ? ExitCode.usage : ExitCode.success;
}

/** Standard input, read by one at a time: lines for commands, keys for a console. */
class Keyboard {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #next: Promise<IteratorResult<Uint8Array>> | null = null;

  constructor(terminal: Terminal) {
    this.#pieces = terminal.input(new AbortController().signal)[Symbol.asyncIterator]();
  }

  /** The next piece, or `null` at the end or once `until` has settled: then the piece is the next reader's. */
  async next(until: Promise<unknown> = new Promise(() => {})): Promise<Uint8Array | null> {
    const next = this.#next ??= this.#pieces.next();
    const result = await Promise.race([next, until.then(() => null)]);
    if (result === null) return null;
    this.#next = null;
    return result.done ? null : result.value;
  }
}

/** Lines of standard input; at a terminal each is asked for. */
async function* linesOf(terminal: Terminal, keyboard: Keyboard): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    if (terminal.interactive) terminal.write("xl> ");
    while (!rest.includes("\n")) {
      const bytes = await keyboard.next();
      if (bytes === null) return yield rest;
      rest += decoder.decode(bytes, { stream: true });
    }
    const end = rest.indexOf("\n");
    const line = rest.slice(0, end);
    rest = rest.slice(end + 1);
    yield line;
  }
}

/** The keyboard goes to a console and the host runs, until Ctrl-C or `Ctrl-A x`. */
async function attach(
  terminal: Terminal,
  keyboard: Keyboard,
  { console, host }: HostDomain,
): Promise<string> {
  terminal.write(console.text);
  if (!terminal.interactive) return "";
  const stopOutput = console.onOutput((bytes) => terminal.write(bytes));
  const keys = new ConsoleKeys(true, {
    send: (bytes) => console.send(bytes),
    quit: () => host.interrupt(),
  });
  terminal.setRaw(true);
  const stopped = host.run();
  const typing = (async () => {
    for (let bytes; (bytes = await keyboard.next(stopped)) !== null;) keys.type(bytes);
  })();
  try {
    return `\n${describeStop(await stopped)}`;
  } finally {
    await typing;
    terminal.setRaw(false);
    stopOutput();
  }
}
