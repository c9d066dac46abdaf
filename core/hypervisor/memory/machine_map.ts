/**
 * The hypervisor's own part of every guest's address space: the machine-to-physical table, which guests read,
 * and each domain's area of descriptor tables, which only the CPU itself reads. A 32-bit guest cannot name these addresses;
 * its machine-to-physical table is another (compat_machine_map.ts), and its own top-level table hangs in slot 0 of one of
 * the hypervisor's, one for each of its virtual CPUs.
 *
 * ```text
 * slot 256  0xffff800000000000  machine-to-physical table, read-only for guests
 * slot 260  0xffff820000000000  per domain: for each virtual CPU 16 pages of GDT, then 16 pages of LDT
 * ```
 *
 * Source of the places: Xen 4.17's `xen-x86_64.h` (`MACH2PHYS_VIRT_START`); the second is Xen's own choice.
 */

import { FIRST_RESERVED_GDT_PAGE, FLAT, FLAT32 } from "../../abi/arch_x86.ts";
import type { MachineFrame } from "../../abi/ids.ts";
import { HYPERVISOR_VIRT_START, ROOT_PAGETABLE_FIRST_XEN_SLOT } from "../../abi/xen.ts";
import { ROOT_PAGETABLE_END_XEN_SLOT } from "../../abi/xen.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../lib/snapshot.ts";
import type { Descriptor } from "../../x86/system/segment_fields.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import { CompatMachineMap, type CompatMapPlaces } from "./compat_machine_map.ts";
import { type FrameTable, FrameType } from "./frame_table.ts";
import { PAE_ROOT_ENTRIES } from "./guest_space.ts";
import {
  ENTRY_BYTES,
  entryHigh,
  entryLow,
  frameOf,
  NX,
  Pte,
  TABLE_ENTRIES,
} from "./page_table_entry.ts";

const FRAME_BYTES = 4096;
/** Slots of a top-level table. */
const M2P_SLOT = ROOT_PAGETABLE_FIRST_XEN_SLOT;
const PER_DOMAIN_SLOT = 260;
/** Linear address of the per-domain area: slot 260. */
const PER_DOMAIN_START = HYPERVISOR_VIRT_START + 0x200_0000_0000;
/** Pages of descriptors for one virtual CPU: GDT and LDT. */
const TABLE_PAGES = 16;
const VCPU_PAGES = 2 * TABLE_PAGES;
const VCPUS_PER_TABLE = TABLE_ENTRIES / VCPU_PAGES;
/** `INVALID_M2P_ENTRY`. */
const INVALID_M2P_ENTRY = 0xffff_ffff;

/** Entries that the CPU itself follows, and those that guests may read. */
const OWN = Pte.P | Pte.RW | Pte.A | Pte.D;
const SHARED = Pte.P | Pte.US | Pte.A;
/** The entry for a 32-bit guest's page-directory-pointer table, whose own entries say more. */
const GUEST_TABLE = Pte.P | Pte.RW | Pte.US | Pte.A;

/** A descriptor at the end of each GDT: selector, bits 31..0 and 63..32. */
type FlatDescriptor = readonly [selector: number, low: number, high: number];

/** They by the guest's data model. */
const FLAT_DESCRIPTORS: Readonly<Record<DataModel, readonly FlatDescriptor[]>> = {
  lp64: [
    [FLAT.RING1_CS, 0x0000ffff, 0x00cfbb00],
    [FLAT.RING1_DS, 0x0000ffff, 0x00cfb300],
    [FLAT.RING3_CS32, 0x0000ffff, 0x00cffb00],
    [FLAT.RING3_DS32, 0x0000ffff, 0x00cff300],
    [FLAT.RING3_CS64, 0x0000ffff, 0x00affb00],
  ],
  ilp32: [
    [FLAT32.KERNEL_CS, 0x0000ffff, 0x00cfbb00],
    [FLAT32.KERNEL_DS, 0x0000ffff, 0x00cfb300],
    [FLAT32.USER_CS, 0x0000ffff, 0x00cffb00],
    [FLAT32.USER_DS, 0x0000ffff, 0x00cff300],
  ],
};

/** The tables through which one domain sees its per-domain area. */
export interface DomainArea {
  readonly level3: MachineFrame;
  /** The hypervisor's top-level tables, one for each virtual CPU of a 32-bit guest. */
  readonly roots: readonly MachineFrame[];
  /** Last-level tables, one for each {@link VCPUS_PER_TABLE} virtual CPUs. */
  readonly level1: readonly MachineFrame[];
  readonly frames: readonly MachineFrame[];
}

/** The hypervisor's tables. */
export class MachineMap implements Snapshot {
  readonly #m2p: MachineFrame[] = [];
  readonly #m2pLevel3: MachineFrame;
  /** The pages of GDTs that hold the hypervisor's descriptors. */
  readonly #flatPages: Readonly<Record<DataModel, MachineFrame>>;
  /** Made when the first 32-bit domain is. */
  #compat: CompatMachineMap | null = null;
  /** Stands for the pages of descriptors that a guest has not given: all of them not present. */
  readonly #emptyPage: MachineFrame;

  constructor(private readonly memory: FrameMemory, private readonly frames: FrameTable) {
    const perPage = FRAME_BYTES / ENTRY_BYTES;
    const pages = Math.ceil(frames.frames / perPage);
    for (let i = 0; i < pages; i++) this.#m2p.push(this.#newFrame());
    this.#m2pLevel3 = this.#newFrame();
    const level2 = this.#newFrame();
    this.#set(this.#m2pLevel3, 0, level2, SHARED);
    for (let first = 0; first < pages; first += TABLE_ENTRIES) {
      const level1 = this.#newFrame();
      this.#set(level2, first / TABLE_ENTRIES, level1, SHARED);
      const count = Math.min(TABLE_ENTRIES, pages - first);
      for (let i = 0; i < count; i++) this.#set(level1, i, this.#m2p[first + i], SHARED, NX);
    }
    for (let frame = 0; frame < frames.frames; frame++) this.clearPfn(frame);
    this.#emptyPage = this.#newFrame();
    this.#flatPages = { lp64: this.#flatPage("lp64"), ilp32: this.#flatPage("ilp32") };
  }

  /** Notes that `frame` is its owner's pseudo-physical frame `pfn`. */
  setPfn(frame: number, pfnLow: number, pfnHigh = 0): void {
    const { page, at } = this.#place(frame);
    this.memory.write32(page, at, pfnLow);
    this.memory.write32(page, at + 4, pfnHigh);
    this.#compat?.setPfn(frame, pfnLow);
  }

  /** Forgets what `frame` is to its owner. */
  clearPfn(frame: number): void {
    this.setPfn(frame, INVALID_M2P_ENTRY, INVALID_M2P_ENTRY);
  }

  /** The pseudo-physical number that was noted for `frame`; 2^32 - 1 or above if none was. */
  pfnOf(frame: number): number {
    const { page, at } = this.#place(frame);
    return this.memory.read32(page, at + 4) * 2 ** 32 + this.memory.read32(page, at);
  }

  /** Makes a domain's area, in which every virtual CPU has an empty GDT. */
  createArea(vcpus: number, model: DataModel): DomainArea {
    const level3 = this.#newFrame();
    const level2 = this.#newFrame();
    this.#set(level3, 0, level2, OWN);
    const level1: MachineFrame[] = [];
    for (let i = 0; i < Math.ceil(vcpus / VCPUS_PER_TABLE); i++) {
      level1.push(this.#newFrame());
      this.#set(level2, i, level1[i], OWN);
    }
    const roots: MachineFrame[] = [];
    if (model === "ilp32") {
      this.#compat ??= CompatMachineMap.make(
        this.memory,
        this.frames.frames,
        () => this.#newFrame(),
        (frame) => this.pfnOf(frame),
      );
      for (let i = 0; i < vcpus; i++) {
        roots.push(this.#newFrame());
        this.#set(roots[i], PER_DOMAIN_SLOT, level3, OWN);
      }
    }
    const area = { level3, level1, roots, frames: [level3, level2, ...level1, ...roots] };
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      for (let page = 0; page < FIRST_RESERVED_GDT_PAGE; page++) {
        this.mapGdtPage(area, vcpu, page, null);
      }
      this.#setPage(area, vcpu, FIRST_RESERVED_GDT_PAGE, this.#flatPages[model]);
    }
    return area;
  }

  /** Which frames it took since it was made: all else of it is what is in memory. */
  save(): SnapshotRecord {
    const compat = this.#compat && { ...this.#compat.places };
    return { kind: "machineMap", version: 1, state: { compat } };
  }

  restore(record: SnapshotRecord): void {
    const { compat } = expectRecord(record, "machineMap", 1);
    const places = compat as unknown as CompatMapPlaces | null;
    this.#compat = places && new CompatMachineMap(this.memory, places);
  }

  /** Gives the area's own tables back; the descriptor pages in it are the caller's matter. */
  destroyArea(area: DomainArea): void {
    for (const frame of area.frames) this.frames.releaseAllocation(frame);
  }

  /** Puts the hypervisor's own entries, if it has any, into a table of a guest. */
  fillTable(table: MachineFrame, type: FrameType, model: DataModel, area: DomainArea): void {
    if (type === FrameType.l4) {
      this.#clear(table, M2P_SLOT, ROOT_PAGETABLE_END_XEN_SLOT);
      this.#set(table, M2P_SLOT, this.#m2pLevel3, SHARED);
      this.#set(table, PER_DOMAIN_SLOT, area.level3, OWN);
    } else if (type === FrameType.l2Xen) this.#compat?.fill(table);
    else if (type === FrameType.l3 && model === "ilp32") {
      this.#clear(table, PAE_ROOT_ENTRIES, TABLE_ENTRIES);
    }
  }

  /** The table for CR3 while virtual CPU `vcpu` uses `root`, its guest's own top-level table. */
  baseTable(area: DomainArea, vcpu: number, root: MachineFrame): MachineFrame {
    const base = area.roots[vcpu];
    if (base === undefined) return root;
    this.#set(base, 0, root, GUEST_TABLE);
    return base;
  }

  /** Maps page `page` of a virtual CPU's GDT (0..13), or with `null` a page of absent descriptors. */
  mapGdtPage(area: DomainArea, vcpu: number, page: number, frame: MachineFrame | null): void {
    this.#setPage(area, vcpu, page, frame ?? this.#emptyPage);
  }

  /** Maps page `page` of a virtual CPU's LDT (0..15), or with `null` unmaps it. */
  mapLdtPage(area: DomainArea, vcpu: number, page: number, frame: MachineFrame | null): void {
    this.#setPage(area, vcpu, TABLE_PAGES + page, frame);
  }

  /** The frame behind a page of a virtual CPU's LDT, or `null`. */
  ldtPage(area: DomainArea, vcpu: number, page: number): MachineFrame | null {
    const { table, at } = this.#descriptorEntry(area, vcpu, TABLE_PAGES + page);
    const low = this.memory.read32(table, at);
    const high = this.memory.read32(table, at + 4);
    return (low & Pte.P) === 0 ? null : frameOf(low, high) as MachineFrame;
  }

  /** Linear address of a virtual CPU's GDT. */
  gdtAddress(vcpu: number): number {
    return PER_DOMAIN_START + vcpu * VCPU_PAGES * FRAME_BYTES;
  }

  /** Linear address of a virtual CPU's LDT. */
  ldtAddress(vcpu: number): number {
    return this.gdtAddress(vcpu) + TABLE_PAGES * FRAME_BYTES;
  }

  /** The descriptor that a selector names in a virtual CPU's GDT; all zeros for one in the LDT, or for none. */
  gdtDescriptor(area: DomainArea, vcpu: number, selector: number): Descriptor {
    const offset = selector & 0xfff8;
    const page = Math.floor(offset / FRAME_BYTES);
    const address = this.gdtAddress(vcpu) + offset;
    if ((selector & 4) !== 0 || page > FIRST_RESERVED_GDT_PAGE) {
      return { low: 0, high: 0, address };
    }
    const { table, at } = this.#descriptorEntry(area, vcpu, page);
    const frame = frameOf(this.memory.read32(table, at), this.memory.read32(table, at + 4));
    const within = offset % FRAME_BYTES;
    const read = (place: number) => this.memory.read32(frame as MachineFrame, place) >>> 0;
    return { low: read(within), high: read(within + 4), address };
  }

  #setPage(area: DomainArea, vcpu: number, page: number, frame: MachineFrame | null): void {
    const { table, at } = this.#descriptorEntry(area, vcpu, page);
    this.memory.write32(table, at, frame === null ? 0 : entryLow(frame, OWN));
    this.memory.write32(table, at + 4, frame === null ? 0 : entryHigh(frame, NX));
  }

  #descriptorEntry(area: DomainArea, vcpu: number, page: number) {
    return {
      table: area.level1[Math.floor(vcpu / VCPUS_PER_TABLE)],
      at: ((vcpu % VCPUS_PER_TABLE) * VCPU_PAGES + page) * ENTRY_BYTES,
    };
  }

  #place(frame: number): { page: MachineFrame; at: number } {
    const perPage = FRAME_BYTES / ENTRY_BYTES;
    return { page: this.#m2p[Math.floor(frame / perPage)], at: (frame % perPage) * ENTRY_BYTES };
  }

  #set(table: MachineFrame, index: number, frame: MachineFrame, flags: number, high = 0): void {
    this.memory.write32(table, index * ENTRY_BYTES, entryLow(frame, flags));
    this.memory.write32(table, index * ENTRY_BYTES + 4, entryHigh(frame, high));
  }

  #clear(table: MachineFrame, from: number, to: number): void {
    for (let slot = from; slot < to; slot++) {
      this.memory.write32(table, slot * ENTRY_BYTES, 0);
      this.memory.write32(table, slot * ENTRY_BYTES + 4, 0);
    }
  }

  #flatPage(model: DataModel): MachineFrame {
    const page = this.#newFrame();
    for (const [selector, low, high] of FLAT_DESCRIPTORS[model]) {
      const at = (selector & 0xfff8) - FIRST_RESERVED_GDT_PAGE * FRAME_BYTES;
      this.memory.write32(page, at, low);
      this.memory.write32(page, at + 4, high);
    }
    return page;
  }

  #newFrame(): MachineFrame {
    const frame = this.frames.allocateForXen();
    this.memory.writeBytes(frame, 0, new Uint8Array(FRAME_BYTES));
    return frame;
  }
}
