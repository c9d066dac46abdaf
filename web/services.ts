/** What the dashboard needs of the house: runs that are stored, scenarios to start, and what is going on now. */

import type { LiveNews, RunEvent, RunRecord, RunSummary } from "../mod.ts";

/** A file to download. */
export interface ExportedFile {
  /** Without a folder; ends in `.json` or `.csv`. */
  readonly name: string;
  readonly text: string;
}

/** The run store as pages see it. */
export interface RunArchive {
  /** Newest first. */
  list(): readonly RunSummary[] | Promise<readonly RunSummary[]>;
  /** `null` if there is none of that id. */
  find(id: string): RunRecord | null | Promise<RunRecord | null>;
  remove(id: string): void | Promise<void>;
  /** The run as files to download: the whole as JSON, each table as CSV. */
  exports(run: RunRecord): readonly ExportedFile[];
}

/** One thing that a scenario can be told. */
export interface ParameterField {
  readonly name: string;
  /** How the form asks for it. */
  readonly input: "number" | "text" | "checkbox" | "choice";
  readonly help: string;
  /** Empty if it has none. */
  readonly unit: string;
  /** The default, as it would be typed. */
  readonly initial: string;
  /** Of a choice. */
  readonly choices: readonly string[];
  /** Of a number; absent where there is no bound. */
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
}

/** A scenario as its card and form show it. */
export interface ScenarioCard {
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  readonly fields: readonly ParameterField[];
}

/** A run that goes on. */
export interface RunningRun {
  readonly id: string;
  stop(): void;
  /** Types at the console of one of its guests. */
  type(console: string, text: string): void;
  /** Resolves when it has ended, however it ended; never rejects. */
  readonly ended: Promise<void>;
}

/** What a run tells while it goes on. */
export type RunNews = RunEvent | LiveNews;

/** The scenarios there are. */
export interface ScenarioBook {
  list(): Promise<readonly ScenarioCard[]>;
  /**
   * Starts one with what was typed in its form, empty fields left out. Rejects with `RangeError`, `SyntaxError` or
   * `TypeError` that says what is wrong in words for whoever typed it.
   */
  start(
    name: string,
    fields: Readonly<Record<string, string>>,
    onNews: (news: RunNews) => void,
  ): Promise<RunningRun>;
}

/** A session in this process, such as a REPL, that pages may watch. */
export interface WatchedSession {
  readonly title: string;
  /** Calls `onNews` from now on; returns how to stop that. */
  watch(onNews: (news: LiveNews) => void): () => void;
  type(console: string, text: string): void;
}

/** See the module comment. */
export interface DashboardServices {
  readonly version: string;
  readonly runs: RunArchive;
  readonly scenarios: ScenarioBook;
  /** The session that the dashboard belongs to, if it belongs to one. */
  readonly session?: WatchedSession;
}
