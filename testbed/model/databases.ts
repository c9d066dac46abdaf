/**
 * Databases and file servers under load: Figure 3's columns of storage, each on a machine of its own, and Figure 5's databases,
 * each in a domain of its own on one machine.
 */

import type { Cycle } from "../../core/clock/clock.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { createLinux, type Kernel } from "../../guests/model/mod.ts";
import type { Files } from "../../guests/model/vfs/mod.ts";
import { DBENCH, dbench } from "../../guests/model/workloads/dbench.ts";
import { drawState } from "../../guests/model/workloads/draw.ts";
import { osdb, OSDB_USERS, type OsdbTest, tuplesOf } from "../../guests/model/workloads/osdb.ts";
import {
  DATABASE_FILES,
  DATABASE_PAGE,
  postmaster,
} from "../../guests/model/workloads/postgresql.ts";
import { Host } from "../host/host.ts";
import type { ModelPlace } from "../host/modelled_domains.ts";
import {
  APPLICATION_SYSTEMS,
  type ApplicationSystem,
  type StorageBenchmark,
} from "./application_figures.ts";
import { installFiles } from "./attach_disk.ts";
import { ModelBox } from "./model_box.ts";
import { sharedDisk } from "./ring_disk.ts";
import { digestSchedule } from "./schedule_digest.ts";
import { hypervisorDisk } from "./hypervisor_disk.ts";

/** What all runs may be told. */
export interface MeasureOptions {
  /** Simulated seconds that are measured; default 5. */
  readonly seconds?: number;
  /** Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** A score in the benchmark's unit, and the digest of all that happened. */
export interface StorageResult {
  readonly score: number;
  readonly trace: { readonly hash: string };
}

/** Which databases share a machine. */
export interface DatabaseInstances extends MeasureOptions {
  readonly test: OsdbTest;
  readonly instances: number;
  /** The first one has the largest share, as many times the last one's as there are instances. */
  readonly weighted?: boolean;
}

/** What they came to, by instance. */
export interface InstancesResult {
  readonly tuplesPerSecond: readonly number[];
  readonly trace: { readonly hash: string };
}

const PROFILE = "xeon-2003";
const { frequencyHz: HZ } = profileNamed(PROFILE);
/** dbench's operations with one client (SOSP 2003, section 4.1). */
const DBENCH_OPERATIONS = 90_000;
const WARM_UP_SECONDS = 1;
/** Until the cache of the controller holds as much as it will, if many write. */
const INSTANCES_WARM_UP_SECONDS = 4;
const SECONDS = 5;
const INSTANCES = { cpus: 2, memory: "2GiB", each: "200MiB" } as const;
/** The inverse of a weight is this many parts of it: divisible by 1 to 8. */
const WEIGHT_PARTS = 840;

/** Runs one column of Figure 3 on one system. Throws if it does not come to an end. */
export async function storageBenchmark(
  system: ApplicationSystem,
  benchmark: StorageBenchmark,
  options: MeasureOptions = {},
): Promise<StorageResult> {
  const { seed = 0, signal, seconds = SECONDS } = options;
  const box = ModelBox.boot({ profile: PROFILE, platform: APPLICATION_SYSTEMS[system], seed });
  const { kernel, files, trace } = box;
  if (benchmark === "dbench") {
    const locals = { operations: DBENCH_OPERATIONS, random: drawState(seed, 1) };
    kernel.spawn(dbench, { locals });
    await box.run("60s", { signal });
    return { score: megabytesPerSecond(kernel), trace: { hash: trace.hash } };
  }
  startDatabase(kernel, files, benchmark === "OSDB-IR" ? "ir" : "oltp", seed);
  await box.run(`${WARM_UP_SECONDS}s`, { signal });
  const before = tuplesOf(kernel.segments);
  await box.run(`${seconds}s`, { signal });
  const score = (tuplesOf(kernel.segments) - before) / seconds;
  return { score, trace: { hash: trace.hash } };
}

/** Runs databases in domains under BVT, on two CPUs and one disk. */
export async function databaseInstances(options: DatabaseInstances): Promise<InstancesResult> {
  const { test, instances, weighted = false, seconds = SECONDS, seed = 0, signal } = options;
  const host = await Host.boot({
    ...INSTANCES,
    scheduler: "bvt",
    profile: PROFILE,
    frequencyHz: HZ,
  });
  const { dispatcher } = host;
  const { clock } = host.hardware;
  const trace = digestSchedule(dispatcher);
  const shared = hypervisorDisk({ clock, dispatcher, costs: host.costs });
  const kernels = Array.from({ length: instances }, (_, i) => {
    const weight = instances - i;
    const parameters = weighted ? { mcu_adv: Math.round(WEIGHT_PARTS / weight) } : undefined;
    const kernel = (place: ModelPlace) => {
      const linux = createLinux(place);
      const files = installFiles(
        linux,
        sharedDisk(host, place, linux.kernel, shared),
        place.memoryBytes,
      );
      startDatabase(linux.kernel, files, test, seed + i);
      return linux.kernel;
    };
    const name = `database ${i + 1}`;
    const { each: memory } = INSTANCES;
    return host.modelled.create({ name, memory, parameters, seed: seed + i, kernel }).kernel;
  });
  await advance(dispatcher, INSTANCES_WARM_UP_SECONDS, signal);
  const before = kernels.map(({ segments }) => tuplesOf(segments));
  await advance(dispatcher, seconds, signal);
  const tuplesPerSecond = kernels.map(({ segments }, i) =>
    (tuplesOf(segments) - before[i]) / seconds
  );
  return { tuplesPerSecond, trace: { hash: trace.hash } };
}

/** Puts a database of OSDB's size on the disk and into the page cache, and sets its users to work. */
function startDatabase(kernel: Kernel, files: Files, test: OsdbTest, seed: number): void {
  for (const [name, pages] of Object.entries(DATABASE_FILES)) {
    files.fs.place(`data/${name}`, pages * DATABASE_PAGE, true);
  }
  kernel.spawn(postmaster, { locals: { random: drawState(seed, 2) } });
  kernel.spawn(osdb, { locals: { test, users: OSDB_USERS } });
}

function megabytesPerSecond({ reports, frequencyHz }: Kernel): number {
  const of = (name: string) => reports.find((each) => each.name === name)?.value as number;
  const [bytes, cycles] = [of(DBENCH.bytes), of(DBENCH.cycles)];
  if (!(cycles > 0)) throw new Error("dbench did not come to an end");
  return bytes / 1e6 / (cycles / frequencyHz);
}

/** Advances by so many simulated seconds, and lets the host breathe meanwhile. */
async function advance(
  dispatcher: CpuDispatcher,
  seconds: number,
  signal?: AbortSignal,
): Promise<void> {
  const end = dispatcher.now + Math.round(seconds * HZ);
  while (dispatcher.now < end && !signal?.aborted) {
    dispatcher.advance(Math.min(end, dispatcher.now + HZ / 50) as Cycle);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
