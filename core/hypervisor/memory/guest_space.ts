/**
 * The shape of a guest's linear address space and of its page tables, by the guest's data model.
 *
 * A 64-bit guest has all of the hypervisor's host's space but for its own slots of the top-level table. A 32-bit guest has
 * the first 4 GiB, below the read-only machine-to-physical table; its top-level table is a page-directory-pointer table
 * of four entries, which the hypervisor hangs into a four-level table of its own. The level-2 table of the last of the
 * four holds the hypervisor's entries too: a type of its own (Xen's `PGT_pae_xen_l2`).
 *
 * Sources: Xen 4.17's `xen-x86_64.h`, `xen-x86_32.h`, and its documentation of the x86 PV memory layout.
 */

import type { DataModel } from "../../abi/struct_layout.ts";
import {
  HYPERVISOR_VIRT_END,
  HYPERVISOR_VIRT_START,
  HYPERVISOR_VIRT_START_PAE,
  MACH2PHYS_VIRT_END_PAE,
  ROOT_PAGETABLE_END_XEN_SLOT,
  ROOT_PAGETABLE_FIRST_XEN_SLOT,
} from "../../abi/xen.ts";
import { View } from "../../x86/paging/tlb.ts";
import { FrameType, type TableType } from "./frame_table.ts";

/** Canonical addresses lie from -2^47 to 2^47 - 1. */
const CANONICAL_END = 2 ** 47;
/** Entries of a page-directory-pointer table of 32-bit guests, and the one that every guest must have. */
export const PAE_ROOT_ENTRIES = 4;
export const PAE_XEN_SLOT = 3;
/** First slot of the level-2 table of the last GiB that is the hypervisor's. */
export const PAE_L2_FIRST_XEN_SLOT: number = (HYPERVISOR_VIRT_START_PAE - 0xc000_0000) >>> 21;

/** Room for the machine-to-physical table of 64-bit guests (`MACH2PHYS_VIRT_END`). */
const MACHINE_MAP_BYTES = 0x40_0000_0000;

/** Where the machine-to-physical table lies, or could: linear addresses. */
export interface MachineMapPlace {
  readonly start: number;
  readonly end: number;
  /** How many frame numbers there is room for: the same on every machine, since a guest asks once and may go on elsewhere. */
  readonly entries: number;
}

/** See the module comment. */
export interface GuestSpace {
  readonly model: DataModel;
  /** Level and type of the table that a guest names as its top-level one. */
  readonly levels: 3 | 4;
  readonly rootType: TableType;
  /** The view of memory (`View`) that its kernel has. */
  readonly kernelView: number;
  /** The linear address where the hypervisor's part begins. */
  readonly hypervisorStart: number;
  readonly machineMap: MachineMapPlace;
  /** Whether a guest may have a page of its own at linear address `address`. */
  contains(address: number): boolean;
  /** Whether a hypercall may name `address`; what is there is for the page tables to say. */
  mayName(address: number): boolean;
  /** Whether entry `index` of a table is the guest's, and not the hypervisor's. */
  isGuestSlot(type: FrameType, index: number): boolean;
  /** Whether the guest may replace that entry while the table is in use. */
  mayReplace(type: FrameType, index: number): boolean;
  /** The type of what entry `index` of a table above the last level refers to. */
  typeBelow(type: FrameType, index: number): TableType;
}

const LONG: GuestSpace = {
  model: "lp64",
  levels: 4,
  rootType: FrameType.l4,
  kernelView: View.user,
  hypervisorStart: HYPERVISOR_VIRT_START,
  machineMap: machineMapPlace(HYPERVISOR_VIRT_START, HYPERVISOR_VIRT_START + MACHINE_MAP_BYTES, 8),
  contains: (address) =>
    isCanonical(address) && (address < HYPERVISOR_VIRT_START || address >= HYPERVISOR_VIRT_END),
  mayName: isCanonical,
  isGuestSlot: isLongSlot,
  mayReplace: isLongSlot,
  typeBelow: (type) => (type - 1) as TableType,
};

const PAE: GuestSpace = {
  model: "ilp32",
  levels: 3,
  rootType: FrameType.l3,
  kernelView: View.supervisor,
  hypervisorStart: HYPERVISOR_VIRT_START_PAE,
  machineMap: machineMapPlace(HYPERVISOR_VIRT_START_PAE, MACH2PHYS_VIRT_END_PAE, 4),
  contains: isBelowXen,
  mayName: isBelowXen,
  isGuestSlot: isPaeSlot,
  // Xen's entries are filled in when the table of the last GiB is validated: it stays where it is.
  mayReplace: (type, index) =>
    isPaeSlot(type, index) && (type !== FrameType.l3 || index < PAE_XEN_SLOT),
  typeBelow(type, index) {
    if (type !== FrameType.l3) return FrameType.l1;
    return index === PAE_XEN_SLOT ? FrameType.l2Xen : FrameType.l2;
  },
};

/** The spaces by data model. */
export const GUEST_SPACES: Readonly<Record<DataModel, GuestSpace>> = { lp64: LONG, ilp32: PAE };

function isCanonical(address: number): boolean {
  return address >= -CANONICAL_END && address < CANONICAL_END;
}

function isBelowXen(address: number): boolean {
  return address >= 0 && address < HYPERVISOR_VIRT_START_PAE;
}

function isLongSlot(type: FrameType, index: number): boolean {
  return type !== FrameType.l4 || index < ROOT_PAGETABLE_FIRST_XEN_SLOT ||
    index >= ROOT_PAGETABLE_END_XEN_SLOT;
}

function isPaeSlot(type: FrameType, index: number): boolean {
  switch (type) {
    case FrameType.l3:
      return index < PAE_ROOT_ENTRIES;
    case FrameType.l2Xen:
      return index < PAE_L2_FIRST_XEN_SLOT;
    default:
      return true;
  }
}

function machineMapPlace(start: number, end: number, entryBytes: number): MachineMapPlace {
  return { start, end, entries: (end - start) / entryBytes };
}
