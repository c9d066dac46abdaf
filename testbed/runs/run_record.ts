/**
 * The record of one scenario run: what was asked, what came out, and what it was measured with.
 *
 * Plain data, the same in the store, in exports, on the wire to the dashboard and in a script. A record grows by
 * {@link RunEvent}s (run_events.ts) and is never written otherwise. Times of the host are for people: they are not
 * part of the trace hash.
 */

import type { Brand } from "../../core/lib/brand.ts";

/** Names a run: eight hexadecimal digits, unique within a store. */
export type RunId = Brand<string, "RunId">;

/** What became of a run. */
export const RUN_STATUSES = ["running", "complete", "interrupted", "failed", "incomplete"] as const;

/**
 * `interrupted`: by its user, and it kept what was measured; `failed`: an error ended it; `incomplete`: its process
 * ended without a word (killed, out of memory, power).
 */
export type RunStatus = typeof RUN_STATUSES[number];

/** The value of a parameter, of a cell; durations and sizes are text with their unit, as they were typed. */
export type ParameterValue = number | string | boolean | readonly number[] | readonly string[];

/** One cell of a table; `null` where nothing was measured. */
export type Cell = number | string | null;

/** A column: its heading and the unit of its numbers, empty for text and pure numbers. */
export interface Column {
  readonly name: string;
  readonly unit: string;
}

/** A result laid out in rows. */
export interface RunTable {
  /** Its key within the run. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  readonly notes: readonly string[];
}

/** An interval that holds the true mean with the given probability. */
export interface Confidence {
  readonly low: number;
  readonly high: number;
  /** For example 0.95. */
  readonly level: number;
}

/** One figure measured, beside the published one if there is one. */
export interface ComparedCell {
  readonly row: string;
  readonly column: string;
  readonly unit: string;
  readonly measured: number;
  /** `null` where the source gives none. */
  readonly published: number | null;
  /** Measured against published, in percent; `null` without a published figure. */
  readonly errorPercent: number | null;
  /** Whether the cost profile was fitted to this figure: then its error says nothing and counts nowhere. */
  readonly fitted: boolean;
  readonly confidence: Confidence | null;
}

/** Figures beside those that somebody published. */
export interface Comparison {
  readonly name: string;
  readonly title: string;
  /** Where the published figures are from. */
  readonly source: string;
  readonly cells: readonly ComparedCell[];
}

/** A point of a series. */
export type Point = readonly [x: number, y: number];

/** A quantity along another one, usually simulated time. */
export interface Series {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly xName: string;
  readonly xUnit: string;
  readonly points: readonly Point[];
}

/** How to draw something of the run; names refer to its tables, comparisons and series. */
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly kind: "bars" | "lines" | "step";
  readonly of: FigureSource;
}

/** What a figure draws: a table's columns over its first one, a comparison's two bars a cell, or series together. */
export type FigureSource =
  | { readonly table: string; readonly columns?: readonly string[] }
  | { readonly comparison: string }
  | { readonly series: readonly string[] };

/** An image that a guest was made of. */
export interface RunImage {
  readonly name: string;
  readonly sha256: string;
}

/** How far a run is. */
export interface RunProgress {
  /** From 0 to 1. */
  readonly fraction: number;
  /** What it is at. */
  readonly step: string;
}

/** What is known of a run before it starts. */
export interface RunHead {
  readonly id: RunId;
  /** The scenario's name, or the path of its file. */
  readonly scenario: string;
  readonly title: string;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly seed: number;
  /** The cost profile; empty if the scenario uses none or several. */
  readonly profile: string;
  /** Of this program. */
  readonly version: string;
  /** Milliseconds since 1970, by the host's clock. */
  readonly startedMs: number;
}

/** The whole record. */
export interface RunRecord extends RunHead {
  readonly status: RunStatus;
  /** Milliseconds since 1970, by the host's clock; `null` while it runs. */
  readonly finishedMs: number | null;
  readonly progress: RunProgress;
  readonly images: readonly RunImage[];
  readonly tables: readonly RunTable[];
  readonly comparisons: readonly Comparison[];
  readonly series: readonly Series[];
  readonly figures: readonly Figure[];
  readonly conclusions: readonly string[];
  /** What the scenario printed. */
  readonly log: readonly string[];
  /** Digest of the trace hashes of all its machines, and of what it measured; `null` until it ended. */
  readonly traceHash: string | null;
  /** Why it failed; `null` unless it did. */
  readonly error: string | null;
}

/** A run in a list: its record without results. */
export type RunSummary = Pick<
  RunRecord,
  keyof RunHead | "status" | "finishedMs" | "progress" | "traceHash" | "error"
>;

/** Measured against published, in percent. Without a published figure, or with 0, there is no error. */
export function errorPercent(measured: number, published: number | null): number | null {
  return published === null || published === 0 ? null : (measured / published - 1) * 100;
}
