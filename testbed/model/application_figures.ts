/** What the paper printed of applications and of many databases on one machine (SOSP 2003, Figures 3 and 5). */

import type { OsdbTest } from "../../guests/model/workloads/osdb.ts";
import type { PlatformName } from "../../guests/model/platforms/platforms.ts";

/** Figure 3's systems. */
export const APPLICATION_SYSTEMS = {
  L: "native",
  X: "xen-pv",
  V: "full-virtualization",
  U: "user-mode-linux",
} as const satisfies Record<string, PlatformName>;

/** A system of the figure, by its letter. */
export type ApplicationSystem = keyof typeof APPLICATION_SYSTEMS;

/** Figure 3's columns of files and databases. */
export const STORAGE_BENCHMARKS = {
  "OSDB-IR": { unit: "tuples/s", published: { L: 172, X: 158, V: 80, U: 65 } },
  "OSDB-OLTP": { unit: "tuples/s", published: { L: 1714, X: 1633, V: 199, U: 306 } },
  dbench: { unit: "MB/s", published: { L: 418, X: 400, V: 310, U: 111 } },
} as const satisfies Record<
  string,
  { readonly unit: string; readonly published: Readonly<Record<ApplicationSystem, number>> }
>;

/** A benchmark of files and databases. */
export type StorageBenchmark = keyof typeof STORAGE_BENCHMARKS;

/** Figure 3's columns of programs that compute. */
export const COMPUTING_BENCHMARKS = {
  "SPEC INT2000": { unit: "score", published: { L: 567, X: 567, V: 554, U: 550 } },
  "Linux build": { unit: "s", published: { L: 263, X: 271, V: 334, U: 535 } },
} as const satisfies Record<
  string,
  { readonly unit: string; readonly published: Readonly<Record<ApplicationSystem, number>> }
>;

/** A benchmark that computes. */
export type ComputingBenchmark = keyof typeof COMPUTING_BENCHMARKS;

/** A bar of Figure 5: tuples a second of so many databases, each in a domain of its own on two CPUs. */
export interface DatabaseBar {
  readonly instances: number;
  /** Weights 1 to 8 under BVT; otherwise all are alike. */
  readonly weighted: boolean;
  readonly tuplesPerSecond: Readonly<Record<OsdbTest, number>>;
}

/** Figure 5. */
export const DATABASE_BARS: readonly DatabaseBar[] = [
  { instances: 1, weighted: false, tuplesPerSecond: { ir: 158, oltp: 1661 } },
  { instances: 2, weighted: false, tuplesPerSecond: { ir: 318, oltp: 3289 } },
  { instances: 4, weighted: false, tuplesPerSecond: { ir: 289, oltp: 2833 } },
  { instances: 8, weighted: false, tuplesPerSecond: { ir: 282, oltp: 2685 } },
  { instances: 8, weighted: true, tuplesPerSecond: { ir: 290, oltp: 2104 } },
];
