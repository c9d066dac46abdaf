/**
 * Page types: what a guest's frame may be used as, checked when the use begins.
 *
 * Every mapping holds a reference to its frame, and a writable one a type reference too; every table holds such
 * references for each of its entries. A frame is validated as a page table when the first reference of that type is
 * taken, and forgets it with the last. Nothing here throws for what a guest does: results are 0 or an error number.
 */

import { ERRNO, type Errno } from "../../abi/errno.ts";
import type { DomainId, MachineFrame } from "../../abi/ids.ts";
import { invariant } from "../../lib/assert.ts";
import type { FrameMemory } from "../frame_memory.ts";
import { checkedDescriptor } from "./descriptors.ts";
import { FrameFlag, type FrameTable, FrameType, levelOf } from "./frame_table.ts";
import { type GuestSpace, PAE_XEN_SLOT } from "./guest_space.ts";
import {
  adjustedHigh,
  adjustedLow,
  ENTRY_BYTES,
  flagsAllowed,
  frameOf,
  Pte,
  TABLE_ENTRIES,
} from "./page_table_entry.ts";
import type { TlbFlushes } from "./tlb_flushes.ts";

/** What page types need besides the frame table. */
export interface PageTypePorts {
  readonly memory: FrameMemory;
  readonly frames: FrameTable;
  readonly flushes: TlbFlushes;
  /** What the address space of `domain` is like. */
  spaceOf(domain: DomainId): GuestSpace;
  /** Puts the hypervisor's own entries, if there are any, into a table of `domain`. */
  fillTable(table: MachineFrame, type: FrameType, domain: DomainId): void;
}

/** Takes and gives back typed references. */
export class PageTypes {
  /** Page-table entries that were checked since {@link takeWork}: part of a snapshot, for somebody will be billed. */
  checked = 0;

  constructor(private readonly ports: PageTypePorts) {}

  /** How many page-table entries were checked since the last call, for the bill. */
  takeWork(): number {
    const checked = this.checked;
    this.checked = 0;
    return checked;
  }

  /** A reference to `frame` as `type`, for `domain`, whose frame it must be. */
  get(frame: number, type: FrameType, domain: DomainId): 0 | Errno {
    const { frames } = this.ports;
    if (!frames.get(frame, domain)) return ERRNO.EINVAL;
    const failed = this.getType(frame as MachineFrame, type, domain);
    if (failed !== 0) frames.put(frame as MachineFrame);
    return failed;
  }

  /** Gives back what {@link get} took. */
  put(frame: MachineFrame, domain: DomainId): void {
    this.putType(frame, domain);
    this.ports.frames.put(frame);
  }

  /** Before a frame is given to somebody: nobody may still write to it through an old translation. */
  flushStale(frame: MachineFrame): void {
    this.ports.flushes.since(this.ports.frames.stamp[frame]);
  }

  /** A type reference to a frame to which the caller holds a reference. */
  getType(frame: MachineFrame, type: FrameType, domain: DomainId): 0 | Errno {
    const { frames, flushes } = this.ports;
    if (frames.typeCount[frame] > 0) {
      if (frames.type[frame] !== type) return ERRNO.EBUSY;
      // Each address space has its own.
      if (type === FrameType.l2Xen) return ERRNO.EINVAL;
    } else if (frames.type[frame] !== type) {
      // Nobody may still write to it, or walk through it, by an old translation.
      if (frames.type[frame] !== FrameType.none) flushes.since(frames.stamp[frame]);
      frames.type[frame] = type;
      frames.flags[frame] &= ~FrameFlag.validated;
    }
    frames.typeCount[frame]++;
    if ((frames.flags[frame] & FrameFlag.validated) !== 0) return 0;
    const failed = this.#validate(frame, type, domain);
    if (failed === 0) frames.flags[frame] |= FrameFlag.validated;
    else {
      frames.typeCount[frame]--;
      if (frames.typeCount[frame] === 0) frames.type[frame] = FrameType.none;
    }
    return failed;
  }

  /** Gives back what {@link getType} took; a table that nobody uses any more lets its entries go. */
  putType(frame: MachineFrame, domain: DomainId): void {
    const { frames, flushes } = this.ports;
    invariant(frames.typeCount[frame] > 0, `frame ${frame} has no type reference to give back`);
    if (--frames.typeCount[frame] > 0) return;
    const type = frames.type[frame] as FrameType;
    frames.stamp[frame] = flushes.stamp;
    if (levelOf(type) > 0) {
      frames.flags[frame] &= ~FrameFlag.validated;
      // Nested release must not see this frame as a table in use.
      this.#releaseEntries(frame, type, TABLE_ENTRIES, domain);
    }
  }

  /** Takes the references that entry `index` of a table of `type` stands for. */
  getEntry(
    type: FrameType,
    index: number,
    low: number,
    high: number,
    domain: DomainId,
  ): 0 | Errno {
    if ((low & Pte.P) === 0) return 0;
    this.checked++;
    const space = this.ports.spaceOf(domain);
    const level = levelOf(type);
    if (!flagsAllowed(space.model, level, low, high)) return ERRNO.EINVAL;
    const frame = frameOf(low, high);
    const { frames } = this.ports;
    if (!frames.isMemory(frame)) return ERRNO.EPERM;
    if (level > 1) return this.get(frame, space.typeBelow(type, index), domain);
    if (!frames.get(frame, domain)) return ERRNO.EBUSY;
    if ((low & Pte.RW) === 0) return 0;
    const failed = this.getType(frame, FrameType.writable, domain);
    if (failed !== 0) frames.put(frame);
    return failed;
  }

  /** Gives back what {@link getEntry} took. */
  putEntry(level: number, low: number, high: number, domain: DomainId): void {
    if ((low & Pte.P) === 0) return;
    const frame = frameOf(low, high) as MachineFrame;
    if (level > 1 || (low & Pte.RW) !== 0) this.putType(frame, domain);
    this.ports.frames.put(frame);
  }

  /**
   * Replaces entry `index` of a table that is in use. The new entry is checked and holds its references before the
   * old one lets go of its own.
   */
  replaceEntry(
    table: MachineFrame,
    type: FrameType,
    index: number,
    low: number,
    high: number,
    domain: DomainId,
  ): 0 | Errno {
    const space = this.ports.spaceOf(domain);
    if (!space.mayReplace(type, index)) return ERRNO.EINVAL;
    const { memory } = this.ports;
    const level = levelOf(type);
    const at = index * ENTRY_BYTES;
    const oldLow = memory.read32(table, at) | 0;
    const oldHigh = memory.read32(table, at + 4) | 0;
    const sameUse = ((oldLow ^ low) & (Pte.P | (level === 1 ? Pte.RW : 0) | 0xfffff000)) === 0 &&
      ((oldHigh ^ high) & 0xfffff) === 0;
    if (!sameUse || (low & Pte.P) === 0) {
      const failed = this.getEntry(type, index, low, high, domain);
      if (failed !== 0) return failed;
    } else if (!flagsAllowed(space.model, level, low, high)) return ERRNO.EINVAL;
    this.#store(space, table, at, level, low, high);
    if (!sameUse) this.putEntry(level, oldLow, oldHigh, domain);
    return 0;
  }

  #validate(frame: MachineFrame, type: FrameType, domain: DomainId): 0 | Errno {
    switch (type) {
      case FrameType.none:
      case FrameType.writable:
        return 0;
      case FrameType.segDesc:
        return this.#validateDescriptors(frame, domain);
      default:
        return this.#validateTable(frame, type, domain);
    }
  }

  #validateTable(frame: MachineFrame, type: FrameType, domain: DomainId): 0 | Errno {
    const { memory } = this.ports;
    const space = this.ports.spaceOf(domain);
    if (!this.#isComplete(space, frame, type)) return ERRNO.EINVAL;
    for (let index = 0; index < TABLE_ENTRIES; index++) {
      if (!space.isGuestSlot(type, index)) continue;
      const at = index * ENTRY_BYTES;
      const low = memory.read32(frame, at) | 0;
      if ((low & Pte.P) === 0) continue;
      const high = memory.read32(frame, at + 4) | 0;
      const failed = this.getEntry(type, index, low, high, domain);
      if (failed !== 0) {
        this.#releaseEntries(frame, type, index, domain);
        return failed;
      }
      this.#store(space, frame, at, levelOf(type), low, high);
    }
    this.ports.fillTable(frame, type, domain);
    return 0;
  }

  /** Whether a table may be one of the space at all: a 32-bit guest's root shows where the hypervisor's entries go. */
  #isComplete(space: GuestSpace, frame: MachineFrame, type: FrameType): boolean {
    if (space.model === "lp64") return true;
    if (type === FrameType.l4) return false;
    const low = this.ports.memory.read32(frame, PAE_XEN_SLOT * ENTRY_BYTES);
    return type !== FrameType.l3 || (low & Pte.P) !== 0;
  }

  #store(
    { model }: GuestSpace,
    frame: MachineFrame,
    at: number,
    level: number,
    low: number,
    high: number,
  ): void {
    const { memory } = this.ports;
    const newLow = adjustedLow(model, level, low, high);
    const newHigh = adjustedHigh(model, level, low, high);
    if ((memory.read32(frame, at) | 0) !== newLow) memory.write32(frame, at, newLow);
    if ((memory.read32(frame, at + 4) | 0) !== newHigh) memory.write32(frame, at + 4, newHigh);
  }

  #releaseEntries(
    frame: MachineFrame,
    type: FrameType,
    to: number,
    domain: DomainId,
  ): void {
    const { memory } = this.ports;
    const space = this.ports.spaceOf(domain);
    const level = levelOf(type);
    for (let index = 0; index < to; index++) {
      if (!space.isGuestSlot(type, index)) continue;
      const low = memory.read32(frame, index * ENTRY_BYTES) | 0;
      if ((low & Pte.P) === 0) continue;
      this.putEntry(level, low, memory.read32(frame, index * ENTRY_BYTES + 4) | 0, domain);
    }
  }

  /** A page of descriptors: each must be harmless; privilege levels are raised in place. */
  #validateDescriptors(frame: MachineFrame, domain: DomainId): 0 | Errno {
    const { memory } = this.ports;
    const { model } = this.ports.spaceOf(domain);
    for (let at = 0; at < TABLE_ENTRIES * ENTRY_BYTES; at += ENTRY_BYTES) {
      const low = memory.read32(frame, at);
      const high = memory.read32(frame, at + 4);
      const checked = checkedDescriptor(model, low, high);
      if (checked === null) return ERRNO.EINVAL;
      if (checked !== high) memory.write32(frame, at + 4, checked);
    }
    return 0;
  }
}
