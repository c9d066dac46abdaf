/**
 * What a scenario is: a story told by a script, with what it needs handed to it. It builds machines, loads and
 * disturbs them, and says what it found as tables, series and comparisons; everything it says becomes the run's record.
 */

import type { Host } from "../host/host.ts";
import type { HostOptions } from "../host/host.ts";
import type { CreateMachine } from "../machine_api.ts";
import type { Cell, Column, Comparison, Confidence, Figure, RunImage } from "../runs/run_record.ts";
import type { ParameterTable, ValuesOf } from "./parameters.ts";

/** Something with a trace hash: a machine, a host, a modelled box. */
export interface Traced {
  readonly trace: { readonly hash: string };
}

/** A table to declare. */
export interface TableSpec {
  readonly name: string;
  readonly title: string;
  /** Headings; a unit stands behind a vertical bar: `"CPU time|s"`. */
  readonly columns: readonly (string | Column)[];
  readonly notes?: readonly string[];
  /** Whether it tells of the host's own time: then no two runs agree, and the trace hash leaves it out. */
  readonly hostTime?: boolean;
}

/** A table that is being filled. */
export interface TableSink {
  /** Adds a row, a cell for each column; throws `RangeError` for another number of cells. */
  row(...cells: Cell[]): void;
}

/** One figure measured. */
export interface Measurement {
  readonly row: string;
  readonly column: string;
  readonly unit?: string;
  readonly measured: number;
  /** `null` where the source gives none. */
  readonly published: number | null;
  /** Whether the cost profile was fitted to the published figure. */
  readonly fitted?: boolean;
  readonly confidence?: Confidence;
}

/** A comparison that is being filled. */
export interface ComparisonSink {
  cell(measurement: Measurement): void;
}

/** A series to declare. */
export interface SeriesSpec {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** Default: `time`. */
  readonly xName?: string;
  /** Default: `s`. */
  readonly xUnit?: string;
}

/** A series that is being filled. */
export interface SeriesSink {
  add(x: number, y: number): void;
}

/** What a scenario gets. */
export interface ScenarioContext<T extends ParameterTable = ParameterTable> {
  readonly parameters: ValuesOf<T>;
  /** Whatever is random in the scenario follows from it. */
  readonly seed: number;
  /** Fires when the user interrupts; pass it on to whatever runs. */
  readonly signal: AbortSignal;
  /** Prints one line. */
  print(line: string): void;
  /** Builds a machine whose trace hash is part of the run's. */
  readonly createMachine: CreateMachine;
  /** Boots a host whose trace hash is part of the run's. */
  boot(options: HostOptions): Promise<Host>;
  /** Makes the trace of something else part of the run's. */
  traced<M extends Traced>(machine: M): M;
  /** Takes down the trace of a machine that is not needed any more, so that its memory can go before the run ends. */
  done(machine: object): void;
  table(spec: TableSpec): TableSink;
  comparison(spec: Omit<Comparison, "cells">): ComparisonSink;
  series(spec: SeriesSpec): SeriesSink;
  /** Says how to draw a table, a comparison or series. */
  figure(figure: Figure): void;
  /** A sentence that the figures support. */
  conclude(text: string): void;
  /** How much of the run is done, from 0 to 1, and what it is at. */
  progress(fraction: number, step: string): void;
  /** An image that a guest was made of. */
  image(image: RunImage): void;
}

/** The default export of a file in `scenarios/`. */
export interface Scenario<T extends ParameterTable = ParameterTable> {
  /** A heading. Without one, the name of the file. */
  readonly title?: string;
  /** One line for listings. */
  readonly summary: string;
  readonly parameters?: T;
  /** The cost profile, for the record. */
  readonly profile?: string;
  /** Resolves when the story is told; rejects if it did not go as it should. */
  run(context: ScenarioContext<T>): Promise<void>;
}

/**
 * A scenario whose parameters' types are known in `run`.
 *
 * ```ts
 * import { defineScenario } from "@xenarium/xenarium";
 *
 * export default defineScenario({
 *   summary: "counts",
 *   parameters: { to: { kind: "integer", default: 3, min: 1, max: 9, help: "where to stop" } },
 *   run({ parameters, print }) {
 *     for (let n = 1; n <= parameters.to; n++) print(String(n));
 *     return Promise.resolve();
 *   },
 * });
 * ```
 */
export function defineScenario<const T extends ParameterTable>(scenario: Scenario<T>): Scenario {
  return scenario as unknown as Scenario;
}

/** Whether `value` is a scenario, as far as its shape tells. */
export function isScenario(value: unknown): value is Scenario {
  if (typeof value !== "object" || value === null) return false;
  const { summary, run } = value as Partial<Scenario>;
  return typeof summary === "string" && typeof run === "function";
}
