/**
 * Grant tables: how a domain lets another one map, copy or receive single frames of its memory.
 *
 * Each operation of `HYPERVISOR_grant_table_op` is a method that takes the calling domain and returns
 * what the structure of the public header `grant_table.h` has room for. A grant in use is pinned: the
 * frame stays referenced and the guest's later changes of the entry have no effect, until the last
 * use ends. Version 2 of the table is refused, as by a hypervisor without it.
 */

import { ERRNO, type Errno } from "../../abi/errno.ts";
import { GNTMAP, GNTST, type GrantStatus, GTF } from "../../abi/grant_table.ts";
import {
  type DomainId,
  DOMID,
  type GrantHandle,
  type GrantReference,
  type GuestFrame,
  type MachineFrame,
} from "../../abi/ids.ts";
import { invariant } from "../../lib/assert.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../lib/snapshot.ts";
import { copy, type CopyRequest, type GrantBytes, transferBytes } from "./copies.ts";
import { pinGrant, unpinGrant } from "./pins.ts";
import type { GrantDomain, GrantPorts, HostMapping } from "./ports.ts";
import { loadTable, saveTable } from "./saved_table.ts";
import { type ActiveGrant, type GrantMapping, GrantTable } from "./table.ts";
import { transferFrame } from "./transfer.ts";

/** What `GNTTABOP_map_grant_ref` asks for. */
export interface MapRequest {
  readonly dom: DomainId;
  readonly ref: GrantReference;
  /** Bits of {@link GNTMAP}. */
  readonly flags: number;
  /** Where to map, if `flags` has `host_map`. */
  readonly hostAddress: bigint;
}

/** What it answers; without `okay` there is no handle. */
export interface MapResult {
  readonly status: GrantStatus;
  readonly handle: GrantHandle;
  readonly frame: MachineFrame;
}

/** What `GNTTABOP_unmap_grant_ref` and `GNTTABOP_unmap_and_replace` ask for. */
export interface UnmapRequest {
  readonly handle: GrantHandle;
  /** 0: the mapping in page tables stays. */
  readonly hostAddress: bigint;
  /** 0: the mapping for devices stays. */
  readonly busAddress: bigint;
  /** The virtual address whose mapping takes the place of the grant's. */
  readonly replaceBy?: bigint;
}

/** Frames of a table, or why not. */
export interface TableFrames {
  readonly status: GrantStatus;
  readonly frames: readonly MachineFrame[];
}

const NO_HANDLE = 0xffffffff as GrantHandle;
const NO_FRAME = 0 as MachineFrame;
const FRAME_BYTES = 4096n;
const EITHER_MAP = GNTMAP.host_map | GNTMAP.device_map;

/** All grant tables of one hypervisor; see the module comment. */
export class GrantTables implements Snapshot {
  readonly #tables = new Map<DomainId, GrantTable>();

  constructor(private readonly ports: GrantPorts) {}

  /** A domain comes into being, with one frame of entries; throws `RangeError` if it has a table. */
  attach(domain: GrantDomain): void {
    if (this.#tables.has(domain.id)) {
      throw new RangeError(`domain ${domain.id} has a grant table already`);
    }
    const table = new GrantTable(domain, this.ports.memory);
    this.#tables.set(domain.id, table);
    this.#grow(table, 1);
  }

  /** A domain dies: its mappings end. Grants of its own that others map stay pinned until they let go. */
  detach(id: DomainId): void {
    const table = this.#tables.get(id);
    if (!table) return;
    table.mappings.forEach((mapping, handle) => {
      if (mapping) this.#forget(table, handle as GrantHandle, mapping, EITHER_MAP);
    });
    table.dying = true;
    this.#dropIfUnused(table);
  }

  /** The frames that hold a domain's entries, in order. */
  tableFrames(id: DomainId): readonly MachineFrame[] {
    return this.#tables.get(id)?.frames ?? [];
  }

  /** Fills an entry as tools do before a guest starts: the console's and the store's rings. */
  grant(owner: DomainId, ref: GrantReference, to: DomainId, frame: GuestFrame): void {
    const table = this.#tables.get(owner);
    if (!table?.has(ref)) throw new RangeError(`domain ${owner} has no grant ${ref}`);
    table.write(ref, { flags: GTF.permit_access, domid: to, frame });
  }

  /** `GNTTABOP_map_grant_ref`. */
  map(caller: DomainId, request: MapRequest): MapResult {
    const { flags, ref } = request;
    const failed = (status: GrantStatus) => ({ status, handle: NO_HANDLE, frame: NO_FRAME });
    const own = this.#tables.get(caller);
    if (!own || !(flags & (GNTMAP.host_map | GNTMAP.device_map))) return failed(GNTST.bad_gntref);
    const table = this.#tableFor(caller, request.dom);
    if (!table) return failed(GNTST.bad_domain);
    const of = table.domain.id;
    if (!this.#allowed("map", caller, of)) return failed(GNTST.permission_denied);
    const handle = freeHandle(own);
    if (handle === null) return failed(GNTST.no_space);
    const pin = { ref, by: caller, writable: !(flags & GNTMAP.readonly), use: "map" } as const;
    const frame = pinGrant(table, this.ports, pin);
    if (typeof frame !== "object") return failed(frame);
    const mapping: GrantMapping = { dom: of, ref, flags };
    if (flags & GNTMAP.host_map) {
      const host = hostMapping(frame.frame, mapping, request.hostAddress);
      const status = this.ports.mapHost(caller, host);
      if (status !== GNTST.okay) {
        unpinGrant(table, this.ports, pin);
        return failed(status);
      }
    }
    own.mappings[handle] = mapping;
    return { status: GNTST.okay, handle, frame: frame.frame };
  }

  /** `GNTTABOP_unmap_grant_ref` and, with `replaceBy`, `GNTTABOP_unmap_and_replace`. */
  unmap(caller: DomainId, request: UnmapRequest): GrantStatus {
    const own = this.#tables.get(caller);
    const mapping = own?.mappings[request.handle];
    if (!own || !mapping) return GNTST.bad_handle;
    const grant = this.#tables.get(mapping.dom)?.active.get(mapping.ref);
    invariant(
      grant,
      `handle ${request.handle} of domain ${caller} maps a grant that is not active`,
    );
    const device = request.busAddress === 0n ? 0 : mapping.flags & GNTMAP.device_map;
    if (device && request.busAddress / FRAME_BYTES !== BigInt(grant.frame)) {
      return GNTST.general_error;
    }
    const host = request.hostAddress === 0n ? 0 : mapping.flags & GNTMAP.host_map;
    if (host) {
      const entry = hostMapping(grant.frame, mapping, request.hostAddress);
      const status = request.replaceBy === undefined
        ? this.ports.unmapHost(caller, entry)
        : this.ports.replaceHost(caller, entry, request.replaceBy);
      if (status !== GNTST.okay) return status;
    }
    this.#forget(own, request.handle, mapping, host | device);
    return GNTST.okay;
  }

  /** A back end of the hypervisor or of a modelled domain takes a grant without page tables. */
  mapForBackEnd(
    caller: DomainId,
    dom: DomainId,
    ref: GrantReference,
    access: "read" | "write",
  ): MapResult {
    const flags = GNTMAP.device_map | (access === "read" ? GNTMAP.readonly : 0);
    return this.map(caller, { dom, ref, flags, hostAddress: 0n });
  }

  /** Ends what {@link mapForBackEnd} began. */
  unmapForBackEnd(caller: DomainId, handle: GrantHandle): GrantStatus {
    const own = this.#tables.get(caller);
    const mapping = own?.mappings[handle];
    if (!own || !mapping) return GNTST.bad_handle;
    this.#forget(own, handle, mapping, GNTMAP.device_map);
    return GNTST.okay;
  }

  /** `GNTTABOP_setup_table`: at least `frameCount` frames, and where they are. */
  setupTable(caller: DomainId, dom: DomainId, frameCount: number): TableFrames {
    const failed = (status: GrantStatus) => ({ status, frames: [] });
    const table = this.#tableFor(caller, dom);
    if (!table) return failed(GNTST.bad_domain);
    if (!this.#mayActOn(caller, table)) return failed(GNTST.permission_denied);
    if (frameCount > table.domain.maxFrames) return failed(GNTST.general_error);
    if (!this.#grow(table, frameCount)) return failed(GNTST.general_error);
    return { status: GNTST.okay, frames: table.frames.slice(0, frameCount) };
  }

  /** `GNTTABOP_query_size`. */
  querySize(
    caller: DomainId,
    dom: DomainId,
  ): { status: GrantStatus; frameCount: number; maxFrameCount: number } {
    const table = this.#tableFor(caller, dom);
    const status = !table
      ? GNTST.bad_domain
      : this.#mayActOn(caller, table)
      ? GNTST.okay
      : GNTST.permission_denied;
    if (!table || status !== GNTST.okay) return { status, frameCount: 0, maxFrameCount: 0 };
    return { status, frameCount: table.frames.length, maxFrameCount: table.domain.maxFrames };
  }

  /** `GNTTABOP_copy`. */
  copy(caller: DomainId, request: CopyRequest): GrantStatus {
    return copy(this.#lookUp(caller), this.ports, caller, request);
  }

  /** A back end reads a grant of `dom` into `into`, from `offset` bytes on. */
  readGrant(caller: DomainId, dom: DomainId, at: GrantBytes, into: Uint8Array): GrantStatus {
    return transferBytes(this.#lookUp(caller), this.ports, caller, dom, at, into, "read");
  }

  /** A back end writes `bytes` into a grant of `dom`, from `offset` bytes on. */
  writeGrant(caller: DomainId, dom: DomainId, at: GrantBytes, bytes: Uint8Array): GrantStatus {
    return transferBytes(this.#lookUp(caller), this.ports, caller, dom, at, bytes, "write");
  }

  /** `GNTTABOP_transfer`: the frame leaves the caller, whatever comes of it, unless the answer is `bad_page`. */
  transfer(
    caller: DomainId,
    frame: MachineFrame,
    dom: DomainId,
    ref: GrantReference,
  ): GrantStatus {
    const allowed = (of: DomainId) => this.#allowed("transfer", caller, of);
    return transferFrame(this.#lookUp(caller), this.ports, { caller, frame, dom, ref, allowed });
  }

  /** `GNTTABOP_swap_grant_ref`. */
  swap(caller: DomainId, first: GrantReference, second: GrantReference): GrantStatus {
    const table = this.#tables.get(caller);
    if (!table?.has(first) || !table.has(second)) return GNTST.bad_gntref;
    if (first === second) return GNTST.okay;
    if (table.active.has(first) || table.active.has(second)) return GNTST.eagain;
    const entry = table.read(first);
    table.write(first, table.read(second));
    table.write(second, entry);
    return GNTST.okay;
  }

  /**
   * `GNTTABOP_set_version`: 1 is what there is; 2 is answered as before it was invented.
   *
   * @deviation Version 2 of the grant table is refused with -ENOSYS, as by a hypervisor booted with
   * `gnttab=max-ver:1`; `grant_table.h`, "GNTTABOP_set_version".
   */
  setVersion(_caller: DomainId, version: number): 1 | Errno {
    if (version !== 1 && version !== 2) return ERRNO.EINVAL;
    return version === 1 ? 1 : ERRNO.ENOSYS;
  }

  /** `GNTTABOP_get_version`. */
  getVersion(caller: DomainId, dom: DomainId): 1 | Errno {
    const table = this.#tableFor(caller, dom);
    if (!table) return ERRNO.ESRCH;
    return this.#mayActOn(caller, table) ? 1 : ERRNO.EPERM;
  }

  /** `GNTTABOP_get_status_frames`: only version 2 has any. */
  getStatusFrames(caller: DomainId, dom: DomainId): TableFrames {
    const table = this.#tableFor(caller, dom);
    const status = !table
      ? GNTST.bad_domain
      : this.#mayActOn(caller, table)
      ? GNTST.general_error
      : GNTST.permission_denied;
    return { status, frames: [] };
  }

  /** Mappings of others' grants that the domain holds, for tools and audits. */
  *mappingsOf(id: DomainId): IterableIterator<{ handle: GrantHandle; mapping: GrantMapping }> {
    for (const [handle, mapping] of this.#tables.get(id)?.mappings.entries() ?? []) {
      if (mapping) yield { handle: handle as GrantHandle, mapping };
    }
  }

  /** The frames of all grants in use, for audits: each reader holds a reference, each writer one of type, too. */
  *pinnedFrames(): IterableIterator<ActiveGrant> {
    for (const { active } of this.#tables.values()) yield* active.values();
  }

  /** Asserts that what is pinned is what is mapped; between operations it always is. */
  audit(): void {
    const uses = new Map<string, number>();
    for (const [id] of this.#tables) {
      for (const { mapping } of this.mappingsOf(id)) {
        const key = `${mapping.dom}:${mapping.ref}`;
        uses.set(key, (uses.get(key) ?? 0) + 1);
      }
    }
    for (const [id, { active }] of this.#tables) {
      for (const [ref, { readers, writers }] of active) {
        const found = uses.get(`${id}:${ref}`) ?? 0;
        invariant(found === readers + writers, `grant ${ref} of ${id}: ${found} mappings`);
        uses.delete(`${id}:${ref}`);
      }
    }
    invariant(uses.size === 0, `mappings of grants that are not pinned: ${[...uses.keys()]}`);
  }

  save(): SnapshotRecord {
    const tables = [...this.#tables.values()].map(saveTable);
    return { kind: "grantTables", version: 2, state: { tables } };
  }

  /** Replaces all tables by those of `record`. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "grantTables", 2);
    this.#tables.clear();
    for (const saved of state.tables as readonly { [field: string]: SnapshotValue }[]) {
      const table = loadTable(saved, this.ports.memory);
      this.#tables.set(table.domain.id, table);
    }
  }

  /** Ends the host or device side of a mapping, or both; the handle is free when none is left. */
  #forget(own: GrantTable, handle: GrantHandle, mapping: GrantMapping, ends: number): void {
    const { dom, ref } = mapping;
    const flags = mapping.flags & ~ends;
    own.mappings[handle] = flags & EITHER_MAP ? { dom, ref, flags } : null;
    if (flags & EITHER_MAP) return;
    const table = this.#tables.get(dom);
    invariant(table, `domain ${dom} went before its grant ${ref} was let go`);
    unpinGrant(table, this.ports, { ref, writable: !(flags & GNTMAP.readonly) });
    this.#dropIfUnused(table);
  }

  #grow(table: GrantTable, frameCount: number): boolean {
    while (table.frames.length < frameCount) {
      const frame = this.ports.allocateTableFrame(table.domain.id);
      if (frame === null) return false;
      table.frames.push(frame);
    }
    return true;
  }

  /** A dying domain's table goes when nobody uses its grants any more. */
  #dropIfUnused(table: GrantTable): void {
    if (!table.dying || table.active.size > 0) return;
    for (const frame of table.frames) this.ports.freeTableFrame(table.domain.id, frame);
    this.#tables.delete(table.domain.id);
  }

  #lookUp(caller: DomainId): (dom: DomainId) => GrantTable | undefined {
    return (dom) => this.#tableFor(caller, dom);
  }

  #tableFor(caller: DomainId, dom: DomainId): GrantTable | undefined {
    const table = this.#tables.get(dom === DOMID.SELF ? caller : dom);
    return table?.dying ? undefined : table;
  }

  #mayActOn(caller: DomainId, table: GrantTable): boolean {
    return table.domain.id === caller || this.#tables.get(caller)?.domain.privileged === true;
  }

  #allowed(what: "map" | "copy" | "transfer", by: DomainId, of: DomainId): boolean {
    return this.ports.allows?.({ what, by, of }) ?? true;
  }
}

function hostMapping(
  frame: MachineFrame,
  { dom, flags }: GrantMapping,
  address: bigint,
): HostMapping {
  return {
    address,
    containsPte: (flags & GNTMAP.contains_pte) !== 0,
    frame,
    owner: dom,
    readonly: (flags & GNTMAP.readonly) !== 0,
    user: (flags & GNTMAP.application_map) !== 0,
    available: flags >>> GNTMAP.guest_avail_shift,
  };
}

function freeHandle({ mappings, domain }: GrantTable): GrantHandle | null {
  const free = mappings.indexOf(null);
  const handle = free < 0 ? mappings.length : free;
  return handle < domain.maxHandles ? handle as GrantHandle : null;
}
