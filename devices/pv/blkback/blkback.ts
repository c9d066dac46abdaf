/**
 * The block back end: a guest's disk requests, from a ring of granted pages to a {@link DiskImage}.
 *
 * Nodes and features are those that Linux's xen-blkfront reads. Wiring: make a {@link BlockBackEnd} and
 * hand it to a `XenbusDevice`, whose `step` runs it.
 */

import {
  BLKIF_PROTOCOLS,
  BLKIF_REQUEST,
  BLKIF_RESPONSE,
  BLKIF_RSP,
  BLKIF_SECTOR_BYTES,
} from "../../../core/abi/io/blkif.ts";
import type { DomainId, EventPort, GrantReference } from "../../../core/abi/ids.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { DiskImage } from "../../disk/mod.ts";
import { type BackEndHost, connect, type Connection, disconnect } from "../back_end_ports.ts";
import { BackRing, type BackRingState } from "../../rings/back_ring.ts";
import { IDLE, type StepResult } from "../../work.ts";
import { type BackEndDriver, type FrontNodes, type Nodes, numberNode } from "../xenbus_device.ts";
import { type BlockRequest, parseRequest, parseSegments, type Segment } from "./requests.ts";

/** What a block back end serves. */
export interface BlockBackEndOptions {
  readonly host: BackEndHost;
  /** The front end's domain. */
  readonly frontDomain: DomainId;
  /** Names its event consumer; unique, for example `blkback.1.51712`. */
  readonly name: string;
  readonly disk: DiskImage;
  readonly readonly?: boolean;
  readonly cdrom?: boolean;
  /** Segments of an indirect request; 0 refuses them. Default 32, as many as Linux's front end wants. */
  readonly indirectSegments?: number;
  /** There is something to do. */
  readonly wake: () => void;
}

/** What went through a block back end. */
export interface BlockCounters {
  reads: number;
  writes: number;
  flushes: number;
  failed: number;
  readBytes: number;
  writtenBytes: number;
}

/** Bits of the node `info`. */
const INFO = { CDROM: 1, READONLY: 4 } as const;
/** What one step does at most. */
const STEP_REQUESTS = 16;
const STEP_BYTES = 1 << 20;

interface Link {
  readonly connection: Connection;
  readonly ring: BackRing;
  readonly model: DataModel;
}

/** A disk behind a ring; see the module comment. */
export class BlockBackEnd implements BackEndDriver {
  readonly features: Nodes;
  readonly counters: BlockCounters = {
    reads: 0,
    writes: 0,
    flushes: 0,
    failed: 0,
    readBytes: 0,
    writtenBytes: 0,
  };
  readonly #options: BlockBackEndOptions;
  readonly #indirectSegments: number;
  #link: Link | null = null;
  /** The peer's counters could not be true; it is served no more. */
  #broken = false;
  #bytes = 0;
  #grants = 0;

  constructor(options: BlockBackEndOptions) {
    this.#options = options;
    this.#indirectSegments = options.indirectSegments ?? 32;
    const indirect: Nodes = this.#indirectSegments > 0
      ? { "feature-max-indirect-segments": String(this.#indirectSegments) }
      : {};
    this.features = {
      "feature-flush-cache": "1",
      "feature-barrier": "1",
      "feature-persistent": "0",
      ...indirect,
    };
    options.host.events.registerConsumer(options.name, () => options.wake());
  }

  connect(front: FrontNodes): Nodes | { error: string } {
    const ring = numberNode(front, "ring-ref");
    const eventPort = numberNode(front, "event-channel");
    const model = BLKIF_PROTOCOLS[front("protocol") ?? "x86_64-abi"];
    if (ring === null || eventPort === null) {
      return { error: "ring-ref or event-channel is missing" };
    }
    if (!model) return { error: `unknown protocol ${front("protocol")}` };
    const { host, frontDomain, name, disk } = this.#options;
    const offer = {
      domain: frontDomain,
      eventPort: eventPort as EventPort,
      rings: [ring as GrantReference],
    };
    const connection = connect(host, offer, name);
    if (!connection) return { error: "the ring or the event channel cannot be had" };
    this.#link = this.#open(connection, model);
    const info = (this.#options.readonly ? INFO.READONLY : 0) |
      (this.#options.cdrom ? INFO.CDROM : 0);
    return {
      "sectors": String(disk.sectorCount),
      "sector-size": String(BLKIF_SECTOR_BYTES),
      "physical-sector-size": String(BLKIF_SECTOR_BYTES),
      "info": String(info),
    };
  }

  disconnect(): void {
    if (this.#link) disconnect(this.#options.host, this.#link.connection);
    this.#link = null;
    this.#broken = false;
  }

  dispose(): void {
    this.#options.host.events.unregisterConsumer(this.#options.name);
  }

  step(): StepResult {
    const link = this.#link;
    if (!link || this.#broken) return IDLE;
    const { ring, model, connection } = link;
    this.#bytes = this.#grants = 0;
    let requests = 0;
    for (; requests < STEP_REQUESTS && this.#bytes < STEP_BYTES; requests++) {
      const { waiting } = ring;
      if (waiting === null) this.#broken = true;
      if (!waiting) break;
      const request = parseRequest(ring.take(), model, this.#indirectSegments);
      const status = this.#serve(request);
      if (status !== BLKIF_RSP.OKAY) this.counters.failed++;
      const { id, operation } = request;
      ring.put(BLKIF_RESPONSE.toBytes({ id, operation, status }, model));
    }
    const { host } = this.#options;
    const events = requests > 0 && ring.publish() ? 1 : 0;
    if (events > 0) host.events.sendAsConsumer(host.domain, connection.port);
    const more = !this.#broken && ring.rearm();
    const bytes = this.#bytes;
    const done = { requests, events, copiedBytes: bytes, diskBytes: bytes };
    return { done: { ...done, grantOperations: this.#grants }, more };
  }

  save(): SnapshotRecord {
    const link = this.#link && {
      rings: this.#link.connection.rings.map((each) => ({ ...each })),
      port: this.#link.connection.port,
      model: this.#link.model,
      ring: this.#link.ring.save(),
    };
    const state = { link, broken: this.#broken, counters: { ...this.counters } };
    return { kind: "blkback", version: 1, state };
  }

  /** The disk, the event channel and the grants are restored by their own records. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "blkback", 1);
    const link = state.link as unknown as
      | (Connection & { model: DataModel; ring: BackRingState })
      | null;
    this.#broken = state.broken as boolean;
    Object.assign(this.counters, state.counters);
    this.#link = link &&
      this.#open({ rings: link.rings, port: link.port }, link.model, link.ring);
  }

  #open(connection: Connection, model: DataModel, state?: BackRingState): Link {
    const { memory } = this.#options.host;
    const entryBytes = BLKIF_REQUEST.sizeBytes(model);
    const ring = new BackRing(memory, connection.rings[0].frame, entryBytes, state);
    return { connection, ring, model };
  }

  /** Carries out a request; answers its status. */
  #serve(request: BlockRequest): number {
    switch (request.kind) {
      case "refused":
        return request.status;
      case "flush":
        this.counters.flushes++;
        return BLKIF_RSP.OKAY;
      case "transfer":
        return this.#transfer(request.sector, request.segments, request.write);
      case "indirect": {
        const segments = this.#indirect(request.pages, request.segmentCount);
        if (!segments) return BLKIF_RSP.ERROR;
        return this.#transfer(request.sector, segments, request.write);
      }
    }
  }

  #indirect(pages: readonly GrantReference[], count: number): Segment[] | null {
    const bytes = new Uint8Array(4096 * pages.length);
    for (const [index, ref] of pages.entries()) {
      const page = bytes.subarray(4096 * index, 4096 * (index + 1));
      if (!this.#copy({ ref, offset: 0, lengthBytes: 4096 }, page, "read")) return null;
    }
    return parseSegments(bytes, count);
  }

  #transfer(sector: number, segments: readonly Segment[], write: boolean): number {
    const { disk } = this.#options;
    const total = segments.reduce((bytes, { lengthBytes }) => bytes + lengthBytes, 0);
    const end = sector * BLKIF_SECTOR_BYTES + total;
    if (end > disk.sizeBytes || (write && this.#options.readonly)) return BLKIF_RSP.ERROR;
    let at = sector * BLKIF_SECTOR_BYTES;
    for (const segment of segments) {
      const bytes = new Uint8Array(segment.lengthBytes);
      if (!write) disk.read(at, bytes);
      if (!this.#copy(segment, bytes, write ? "read" : "write")) return BLKIF_RSP.ERROR;
      if (write) disk.write(at, bytes);
      at += bytes.length;
    }
    this.#bytes += total;
    this.counters[write ? "writes" : "reads"]++;
    this.counters[write ? "writtenBytes" : "readBytes"] += total;
    return BLKIF_RSP.OKAY;
  }

  /** Copies between `bytes` and the front end's page. */
  #copy({ ref, offset }: Segment, bytes: Uint8Array, direction: "read" | "write"): boolean {
    const { host, frontDomain } = this.#options;
    this.#grants++;
    const at = { ref, offset };
    const status = direction === "read"
      ? host.grants.readGrant(host.domain, frontDomain, at, bytes)
      : host.grants.writeGrant(host.domain, frontDomain, at, bytes);
    return status === 0;
  }
}
