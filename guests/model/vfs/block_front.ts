/**
 * The block front end of a modelled kernel on the hypervisor (`xen-blkfront`): requests go into a ring of one page, in parts
 * of eleven pages, and an event tells the back end when it asked to be told.
 *
 * Pages of files have no bytes here: each page on its way is stood for by a granted page of the domain.
 */

import {
  BLKIF_MAX,
  BLKIF_OP,
  BLKIF_PROTOCOLS,
  BLKIF_REQUEST,
  BLKIF_RESPONSE,
} from "../../../core/abi/io/blkif.ts";
import { ringEntries, SRING } from "../../../core/abi/io/ring.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { DriverRequest } from "./block_layer.ts";
import type { DiskDriver } from "./files.ts";
import { BLOCK_SECTORS, MAX_REQUEST_BLOCKS } from "./limits.ts";

/** The ring, and the way to its other end. */
export interface RingPort {
  /** Words and bytes of the ring's page. */
  read32(offset: number): number;
  write32(offset: number, value: number): void;
  readBytes(offset: number, into: Uint8Array): void;
  writeBytes(offset: number, bytes: Uint8Array): void;
  /** Granted pages, one for each page that may be on its way. */
  readonly grants: readonly GrantReference[];
  /** `EVTCHNOP_send`. */
  notify(): void;
  /** Cycles that the hypervisor has worked for this domain since it was asked last. */
  takeWork(): number;
}

const MODEL = BLKIF_PROTOCOLS["x86_64-abi"];
const ENTRY_BYTES = BLKIF_REQUEST.sizeBytes(MODEL);
const ENTRIES = ringEntries(ENTRY_BYTES);
/** Parts that the largest request of the block layer is cut into. */
const MOST_PARTS = Math.ceil(MAX_REQUEST_BLOCKS / BLKIF_MAX.segments);
/** Pages that may be on their way: as many grants are needed. */
export const RING_GRANTS = ENTRIES * BLKIF_MAX.segments;
/** Cycles of the driver's own instructions: an entry filled, a page granted or taken back, an answer taken apart. */
const WORK = { entry: 700, page: 180, answer: 500 };

interface Part {
  /** The block layer's request. */
  readonly request: number;
  /** Places in {@link RingPort.grants}. */
  readonly pages: readonly number[];
}

/** See the module comment. */
export class BlockFront implements DiskDriver {
  readonly line = "disk";
  readonly #free: number[];
  #parts = new Map<number, Part>();
  /** Parts of each request that have no answer yet. */
  #left = new Map<number, number>();
  #made = 0;
  #taken = 0;
  #nextPart = 1;

  /** Begins with an empty ring; throws `RangeError` for too few grants. */
  constructor(private readonly kernel: Kernel, private readonly port: RingPort) {
    if (port.grants.length < RING_GRANTS) {
      throw new RangeError(`a block ring needs ${RING_GRANTS} grants, found ${port.grants.length}`);
    }
    this.#free = Array.from({ length: RING_GRANTS }, (_, place) => RING_GRANTS - 1 - place);
    for (const offset of [SRING.reqProd, SRING.rspProd]) port.write32(offset, 0);
    for (const offset of [SRING.reqEvent, SRING.rspEvent]) port.write32(offset, 1);
  }

  get room(): number {
    return Math.floor((ENTRIES - (this.#made - this.#taken)) / MOST_PARTS);
  }

  start({ id, sector, count, write }: DriverRequest): void {
    const before = this.#made;
    const blocks = count / BLOCK_SECTORS;
    for (let done = 0; done < blocks; done += BLKIF_MAX.segments) {
      const pages = Math.min(BLKIF_MAX.segments, blocks - done);
      this.#put(id, sector + done * BLOCK_SECTORS, pages, write);
    }
    this.#left.set(id, this.#made - before);
    this.port.write32(SRING.reqProd, this.#made);
    const wanted = this.port.read32(SRING.reqEvent);
    if (((this.#made - wanted) >>> 0) < ((this.#made - before) >>> 0)) {
      this.kernel.charge("eventSend");
      this.port.notify();
    }
    this.kernel.work(this.port.takeWork());
  }

  takeDone(): readonly number[] {
    const done: number[] = [];
    const bytes = new Uint8Array(BLKIF_RESPONSE.sizeBytes(MODEL));
    do {
      const produced = this.port.read32(SRING.rspProd);
      while (this.#taken !== produced) {
        this.port.readBytes(placeOf(this.#taken++), bytes);
        this.#answered(Number(BLKIF_RESPONSE.read(bytes, 0, MODEL).id), done);
      }
      this.port.write32(SRING.rspEvent, this.#taken + 1);
    } while (this.port.read32(SRING.rspProd) !== this.#taken);
    this.kernel.work(this.port.takeWork());
    return done;
  }

  save(): SnapshotRecord {
    const state = {
      free: [...this.#free],
      parts: Array.from(this.#parts, ([part, { request, pages }]) => ({
        part,
        request,
        pages: [...pages],
      })),
      left: [...this.#left],
      made: this.#made,
      taken: this.#taken,
      nextPart: this.#nextPart,
    };
    return { kind: "blkfront", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "blkfront", 1);
    this.#free.splice(0, this.#free.length, ...state.free as number[]);
    const parts = state.parts as unknown as ({ part: number } & Part)[];
    this.#parts = new Map(parts.map(({ part, request, pages }) => [part, { request, pages }]));
    this.#left = new Map(state.left as unknown as [number, number][]);
    this.#made = state.made as number;
    this.#taken = state.taken as number;
    this.#nextPart = state.nextPart as number;
  }

  /** Puts one entry into the ring. */
  #put(request: number, sector: number, count: number, write: boolean): void {
    const pages = this.#free.splice(-count, count);
    const part = this.#nextPart++;
    this.#parts.set(part, { request, pages });
    const seg = pages.map((page) => ({
      gref: this.port.grants[page],
      first_sect: 0,
      last_sect: BLOCK_SECTORS - 1,
    }));
    const entry = BLKIF_REQUEST.toBytes({
      operation: write ? BLKIF_OP.WRITE : BLKIF_OP.READ,
      nr_segments: count,
      id: BigInt(part),
      sector_number: BigInt(sector),
      seg,
    }, MODEL);
    this.port.writeBytes(placeOf(this.#made++), entry);
    this.kernel.work(WORK.entry + WORK.page * count);
  }

  /** A part is through; its request is if it was the last one. */
  #answered(part: number, done: number[]): void {
    const found = this.#parts.get(part);
    if (!found) return;
    this.#parts.delete(part);
    this.#free.push(...found.pages);
    this.kernel.work(WORK.answer + WORK.page * found.pages.length);
    const left = this.#left.get(found.request)! - 1;
    if (left > 0) {
      this.#left.set(found.request, left);
      return;
    }
    this.#left.delete(found.request);
    done.push(found.request);
  }
}

function placeOf(index: number): number {
  return SRING.ring + index % ENTRIES * ENTRY_BYTES;
}
