/**
 * The REPL: TypeScript at a prompt, dot commands for machines, and Ctrl-C that stops a machine but not
 * the session.
 */

import { type REPLServer, start } from "node:repl";
import { Recoverable } from "node:repl";
import { inspect } from "node:util";
import { ConsoleKeys } from "../commands/console_keys.ts";
import type { HostRegistry } from "../host_registry.ts";
import type { MachineRegistry } from "../machine_registry.ts";
import { describeStop } from "../views.ts";
import { complete } from "./completion.ts";
import { type CommandContext, DOT_COMMANDS, helpText } from "./dot_commands.ts";
import { Evaluator } from "./evaluator.ts";
import { readHistory, writeHistory } from "./history.ts";
import { KeyRouter, type TerminalInput } from "./key_router.ts";
import { isUnfinished } from "./source_text.ts";
import { type Attachable, XlSessions } from "./xl_command.ts";

/** What the shell is plugged into. */
export interface ShellOptions {
  readonly input: TerminalInput;
  readonly output: NodeJS.WritableStream & { isTTY?: boolean };
  readonly machines: MachineRegistry;
  readonly hosts: HostRegistry;
  /** Names that lines can use at once, for example everything that `mod.ts` exports. */
  readonly globals: Readonly<Record<string, unknown>>;
  /** The file of the history, or `null` for none. */
  readonly historyPath: string | null;
  /** What relative imports are relative to. */
  readonly base: URL;
  /** Scripts to import first; what they export becomes global. */
  readonly files?: readonly string[];
}

/** How long an interrupted line may still take before the prompt comes back without its result. */
const INTERRUPT_GRACE_MS = 1000;
const PROMPT = "xenarium> ";
const LINE_EDITOR_COMMANDS: readonly (readonly [usage: string, help: string])[] = [
  [".editor", "write several lines; Ctrl-D evaluates them"],
  [".help", "this list"],
  [".exit", "leave"],
];
/** Stack frames from here on are the shell's own. */
const OWN_FRAMES = /\n\s+at (?:Session\.post|[^\n]*ext:deno_node)[^]*$/;

/** Runs a session to its end; returns the exit code. */
export async function runShell(options: ShellOptions): Promise<number> {
  const shell = new Shell(options, await Evaluator.open(options.base));
  return await shell.run();
}

class Shell {
  readonly #keys: KeyRouter;
  readonly #context: CommandContext;
  readonly #interactive: boolean;
  #server!: REPLServer;
  /** Work is done in turn, as lines of a pipe arrive faster than they are carried out. */
  #queue: Promise<void> = Promise.resolve();
  #busy = false;
  #ended = false;
  #interrupt: () => void = () => {};

  constructor(readonly options: ShellOptions, readonly evaluator: Evaluator) {
    this.#keys = new KeyRouter(options.input);
    this.#interactive = (options.input.isTTY && options.output.isTTY) ?? false;
    this.#context = {
      machines: options.machines,
      selected: null,
      domain: null,
      profiles: new WeakMap(),
      attach: (target) => this.#attach(target),
      xl: new XlSessions(options.hosts, (target) => this.#attach(target)),
    };
  }

  async run(): Promise<number> {
    Object.assign(globalThis, this.options.globals);
    for (const file of this.options.files ?? []) await this.#import(file);
    if (this.#interactive) this.#print("Xenarium: TypeScript with machines; .help lists commands.");
    this.#server = this.#startServer();
    await new Promise<void>((resolve) => this.#server.on("exit", () => resolve()));
    this.#ended = true;
    await this.#queue;
    this.#saveHistory();
    this.evaluator.close();
    this.#keys.close();
    return 0;
  }

  async #import(file: string): Promise<void> {
    const exports: Record<string, unknown> = await import(new URL(file, this.options.base).href);
    Object.assign(globalThis, exports);
  }

  #startServer(): REPLServer {
    const server = start({
      prompt: this.#interactive ? PROMPT : "",
      input: this.#keys.editor,
      output: this.options.output,
      terminal: this.#interactive,
      preview: false,
      ignoreUndefined: true,
      writer: (value: unknown) => this.#show(value),
      eval: (source, _context, _file, done) => this.#evaluate(source, done),
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        this.#complete(line).then((result) => done(null, result));
      },
    });
    server.removeAllListeners("SIGINT");
    server.on("SIGINT", () => this.#onInterrupt());
    for (const [name, command] of Object.entries(DOT_COMMANDS)) {
      server.defineCommand(name, {
        help: command.help,
        action: (text: string) => this.#runCommand(name, text),
      });
    }
    server.defineCommand("help", {
      help: "this list",
      action: () => {
        this.#print(helpText(LINE_EDITOR_COMMANDS));
        this.#prompt();
      },
    });
    const { historyPath } = this.options;
    if (historyPath && this.#interactive) {
      historyOf(server).push(...readHistory(historyPath).reverse());
    }
    return server;
  }

  /** Evaluates a line in its turn and hands its value to the line editor for printing. */
  #evaluate(source: string, done: (error: Error | null, value?: unknown) => void): void {
    if (isUnfinished(source)) return done(new Recoverable(new SyntaxError("unfinished")));
    if (source.trim() === "") return done(null);
    this.#enqueue(async () => {
      const outcome = await this.evaluator.evaluate(source);
      if (outcome.kind === "thrown") {
        this.#print(errorText(outcome.error));
        return done(null);
      }
      Object.assign(globalThis, { _: outcome.value });
      done(null, outcome.value);
    }, () => done(null));
  }

  #runCommand(name: string, text: string): void {
    this.#enqueue(async () => {
      const words = text.trim().split(/\s+/).filter((word) => word !== "");
      try {
        const printed = await DOT_COMMANDS[name].run(words, this.#context);
        if (printed !== "") this.#print(printed);
      } catch (error) {
        this.#print(`${error instanceof Error ? error.message : error}`);
      }
      this.#prompt();
    }, () => this.#prompt());
  }

  /** Does `work` after what was asked for before; an interrupt may leave it behind, then `leave` is called. */
  #enqueue(work: () => Promise<void>, leave: () => void): void {
    this.#queue = this.#queue.then(async () => {
      let left = false;
      this.#busy = true;
      const interrupted = new Promise<void>((resolve) => this.#interrupt = resolve);
      const worked = work().catch((error) => {
        if (left) return;
        this.#print(errorText(error));
        leave();
      });
      const gone = interrupted.then(() => sleep(INTERRUPT_GRACE_MS, worked));
      if (await Promise.race([worked.then(() => "done"), gone]) === "late") {
        left = true;
        await this.evaluator.abandon();
        this.#print("interrupted; what was started goes on in the background");
        leave();
      }
      this.#busy = false;
    });
  }

  /** Ctrl-C: stops running machines, else clears the line. */
  #onInterrupt(): void {
    const { machines, hosts } = this.options;
    const all = [...machines, ...[...hosts].map(([, host]) => host)];
    const running = all.filter((each) => each.running);
    for (const each of running) each.interrupt();
    if (this.#busy) return this.#interrupt();
    this.#server.clearBufferedCommand();
    (this.#server as unknown as { line: string }).line = "";
    (this.#server as unknown as { cursor: number }).cursor = 0;
    this.#print(running.length > 0 ? "interrupted" : "(Ctrl-D or .exit leaves)");
    this.#prompt();
  }

  async #attach(target: Attachable): Promise<string> {
    const { output } = this.options;
    if (target.running) throw new RangeError(`${target.name} is running; Ctrl-C stops it first`);
    output.write(target.console.text);
    const stopOutput = target.console.onOutput((bytes) => output.write(bytes));
    const keys = new ConsoleKeys(true, {
      send: (bytes) => target.console.send(bytes),
      quit: () => target.interrupt(),
    });
    const giveBack = this.#keys.take((bytes) => keys.type(bytes));
    try {
      return `\n${describeStop(await target.run())}`;
    } finally {
      giveBack();
      stopOutput();
    }
  }

  #complete(line: string): Promise<[string[], string]> {
    return complete(line, {
      commands: [...Object.keys(DOT_COMMANDS), "help", "exit", "editor"],
      declared: () => this.evaluator.declaredNames(),
      valueOf: async (path) => {
        const outcome = await this.evaluator.evaluate(path);
        if (outcome.kind === "thrown") throw outcome.error;
        return outcome.value;
      },
    });
  }

  /** Shows the prompt, unless the input has ended: then only the queue is still worked off. */
  #prompt(): void {
    if (!this.#ended) this.#server.displayPrompt();
  }

  #show(value: unknown): string {
    return inspect(value, { colors: this.#interactive, depth: 2, maxArrayLength: 64 });
  }

  #print(text: string): void {
    this.options.output.write(`${text}\n`);
  }

  #saveHistory(): void {
    const { historyPath } = this.options;
    if (!historyPath || !this.#interactive) return;
    writeHistory(historyPath, [...historyOf(this.#server)].reverse());
  }
}

/** The line editor's history, newest first; its types do not show it. */
function historyOf(server: REPLServer): string[] {
  return (server as unknown as { history: string[] }).history;
}

/** Resolves with `late` after `delayMs`, or with `done` when `other` is. */
async function sleep(delayMs: number, other: Promise<unknown>): Promise<"late" | "done"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), delayMs));
  const result = await Promise.race([other.then(() => "done" as const), late]);
  clearTimeout(timer);
  return result;
}

/** An error as the prompt shows it: without the frames of the shell itself. */
function errorText(error: unknown): string {
  if (!(error instanceof Error)) return `Uncaught ${inspect(error)}`;
  const stack = (error.stack ?? String(error)).replace(OWN_FRAMES, "")
    .replace(/\n\s+at <anonymous>:\d+:\d+/g, "");
  const cause = error.cause === undefined ? "" : `\ncaused by ${errorText(error.cause)}`;
  return `Uncaught ${stack}${cause}`;
}
