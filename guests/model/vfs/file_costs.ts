/**
 * What each kind of file work consists of, in the kernel's primitives: cycles of instructions, calls through pointers and
 * atomic operations, of Linux 2.4.21 with ext3 on a 2.4 GHz Pentium 4.
 *
 * Cycles are fitted to native Linux's own row of SOSP'03, Table 5 (file creation and deletion) and Table 3 (stat, open and
 * close); within a row they are shared out by how much code each kind is. No other system's row is used.
 */

import type { Kernel } from "../kernel/kernel.ts";
import { FILE_WORK, type FileMeter, type FileWork } from "./work.ts";

/** One unit of work. */
interface Cost {
  /** Instructions, in cycles. */
  readonly cycles: number;
  readonly calls: number;
  /** Only kernels for several CPUs have these. */
  readonly locked: number;
  /** Stretches with interrupts masked: memory taken from or given to a slab or the free list, sleepers woken. */
  readonly maskings: number;
}

const COSTS: Readonly<Record<FileWork, Cost>> = {
  pathComponent: { cycles: 380, calls: 5, locked: 4, maskings: 0 },
  entryScan: { cycles: 62, calls: 0, locked: 0, maskings: 0 },
  entryChange: { cycles: 2300, calls: 10, locked: 8, maskings: 2 },
  inodeCreate: { cycles: 36_000, calls: 90, locked: 74, maskings: 8 },
  inodeDelete: { cycles: 7700, calls: 30, locked: 166, maskings: 6 },
  fileOpen: { cycles: 550, calls: 8, locked: 8, maskings: 1 },
  blockAllocate: { cycles: 13_600, calls: 40, locked: 60, maskings: 3 },
  blockFree: { cycles: 3000, calls: 15, locked: 27, maskings: 2 },
  pageInsert: { cycles: 4630, calls: 25, locked: 80, maskings: 4 },
  pageFind: { cycles: 260, calls: 3, locked: 4, maskings: 0 },
  pageRelease: { cycles: 1700, calls: 12, locked: 26, maskings: 3 },
  journalHandle: { cycles: 900, calls: 8, locked: 12, maskings: 4 },
  journalJoin: { cycles: 2200, calls: 14, locked: 20, maskings: 3 },
  journalTouch: { cycles: 420, calls: 6, locked: 8, maskings: 1 },
  blockRequest: { cycles: 1200, calls: 8, locked: 8, maskings: 2 },
  requestStart: { cycles: 3000, calls: 20, locked: 8, maskings: 2 },
  requestDone: { cycles: 3000, calls: 20, locked: 8, maskings: 3 },
};

/** Cycles of `count` units of a kind of work on a native kernel for one CPU. */
export function fileCycles(kind: FileWork, count: number): number {
  return COSTS[kind].cycles * count;
}

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
    const { cycles, calls, locked, maskings } = COSTS[kind];
    this.counts[kind] += count;
    this.kernel.work(cycles * count);
    this.kernel.charge("calls", calls * count);
    this.kernel.charge("locked", locked * count);
    this.kernel.charge("maskings", maskings * count);
  }
}
