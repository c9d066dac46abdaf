/**
 * The front end's half of a ring of requests and responses (`io/ring.h`), for modelled drivers of all kinds. What stands in an
 * entry is the driver's business: the ring says where.
 */

import { ringEntries, SRING } from "../../../core/abi/io/ring.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";

/** The ring's page: words at offsets in bytes, multiples of four. */
export interface RingPage {
  read32(offset: number): number;
  write32(offset: number, value: number): void;
}

/** See the module comment. */
export class FrontRing {
  /** Entries: a power of two. */
  readonly entries: number;
  #made = 0;
  #shown = 0;
  #taken = 0;

  /** Begins with an empty ring, and wants an event for the first response. */
  constructor(private readonly page: RingPage, private readonly entryBytes: number) {
    this.entries = ringEntries(entryBytes);
    for (const offset of [SRING.reqProd, SRING.rspProd]) page.write32(offset, 0);
    for (const offset of [SRING.reqEvent, SRING.rspEvent]) page.write32(offset, 1);
  }

  /** Requests that there is room for. */
  get room(): number {
    return this.entries - ((this.#made - this.#taken) >>> 0);
  }

  /** Where the next request is to be written, in bytes; {@link room} must not be 0. */
  put(): number {
    const place = this.#place(this.#made);
    this.#made = (this.#made + 1) >>> 0;
    return place;
  }

  /** Shows the far side all requests; answers whether it wants an event for them. */
  show(): boolean {
    const before = this.#shown;
    if (before === this.#made) return false;
    this.#shown = this.#made;
    this.page.write32(SRING.reqProd, this.#made);
    const wanted = this.page.read32(SRING.reqEvent);
    return ((this.#made - wanted) >>> 0) < ((this.#made - before) >>> 0);
  }

  /** Where the next response stands, in bytes, which counts as taken; -1 if there is none. */
  take(): number {
    if (this.page.read32(SRING.rspProd) === this.#taken) return -1;
    const place = this.#place(this.#taken);
    this.#taken = (this.#taken + 1) >>> 0;
    return place;
  }

  /** Wants an event when `count` further responses are there; answers whether they are already. */
  ask(count = 1): boolean {
    this.page.write32(SRING.rspEvent, (this.#taken + count) >>> 0);
    return ((this.page.read32(SRING.rspProd) - this.#taken) >>> 0) >= count;
  }

  save(): SnapshotRecord {
    const state = { made: this.#made, shown: this.#shown, taken: this.#taken };
    return { kind: "front ring", version: 1, state };
  }

  /** The page is restored with the memory that it is in. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "front ring", 1);
    this.#made = state.made as number;
    this.#shown = state.shown as number;
    this.#taken = state.taken as number;
  }

  #place(index: number): number {
    return SRING.ring + index % this.entries * this.entryBytes;
  }
}
