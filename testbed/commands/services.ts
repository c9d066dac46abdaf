/** What the command line reaches for; `main.ts` plugs in the real ones, tests plug in stand-ins. */

import type { CreateMachine } from "../machine_api.ts";
import type { Scenario } from "../scenario.ts";

/** The terminal, or whatever the standard streams are. */
export interface Terminal {
  /** Whether both ends of the conversation are a terminal. */
  readonly interactive: boolean;
  write(text: string | Uint8Array): void;
  writeError(text: string): void;
  /** Pieces of input until its end, or until the signal fires. */
  input(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Raw: each key arrives at once, unechoed, Ctrl-C included. */
  setRaw(raw: boolean): void;
  /** Calls `handler` for each interrupt from the keyboard; returns how to stop that. */
  onInterrupt(handler: () => void): () => void;
}

/** Questions to the person at the terminal; only asked if there is one. */
export interface Questions {
  /** Lets one or more be chosen. */
  choose(question: string, choices: readonly string[]): Promise<string[]>;
  confirm(question: string): Promise<boolean>;
}

/** One image of the store. */
export interface ImageRow {
  readonly name: string;
  readonly summary: string;
  readonly sizeBytes: number;
  /** More about it, as name and value. */
  readonly details: readonly (readonly [name: string, value: string])[];
}

/** A step of something long: how much of it is done. */
export type OnProgress = (step: string, done: number, total: number) => void;

/** The image store as the command line sees it. */
export interface ImageCatalogue {
  /** Names that `add` knows how to get. */
  readonly known: readonly string[];
  add(name: string, onProgress: OnProgress): Promise<ImageRow>;
  list(): Promise<ImageRow[]>;
  /** Throws `RangeError` if there is none of that name. */
  show(name: string): Promise<ImageRow>;
  remove(name: string): Promise<void>;
}

/** The scenarios there are; each is loaded when it is asked for. */
export interface ScenarioShelf {
  names(): Promise<string[]>;
  /** By name, or by the path of a file; throws `RangeError` if there is none. */
  load(nameOrPath: string): Promise<Scenario>;
}

/** Everything that a command may need. */
export interface Services {
  readonly terminal: Terminal;
  readonly questions: Questions;
  readonly createMachine: CreateMachine;
  images(): Promise<ImageCatalogue>;
  readonly scenarios: ScenarioShelf;
  /** Measurements have the shape of scenarios. */
  readonly benches: ScenarioShelf;
  /** Runs the REPL; resolves with an exit code. */
  repl(files: readonly string[]): Promise<number>;
  /** Opens a text file for writing, emptied. */
  openText(path: string): TextSink;
}

/** A text file that is being written. */
export interface TextSink {
  writeLine(line: string): void;
  close(): void;
}
