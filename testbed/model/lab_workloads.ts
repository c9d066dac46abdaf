/** What the systems of a lab can be made to do, by name. */

import type { Program } from "../../guests/model/mod.ts";
import { computing, secondsOf } from "../../guests/model/workloads/compute.ts";
import { diskHog, smallFileStorm } from "../../guests/model/workloads/disk_hog.ts";
import { drawState } from "../../guests/model/workloads/draw.ts";
import { forkBomb } from "../../guests/model/workloads/fork_bomb.ts";
import { memoryTouchers } from "../../guests/model/workloads/memory_toucher.ts";
import { osdb, OSDB_USERS, type OsdbTest, tuplesOf } from "../../guests/model/workloads/osdb.ts";
import {
  DATABASE_FILES,
  DATABASE_PAGE,
  postmaster,
} from "../../guests/model/workloads/postgresql.ts";
import type { LabKernel } from "./lab_kernel.ts";

/** What a workload may be told. */
export interface WorkloadOptions {
  readonly seed?: number;
}

/** A workload that has been started. */
export interface LabWorkload {
  /** What it has done so far. */
  readonly count: number;
  /** Of what. */
  readonly unit: string;
}

type Start = (system: LabKernel, options: WorkloadOptions) => LabWorkload;

const PAGE_BYTES = 4096;
/** Virtual memory that the memory toucher wants. */
const TOUCHED_BYTES = 3 * 2 ** 30;
/** Processes that the fork bomb's user may have. */
const PROCESS_LIMIT = 256;

/** Every workload by its name. */
export const LAB_WORKLOADS = {
  "osdb-ir": (system, options) => database(system, "ir", options),
  "osdb-oltp": (system, options) => database(system, "oltp", options),
  compute: ({ linux: { kernel } }) => {
    const pid = kernel.spawn(computingAt(kernel.frequencyHz));
    return {
      unit: "s",
      get count() {
        return secondsOf(Number(kernel.processes.get(pid)?.locals.rounds ?? 0));
      },
    };
  },
  "disk hog": ({ linux: { kernel } }) => {
    kernel.spawn(diskHog);
    return NOTHING;
  },
  "small files": ({ linux: { kernel } }) => {
    kernel.spawn(smallFileStorm);
    return NOTHING;
  },
  "fork bomb": ({ linux: { kernel } }) => {
    kernel.spawn(forkBomb, { locals: { limit: PROCESS_LIMIT } });
    return NOTHING;
  },
  "memory toucher": ({ linux: { kernel } }) => {
    kernel.spawn(memoryTouchers, { locals: { pages: TOUCHED_BYTES / PAGE_BYTES } });
    return NOTHING;
  },
} as const satisfies Record<string, Start>;

/** The name of a workload of a laboratory. */
export type LabWorkloadName = keyof typeof LAB_WORKLOADS;

/** Whoever disturbs is not asked how much of it was done. */
const NOTHING: LabWorkload = { count: 0, unit: "" };

/** One program for each frequency: a kernel knows programs by their identity. */
const computers = new Map<number, Program>();

function computingAt(frequencyHz: number): Program {
  const program = computers.get(frequencyHz) ?? computing(frequencyHz);
  computers.set(frequencyHz, program);
  return program;
}

function database(system: LabKernel, test: OsdbTest, { seed = 1 }: WorkloadOptions): LabWorkload {
  const { linux: { kernel }, files } = system;
  for (const [name, pages] of Object.entries(DATABASE_FILES)) {
    files.fs.place(`data/${name}`, pages * DATABASE_PAGE, true);
  }
  kernel.spawn(postmaster, { locals: { random: drawState(seed, 0) } });
  kernel.spawn(osdb, { locals: { test, users: OSDB_USERS, random: drawState(seed, 1) } });
  return {
    unit: "tuples",
    get count() {
      return tuplesOf(kernel.segments);
    },
  };
}
