/** Walks a guest's page tables as the guest made them, without touching A and D bits or the TLB. */

import type { MachineFrame } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { GuestSpace } from "./guest_space.ts";
import { ENTRY_BYTES, frameOf, Pte } from "./page_table_entry.ts";

/** Where the last-level entry for an address lies. */
export interface EntryPlace {
  readonly table: MachineFrame;
  readonly index: number;
}

const INDEX_BITS = 9;
const PAGE_SHIFT = 12;

/**
 * The place of the entry for linear address `address` under `root`, a top-level table of the space, or `null` if no table of the guest is there. The
 * tables of the hypervisor's own part are never found.
 */
export function lastLevelEntry(
  memory: FrameMemory,
  space: GuestSpace,
  root: MachineFrame,
  address: number,
): EntryPlace | null {
  if (!space.contains(address)) return null;
  let table = root;
  for (let level: number = space.levels; level > 1; level--) {
    const at = indexOf(address, level) * ENTRY_BYTES;
    const low = memory.read32(table, at);
    if ((low & Pte.P) === 0 || (low & Pte.PS) !== 0) return null;
    table = frameOf(low, memory.read32(table, at + 4)) as MachineFrame;
  }
  return { table, index: indexOf(address, 1) };
}

function indexOf(address: number, level: number): number {
  const page = Math.floor(address / 2 ** (PAGE_SHIFT + INDEX_BITS * (level - 1)));
  return ((page % 512) + 512) % 512;
}
