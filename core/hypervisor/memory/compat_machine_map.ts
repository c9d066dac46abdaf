/**
 * The machine-to-physical table as 32-bit guests read it: 32-bit entries at the top of their 4 GiB.
 *
 * ```text
 * 0xf5800000  entries of 4 bytes, read-only for a kernel in ring 1, out of reach for its programs
 * ```
 *
 * It is made when the first 32-bit domain is, and then kept beside the 64-bit one. Its entries go into each level-2
 * table of a guest's last GiB. Source: Xen 4.17's `xen-x86_32.h`; the end is Xen's choice for a 64-bit hypervisor.
 */

import type { MachineFrame } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";
import { GUEST_SPACES, PAE_L2_FIRST_XEN_SLOT } from "./guest_space.ts";
import { ENTRY_BYTES, entryHigh, entryLow, NX, Pte, TABLE_ENTRIES } from "./page_table_entry.ts";

const FRAME_BYTES = 4096;
const WORD_BYTES = 4;
const WORDS_PER_FRAME = FRAME_BYTES / WORD_BYTES;
/** Frames whose entries one level-2 entry shows. */
const FRAMES_PER_SLOT = TABLE_ENTRIES * WORDS_PER_FRAME;
/** A kernel in ring 1 counts as supervisor: its programs cannot read this. */
const KERNEL_READS = Pte.P | Pte.A;

/** The frames that the table lies in. */
export interface CompatMapPlaces {
  readonly pages: readonly MachineFrame[];
  /** The page tables that show them. */
  readonly level1: readonly MachineFrame[];
}

/** See the module comment. */
export class CompatMachineMap {
  /** Of a table that lies in memory already; {@link make} makes one. */
  constructor(private readonly memory: FrameMemory, readonly places: CompatMapPlaces) {}

  /** Makes the table; `pfnOf` says what is known so far of each of `frames` frames. */
  static make(
    memory: FrameMemory,
    frames: number,
    newFrame: () => MachineFrame,
    pfnOf: (frame: number) => number,
  ): CompatMachineMap {
    const count = Math.min(frames, GUEST_SPACES.ilp32.machineMap.entries);
    const framesFor = (perFrame: number) =>
      Array.from({ length: Math.ceil(count / perFrame) }, newFrame);
    const level1 = framesFor(FRAMES_PER_SLOT);
    const pages = framesFor(WORDS_PER_FRAME);
    const map = new CompatMachineMap(memory, { pages, level1 });
    pages.forEach((page, index) =>
      map.#set(level1[Math.floor(index / TABLE_ENTRIES)], index % TABLE_ENTRIES, page, NX)
    );
    for (let frame = 0; frame < count; frame++) map.setPfn(frame, pfnOf(frame));
    return map;
  }

  /** Notes that `frame` is its owner's pseudo-physical frame `pfn`, bits 31..0 of which count. */
  setPfn(frame: number, pfn: number): void {
    const page = this.places.pages[Math.floor(frame / WORDS_PER_FRAME)];
    if (page === undefined) return;
    this.memory.write32(page, (frame % WORDS_PER_FRAME) * WORD_BYTES, pfn | 0);
  }

  /** Puts the hypervisor's entries into a level-2 table of a guest's last GiB. */
  fill(table: MachineFrame): void {
    for (let slot = PAE_L2_FIRST_XEN_SLOT; slot < TABLE_ENTRIES; slot++) {
      const level1 = this.places.level1[slot - PAE_L2_FIRST_XEN_SLOT];
      if (level1 !== undefined) this.#set(table, slot, level1);
      else {
        this.memory.write32(table, slot * ENTRY_BYTES, 0);
        this.memory.write32(table, slot * ENTRY_BYTES + 4, 0);
      }
    }
  }

  #set(table: MachineFrame, index: number, frame: MachineFrame, high = 0): void {
    this.memory.write32(table, index * ENTRY_BYTES, entryLow(frame, KERNEL_READS));
    this.memory.write32(table, index * ENTRY_BYTES + 4, entryHigh(frame, high));
  }
}
