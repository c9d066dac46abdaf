/** Which runs a list shows, and in which order: what its address says, made sense of. */

import type { RunSummary } from "../mod.ts";

export const SORT_KEYS = ["scenario", "status", "started", "took"] as const;
export type SortKey = typeof SORT_KEYS[number];

/** The choice that an address makes. */
export interface RunChoice {
  readonly runs: readonly RunSummary[];
  readonly query: string;
  readonly scenario: string;
  readonly status: string;
  readonly sort: SortKey;
  readonly order: "up" | "down";
}

type Compare = (a: RunSummary, b: RunSummary) => number;

const BY: Readonly<Record<SortKey, Compare>> = {
  scenario: (a, b) => compareText(a.title, b.title),
  status: (a, b) => compareText(a.status, b.status),
  started: (a, b) => a.startedMs - b.startedMs,
  took: (a, b) => took(a) - took(b),
};

/** Picks from `all` what `parameters` ask for; what they ask nonsensically is left out. */
export function chooseRuns(all: readonly RunSummary[], parameters: URLSearchParams): RunChoice {
  const text = (name: string) => parameters.get(name)?.trim() ?? "";
  const [query, scenario, status] = ["q", "scenario", "status"].map(text);
  const sort = SORT_KEYS.find((key) => key === text("sort")) ?? "started";
  const order = text("order") === "up" ? "up" : "down";
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const runs = all
    .filter((run) => scenario === "" || run.scenario === scenario)
    .filter((run) => status === "" || run.status === status)
    .filter((run) => words.every((word) => described(run).includes(word)))
    .sort((a, b) => (order === "up" ? 1 : -1) * BY[sort](a, b));
  return { runs, query, scenario, status, sort, order };
}

function described({ id, title, scenario, seed, profile, parameters }: RunSummary): string {
  const values = Object.entries(parameters).map(([name, value]) => `${name} ${String(value)}`);
  return [id, title, scenario, `seed ${seed}`, profile, ...values].join(" ").toLowerCase();
}

function took({ startedMs, finishedMs }: RunSummary): number {
  return finishedMs === null ? Infinity : finishedMs - startedMs;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
