/** The dispatcher's state as a record, with those of its cpupools' policies and of what executors hold. */

import type { Cycle } from "../../clock/clock.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import {
  expectRecord,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../lib/snapshot.ts";
import type { Cpupools, SavedPool } from "./cpupools.ts";
import type { CpuDispatcher } from "./dispatcher.ts";
import type { PhysicalCpu } from "./physical_cpu.ts";
import type { VcpuEntry } from "./vcpu_entry.ts";

const KIND = "dispatcher";
const VERSION = 1;

type Fields = { readonly [field: string]: SnapshotValue };

/** The state of `dispatcher` at `time`. */
export function saveDispatcher(dispatcher: CpuDispatcher, time: Cycle): SnapshotRecord {
  const pools = dispatcher.pools.all.map((pool) => ({
    id: pool.id,
    name: pool.name,
    scheduler: pool.policy.name,
    cpus: [...pool.cpus].map((cpu) => cpu.id),
    policy: pool.policy.save() as unknown as SnapshotValue,
  }));
  const vcpus = dispatcher.vcpus.map((vcpu) => ({
    scheduling: vcpu.save(),
    executor: vcpu.executor.name,
    execution: vcpu.executor.save(vcpu) as unknown as SnapshotValue,
  }));
  const moved = dispatcher.pools.moved.map((each) => ({ ...each }));
  const cpus = dispatcher.cpus.map(saveCpu);
  return { kind: KIND, version: VERSION, state: { time, cpus, vcpus, pools, moved } };
}

/** Restores what {@link saveDispatcher} saved; returns its time. */
export function restoreDispatcher(dispatcher: CpuDispatcher, record: SnapshotRecord): Cycle {
  const state = expectRecord(record, KIND, VERSION);
  const cpus = state.cpus as readonly Fields[];
  if (cpus.length !== dispatcher.cpus.length) {
    throw new SnapshotError(
      `the snapshot is of ${cpus.length} physical CPUs, this machine has ${dispatcher.cpus.length}`,
    );
  }
  const vcpus = restoreVcpus(dispatcher, state.vcpus as unknown as readonly SavedVcpu[]);
  cpus.forEach((saved, i) => restoreCpu(dispatcher.cpus[i], saved, vcpus));
  const pools = state.pools as unknown as readonly (SavedPool & { policy: SnapshotRecord })[];
  dispatcher.pools.rebuild(pools, state.moved as unknown as Cpupools["moved"]);
  pools.forEach(({ policy }, i) => dispatcher.pools.all[i].policy.restore(policy));
  // Making policies anew may have asked for choices that the saved machine did not want.
  cpus.forEach((saved, i) => dispatcher.cpus[i].reschedule = saved.reschedule as boolean);
  return state.time as Cycle;
}

interface SavedVcpu {
  readonly scheduling: Fields & { readonly name: string };
  readonly executor: string;
  readonly execution: SnapshotRecord;
}

function restoreVcpus(
  dispatcher: CpuDispatcher,
  saved: readonly SavedVcpu[],
): ReadonlyMap<string, VcpuEntry> {
  const byName = new Map(dispatcher.vcpus.map((vcpu) => [vcpu.name, vcpu]));
  const names = saved.map(({ scheduling }) => scheduling.name);
  if (names.length !== byName.size || names.some((name) => !byName.has(name))) {
    throw new SnapshotError(
      `the snapshot is of ${names.join(", ") || "no virtual CPU"}, here are ${
        [...byName.keys()].join(", ") || "none"
      }`,
    );
  }
  for (const { scheduling, executor, execution } of saved) {
    const vcpu = byName.get(scheduling.name)!;
    if (vcpu.executor.name !== executor) {
      throw new SnapshotError(
        `${vcpu.name} was run by ${executor}, here it is by ${vcpu.executor.name}`,
      );
    }
    vcpu.restore(scheduling);
    vcpu.executor.restore(vcpu, execution);
  }
  // Their order decides ties.
  dispatcher.vcpus.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  return byName;
}

function saveCpu(cpu: PhysicalCpu): Fields {
  return {
    id: cpu.id as PhysicalCpuId,
    at: cpu.at,
    current: cpu.current?.name ?? null,
    last: cpu.last?.name ?? null,
    sliceEnd: cpu.sliceEnd === Infinity ? null : cpu.sliceEnd,
    reschedule: cpu.reschedule,
    busyCycles: cpu.busyCycles,
    switches: cpu.switches,
    switchCycles: cpu.switchCycles,
  };
}

function restoreCpu(cpu: PhysicalCpu, saved: Fields, vcpus: ReadonlyMap<string, VcpuEntry>): void {
  const named = (name: SnapshotValue) => vcpus.get(name as string) ?? null;
  cpu.at = saved.at as Cycle;
  cpu.current = named(saved.current);
  cpu.last = named(saved.last);
  cpu.sliceEnd = (saved.sliceEnd as number | null) ?? Infinity;
  cpu.reschedule = saved.reschedule as boolean;
  cpu.busyCycles = saved.busyCycles as number;
  cpu.switches = saved.switches as number;
  cpu.switchCycles = saved.switchCycles as number;
}
