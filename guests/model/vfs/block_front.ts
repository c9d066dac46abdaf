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
import { ringEntries } from "../../../core/abi/io/ring.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { FrontRing, type RingPage } from "../rings/front_ring.ts";
import type { DriverRequest } from "./block_layer.ts";
import type { DiskDriver } from "./files.ts";
import { BLOCK_SECTORS, MAX_REQUEST_BLOCKS } from "./limits.ts";

/** The ring's page: words and bytes. */
export interface BlockRingPage extends RingPage {
  readBytes(offset: number, into: Uint8Array): void;
  writeBytes(offset: number, bytes: Uint8Array): void;
}

/** The ring, and the way to its other end. */
export interface RingPort {
  readonly ring: BlockRingPage;
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
  readonly #ring: FrontRing;
  readonly #free: number[];
  #parts = new Map<number, Part>();
  /** Parts of each request that have no answer yet. */
  #left = new Map<number, number>();
  #nextPart = 1;

  /** Begins with an empty ring; throws `RangeError` for too few grants. */
  constructor(private readonly kernel: Kernel, private readonly port: RingPort) {
    if (port.grants.length < RING_GRANTS) {
      throw new RangeError(`a block ring needs ${RING_GRANTS} grants, found ${port.grants.length}`);
    }
    this.#free = Array.from({ length: RING_GRANTS }, (_, place) => RING_GRANTS - 1 - place);
    this.#ring = new FrontRing(port.ring, ENTRY_BYTES);
  }

  get room(): number {
    return Math.floor(this.#ring.room / MOST_PARTS);
  }

  start({ id, sector, count, write }: DriverRequest): void {
    let parts = 0;
    const blocks = count / BLOCK_SECTORS;
    for (let done = 0; done < blocks; done += BLKIF_MAX.segments) {
      const pages = Math.min(BLKIF_MAX.segments, blocks - done);
      this.#put(id, sector + done * BLOCK_SECTORS, pages, write);
      parts++;
    }
    this.#left.set(id, parts);
    if (this.#ring.show()) {
      this.kernel.charge("eventSend");
      this.port.notify();
    }
    this.kernel.work(this.port.takeWork());
  }

  takeDone(): readonly number[] {
    const done: number[] = [];
    const bytes = new Uint8Array(BLKIF_RESPONSE.sizeBytes(MODEL));
    do {
      for (let at = this.#ring.take(); at >= 0; at = this.#ring.take()) {
        this.port.ring.readBytes(at, bytes);
        this.#answered(Number(BLKIF_RESPONSE.read(bytes, 0, MODEL).id), done);
      }
    } while (this.#ring.ask());
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
      ring: { ...this.#ring.save() },
      nextPart: this.#nextPart,
    };
    return { kind: "blkfront", version: 2, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "blkfront", 2);
    this.#free.splice(0, this.#free.length, ...state.free as number[]);
    const parts = state.parts as unknown as ({ part: number } & Part)[];
    this.#parts = new Map(parts.map(({ part, request, pages }) => [part, { request, pages }]));
    this.#left = new Map(state.left as unknown as [number, number][]);
    this.#ring.restore(state.ring as unknown as SnapshotRecord);
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
    this.port.ring.writeBytes(this.#ring.put(), entry);
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
