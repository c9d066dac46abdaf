/**
 * What happens in a run, as data: a scenario's output is a sequence of these events, a record is their fold.
 *
 * The store keeps them in order, the live page streams them, a worker posts them to the thread that started it. So
 * there is one way in which a record comes to be, and a reader who knows event n asks for those after n.
 */

import { unreachable } from "../../core/lib/assert.ts";
import type { LiveNews } from "../live/live_watch.ts";
import type {
  Cell,
  ComparedCell,
  Comparison,
  Figure,
  Point,
  RunHead,
  RunImage,
  RunProgress,
  RunRecord,
  RunStatus,
  RunTable,
  Series,
} from "./run_record.ts";

/** How many lines of output a record keeps: the last ones. */
export const MAX_LOG_LINES = 2000;

/** Something that happened in a run and stays in its record. */
export type RunEvent =
  | { readonly kind: "started"; readonly head: RunHead }
  | { readonly kind: "progress"; readonly progress: RunProgress }
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "image"; readonly image: RunImage }
  | { readonly kind: "table"; readonly table: Omit<RunTable, "rows"> }
  | { readonly kind: "row"; readonly table: string; readonly cells: readonly Cell[] }
  | { readonly kind: "comparison"; readonly comparison: Omit<Comparison, "cells"> }
  | { readonly kind: "cell"; readonly comparison: string; readonly cell: ComparedCell }
  | { readonly kind: "series"; readonly series: Omit<Series, "points"> }
  | { readonly kind: "points"; readonly series: string; readonly points: readonly Point[] }
  | { readonly kind: "figure"; readonly figure: Figure }
  | { readonly kind: "conclusion"; readonly text: string }
  | { readonly kind: "ended"; readonly end: RunEnd };

/** How a run ended. */
export interface RunEnd {
  readonly status: Exclude<RunStatus, "running">;
  readonly finishedMs: number;
  readonly traceHash: string | null;
  readonly error: string | null;
}

/** What a listener of a run gets: what stays in its record, and what is seen while it goes on. */
export type RunNews = RunEvent | LiveNews;

type Growing<T, K extends keyof T> =
  & Omit<T, K>
  & {
    [P in K]: T[P] extends readonly (infer Each)[] ? Each[] : T[P];
  };

/** A record that takes events. */
export type GrowingRecord =
  & { -readonly [K in keyof Omit<RunRecord, keyof GrowingLists>]: RunRecord[K] }
  & GrowingLists;

interface GrowingLists {
  images: RunImage[];
  tables: Growing<RunTable, "rows">[];
  comparisons: Growing<Comparison, "cells">[];
  series: Growing<Series, "points">[];
  figures: Figure[];
  conclusions: string[];
  log: string[];
}

/** The record of a run that has just been started. */
export function newRecord(head: RunHead): GrowingRecord {
  return {
    ...head,
    status: "running",
    finishedMs: null,
    progress: { fraction: 0, step: "" },
    images: [],
    tables: [],
    comparisons: [],
    series: [],
    figures: [],
    conclusions: [],
    log: [],
    traceHash: null,
    error: null,
  };
}

/**
 * Lets `record` grow by `event`, in place: a run of many events is folded in time proportional to them.
 *
 * What names a table, comparison or series that the record lacks is left out: the event was not ours.
 */
export function growRecord(record: GrowingRecord, event: RunEvent): void {
  switch (event.kind) {
    case "started":
      return void Object.assign(record, newRecord(event.head));
    case "progress":
      record.progress = event.progress;
      return;
    case "line":
      record.log.push(event.text);
      if (record.log.length > MAX_LOG_LINES) record.log.shift();
      return;
    case "image":
      return void record.images.push(event.image);
    case "table":
      return void record.tables.push({ ...event.table, rows: [] });
    case "row":
      return void named(record.tables, event.table)?.rows.push(event.cells);
    case "comparison":
      return void record.comparisons.push({ ...event.comparison, cells: [] });
    case "cell":
      return void named(record.comparisons, event.comparison)?.cells.push(event.cell);
    case "series":
      return void record.series.push({ ...event.series, points: [] });
    case "points":
      return void named(record.series, event.series)?.points.push(...event.points);
    case "figure":
      return void record.figures.push(event.figure);
    case "conclusion":
      return void record.conclusions.push(event.text);
    case "ended":
      if (event.end.status === "complete") record.progress = { fraction: 1, step: "" };
      return void Object.assign(record, event.end);
    default:
      return unreachable(event, "run event");
  }
}

/** The record that `events` make; `undefined` if they do not begin with the start of a run. */
export function recordOf(events: Iterable<RunEvent>): RunRecord | undefined {
  let record: GrowingRecord | undefined;
  for (const event of events) {
    if (event.kind === "started") record = newRecord(event.head);
    else if (record !== undefined) growRecord(record, event);
  }
  return record;
}

function named<T extends { readonly name: string }>(all: readonly T[], name: string) {
  return all.find((each) => each.name === name);
}
