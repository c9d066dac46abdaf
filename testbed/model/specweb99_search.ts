/**
 * The largest number of connections that conform: the benchmark's result. All of them are tried at once, and those that conform
 * are counted; with too many, hardly any does.
 *
 * What single connections got in one measurement says how many would conform among more or fewer of them: all share what the
 * servers can do. A short look at more than they can do leads to the load that is measured at full length; only where that measurement says that another
 * load is better by more than a little, there is a second one.
 */

import {
  CONFORMING_BITS_PER_SECOND,
  LINE_BITS_PER_SECOND,
} from "../../guests/model/workloads/specweb99/clients.ts";
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
export interface SpecWebBest extends Omit<SpecWebResult, "rates"> {
  /** Connections that were tried at once. */
  readonly connections: number;
  /** Of those, how many conformed. */
  readonly total: number;
  /** Every measurement at full length: connections that were tried, and that conformed. */
  readonly tried: readonly { readonly connections: number; readonly total: number }[];
}

/** A load that every system of the paper bears, for each CPU, and how long it is looked at. */
const PROBE = { connectionsPerCpu: 100, seconds: 3, warmUpSeconds: 3 } as const;
/** A look at a load of about the servers' capacity. */
const LOOK = { seconds: 8, warmUpSeconds: 4 } as const;
/** Requests of a connection that gets nearly all of its line's 400 kb/s: answers have 15.1 kB on average. */
const REQUESTS_PER_SECOND = 3.24;
/** How busy the CPUs are when they can do no more. */
const FULL = 0.995;
/** What a connection must get; its line's speed; that, less what the way of a request takes if nobody waits. */
const CONFORMING = CONFORMING_BITS_PER_SECOND / 1e6;
const LINE = LINE_BITS_PER_SECOND / 1e6;
const UNHURRIED = 0.39;
/** What one waits for at least, and what one gets that waits all the time, to reckon with. */
const LEAST_WAIT = LINE / UNHURRIED - 1;
const SLOWEST = LINE / 100;
/** What one gets on average where servers can do no more; a look at a load that is further up, and how many there are at most. */
const OVERLOADED = 0.37;
const FURTHER = 1.25;
const MOST_LOOKS = 5;
/** A server that has more to do at once needs less time for each request: interrupts and wake-ups serve several. */
const AHEAD = 1.1;
/** Measurements at full length that are made at most. */
const MOST_TRIES = 2;
/** Loads that are compared: those at which connections wait for up to so many times as long, by this step. */
const MOST_PART = 2;
const PART_STEP = 0.02;
/** A load is better than another if so much more conforms. */
const WORTHWHILE = 0.02;

/** Rejects with `RangeError` for what {@link measureSpecWeb} refuses, and with the signal's reason when it is aborted. */
export async function searchSpecWeb(
  search: SpecWebSearch,
  options: SpecWebOptions = {},
): Promise<SpecWebBest> {
  const { warmUpSeconds = 6, seconds = 60 } = search;
  const cpus = search.platform === "xen-pv" ? Math.min(search.cpus, search.instances) : search.cpus;
  const measure = async (
    connections: number,
    times: Pick<SpecWebMeasurement, "seconds" | "warmUpSeconds">,
  ): Promise<Measured> => {
    const result = await measureSpecWeb({ ...search, ...times, connections }, options);
    const total = result.conforming.reduce((sum, each) => sum + each, 0);
    return { result, connections, total };
  };
  const { result: probe } = await measure(PROBE.connectionsPerCpu * cpus, PROBE);
  const used = probe.utilization * search.cpus / cpus;
  const full = Math.round(AHEAD * FULL / used * probe.requestsPerSecond / REQUESTS_PER_SECOND);
  let looked = await measure(full, LOOK);
  for (let looks = 1; looks < MOST_LOOKS && !isOverloaded(looked); looks++) {
    looked = await measure(Math.round(looked.connections * FURTHER), LOOK);
  }
  let { connections } = bestLoad(looked);
  const measured: Measured[] = [];
  while (measured.length < MOST_TRIES) {
    const latest = await measure(connections, { warmUpSeconds, seconds });
    measured.push(latest);
    const better = bestLoad(latest);
    if (better.total <= latest.total * (1 + WORTHWHILE)) break;
    connections = better.connections;
  }
  const best = measured.reduce((most, each) => each.total > most.total ? each : most);
  const { rates: _, ...result } = best.result;
  const tried = measured.map(({ connections, total }) => ({ connections, total }));
  return { ...result, connections: best.connections, total: best.total, tried };
}

/** A measurement, and what the search makes of it. */
interface Measured {
  readonly result: SpecWebResult;
  readonly connections: number;
  /** How many conformed. */
  readonly total: number;
}

/** Whether connections wait so much that the servers can do no more: domains that take turns keep CPUs busy long before. */
function isOverloaded({ result, connections }: Measured): boolean {
  return result.megabitsPerSecond / connections < OVERLOADED;
}

/**
 * Of which load most would conform, and how many: among fewer all wait less, each in the same proportion to what it waited, such
 * that together they get what the servers can do.
 */
function bestLoad(
  { result }: Measured,
): { readonly connections: number; readonly total: number } {
  const { megabitsPerSecond, rates } = result;
  const waits = rates.map((rate) => LINE / Math.max(rate, SLOWEST) - 1);
  let best = { connections: 1, total: 0 };
  for (let part = 0; part <= MOST_PART; part += PART_STEP) {
    const would = waits.map((wait) => LINE / (1 + Math.max(LEAST_WAIT, part * wait)));
    const mean = would.reduce((sum, rate) => sum + rate, 0) / would.length;
    const load = Math.max(1, Math.round(megabitsPerSecond / mean));
    const total = load * would.filter((rate) => rate >= CONFORMING).length / would.length;
    if (total > best.total) best = { connections: load, total };
  }
  return best;
}
