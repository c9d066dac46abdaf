/** A run's record as text for a terminal. */

import type { Cell, Column, ComparedCell, RunRecord, RunSummary } from "../runs/run_record.ts";
import { settingText } from "../scenarios/parameters.ts";
import { table } from "../tables.ts";

/** Numbers are shown with so many significant digits. */
const DIGITS = 5;

/** The results: tables, comparisons, conclusions; what an interrupted run did not come to is left out. */
export function resultsText({ tables, comparisons, conclusions }: RunRecord): string {
  const parts = [
    ...tables.filter(({ rows }) => rows.length > 0).map(({ title, columns, rows, notes }) =>
      [title, table(columns.map(heading), rows.map((row) => row.map(shown))), ...notes].join("\n")
    ),
    ...comparisons.filter(({ cells }) => cells.length > 0).map(({ title, source, cells }) =>
      [
        `${title}, beside ${source}`,
        table(COMPARISON_HEAD, cells.map(comparedRow)),
        ...footnotes(cells),
      ]
        .join("\n")
    ),
    conclusions.map((text) => `- ${text}`).join("\n"),
  ];
  return parts.filter((part) => part !== "").map((part) => `\n${part}\n`).join("");
}

/** What was asked, and what became of it. */
export function headText(record: RunSummary): string {
  const parameters = Object.entries(record.parameters)
    .map(([name, value]) => `${name}=${settingText(value)}`).join(" ");
  const rows: (readonly [string, string])[] = [
    ["run", record.id],
    ["scenario", `${record.scenario} (${record.title})`],
    ["parameters", parameters || "none"],
    ["seed", String(record.seed)],
    ["profile", record.profile || "none"],
    ["version", record.version],
    ["status", statusText(record)],
    ["started", dateText(record.startedMs)],
    ["took", tookText(record)],
    ["trace hash", record.traceHash ?? "none"],
  ];
  if (record.error !== null) rows.push(["error", record.error]);
  return table(["", ""], rows);
}

/** Runs as a list. */
export function listText(runs: readonly RunSummary[]): string {
  const rows = runs.map((run) => [
    run.id,
    dateText(run.startedMs),
    tookText(run),
    statusText(run),
    run.scenario,
    String(run.seed),
    run.traceHash?.slice(0, 8) ?? "",
  ]);
  return table(["run", "started", "took", "status", "scenario", "seed", "trace"], rows);
}

/** A number as it is shown in tables. */
export function shown(cell: Cell): string | number {
  if (cell === null) return "-";
  return typeof cell === "number" ? Number(cell.toPrecision(DIGITS)) : cell;
}

const COMPARISON_HEAD = ["", "", "measured", "published", "error %", ""];

function comparedRow(cell: ComparedCell): (string | number)[] {
  const { row, column, unit, measured, published, errorPercent, fitted, confidence } = cell;
  const within = confidence === null
    ? ""
    : ` (${shown(confidence.low)} to ${shown(confidence.high)})`;
  return [
    row,
    unit === "" ? column : `${column} (${unit})`,
    `${shown(measured)}${within}`,
    shown(published),
    errorPercent === null ? "-" : errorPercent.toFixed(1),
    fitted ? "fitted" : "",
  ];
}

/** What the marks mean, and the intervals' level. */
function footnotes(cells: readonly ComparedCell[]): string[] {
  const notes: string[] = [];
  if (cells.some(({ fitted }) => fitted)) {
    notes.push("fitted: the cost profile was fitted to this figure, so its error says nothing");
  }
  const level = cells.find(({ confidence }) => confidence !== null)?.confidence?.level;
  if (level !== undefined) notes.push(`in brackets: ${level * 100} % confidence interval`);
  return notes;
}

function heading({ name, unit }: Column): string {
  return unit === "" ? name : `${name} (${unit})`;
}

function statusText({ status, progress }: RunSummary): string {
  return status === "complete" ? status : `${status} (${Math.floor(progress.fraction * 100)} %)`;
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

function tookText({ startedMs, finishedMs }: RunSummary): string {
  return finishedMs === null ? "-" : `${((finishedMs - startedMs) / 1000).toFixed(1)} s`;
}
