/** Runs for other programs: JSON of the whole record, CSV of each table (RFC 4180). */

import type { Cell, RunRecord } from "./run_record.ts";

/** A file of an export. */
export interface ExportedFile {
  /** Its name, without a folder. */
  readonly name: string;
  readonly text: string;
}

/** The record as JSON; it reads back with `JSON.parse`. */
export function toJson(record: RunRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** One file for each table, comparison and series of the run; units stand in the headings. */
export function toCsv(record: RunRecord): ExportedFile[] {
  const tables = record.tables.map(({ name, columns, rows }) => ({
    name,
    text: csv([columns.map((column) => heading(column.name, column.unit)), ...rows]),
  }));
  const comparisons = record.comparisons.map(({ name, cells }) => ({
    name,
    text: csv([
      ["row", "column", "unit", "measured", "published", "error (%)", "fitted", "low", "high"],
      ...cells.map((cell) => [
        cell.row,
        cell.column,
        cell.unit,
        cell.measured,
        cell.published,
        cell.errorPercent,
        cell.fitted ? "yes" : "no",
        cell.confidence?.low ?? null,
        cell.confidence?.high ?? null,
      ]),
    ]),
  }));
  const series = record.series.map((each) => ({
    name: each.name,
    text: csv([[heading(each.xName, each.xUnit), heading(each.title, each.unit)], ...each.points]),
  }));
  const taken = new Map<string, number>();
  return [...tables, ...comparisons, ...series].map(({ name, text }) => {
    const stem = `${record.id}-${name.replace(/[^\w-]+/g, "_")}`;
    const count = (taken.get(stem) ?? 0) + 1;
    taken.set(stem, count);
    return { name: count === 1 ? `${stem}.csv` : `${stem}-${count}.csv`, text };
  });
}

/** Rows as lines of CSV; nothing for what was not measured. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function field(cell: Cell): string {
  const text = cell === null ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function heading(name: string, unit: string): string {
  return unit === "" ? name : `${name} (${unit})`;
}
