/** What the command line reaches for; `main.ts` plugs in the real ones, tests plug in stand-ins. */

import type { ImageCatalogue } from "../images/image_catalogue.ts";
import type { CreateMachine } from "../machine_api.ts";
import type { ReplayLogFile } from "../replay_log.ts";
import type { RunStore } from "../runs/run_store.ts";
import type { ScenarioShelf } from "../scenarios/scenario_shelf.ts";

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

/** Where a dashboard is to listen, and for whom; see `DashboardOptions` of `web/`. */
export interface DashboardChoice {
  readonly port?: number;
  readonly host?: string;
  readonly token?: string;
}

/** A dashboard that is listening. */
export interface OpenDashboard {
  readonly url: string;
  close(): Promise<void>;
}

/** Everything that a command may need. */
export interface Services {
  readonly terminal: Terminal;
  readonly questions: Questions;
  readonly createMachine: CreateMachine;
  readonly replay: ReplayLogFile;
  images(): Promise<ImageCatalogue>;
  readonly scenarios: ScenarioShelf;
  /** Measurements have the shape of scenarios. */
  readonly benches: ScenarioShelf;
  /** Runs the REPL; resolves with an exit code. */
  repl(files: readonly string[]): Promise<number>;
  /**
   * Serves the dashboard over `store`. Rejects with `RangeError` for options that cannot be, with `Error` if the port is
   * taken.
   */
  dashboard(store: RunStore, options: DashboardChoice): Promise<OpenDashboard>;
  /** Opens the run store in `file`, or in its usual place; rejects with `StoreError` if that is none. */
  runStore(file?: string): Promise<RunStore>;
  /** Writes a text file, with the folders above it. */
  writeText(path: string, text: string): void;
  /** Writes a file, with the folders above it. */
  writeBytes(path: string, bytes: Uint8Array): void;
  /** Opens a text file for writing, emptied. */
  openText(path: string): TextSink;
}

/** A text file that is being written. */
export interface TextSink {
  writeLine(line: string): void;
  close(): void;
}
