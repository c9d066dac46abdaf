/** Other domains' frames in a guest's page tables: the ends of grant mappings that are page-table entries. */

import { GNTST, type GrantStatus } from "../../abi/grant_table.ts";
import type { DomainId, MachineFrame } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { HostMapping } from "../grant_tables/mod.ts";
import { type FrameTable, FrameType } from "./frame_table.ts";
import { linearNumber } from "./guest_access.ts";
import type { GuestSpace } from "./guest_space.ts";
import {
  ENTRY_BYTES,
  entryHigh,
  entryLow,
  frameOf,
  GUEST_KERNEL,
  Pte,
} from "./page_table_entry.ts";
import type { PageTypes } from "./page_types.ts";
import { type EntryPlace, lastLevelEntry } from "./table_walk.ts";

const ACCESSED = Pte.P | Pte.A | Pte.D;
/** First of the bits of an entry that software may use. */
const AVAILABLE_SHIFT = 9;

/** Enters and removes mappings of granted frames. */
export class GrantMappings {
  constructor(
    private readonly memory: FrameMemory,
    private readonly frames: FrameTable,
    private readonly types: PageTypes,
    /** The top-level table that a domain's virtual CPU uses at present. */
    private readonly rootOf: (domain: DomainId) => MachineFrame | null,
    private readonly spaceOf: (domain: DomainId) => GuestSpace,
  ) {}

  /** Maps a granted frame; the entry holds references of its own, as any entry does. */
  map(caller: DomainId, mapping: HostMapping): GrantStatus {
    const place = this.#place(caller, mapping.address, mapping.containsPte);
    if (place === null) return GNTST.bad_virt_addr;
    const { frame, owner, readonly, user, available } = mapping;
    if (!this.frames.get(frame, owner)) return GNTST.general_error;
    if (!readonly && this.types.getType(frame, FrameType.writable, owner) !== 0) {
      this.frames.put(frame);
      return GNTST.general_error;
    }
    const { model } = this.spaceOf(caller);
    const flags = (model === "lp64" || user ? Pte.US : 0) | ACCESSED | (readonly ? 0 : Pte.RW) |
      (available << AVAILABLE_SHIFT) |
      (model === "lp64" && user ? Pte.G : 0);
    this.#exchange(
      place,
      entryLow(frame, flags),
      entryHigh(frame, model === "ilp32" || user ? 0 : GUEST_KERNEL),
      caller,
    );
    return GNTST.okay;
  }

  /** Removes the mapping; the entry must still be it. */
  unmap(caller: DomainId, mapping: HostMapping): GrantStatus {
    const place = this.#place(caller, mapping.address, mapping.containsPte);
    if (place === null || !this.#maps(place, mapping.frame)) return GNTST.general_error;
    this.#exchange(place, 0, 0, caller);
    return GNTST.okay;
  }

  /** Removes the mapping, and moves the entry of address `by` to its place. */
  replace(caller: DomainId, mapping: HostMapping, by: bigint): GrantStatus {
    const place = this.#place(caller, mapping.address, mapping.containsPte);
    if (place === null || !this.#maps(place, mapping.frame)) return GNTST.general_error;
    const source = this.#place(caller, by, false);
    if (source === null) return GNTST.bad_virt_addr;
    const { low, high } = this.#read(source);
    this.#write(source, 0, 0);
    this.#exchange(place, low, high, caller);
    return GNTST.okay;
  }

  #place(caller: DomainId, address: bigint, isEntry: boolean): EntryPlace | null {
    if (isEntry) {
      const table = Number(address >> 12n);
      const inUse = this.frames.ownerOf(table) === caller &&
        this.frames.type[table] === FrameType.l1 && this.frames.typeCount[table] > 0;
      if (!inUse || address % BigInt(ENTRY_BYTES) !== 0n) return null;
      return { table: table as MachineFrame, index: Number(address & 0xfffn) / ENTRY_BYTES };
    }
    const root = this.rootOf(caller);
    const place = root &&
      lastLevelEntry(this.memory, this.spaceOf(caller), root, linearNumber(address));
    return place && this.frames.ownerOf(place.table) === caller ? place : null;
  }

  #maps(place: EntryPlace, frame: MachineFrame): boolean {
    const { low, high } = this.#read(place);
    return (low & Pte.P) !== 0 && frameOf(low, high) === frame;
  }

  #exchange(place: EntryPlace, low: number, high: number, domain: DomainId): void {
    const old = this.#read(place);
    this.#write(place, low, high);
    this.types.putEntry(FrameType.l1, old.low, old.high, domain);
  }

  #read({ table, index }: EntryPlace): { low: number; high: number } {
    const at = index * ENTRY_BYTES;
    return {
      low: this.memory.read32(table, at) | 0,
      high: this.memory.read32(table, at + 4) | 0,
    };
  }

  #write({ table, index }: EntryPlace, low: number, high: number): void {
    this.memory.write32(table, index * ENTRY_BYTES, low);
    this.memory.write32(table, index * ENTRY_BYTES + 4, high);
  }
}
