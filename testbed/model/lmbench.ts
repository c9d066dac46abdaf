/** lmbench's processes, context switches, files and memory on modelled systems, each benchmark on a machine of its own. */

import type { Program } from "../../guests/model/mod.ts";
import { FILE_LATENCY, fileLatency } from "../../guests/model/workloads/file_latency.ts";
import { contextSwitch } from "../../guests/model/workloads/lmbench/context_switch.ts";
import { openClose, selectTcp, statFile } from "../../guests/model/workloads/lmbench/files.ts";
import { mapLatency, pageFault } from "../../guests/model/workloads/lmbench/memory.ts";
import * as processes from "../../guests/model/workloads/lmbench/processes.ts";
import {
  LMBENCH_COLUMNS,
  LMBENCH_ROWS,
  type LmbenchColumn,
  type LmbenchRow,
} from "./lmbench_figures.ts";
import { ModelBox } from "./model_box.ts";

interface Benchmark {
  readonly program: Program;
  readonly locals?: { readonly [name: string]: number };
  /** Which of its reports; default `cycles`. */
  readonly report?: string;
  /** What lmbench takes off its result, and puts on: a handler is called here, too, but no signal is sent. */
  readonly adjust?: { readonly less: Program; readonly plus: Program };
}

/** What a benchmark came to, and the digest of all that happened. */
export interface LmbenchResult {
  readonly microseconds: number;
  readonly trace: { readonly hash: string };
}

const KIB = 1024;
const FILES = 1000;

function files(bytes: number, report: string): Benchmark {
  return { program: fileLatency, locals: { files: FILES, bytes }, report };
}

const BENCHMARKS: Readonly<Record<LmbenchColumn, Benchmark>> = {
  "null call": { program: processes.nullCall },
  "null I/O": { program: processes.nullIo },
  stat: { program: statFile },
  "open close": { program: openClose },
  "slct TCP": { program: selectTcp },
  "sig inst": { program: processes.signalInstall },
  "sig hndl": { program: processes.signalCatch },
  fork: { program: processes.forkExit },
  exec: { program: processes.forkExec },
  sh: { program: processes.forkShell },
  "2p/0K": { program: contextSwitch(2, 0) },
  "2p/16K": { program: contextSwitch(2, 16 * KIB) },
  "2p/64K": { program: contextSwitch(2, 64 * KIB) },
  "8p/16K": { program: contextSwitch(8, 16 * KIB) },
  "8p/64K": { program: contextSwitch(8, 64 * KIB) },
  "16p/16K": { program: contextSwitch(16, 16 * KIB) },
  "16p/64K": { program: contextSwitch(16, 64 * KIB) },
  "0K create": files(0, FILE_LATENCY.create),
  "0K delete": files(0, FILE_LATENCY.delete),
  "10K create": files(10 * KIB, FILE_LATENCY.create),
  "10K delete": files(10 * KIB, FILE_LATENCY.delete),
  "mmap lat": { program: mapLatency },
  "prot fault": {
    program: processes.protectionFault,
    adjust: { less: processes.signalCatch, plus: processes.signalSend },
  },
  "page fault": { program: pageFault },
};

/** Runs of a benchmark whose result depends on which pages it was given: their median counts, as in lmbench. */
const LAYOUTS = 9;
/** A benchmark takes at most so long: a shell on user-mode Linux is the longest. */
const LIMIT = "20s";

/** Runs one benchmark. Throws `RangeError` for a column that is not there. */
export async function lmbench(
  row: LmbenchRow,
  column: LmbenchColumn,
  seed = 0,
): Promise<LmbenchResult> {
  const benchmark = BENCHMARKS[column];
  if (!benchmark) {
    const names = LMBENCH_COLUMNS.map((each) => each.column).join(", ");
    throw new RangeError(`lmbench has no column ${column}; it has ${names}`);
  }
  const { adjust } = benchmark;
  const results: LmbenchResult[] = [];
  const layouts = benchmark.program.name.startsWith("lat_ctx") ? LAYOUTS : 1;
  for (let i = 0; i < layouts; i++) {
    results.push(await measure(row, benchmark, seed * LAYOUTS + i));
  }
  const result = results.sort((a, b) => a.microseconds - b.microseconds)[layouts >> 1];
  if (!adjust) return result;
  const less = await measure(row, { program: adjust.less }, seed);
  const plus = await measure(row, { program: adjust.plus }, seed);
  const microseconds = result.microseconds - less.microseconds + plus.microseconds;
  return { microseconds, trace: result.trace };
}

async function measure(
  row: LmbenchRow,
  benchmark: Benchmark,
  seed: number,
): Promise<LmbenchResult> {
  const { program, locals, report = "cycles" } = benchmark;
  const box = ModelBox.boot({ profile: "xeon-2003", seed, ...LMBENCH_ROWS[row] });
  const { kernel } = box;
  for (const each of [processes.hello, processes.shell]) kernel.programs.add(each);
  kernel.spawn(program, { locals: { address: box.network.stack.address, ...locals } });
  await box.run(LIMIT);
  const found = kernel.reports.find(({ name }) => name === report);
  if (!found) throw new Error(`${program.name} on ${row} did not come to an end`);
  const microseconds = found.value as number / kernel.frequencyHz * 1e6;
  return { microseconds, trace: { hash: box.trace.hash } };
}
