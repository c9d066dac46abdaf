/**
 * Resource containers (Banga, Druschel and Mogul, OSDI 1999): groups of processes of one kernel that share the CPUs by
 * weights, and may have only so many processes and so much memory mapped.
 *
 * What the kernel does for nobody in particular is in no container: interrupts, packets on their way, pages that are written
 * back; nor are the page cache and the disk. That is where one container still feels another.
 */

import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Process } from "./process.ts";

/** What a container may have. */
export interface ContainerLimits {
  readonly name: string;
  /** Its share of the CPUs, beside others'. */
  readonly weight: number;
  /** Processes at most. */
  readonly processes: number;
  /** Pages that its processes may have mapped, all together. */
  readonly mappedPages: number;
}

/** A container: plain data. */
export interface Container extends ContainerLimits {
  readonly id: number;
  /** CPU time so far by weight, in cycles; who has had least goes first. */
  virtualCycles: number;
  processCount: number;
  mapped: number;
}

/** See the module comment. Container 0 is the kernel's own: whoever is in no other. */
export class Containers {
  readonly #all: Container[] = [
    {
      id: 0,
      name: "root",
      weight: 1,
      processes: Infinity,
      mappedPages: Infinity,
      virtualCycles: 0,
      processCount: 0,
      mapped: 0,
    },
  ];
  /** Where processes go that are started from outside. */
  spawnInto = 0;

  /** Whether there is more than the kernel's own. */
  get inUse(): boolean {
    return this.#all.length > 1;
  }

  /** Makes a container; returns its number. Throws `RangeError` for a weight or a limit that is not above 0. */
  create(limits: ContainerLimits): number {
    for (const [what, value] of Object.entries(limits)) {
      if (typeof value === "number" && !(value > 0)) {
        throw new RangeError(`a container's ${what} is above 0, found ${value}`);
      }
    }
    const id = this.#all.length;
    this.#all.push({ ...limits, id, virtualCycles: this.#least(), processCount: 0, mapped: 0 });
    return id;
  }

  of(process: Process): Container {
    return this.#all[process.container];
  }

  /** `process` had so many cycles. */
  spent(process: Process, cycles: number): void {
    const container = this.#all[process.container];
    container.virtualCycles += cycles / container.weight;
  }

  /** `process` begins. */
  entered(process: Process): void {
    this.of(process).processCount++;
  }

  left(process: Process): void {
    this.of(process).processCount--;
  }

  /** Has the container of `process`, which wants to run after a sleep, not fall behind those that ran meanwhile. */
  woke(process: Process, running: Iterable<Process>): void {
    if (!this.inUse) return;
    let least = Infinity;
    for (const each of running) least = Math.min(least, this.of(each).virtualCycles);
    const container = this.of(process);
    if (least !== Infinity) container.virtualCycles = Math.max(container.virtualCycles, least);
  }

  /** Of processes that could run, those whose container has had least. */
  mostEntitled(processes: readonly Process[]): readonly Process[] {
    if (!this.inUse || processes.length < 2) return processes;
    let least = Infinity;
    for (const each of processes) least = Math.min(least, this.of(each).virtualCycles);
    return processes.filter((each) => this.of(each).virtualCycles === least);
  }

  save(): SnapshotRecord {
    const all = copyOfValue(this.#all as unknown as SnapshotValue);
    return { kind: "containers", version: 1, state: { all, spawnInto: this.spawnInto } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "containers", 1);
    this.#all.splice(0, Infinity, ...copyOfValue(state.all) as unknown as Container[]);
    this.spawnInto = state.spawnInto as number;
  }

  /** What the container that has had least has had; 0 if there is none. */
  #least(): number {
    const others = this.#all.slice(1).map((each) => each.virtualCycles);
    return others.length === 0 ? 0 : Math.min(...others);
  }
}
