/**
 * The largest number of connections that conform: the benchmark's result. All of them are tried at once, and those that conform
 * are counted; with too many, hardly any does.
 */

import {
  measureSpecWeb,
  type SpecWebMeasurement,
  type SpecWebOptions,
  type SpecWebResult,
} from "./specweb99.ts";

/** What is asked for; by default a measurement takes 60 simulated seconds after 6 of warm-up. */
export type SpecWebSearch =
  & Omit<SpecWebMeasurement, "connections" | "warmUpSeconds" | "seconds">
  & Partial<Pick<SpecWebMeasurement, "warmUpSeconds" | "seconds">>;

/** The best of the measurements that were made. */
export interface SpecWebBest extends SpecWebResult {
  /** Connections that were tried at once. */
  readonly connections: number;
  /** Of those, how many conformed. */
  readonly total: number;
  /** Every measurement: connections that were tried, and that conformed. */
  readonly tried: readonly { readonly connections: number; readonly total: number }[];
}

/** A load that every system of the paper bears, for each CPU, and how long it is looked at. */
const PROBE = { connectionsPerCpu: 100, seconds: 8, warmUpSeconds: 4 } as const;
/** Requests of a connection that gets nearly all of its line's 400 kb/s: answers have 15.1 kB on average. */
const REQUESTS_PER_SECOND = 3.24;
/** How busy the CPUs are when the first connections fail to conform. */
const FULL = 0.98;
/** What a connection gets when about that many conform, in Mb/s. */
const MEGABITS_PER_CONNECTION = 0.37;
/** Measurements at full length that are made at most. */
const MOST_TRIES = 3;
/** A measurement in which so many conform is at or below the best. */
const NEARLY_ALL = 0.985;
const STEP = 0.03;

/** Rejects with `RangeError` for what {@link measureSpecWeb} refuses, and with the signal's reason when it is aborted. */
export async function searchSpecWeb(
  search: SpecWebSearch,
  options: SpecWebOptions = {},
): Promise<SpecWebBest> {
  const { warmUpSeconds = 6, seconds = 60 } = search;
  const cpus = search.platform === "xen-pv" ? Math.min(search.cpus, search.instances) : search.cpus;
  const few = PROBE.connectionsPerCpu * cpus;
  const probe = await measureSpecWeb({ ...search, ...PROBE, connections: few }, options);
  const used = probe.utilization * search.cpus / cpus;
  let connections = Math.round(FULL / used * probe.requestsPerSecond / REQUESTS_PER_SECOND);
  let best: SpecWebBest | null = null;
  const tried: { connections: number; total: number }[] = [];
  while (tried.length < MOST_TRIES) {
    const result = await measureSpecWeb(
      { ...search, warmUpSeconds, seconds, connections },
      options,
    );
    const total = result.conforming.reduce((sum, each) => sum + each, 0);
    tried.push({ connections, total });
    if (!best || total > best.total) best = { ...result, connections, total, tried };
    const next = nextTry(tried, result);
    if (next === null) break;
    connections = next;
  }
  return { ...best!, tried };
}

/** How many connections to try next, or null if the best is found as nearly as the step. */
function nextTry(
  tried: readonly { readonly connections: number; readonly total: number }[],
  { utilization, megabitsPerSecond }: SpecWebResult,
): number | null {
  const { connections, total } = tried[tried.length - 1];
  const isKnown = (next: number) =>
    tried.some((each) => Math.abs(each.connections - next) < STEP * next / 2);
  const isLow = total >= NEARLY_ALL * connections;
  if (isLow && utilization >= FULL) return null;
  const bearable = Math.round(megabitsPerSecond / MEGABITS_PER_CONNECTION);
  const lower = Math.min(bearable, Math.round(connections * (1 - STEP)));
  const next = isLow ? Math.round(connections * (1 + STEP)) : lower;
  return isKnown(next) ? null : next;
}
