/** Page-table entries on the way to one address, and whether they changed since they were looked at. */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { FRAME_BYTES } from "../../core/memory/machine_memory.ts";
import { pageWalk, type PageWalkStep, type TableRoot, tableRoot } from "./page_walk.ts";
import type { Stretch } from "./memory_watch.ts";

/** Accessed and dirty. */
const SET_BY_CPU = 0x60n;

/** The entries of one address, in the tables that were in use when the watch began. */
export class TableWatch {
  #steps: readonly PageWalkStep[];
  readonly #root: TableRoot;

  constructor(readonly id: number, private readonly cpu: CpuLook, readonly address: bigint) {
    this.#root = tableRoot(cpu);
    this.#steps = pageWalk(cpu, address, this.#root).steps;
    if (this.#steps.length === 0) {
      throw new RangeError("there are no page tables to watch: paging is off");
    }
  }

  /** What must be seen so that no change is missed. */
  get stretches(): Stretch[] {
    return this.#steps.map(({ entryAddress, entryBytes }) => ({
      id: this.id,
      address: BigInt(entryAddress),
      bytes: Math.min(entryBytes, FRAME_BYTES),
      space: "physical",
      onRead: false,
      onWrite: true,
    }));
  }

  /** Compares with the entries of now from here on; returns them. */
  lookAgain(): readonly PageWalkStep[] {
    return this.#steps = pageWalk(this.cpu, this.address, this.#root).steps;
  }

  /** Whether an entry changed, be it that another one is on the way now; from then on the new ones are compared. */
  changed(): boolean {
    const before = this.#steps;
    const steps = this.lookAgain();
    return steps.length !== before.length ||
      steps.some((step, i) =>
        step.entryAddress !== before[i].entryAddress ||
        (step.entry & ~SET_BY_CPU) !== (before[i].entry & ~SET_BY_CPU)
      );
  }
}
