/**
 * What each kind of file work consists of besides plain instructions, which are a primitive of that name: calls through
 * pointers and atomic operations of Linux 2.4.21 with ext3.
 */

import type { Kernel } from "../kernel/kernel.ts";
import { FILE_WORK, type FileMeter, type FileWork } from "./work.ts";

/** One unit of work. */
interface Cost {
  readonly calls: number;
  /** Only kernels for several CPUs have these. */
  readonly locked: number;
  /** Stretches with interrupts masked: memory taken from or given to a slab or the free list, sleepers woken. */
  readonly maskings: number;
}

const COSTS: Readonly<Record<FileWork, Cost>> = {
  pathComponent: { calls: 5, locked: 4, maskings: 0 },
  entryScan: { calls: 0, locked: 0, maskings: 0 },
  entryChange: { calls: 10, locked: 8, maskings: 2 },
  inodeCreate: { calls: 90, locked: 74, maskings: 8 },
  inodeDelete: { calls: 30, locked: 166, maskings: 6 },
  fileOpen: { calls: 8, locked: 8, maskings: 1 },
  blockAllocate: { calls: 40, locked: 60, maskings: 3 },
  blockFree: { calls: 15, locked: 27, maskings: 2 },
  pageInsert: { calls: 25, locked: 80, maskings: 4 },
  pageFind: { calls: 3, locked: 4, maskings: 0 },
  pageRelease: { calls: 12, locked: 26, maskings: 3 },
  journalHandle: { calls: 8, locked: 12, maskings: 4 },
  journalJoin: { calls: 14, locked: 20, maskings: 3 },
  journalTouch: { calls: 6, locked: 8, maskings: 1 },
  blockRequest: { calls: 8, locked: 8, maskings: 2 },
  requestStart: { calls: 20, locked: 8, maskings: 2 },
  requestDone: { calls: 20, locked: 8, maskings: 3 },
};

/** Charges `kernel` for file work. */
export class KernelMeter implements FileMeter {
  /** How much was done so far, by kind. */
  readonly counts = Object.fromEntries(Object.keys(FILE_WORK).map((kind) => [kind, 0])) as Record<
    FileWork,
    number
  >;

  constructor(private readonly kernel: Kernel) {}

  work(kind: FileWork, count = 1): void {
    if (count === 0) return;
    const { calls, locked, maskings } = COSTS[kind];
    this.counts[kind] += count;
    this.kernel.charge(kind, count);
    this.kernel.charge("calls", calls * count);
    this.kernel.charge("locked", locked * count);
    this.kernel.charge("maskings", maskings * count);
  }
}
