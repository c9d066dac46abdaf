/**
 * The largest number of connections that conform: the benchmark's result. All of them are tried at once, and those that conform
 * are counted; with too many, hardly any does.
 *
 * Two short looks say how much the servers deliver when they can do no more, and how far connections lie apart; of that, the
 * number at which the slowest still conform follows. It is measured at full length, and once more where the long measurement
 * says otherwise than the short ones.
 */

import { CONFORMING_BITS_PER_SECOND } from "../../guests/model/workloads/specweb99/clients.ts";
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
const PROBE = { connectionsPerCpu: 100, seconds: 3, warmUpSeconds: 3 } as const;
/** A look at a load of about the servers' capacity. */
const LOOK = { seconds: 6, warmUpSeconds: 4 } as const;
/** Requests of a connection that gets nearly all of its line's 400 kb/s: answers have 15.1 kB on average. */
const REQUESTS_PER_SECOND = 3.24;
/** How busy the CPUs are when they can do no more. */
const FULL = 0.995;
/** What a connection must get; what it gets, on average, when servers are as busy as they can be, and of those that are not. */
const CONFORMING = CONFORMING_BITS_PER_SECOND / 1e6;
const BUSY = 0.37;
const UNHURRIED = 0.39;
/** So many standard deviations below the mean is the slowest of a hundred connections. */
const SLOWEST = 2.33;
/** A server that has more to do at once needs less time for each request: interrupts and wake-ups serve several. */
const AHEAD = 1.1;
/** Measurements at full length that are made at most. */
const MOST_TRIES = 2;
/** Two loads that differ by less are the same. */
const STEP = 0.025;

/** Rejects with `RangeError` for what {@link measureSpecWeb} refuses, and with the signal's reason when it is aborted. */
export async function searchSpecWeb(
  search: SpecWebSearch,
  options: SpecWebOptions = {},
): Promise<SpecWebBest> {
  const { warmUpSeconds = 6, seconds = 60 } = search;
  const cpus = search.platform === "xen-pv" ? Math.min(search.cpus, search.instances) : search.cpus;
  const measure = (connections: number, times: Pick<SpecWebMeasurement, typeof TIMES[number]>) =>
    measureSpecWeb({ ...search, ...times, connections }, options);
  const probe = await measure(PROBE.connectionsPerCpu * cpus, PROBE);
  const used = probe.utilization * search.cpus / cpus;
  const most = Math.round(AHEAD * FULL / used * probe.requestsPerSecond / REQUESTS_PER_SECOND);
  const look = await measure(most, LOOK);
  const calmer = Math.sqrt(Math.min(1, LOOK.seconds / seconds));
  let connections = bearable(most, { ...look, spread: look.spread * calmer }, used);
  let best: SpecWebBest | null = null;
  const tried: { connections: number; total: number }[] = [];
  while (tried.length < MOST_TRIES) {
    const result = await measure(connections, { warmUpSeconds, seconds });
    const total = result.conforming.reduce((sum, each) => sum + each, 0);
    tried.push({ connections, total });
    if (!best || total > best.total) best = { ...result, connections, total, tried };
    const next = bearable(connections, result, result.utilization * search.cpus / cpus);
    if (Math.abs(next / connections - 1) < STEP) break;
    connections = next;
  }
  return { ...best!, tried };
}

const TIMES = ["seconds", "warmUpSeconds"] as const;

/** At how many connections the slowest would just conform, after a measurement with `connections` of them. */
function bearable(
  connections: number,
  { megabitsPerSecond, spread }: SpecWebResult,
  utilization: number,
): number {
  // As long as everybody gets what a line takes, neither capacity nor spread has shown.
  const isFull = megabitsPerSecond / connections < UNHURRIED;
  const least = isFull ? Math.min(UNHURRIED, CONFORMING + SLOWEST * spread) : BUSY;
  const capacity = isFull ? megabitsPerSecond : megabitsPerSecond * FULL / utilization;
  return Math.max(1, Math.round(capacity / least));
}
