/**
 * lmbench's processes, context switches and memory on modelled systems, beside what the paper printed (SOSP 2003, Tables 3 to 5;
 * sh, fork, ... in microseconds).
 */

import type { Cycle } from "../../core/clock/clock.ts";
import type { PlatformName, Program } from "../../guests/model/mod.ts";
import { contextSwitch } from "../../guests/model/workloads/lmbench/context_switch.ts";
import { openClose, selectTcp, statFile } from "../../guests/model/workloads/lmbench/files.ts";
import { mapLatency, pageFault } from "../../guests/model/workloads/lmbench/memory.ts";
import * as processes from "../../guests/model/workloads/lmbench/processes.ts";
import { ModelBox } from "./model_box.ts";

/** The paper's systems. */
export const LMBENCH_ROWS = {
  "L-SMP": { platform: "native", cpus: 2 },
  "L-UP": { platform: "native", cpus: 1 },
  Xen: { platform: "xen-pv", cpus: 1 },
  VMW: { platform: "full-virtualization", cpus: 1 },
  UML: { platform: "user-mode-linux", cpus: 1 },
} as const satisfies Record<string, { platform: PlatformName; cpus: number }>;

export type LmbenchRow = keyof typeof LMBENCH_ROWS;

interface Column {
  readonly table: string;
  readonly program: Program;
  /** What lmbench takes off its result, and puts on: a handler is called here, too, but no signal is sent. */
  readonly adjust?: { readonly less: Program; readonly plus: Program };
  /** By row, in microseconds. */
  readonly published: Readonly<Record<LmbenchRow, number>>;
}

/** What was printed, in the order of {@link LMBENCH_ROWS}. */
function printed(...[smp, up, xen, vmware, uml]: readonly number[]): Record<LmbenchRow, number> {
  return { "L-SMP": smp, "L-UP": up, Xen: xen, VMW: vmware, UML: uml };
}

const [T3, T4, T5] = ["Table 3", "Table 4", "Table 5"];
const KIB = 1024;

/** The benchmarks, and the paper's figures. */
export const LMBENCH_COLUMNS: Readonly<Record<string, Column>> = {
  "null call": {
    table: T3,
    program: processes.nullCall,
    published: printed(0.53, 0.45, 0.46, 0.73, 24.7),
  },
  "null I/O": {
    table: T3,
    program: processes.nullIo,
    published: printed(0.81, 0.50, 0.50, 0.83, 25.1),
  },
  stat: { table: T3, program: statFile, published: printed(2.10, 1.28, 1.22, 1.88, 36.1) },
  "open close": { table: T3, program: openClose, published: printed(3.51, 1.92, 1.88, 2.99, 62.8) },
  "slct TCP": { table: T3, program: selectTcp, published: printed(23.2, 5.70, 5.69, 11.1, 39.9) },
  "sig inst": {
    table: T3,
    program: processes.signalInstall,
    published: printed(0.83, 0.68, 0.69, 1.02, 26.0),
  },
  "sig hndl": {
    table: T3,
    program: processes.signalCatch,
    published: printed(2.94, 2.49, 1.75, 4.63, 46.0),
  },
  fork: { table: T3, program: processes.forkExit, published: printed(143, 110, 198, 874, 21_000) },
  exec: { table: T3, program: processes.forkExec, published: printed(601, 530, 768, 2300, 33_000) },
  sh: {
    table: T3,
    program: processes.forkShell,
    published: printed(4200, 4000, 4800, 10_000, 58_000),
  },
  "2p/0K": {
    table: T4,
    program: contextSwitch(2, 0),
    published: printed(1.69, 0.77, 1.97, 18.1, 15.5),
  },
  "2p/16K": {
    table: T4,
    program: contextSwitch(2, 16 * KIB),
    published: printed(1.88, 0.91, 2.22, 17.6, 14.6),
  },
  "2p/64K": {
    table: T4,
    program: contextSwitch(2, 64 * KIB),
    published: printed(2.03, 1.06, 2.67, 21.3, 14.4),
  },
  "8p/16K": {
    table: T4,
    program: contextSwitch(8, 16 * KIB),
    published: printed(2.36, 1.03, 3.07, 22.4, 16.3),
  },
  "8p/64K": {
    table: T4,
    program: contextSwitch(8, 64 * KIB),
    published: printed(26.8, 24.3, 28.7, 51.6, 36.8),
  },
  "16p/16K": {
    table: T4,
    program: contextSwitch(16, 16 * KIB),
    published: printed(4.79, 3.61, 7.08, 41.7, 23.6),
  },
  "16p/64K": {
    table: T4,
    program: contextSwitch(16, 64 * KIB),
    published: printed(38.4, 37.6, 39.4, 72.2, 52.0),
  },
  "mmap lat": { table: T5, program: mapLatency, published: printed(99.0, 68.0, 139, 620, 1400) },
  "prot fault": {
    table: T5,
    program: processes.protectionFault,
    adjust: { less: processes.signalCatch, plus: processes.signalSend },
    published: printed(1.33, 1.06, 1.40, 7.53, 21.8),
  },
  "page fault": { table: T5, program: pageFault, published: printed(1.88, 1.42, 2.73, 12.4, 26.3) },
};

/** A benchmark takes at most so long: a shell on user-mode Linux is the longest. */
const LIMIT_SECONDS = 20;

/** Runs of a benchmark whose result depends on which pages it was given: their median counts, as in lmbench. */
const LAYOUTS = 7;

/** Runs one benchmark on machines of its own; returns microseconds. Throws `RangeError` for a column that is not there. */
export function lmbench(row: LmbenchRow, column: string): number {
  const found = LMBENCH_COLUMNS[column];
  if (!found) {
    const names = Object.keys(LMBENCH_COLUMNS).join(", ");
    throw new RangeError(`lmbench has no column ${column}; it has ${names}`);
  }
  const { program, adjust, table } = found;
  const layouts = table === T4 ? LAYOUTS : 1;
  const results = Array.from({ length: layouts }, (_, seed) => measure(row, program, seed));
  const result = results.sort((a, b) => a - b)[layouts >> 1];
  return adjust ? result - measure(row, adjust.less) + measure(row, adjust.plus) : result;
}

/** What `program` reports on a machine of its own, in microseconds. */
function measure(row: LmbenchRow, program: Program, seed = 0): number {
  const box = ModelBox.boot({ profile: "xeon-2003", seed, ...LMBENCH_ROWS[row] });
  const { kernel } = box.linux;
  for (const each of [processes.hello, processes.shell]) kernel.programs.add(each);
  kernel.spawn(program, { locals: { address: box.network.stack.address } });
  const { frequencyHz } = kernel;
  box.machine.dispatcher.advance(LIMIT_SECONDS * frequencyHz as Cycle);
  const [report] = kernel.reports;
  if (!report) throw new Error(`${program.name} on ${row} did not come to an end`);
  return report.value as number / frequencyHz * 1e6;
}
