/** Runs side by side: every number that they all have, and how it differs from the first run's. */

import type { RunRecord } from "./run_record.ts";

/** One number of several runs. */
export interface ComparedNumber {
  /** The table or comparison that it is from. */
  readonly table: string;
  readonly row: string;
  readonly column: string;
  readonly unit: string;
  /** One for each run, in their order; `null` where a run lacks it. */
  readonly values: readonly (number | null)[];
  /** The difference of each run from the first, in percent; `null` where it means nothing. */
  readonly changePercent: readonly (number | null)[];
}

interface Place {
  readonly table: string;
  readonly row: string;
  readonly column: string;
  readonly unit: string;
}

/** The numbers of `records`, in the order in which the first run that has them tells them. */
export function compareRuns(records: readonly RunRecord[]): ComparedNumber[] {
  const places = new Map<string, Place & { values: (number | null)[] }>();
  records.forEach((record, index) => {
    for (const { value, ...place } of numbersOf(record)) {
      const key = JSON.stringify([place.table, place.row, place.column]);
      const known = places.get(key) ?? { ...place, values: records.map(() => null) };
      known.values[index] = value;
      places.set(key, known);
    }
  });
  return [...places.values()].map((place) => ({
    ...place,
    changePercent: place.values.map((value) => change(place.values[0], value)),
  }));
}

function change(from: number | null, to: number | null): number | null {
  return from === null || to === null || from === 0 ? null : (to / from - 1) * 100;
}

/** A table's rows are told apart by their text cells, or by the first cell if all are numbers. */
function* numbersOf(
  { tables, comparisons }: RunRecord,
): IterableIterator<Place & { value: number }> {
  for (const { name, columns, rows } of tables) {
    for (const cells of rows) {
      const texts = cells.filter((cell) => typeof cell === "string");
      const row = texts.length > 0 ? texts.join(" ") : String(cells[0]);
      for (const [index, value] of cells.entries()) {
        if (typeof value !== "number" || (texts.length === 0 && index === 0)) continue;
        yield { table: name, row, column: columns[index].name, unit: columns[index].unit, value };
      }
    }
  }
  for (const { name, cells } of comparisons) {
    for (const { row, column, unit, measured } of cells) {
      yield { table: name, row, column, unit, value: measured };
    }
  }
}
