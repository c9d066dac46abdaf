/** Several runs side by side: what was asked differently, and what came out differently. */

import { type ComparedNumber, compareRuns, type RunRecord, settingText } from "../mod.ts";

/** A number of every run, and the published one if there is one. */
export interface ComparedRow extends ComparedNumber {
  readonly published: number | null;
}

/** The numbers of one table or comparison. */
export interface ComparedGroup {
  readonly title: string;
  readonly rows: readonly ComparedRow[];
}

/** Parameters (scenario, seed, profile and version included) whose values are not the same everywhere. */
export function differences(
  runs: readonly RunRecord[],
): readonly (readonly [name: string, values: readonly string[]])[] {
  const described = runs.map((run): Readonly<Record<string, string>> => ({
    scenario: run.scenario,
    seed: String(run.seed),
    profile: run.profile,
    version: run.version,
    ...asTyped(run.parameters),
  }));
  const names = new Set(described.flatMap((each) => Object.keys(each)));
  return [...names]
    .map((name) => [name, described.map((each) => each[name] ?? "–")] as const)
    .filter(([, values]) => new Set(values).size > 1);
}

function asTyped(parameters: RunRecord["parameters"]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, settingText(value)]),
  );
}

/** What was measured, table by table. */
export function sideBySide(runs: readonly RunRecord[]): readonly ComparedGroup[] {
  const groups = Map.groupBy(compareRuns(runs), ({ table }) => table);
  return [...groups].map(([name, numbers]) => ({
    title: titleOf(runs, name),
    rows: numbers.map((number) => ({ ...number, published: publishedOf(runs, number) })),
  }));
}

function titleOf(runs: readonly RunRecord[], name: string): string {
  const all = runs.flatMap(({ tables, comparisons }) => [...tables, ...comparisons]);
  return all.find((each) => each.name === name)?.title ?? name;
}

function publishedOf(runs: readonly RunRecord[], { table, row, column }: ComparedNumber) {
  const cells = runs.flatMap(({ comparisons }) => comparisons)
    .filter(({ name }) => name === table).flatMap((each) => each.cells);
  return cells.find((cell) => cell.row === row && cell.column === column)?.published ?? null;
}
