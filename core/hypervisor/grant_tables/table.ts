/** One domain's grant table: the entries that it shares with the hypervisor, and what is in use of them. */

import { ENTRIES_PER_FRAME, GNTST, type GrantStatus, GTF } from "../../abi/grant_table.ts";
import type { DomainId, GrantReference, GuestFrame, MachineFrame } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { GrantDomain } from "./ports.ts";

const ENTRY_BYTES = 8;

/** An entry that somebody uses: for whom, which frame, and how often in each way. */
export interface ActiveGrant {
  readonly domid: DomainId;
  readonly frame: MachineFrame;
  /** Mappings and copies under way that only read. */
  readers: number;
  /** Those that may write. */
  writers: number;
}

/** A mapping of another domain's grant. */
export interface GrantMapping {
  readonly dom: DomainId;
  readonly ref: GrantReference;
  /**
   * Bits of `GNTMAP`: in page tables of the guest (`host_map`), for devices or a back end of the
   * hypervisor (`device_map`), or both.
   */
  readonly flags: number;
}

/** What an entry says. */
export interface GrantEntry {
  readonly flags: number;
  readonly domid: DomainId;
  readonly frame: GuestFrame;
}

/** State and look-ups of one table; see the module comment. */
export class GrantTable {
  /** The frames that hold the entries, in order. */
  readonly frames: MachineFrame[] = [];
  /** Entries in use. While one is, the guest's changes to its domain and frame have no effect. */
  readonly active = new Map<GrantReference, ActiveGrant>();
  /** The domain's own mappings of others' grants; the index is the handle. */
  readonly mappings: (GrantMapping | null)[] = [];
  /** The domain is gone, but somebody still uses grants of it. */
  dying = false;

  constructor(readonly domain: GrantDomain, private readonly memory: FrameMemory) {}

  get entryCount(): number {
    return this.frames.length * ENTRIES_PER_FRAME;
  }

  has(ref: GrantReference): boolean {
    return ref >= 0 && ref < this.entryCount;
  }

  read(ref: GrantReference): GrantEntry {
    const { frame, offset } = this.#place(ref);
    const header = this.memory.read32(frame, offset);
    return {
      flags: header & 0xffff,
      domid: header >>> 16 as DomainId,
      frame: this.memory.read32(frame, offset + 4) as GuestFrame,
    };
  }

  write(ref: GrantReference, entry: GrantEntry): void {
    const { frame, offset } = this.#place(ref);
    this.memory.write32(frame, offset + 4, entry.frame);
    this.memory.write32(frame, offset, (entry.flags | (entry.domid << 16)) >>> 0);
  }

  /** Sets and clears flags of an entry. */
  changeFlags(ref: GrantReference, set: number, clear: number): void {
    const { frame, offset } = this.#place(ref);
    const header = this.memory.read32(frame, offset);
    this.memory.write32(frame, offset, ((header & ~clear) | set) >>> 0);
  }

  /**
   * Whether the entry lets `domid` use it now, as a mapping or as a copy; marks it as being read or
   * written if so.
   */
  admit(
    ref: GrantReference,
    domid: DomainId,
    writable: boolean,
    use: "map" | "copy",
  ): GrantStatus {
    const entry = this.read(ref);
    const mask = use === "map" ? GTF.type_mask | GTF.sub_page : GTF.type_mask;
    const permits = (entry.flags & mask) === GTF.permit_access && entry.domid === domid;
    if (!permits || (writable && entry.flags & GTF.readonly)) return GNTST.general_error;
    this.changeFlags(ref, GTF.reading | (writable ? GTF.writing : 0), 0);
    return GNTST.okay;
  }

  /** An entry that was admitted, but whose frame could not be had, is not in use after all. */
  disclaim(ref: GrantReference): void {
    this.changeFlags(ref, 0, GTF.reading | GTF.writing);
  }

  /** One use of the entry ends: flags that no other use needs are cleared. */
  release(ref: GrantReference, writable: boolean): void {
    const grant = this.active.get(ref);
    if (!grant) return;
    if (writable) grant.writers--;
    else grant.readers--;
    if (grant.writers === 0) this.changeFlags(ref, 0, GTF.writing);
    if (grant.writers + grant.readers > 0) return;
    this.changeFlags(ref, 0, GTF.reading);
    this.active.delete(ref);
  }

  #place(ref: GrantReference): { frame: MachineFrame; offset: number } {
    const frame = this.frames[Math.floor(ref / ENTRIES_PER_FRAME)];
    return { frame, offset: ENTRY_BYTES * (ref % ENTRIES_PER_FRAME) };
  }
}
