/** lmbench's columns and what the paper printed (SOSP 2003, Tables 3 to 5), in microseconds. */

import type { PlatformName } from "../../guests/model/platforms/platforms.ts";

/** The paper's systems. */
export const LMBENCH_ROWS = {
  "L-SMP": { platform: "native", cpus: 2 },
  "L-UP": { platform: "native", cpus: 1 },
  Xen: { platform: "xen-pv", cpus: 1 },
  VMW: { platform: "full-virtualization", cpus: 1 },
  UML: { platform: "user-mode-linux", cpus: 1 },
} as const satisfies Record<string, { platform: PlatformName; cpus: number }>;

/** A row of the paper's tables: a system. */
export type LmbenchRow = keyof typeof LMBENCH_ROWS;

/** A column of the paper's. */
export interface PublishedColumn {
  readonly table: "Table 3" | "Table 4" | "Table 5";
  readonly column: string;
  /** By row. */
  readonly microseconds: Readonly<Record<LmbenchRow, number>>;
}

/** Table, column, then L-SMP, L-UP, Xen, VMW, UML. */
const PRINTED = [
  [3, "null call", 0.53, 0.45, 0.46, 0.73, 24.7],
  [3, "null I/O", 0.81, 0.50, 0.50, 0.83, 25.1],
  [3, "stat", 2.10, 1.28, 1.22, 1.88, 36.1],
  [3, "open close", 3.51, 1.92, 1.88, 2.99, 62.8],
  [3, "slct TCP", 23.2, 5.70, 5.69, 11.1, 39.9],
  [3, "sig inst", 0.83, 0.68, 0.69, 1.02, 26.0],
  [3, "sig hndl", 2.94, 2.49, 1.75, 4.63, 46.0],
  [3, "fork", 143, 110, 198, 874, 21_000],
  [3, "exec", 601, 530, 768, 2300, 33_000],
  [3, "sh", 4200, 4000, 4800, 10_000, 58_000],
  [4, "2p/0K", 1.69, 0.77, 1.97, 18.1, 15.5],
  [4, "2p/16K", 1.88, 0.91, 2.22, 17.6, 14.6],
  [4, "2p/64K", 2.03, 1.06, 2.67, 21.3, 14.4],
  [4, "8p/16K", 2.36, 1.03, 3.07, 22.4, 16.3],
  [4, "8p/64K", 26.8, 24.3, 28.7, 51.6, 36.8],
  [4, "16p/16K", 4.79, 3.61, 7.08, 41.7, 23.6],
  [4, "16p/64K", 38.4, 37.6, 39.4, 72.2, 52.0],
  [5, "0K create", 44.9, 32.1, 32.5, 35.3, 130],
  [5, "0K delete", 24.2, 6.08, 5.86, 9.3, 65.7],
  [5, "10K create", 123, 66.0, 68.2, 85.6, 250],
  [5, "10K delete", 45.2, 12.5, 13.6, 21.4, 113],
  [5, "mmap lat", 99.0, 68.0, 139, 620, 1400],
  [5, "prot fault", 1.33, 1.06, 1.40, 7.53, 21.8],
  [5, "page fault", 1.88, 1.42, 2.73, 12.4, 26.3],
] as const;

/** A column of the paper's tables: a benchmark. */
export type LmbenchColumn = typeof PRINTED[number][1];

/** Every column, in the paper's order. */
export const LMBENCH_COLUMNS: readonly (PublishedColumn & { readonly column: LmbenchColumn })[] =
  PRINTED.map(([table, column, smp, up, xen, vmware, uml]) => ({
    table: `Table ${table}`,
    column,
    microseconds: { "L-SMP": smp, "L-UP": up, Xen: xen, VMW: vmware, UML: uml },
  }));
