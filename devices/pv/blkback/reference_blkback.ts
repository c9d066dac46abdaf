/**
 * The block back end of disks whose bytes are only referred to: it takes the same requests from the same ring as
 * {@link BlockBackEnd}, holds their grants while the disk works, and answers when the disk is done.
 *
 * It runs where its events find it: in the hypervisor, on the time of whoever it works for ({@link takeWork}).
 */

import {
  BLKIF_PROTOCOLS,
  BLKIF_REQUEST,
  BLKIF_RESPONSE,
  BLKIF_RSP,
  BLKIF_SECTOR_BYTES,
} from "../../../core/abi/io/blkif.ts";
import type { DomainId, GrantHandle } from "../../../core/abi/ids.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { BackRing, type BackRingState } from "../../rings/back_ring.ts";
import type { DiskCommand } from "../../scsi/mod.ts";
import type { WorkDone } from "../../work.ts";
import {
  type BackEndHost,
  connect,
  type Connection,
  disconnect,
  type FrontEndOffer,
} from "../back_end_ports.ts";
import { type BlockRequest, parseRequest, type Segment } from "./requests.ts";

/** A disk, or a part of one; it calls {@link ReferenceBlockBackEnd.completed} later, never at once. */
export interface ReferenceDisk {
  /** How many commands it would take now. */
  readonly room: number;
  submit(command: DiskCommand): void;
}

/** What such a back end serves. */
export interface ReferenceBackEndOptions {
  readonly host: BackEndHost;
  readonly frontDomain: DomainId;
  /** Names its event consumer; unique, for example `blkback.1`. */
  readonly name: string;
  readonly disk: ReferenceDisk;
  /** The size of the disk. */
  readonly sectors: number;
}

/** The layout of rings: both ends are of this house. */
const MODEL = BLKIF_PROTOCOLS["x86_64-abi"];

interface Pending {
  readonly tag: number;
  readonly id: bigint;
  readonly operation: number;
  readonly handles: readonly GrantHandle[];
}

interface Work {
  requests: number;
  events: number;
  grantOperations: number;
}

/** See the module comment. */
export class ReferenceBlockBackEnd implements Snapshot {
  readonly #options: ReferenceBackEndOptions;
  #connection: Connection | null = null;
  #ring: BackRing | null = null;
  #pending = new Map<number, Pending>();
  #nextTag = 1;
  #work: Work = { requests: 0, events: 0, grantOperations: 0 };

  constructor(options: ReferenceBackEndOptions) {
    this.#options = options;
    options.host.events.registerConsumer(options.name, () => this.step());
  }

  /** Takes what the front end offers; false, and nothing is held, if it is not good. */
  connect(offer: FrontEndOffer): boolean {
    const { host, name } = this.#options;
    this.#connection = connect(host, offer, name);
    if (!this.#connection) return false;
    this.#open();
    this.#ring!.rearm();
    return true;
  }

  /** Lets go of the ring and of all grants. */
  disconnect(): void {
    const { host, name } = this.#options;
    for (const { handles } of this.#pending.values()) this.#release(handles);
    this.#pending.clear();
    if (this.#connection) disconnect(host, this.#connection);
    this.#connection = this.#ring = null;
    host.events.unregisterConsumer(name);
  }

  /** Takes requests while the disk has room for them. */
  step(): void {
    const ring = this.#ring;
    if (!ring) return;
    let more = true;
    while (more) {
      while ((ring.waiting ?? 0) > 0 && this.#options.disk.room > 0) this.#take(ring);
      // A ring whose counter cannot be true is left alone; one that waits for the disk is looked at when that is done.
      more = (ring.waiting ?? 0) === 0 && ring.waiting !== null && ring.rearm();
    }
    this.#publish(ring);
  }

  /** The disk is done with a command. */
  completed(tag: number): void {
    const pending = this.#pending.get(tag);
    if (!pending || !this.#ring) return;
    this.#pending.delete(tag);
    this.#release(pending.handles);
    this.#answer(this.#ring, pending.id, pending.operation, BLKIF_RSP.OKAY);
    this.step();
  }

  /** What it has done since it was asked last. */
  takeWork(): WorkDone {
    const work = this.#work;
    this.#work = { requests: 0, events: 0, grantOperations: 0 };
    return work;
  }

  save(): SnapshotRecord {
    const state = {
      connection: this.#connection && {
        rings: this.#connection.rings.map((each) => ({ ...each })),
        port: this.#connection.port,
      },
      ring: this.#ring?.save() ?? null,
      pending: Array.from(
        this.#pending.values(),
        (each) => ({ ...each, handles: [...each.handles] }),
      ),
      nextTag: this.#nextTag,
      work: { ...this.#work },
    };
    return { kind: "reference blkback", version: 1, state };
  }

  /** The disk, the event channel and the grants are restored by their own records. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "reference blkback", 1);
    this.#connection = state.connection as Connection | null;
    this.#ring = null;
    if (this.#connection) this.#open(state.ring as unknown as BackRingState);
    const pending = state.pending as unknown as Pending[];
    this.#pending = new Map(pending.map((each) => [each.tag, { ...each }]));
    this.#nextTag = state.nextTag as number;
    this.#work = { ...state.work as unknown as Work };
  }

  #open(state?: BackRingState): void {
    const { memory } = this.#options.host;
    const [{ frame }] = this.#connection!.rings;
    this.#ring = new BackRing(memory, frame, BLKIF_REQUEST.sizeBytes(MODEL), state);
  }

  #take(ring: BackRing): void {
    const request = parseRequest(ring.take(), MODEL, 0);
    this.#work.requests++;
    const status = this.#serve(request);
    if (status !== null) this.#answer(ring, request.id, request.operation, status);
  }

  /** Begins with a request; answers its status if it is over already. */
  #serve(request: BlockRequest): number | null {
    if (request.kind === "refused") return request.status;
    if (request.kind === "flush") return BLKIF_RSP.OKAY;
    if (request.kind === "indirect") return BLKIF_RSP.EOPNOTSUPP;
    const { id, operation, sector, segments, write } = request;
    const bytes = segments.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    const count = bytes / BLKIF_SECTOR_BYTES;
    const { disk, sectors } = this.#options;
    if (sector + count > sectors) return BLKIF_RSP.ERROR;
    const handles = this.#hold(segments, write);
    if (!handles) return BLKIF_RSP.ERROR;
    const tag = this.#nextTag++;
    this.#pending.set(tag, { tag, id, operation, handles });
    disk.submit({ tag, sector, count, write });
    return null;
  }

  /** Maps the pages of a request, for as long as the disk may touch them. */
  #hold(segments: readonly Segment[], write: boolean): GrantHandle[] | null {
    const { host, frontDomain } = this.#options;
    const handles: GrantHandle[] = [];
    for (const { ref } of segments) {
      this.#work.grantOperations++;
      const access = write ? "read" : "write";
      const { status, handle } = host.grants.mapForBackEnd(host.domain, frontDomain, ref, access);
      if (status !== 0) {
        this.#release(handles);
        return null;
      }
      handles.push(handle);
    }
    return handles;
  }

  #release(handles: readonly GrantHandle[]): void {
    const { host } = this.#options;
    for (const handle of handles) host.grants.unmapForBackEnd(host.domain, handle);
    this.#work.grantOperations += handles.length;
  }

  #answer(ring: BackRing, id: bigint, operation: number, status: number): void {
    ring.put(BLKIF_RESPONSE.toBytes({ id, operation, status }, MODEL));
  }

  #publish(ring: BackRing): void {
    if (!ring.publish()) return;
    this.#work.events++;
    const { events, domain } = this.#options.host;
    events.sendAsConsumer(domain, this.#connection!.port);
  }
}
