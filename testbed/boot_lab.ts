/** `Lab` for the public face: what labs are made of is loaded when the first one is booted. */

import type { Lab as LabOfSystems, LabOptions } from "./model/lab.ts";
import type { SpecWebOptions } from "./model/specweb99.ts";
import type { SpecWebBest, SpecWebSearch } from "./model/specweb99_search.ts";
import type { TtcpMeasurement, TtcpSpeed } from "./model/ttcp.ts";
import type { UdpLatency, UdpLatencyOptions } from "./model/udp_latency.ts";

/** Modelled systems with workloads, on one native kernel or in domains. */
export type Lab = LabOfSystems;

/**
 * Starts laboratories.
 *
 * ```ts
 * import { Lab } from "@xenarium/xenarium";
 *
 * const lab = await Lab.boot({ platform: "xen-pv", cpus: 2, memory: "1GiB" });
 * const database = lab.system({ name: "database", memory: "256MiB" }).start("osdb-ir");
 * await lab.run("100ms");
 * console.log(database.count, database.unit);
 * ```
 */
export const Lab = {
  /** Starts a lab without systems. Rejects with `RangeError` or `SyntaxError` for a wrong option. */
  boot: async (options: LabOptions): Promise<Lab> =>
    await (await import("./model/lab.ts")).Lab.boot(options),
} as const;

/** How fast one TCP connection is between a machine outside and a modelled system. Rejects with `RangeError` for an unknown profile. */
export async function measureTtcp(measurement: TtcpMeasurement): Promise<TtcpSpeed> {
  return await (await import("./model/ttcp.ts")).measureTtcp(measurement);
}

/**
 * The largest number of connections of SPECweb99 that conform, with so many servers on one kernel or in a domain each. Each search
 * has a thread of its own; those that are begun together share the host's CPUs. Rejects
 * with `RangeError` for a number below 1, and with the signal's reason when it is aborted.
 */
export async function searchSpecWeb(
  search: SpecWebSearch,
  options: SpecWebOptions = {},
): Promise<SpecWebBest> {
  return await (await import("./model/specweb99_threads.ts")).searchOnThread(search, options);
}

/** Milliseconds that UDP echoes take from one domain among many. Rejects with `RangeError` for more than memory holds. */
export async function measureUdpLatency(options: UdpLatencyOptions): Promise<UdpLatency> {
  return await (await import("./model/udp_latency.ts")).measureUdpLatency(options);
}
