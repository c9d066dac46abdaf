/**
 * What a paravirtual kernel does to its page tables and descriptor tables: the typed operations behind `mmu_update`,
 * `update_va_mapping`, `mmuext_op`, `set_gdt` and `update_descriptor`. Each returns 0 or an error number.
 */

import { FIRST_RESERVED_GDT_ENTRY, FIRST_RESERVED_GDT_PAGE } from "../../abi/arch_x86.ts";
import { ERRNO, type Errno } from "../../abi/errno.ts";
import type { MachineFrame } from "../../abi/ids.ts";
import type { Domain } from "../domain.ts";
import type { FrameMemory } from "../frame_memory.ts";
import { checkedDescriptor } from "../memory/descriptors.ts";
import { FrameFlag, type FrameTable, FrameType, levelOf } from "../memory/frame_table.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import { ENTRY_BYTES, frameOf, Pte, TABLE_ENTRIES } from "../memory/page_table_entry.ts";
import type { PageTypes } from "../memory/page_types.ts";
import { lastLevelEntry } from "../memory/table_walk.ts";
import type { Vcpu } from "../vcpu.ts";

const PAGE_BYTES = 4096;
const LDT_ENTRIES = 8192;
const LDT_PAGES = 16;

/** The mechanisms that operations on tables use. */
export interface GuestTableParts {
  readonly memory: FrameMemory;
  readonly frames: FrameTable;
  readonly types: PageTypes;
  readonly map: MachineMap;
}

/** Operations on guests' tables. */
export class GuestTables {
  constructor(private readonly parts: GuestTableParts) {}

  /** `MMUEXT_PIN_Ln_TABLE`: the frame stays a validated table until it is unpinned. */
  pin(domain: Domain, level: 1 | 2 | 3 | 4, frame: number): 0 | Errno {
    const { frames, types } = this.parts;
    // A 32-bit guest has no table above its root.
    if (level > domain.space.levels) return ERRNO.EINVAL;
    const failed = types.get(frame, level, domain.id);
    if (failed !== 0) return failed;
    if ((frames.flags[frame] & FrameFlag.pinned) !== 0) {
      types.put(frame as MachineFrame, domain.id);
      return ERRNO.EINVAL;
    }
    frames.flags[frame] |= FrameFlag.pinned;
    return 0;
  }

  /** `MMUEXT_UNPIN_TABLE`. */
  unpin(domain: Domain, frame: number): 0 | Errno {
    const { frames, types } = this.parts;
    if (frames.ownerOf(frame) !== domain.id) return ERRNO.EINVAL;
    if ((frames.flags[frame] & FrameFlag.pinned) === 0) return ERRNO.EINVAL;
    frames.flags[frame] &= ~FrameFlag.pinned;
    types.put(frame as MachineFrame, domain.id);
    return 0;
  }

  /** `MMUEXT_NEW_BASEPTR`: the kernel's top-level table; the caller loads it. */
  setRoot(vcpu: Vcpu, frame: number): 0 | Errno {
    if (vcpu.root === frame) return 0;
    const { id, space } = vcpu.domain;
    const failed = this.parts.types.get(frame, space.rootType, id);
    if (failed !== 0) return failed;
    const old = vcpu.root;
    vcpu.root = frame as MachineFrame;
    if (old !== null) this.parts.types.put(old, id);
    return 0;
  }

  /** The table for CR3 while the virtual CPU runs with `root`, one of its two. */
  baseOf({ domain, id }: Vcpu, root: MachineFrame): MachineFrame {
    return this.parts.map.baseTable(domain.area, id, root);
  }

  /** `MMUEXT_NEW_USER_BASEPTR`: the programs' top-level table; 0 is none. A 32-bit guest has one root for both. */
  setUserRoot(vcpu: Vcpu, frame: number): 0 | Errno {
    if (vcpu.domain.model === "ilp32") return ERRNO.EINVAL;
    if (vcpu.userRoot === frame) return 0;
    if (frame !== 0) {
      const failed = this.parts.types.get(frame, FrameType.l4, vcpu.domain.id);
      if (failed !== 0) return failed;
    }
    const old = vcpu.userRoot;
    vcpu.userRoot = frame === 0 ? null : frame as MachineFrame;
    if (old !== null) this.parts.types.put(old, vcpu.domain.id);
    return 0;
  }

  /**
   * `MMU_NORMAL_PT_UPDATE`: replaces the entry at machine frame `frame`, byte `offset`. With `preserve` the A and D
   * bits that the CPU has set meanwhile stay (`MMU_PT_UPDATE_PRESERVE_AD`). A frame of plain memory is written as such.
   */
  updateEntry(
    domain: Domain,
    frame: number,
    offset: number,
    low: number,
    high: number,
    preserve: boolean,
  ): 0 | Errno {
    const { frames, types, memory } = this.parts;
    if (!frames.get(frame, domain.id)) return ERRNO.EINVAL;
    const table = frame as MachineFrame;
    const inUse = frames.typeCount[table] > 0;
    const type = (inUse ? frames.type[table] : FrameType.none) as FrameType;
    let result: 0 | Errno = ERRNO.EINVAL;
    if (levelOf(type) > 0) {
      const kept = preserve ? memory.read32(table, offset) & (Pte.A | Pte.D) : 0;
      result = types.replaceEntry(table, type, offset / ENTRY_BYTES, low | kept, high, domain.id);
    } else if (types.getType(table, FrameType.writable, domain.id) === 0) {
      memory.write32(table, offset, low);
      memory.write32(table, offset + 4, high);
      types.putType(table, domain.id);
      result = 0;
    }
    frames.put(table);
    return result;
  }

  /** `update_va_mapping`: replaces the entry that maps linear address `address` in the kernel's tables. */
  updateMapping(vcpu: Vcpu, address: number, low: number, high: number): 0 | Errno {
    const { memory, types } = this.parts;
    if (vcpu.root === null) return ERRNO.EINVAL;
    const root = vcpu.kernelMode ? vcpu.root : vcpu.userRoot ?? vcpu.root;
    const place = lastLevelEntry(memory, vcpu.domain.space, root, address);
    if (place === null) return ERRNO.EINVAL;
    return types.replaceEntry(place.table, FrameType.l1, place.index, low, high, vcpu.domain.id);
  }

  /** `MMU_MACHPHYS_UPDATE`. */
  notePfn(domain: Domain, frame: number, low: number, high: number): 0 | Errno {
    if (this.parts.frames.ownerOf(frame) !== domain.id) return ERRNO.EINVAL;
    this.parts.map.setPfn(frame, low, high);
    return 0;
  }

  /** `set_gdt`: `given` are the frames for `entries` descriptors. */
  setGdt(vcpu: Vcpu, given: readonly number[], entries: number): 0 | Errno {
    const { types, map } = this.parts;
    if (entries > FIRST_RESERVED_GDT_ENTRY) return ERRNO.EINVAL;
    const taken: MachineFrame[] = [];
    for (const frame of given) {
      if (types.get(frame, FrameType.segDesc, vcpu.domain.id) !== 0) {
        for (const each of taken) types.put(each, vcpu.domain.id);
        return ERRNO.EINVAL;
      }
      taken.push(frame as MachineFrame);
    }
    for (const frame of vcpu.gdtFrames) types.put(frame, vcpu.domain.id);
    vcpu.gdtFrames = taken;
    for (let page = 0; page < FIRST_RESERVED_GDT_PAGE; page++) {
      map.mapGdtPage(vcpu.domain.area, vcpu.id, page, taken[page] ?? null);
    }
    return 0;
  }

  /** `MMUEXT_SET_LDT`: pages are taken when the CPU first reads a descriptor in them. */
  setLdt(vcpu: Vcpu, address: number, entries: number): 0 | Errno {
    if (entries > LDT_ENTRIES || address % PAGE_BYTES !== 0) return ERRNO.EINVAL;
    this.dropLdtPages(vcpu);
    vcpu.ldt = { address: entries === 0 ? 0 : address, entries };
    return 0;
  }

  /** Lets go of the pages of an LDT. */
  dropLdtPages(vcpu: Vcpu): void {
    const { map, types } = this.parts;
    const { area, id } = vcpu.domain;
    for (let page = 0; page < LDT_PAGES; page++) {
      const frame = map.ldtPage(area, vcpu.id, page);
      if (frame === null) continue;
      map.mapLdtPage(area, vcpu.id, page, null);
      types.put(frame, id);
    }
  }

  /** The CPU wants to read a descriptor in page `page` of the LDT: false if the guest has none there. */
  mapLdtPage(vcpu: Vcpu, page: number): boolean {
    const { memory, map, types } = this.parts;
    const { address, entries } = vcpu.ldt;
    if (vcpu.root === null || page * TABLE_ENTRIES >= entries) return false;
    const { space } = vcpu.domain;
    const place = lastLevelEntry(memory, space, vcpu.root, address + page * PAGE_BYTES);
    if (place === null) return false;
    const low = memory.read32(place.table, place.index * ENTRY_BYTES);
    const frame = frameOf(low, memory.read32(place.table, place.index * ENTRY_BYTES + 4));
    if ((low & Pte.P) === 0) return false;
    if (types.get(frame, FrameType.segDesc, vcpu.domain.id) !== 0) return false;
    map.mapLdtPage(vcpu.domain.area, vcpu.id, page, frame as MachineFrame);
    return true;
  }

  /** `update_descriptor`: stores a checked descriptor at a machine address. */
  updateDescriptor(
    domain: Domain,
    frame: number,
    offset: number,
    low: number,
    high: number,
  ): 0 | Errno {
    const { frames, types, memory } = this.parts;
    if (offset % ENTRY_BYTES !== 0) return ERRNO.EINVAL;
    const checked = checkedDescriptor(domain.model, low >>> 0, high >>> 0);
    if (checked === null) return ERRNO.EINVAL;
    if (!frames.isMemory(frame)) return ERRNO.EINVAL;
    const inUse = frames.typeCount[frame] > 0 && frames.type[frame] === FrameType.segDesc;
    const type = inUse ? FrameType.segDesc : FrameType.writable;
    const failed = types.get(frame, type, domain.id);
    if (failed !== 0) return ERRNO.EINVAL;
    memory.write32(frame as MachineFrame, offset, low);
    memory.write32(frame as MachineFrame, offset + 4, checked);
    types.put(frame as MachineFrame, domain.id);
    return 0;
  }

  /** `MMUEXT_CLEAR_PAGE` and, with a source, `MMUEXT_COPY_PAGE`. */
  fillPage(domain: Domain, frame: number, source: number | null): 0 | Errno {
    const { frames, types, memory } = this.parts;
    const bytes = new Uint8Array(PAGE_BYTES);
    if (source !== null) {
      if (!frames.get(source, domain.id)) return ERRNO.EINVAL;
      memory.readBytes(source as MachineFrame, 0, bytes);
      frames.put(source as MachineFrame);
    }
    if (types.get(frame, FrameType.writable, domain.id) !== 0) return ERRNO.EINVAL;
    memory.writeBytes(frame as MachineFrame, 0, bytes);
    types.put(frame as MachineFrame, domain.id);
    return 0;
  }

  /** A virtual CPU is gone: its tables are let go. */
  releaseAll(vcpu: Vcpu): void {
    const { types, map } = this.parts;
    const { id, area } = vcpu.domain;
    for (const root of [vcpu.root, vcpu.userRoot]) if (root !== null) types.put(root, id);
    vcpu.root = vcpu.userRoot = null;
    vcpu.gdtFrames.forEach((frame, page) => {
      map.mapGdtPage(area, vcpu.id, page, null);
      types.put(frame, id);
    });
    vcpu.gdtFrames = [];
    this.dropLdtPages(vcpu);
  }
}
