/** A kernel's state to a record and back. Programs and modules are code: they must be there before a restore. */

import { invariant } from "../../../core/lib/assert.ts";
import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Kernel, Report } from "./kernel.ts";
import type { Process } from "./process.ts";

const KIND = "modelled kernel";

/** Everything but the CPUs, which their executor saves. */
export function saveKernel(kernel: Kernel): SnapshotRecord {
  const modules = kernel.modules.flatMap((module) =>
    module.save ? [{ name: module.name, record: { ...module.save() } }] : []
  );
  const pids = (processes: readonly Process[]) => processes.map(({ pid }) => pid);
  return {
    kind: KIND,
    version: 2,
    state: {
      processes: copyOfValue([...kernel.processes.values()] as unknown as SnapshotValue),
      ready: pids(kernel.queue.ready),
      sleepers: [...kernel.sleepers].map(([queue, processes]) => ({
        queue,
        pids: pids(processes),
      })),
      timers: kernel.timers.save(),
      reports: copyOfValue(kernel.reports as unknown as SnapshotValue),
      counts: [...kernel.counts],
      nextPid: kernel.nextPid,
      begins: kernel.begins,
      containers: { ...kernel.containers.save() },
      modules,
    },
  };
}

/** Throws `SnapshotError` if `record` is not a kernel's. */
export function restoreKernel(kernel: Kernel, record: SnapshotRecord): void {
  const state = expectRecord(record, KIND, 2);
  const find = (pid: number) => {
    const process = kernel.processes.get(pid);
    invariant(process, `the snapshot of ${kernel.name} has no process ${pid}`);
    return process;
  };
  kernel.processes.clear();
  for (const each of copyOfValue(state.processes) as unknown as Process[]) {
    kernel.processes.set(each.pid, each);
  }
  kernel.queue.ready.splice(0, Infinity, ...(state.ready as number[]).map(find));
  kernel.sleepers.clear();
  for (const { queue, pids } of state.sleepers as unknown as { queue: string; pids: number[] }[]) {
    kernel.sleepers.set(queue, pids.map(find));
  }
  kernel.timers.restore(state.timers);
  kernel.reports.splice(0, Infinity, ...copyOfValue(state.reports) as unknown as Report[]);
  kernel.counts.set(state.counts as number[]);
  kernel.nextPid = state.nextPid as number;
  kernel.begins = state.begins as number;
  kernel.containers.restore(state.containers as unknown as SnapshotRecord);
  for (const saved of state.modules as unknown as { name: string; record: SnapshotRecord }[]) {
    kernel.module(saved.name).restore?.(saved.record);
  }
}
