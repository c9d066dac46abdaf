/**
 * Entries of guests' page tables, as two 32-bit halves: which bits a guest may set, and which the hypervisor adds:
 * for a 64-bit guest so that a kernel that runs in ring 3 sees what it expects, for a 32-bit one since its four
 * page-directory pointers, which have no such bits, become entries of a four-level table.
 *
 * Sources: SDM vol. 3, "4-Level Paging", "PAE Paging"; Xen 4.17's documentation of the x86-64 PV memory layout.
 */

import type { DataModel } from "../../abi/struct_layout.ts";

/** Bits 31..0 of an entry. */
export const Pte = {
  P: 0x1,
  RW: 0x2,
  US: 0x4,
  PWT: 0x8,
  PCD: 0x10,
  A: 0x20,
  D: 0x40,
  /** PAT in a last-level entry. */
  PS: 0x80,
  G: 0x100,
} as const;

/** Bit 52 (20 of the high half): the page was mapped by a guest kernel for itself. */
export const GUEST_KERNEL = 0x0010_0000;
/** Bit 63 (31 of the high half). */
export const NX = 0x8000_0000 | 0;

/** Entries in a table, and bytes in an entry. */
export const TABLE_ENTRIES = 512;
export const ENTRY_BYTES = 8;

/** Bits 31..0 and 63..32 that must be clear in a guest's entry, by level 1 to 4. */
const REFUSED_LOW: readonly number[] = [
  0,
  Pte.PWT | Pte.PCD | Pte.PS,
  Pte.PWT | Pte.PCD | Pte.PS | Pte.G,
  Pte.PWT | Pte.PCD | Pte.PS | Pte.G,
  Pte.PWT | Pte.PCD | Pte.PS | Pte.G,
];
/** Bits 62..53: neither address nor NX. */
const REFUSED_HIGH = 0x7fe0_0000;

/** The frame that an entry names. */
export function frameOf(low: number, high: number): number {
  return (high & 0xfffff) * 0x10_0000 + (low >>> 12);
}

/** Bits 31..0 and 63..32 of an entry for `frame` with `flags` (of {@link Pte}) and `highFlags`. */
export function entryLow(frame: number, flags: number): number {
  return ((frame & 0xfffff) << 12) | flags;
}

export function entryHigh(frame: number, highFlags = 0): number {
  return Math.floor(frame / 0x10_0000) | highFlags;
}

/** Whether a guest may set such flags in a present entry of `level`. */
export function flagsAllowed(
  model: DataModel,
  level: number,
  low: number,
  high: number,
): boolean {
  const refusedHigh = model === "ilp32" && level === 3 ? REFUSED_HIGH | NX : REFUSED_HIGH;
  return (low & REFUSED_LOW[level]) === 0 && (high & refusedHigh) === 0;
}

/**
 * The low half as it goes into the table: every page of a 64-bit guest is a user page to the CPU, since both its kernel
 * and its programs run in ring 3. Programs' pages become global, so that they survive a switch between the two tables.
 */
export function adjustedLow(model: DataModel, level: number, low: number, high: number): number {
  if ((low & Pte.P) === 0) return low;
  if (model === "ilp32") return level === 3 ? low | Pte.US | Pte.RW : low;
  if (level > 1) return low | Pte.US;
  const isKernel = (low & Pte.US) === 0 || (high & GUEST_KERNEL) !== 0;
  return isKernel ? (low | Pte.US) & ~Pte.G : low | Pte.G;
}

/** The high half as it goes into the table. */
export function adjustedHigh(model: DataModel, level: number, low: number, high: number): number {
  return model === "lp64" && level === 1 && (low & Pte.P) !== 0 && (low & Pte.US) === 0
    ? high | GUEST_KERNEL
    : high;
}
