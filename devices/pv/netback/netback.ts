/**
 * The network back end: packets between a guest's rings and a port of the bridge.
 *
 * What a guest sends is copied out of its pages, checksums that it left blank are computed, long TCP
 * packets are cut: on the bridge there are ordinary frames only. What arrives waits, bounded, for pages
 * that the guest posts. Nodes and features are those that Linux's xen-netfront reads.
 *
 * @deviation Packets reach the other guest with their checksums and in segments, never blank or longer than the
 * sender's MSS allows; `io/netif.h`, "feature-gso-tcpv4" and the flag `NETRXF_csum_blank` are used on transmit only.
 *
 * Wiring: make a {@link NetBackEnd} on a switch port and hand it to a `XenbusDevice`, whose `step` runs it.
 */

import {
  NETIF_ENTRY_BYTES,
  NETIF_RSP,
  NETIF_RX_REQUEST,
  NETIF_RX_RESPONSE,
  NETIF_TX_REQUEST,
  NETIF_TX_RESPONSE,
  NETRXF,
} from "../../../core/abi/io/netif.ts";
import type { DomainId, EventPort, GrantReference } from "../../../core/abi/ids.ts";
import type { Clock, Timer } from "../../../core/clock/clock.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { finishChecksum, segmentTcp, type SwitchPort } from "../../net/mod.ts";
import { BackRing, type BackRingState } from "../../rings/back_ring.ts";
import { IDLE, type StepResult } from "../../work.ts";
import { type BackEndHost, connect, type Connection, disconnect } from "../back_end_ports.ts";
import { type BackEndDriver, type FrontNodes, type Nodes, numberNode } from "../xenbus_device.ts";
import { type Rate, RateLimit } from "./rate_limit.ts";
import { MAX_SLOTS, takeChain, type TransmitChain, type TransmitPacket } from "./transmit.ts";

/** What a network back end joins. */
export interface NetBackEndOptions {
  readonly host: BackEndHost;
  /** The front end's domain. */
  readonly frontDomain: DomainId;
  /** Names its event consumer and its timer; unique, for example `netback.1.0`. */
  readonly name: string;
  readonly clock: Clock;
  /** The socket of the bridge that it is plugged into. */
  readonly port: SwitchPort;
  /** What the guest may send. */
  readonly rate?: Rate | null;
  /** There is something to do. */
  readonly wake: () => void;
}

/** What went through a network back end, from the guest's side; names as in Linux's `/proc/net/dev`. */
export interface VifCounters {
  txPackets: number;
  txBytes: number;
  txDropped: number;
  rxPackets: number;
  rxBytes: number;
  rxDropped: number;
}

/** Counters of a card that has moved nothing yet. */
export function noTraffic(): VifCounters {
  return { txPackets: 0, txBytes: 0, txDropped: 0, rxPackets: 0, rxBytes: 0, rxDropped: 0 };
}

/** Frames that wait for the guest's pages; further ones are dropped. */
const RECEIVE_QUEUE_FRAMES = 256;
/** Packets of either direction that one step moves at most. */
const STEP_PACKETS = 64;
const PAGE_BYTES = 4096;

interface Link {
  readonly connection: Connection;
  readonly tx: BackRing;
  readonly rx: BackRing;
  /** The guest takes packets that span several pages. */
  readonly scatter: boolean;
}

/** A vif's back end; see the module comment. */
export class NetBackEnd implements BackEndDriver {
  readonly features: Nodes = {
    "feature-rx-copy": "1",
    "feature-rx-flip": "0",
    "feature-sg": "1",
    "feature-gso-tcpv4": "1",
    "feature-gso-tcpv6": "1",
    "feature-ipv6-csum-offload": "1",
    "feature-split-event-channels": "0",
    "multi-queue-max-queues": "1",
  };
  readonly counters: VifCounters = noTraffic();
  readonly #options: NetBackEndOptions;
  readonly #limit: RateLimit | null;
  readonly #timer: Timer;
  readonly #queue: Uint8Array[] = [];
  #link: Link | null = null;
  /** The peer's counters could not be true; it is served no more. */
  #broken = false;
  /** Transmission waits for the rate limit's next interval. */
  #throttled = false;
  #copied = 0;
  #grants = 0;

  constructor(options: NetBackEndOptions) {
    this.#options = options;
    this.#limit = options.rate ? new RateLimit(options.rate) : null;
    this.#timer = options.clock.createTimer(`${options.name}.credit`, () => {
      this.#throttled = false;
      options.wake();
    });
    options.host.events.registerConsumer(options.name, () => options.wake());
    options.port.connect({ send: (frame) => this.#arrive(frame) });
  }

  connect(front: FrontNodes): Nodes | { error: string } {
    const tx = numberNode(front, "tx-ring-ref");
    const rx = numberNode(front, "rx-ring-ref");
    const eventPort = numberNode(front, "event-channel");
    if (tx === null || rx === null || eventPort === null) {
      return { error: "tx-ring-ref, rx-ring-ref or event-channel is missing" };
    }
    if (front("request-rx-copy") !== "1") return { error: "only request-rx-copy is supported" };
    const { host, frontDomain, name } = this.#options;
    const rings = [tx, rx] as GrantReference[];
    const offer = { domain: frontDomain, eventPort: eventPort as EventPort, rings };
    const connection = connect(host, offer, name);
    if (!connection) return { error: "the rings or the event channel cannot be had" };
    this.#link = this.#open(connection, front("feature-sg") === "1");
    return { "hotplug-status": "connected" };
  }

  disconnect(): void {
    if (this.#link) disconnect(this.#options.host, this.#link.connection);
    this.#link = null;
    this.#broken = this.#throttled = false;
    this.#timer.disarm();
    this.#queue.length = 0;
  }

  dispose(): void {
    this.#timer.release();
    this.#options.host.events.unregisterConsumer(this.#options.name);
    this.#options.port.connect({ send() {} });
  }

  step(): StepResult {
    const link = this.#link;
    if (!link || this.#broken) return IDLE;
    const { host } = this.#options;
    this.#copied = this.#grants = 0;
    const sent = this.#transmit(link);
    const received = this.#receive(link);
    let events = 0;
    if (sent.requests > 0 && link.tx.publish()) events = 1;
    if (received > 0 && link.rx.publish()) events = 1;
    if (events > 0) host.events.sendAsConsumer(host.domain, link.connection.port);
    const more = !this.#broken && this.#rearm(link);
    const done = {
      requests: sent.requests + received,
      frames: sent.frames + received,
      copiedBytes: this.#copied,
      grantOperations: this.#grants,
      events,
    };
    return { done, more };
  }

  save(): SnapshotRecord {
    const link = this.#link && {
      rings: this.#link.connection.rings.map((each) => ({ ...each })),
      port: this.#link.connection.port,
      tx: this.#link.tx.save(),
      rx: this.#link.rx.save(),
      scatter: this.#link.scatter,
    };
    const state = {
      link,
      broken: this.#broken,
      throttled: this.#throttled,
      limit: this.#limit && this.#limit.save(),
      queue: this.#queue.map((frame) => frame.slice()),
      counters: { ...this.counters },
    };
    return { kind: "netback", version: 1, state };
  }

  /** The clock, the switch, the event channel and the grants are restored by their own records. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "netback", 1);
    const link = state.link as unknown as
      | (Connection & { tx: BackRingState; rx: BackRingState; scatter: boolean })
      | null;
    this.#broken = state.broken as boolean;
    this.#throttled = state.throttled as boolean;
    this.#limit?.restore(state.limit as { interval: number; used: number });
    const frames = (state.queue as Uint8Array[]).map((frame) => frame.slice());
    this.#queue.splice(0, this.#queue.length, ...frames);
    Object.assign(this.counters, state.counters);
    this.#link = link && this.#open({ rings: link.rings, port: link.port }, link.scatter, link);
  }

  #open(
    connection: Connection,
    scatter: boolean,
    state?: { readonly tx: BackRingState; readonly rx: BackRingState },
  ): Link {
    const { memory } = this.#options.host;
    const [tx, rx] = connection.rings;
    return {
      connection,
      scatter,
      tx: new BackRing(memory, tx.frame, NETIF_ENTRY_BYTES.tx, state?.tx),
      rx: new BackRing(memory, rx.frame, NETIF_ENTRY_BYTES.rx, state?.rx),
    };
  }

  /** Whether another step would do something at once; if not, the guest is asked for events. */
  #rearm({ tx, rx }: Link): boolean {
    const mayTransmit = tx.rearm() && !this.#throttled;
    const mayReceive = rx.rearm() && this.#queue.length > 0;
    return mayTransmit || mayReceive;
  }

  /** A frame from the bridge. */
  #arrive(frame: Uint8Array): void {
    if (!this.#link || this.#broken || this.#queue.length >= RECEIVE_QUEUE_FRAMES) {
      this.counters.rxDropped++;
      return;
    }
    this.#queue.push(frame);
    this.#options.wake();
  }

  #transmit({ tx }: Link): { requests: number; frames: number } {
    let requests = 0;
    let frames = 0;
    for (let packets = 0; packets < STEP_PACKETS && !this.#throttled; packets++) {
      const { waiting } = tx;
      if (waiting === null) this.#broken = true;
      if (!waiting || !this.#mayTransmit(tx)) break;
      const chain = takeChain(tx, waiting);
      const sent = chain.packet ? this.#sendPacket(chain.packet) : 0;
      if (sent === 0) this.counters.txDropped++;
      answer(tx, chain, sent > 0 ? NETIF_RSP.OKAY : NETIF_RSP.ERROR);
      requests += chain.ids.length;
      frames += sent;
    }
    return { requests, frames };
  }

  /** Whether the rate limit lets the next packet pass; if not, a timer asks again. */
  #mayTransmit(tx: BackRing): boolean {
    if (!this.#limit) return true;
    const { clock } = this.#options;
    const again = this.#limit.take(NETIF_TX_REQUEST.read(tx.peek()).size, clock.nowNs);
    if (again === 0) return true;
    this.#throttled = true;
    this.#timer.armAt(clock.cycleOfTick(again, 1_000_000_000));
    return false;
  }

  /** Copies a packet out of the guest and puts it on the bridge; answers how many frames it made. */
  #sendPacket(packet: TransmitPacket): number {
    const frame = this.#gather(packet);
    if (!frame) return 0;
    const long = packet.segmentBytes > 0;
    const frames = long ? segmentTcp(frame, packet.segmentBytes) : [frame];
    if (!long && packet.checksumBlank) finishChecksum(frame);
    if (frames.length > 0) this.counters.txPackets++;
    if (frames.length > 0) this.counters.txBytes += packet.lengthBytes;
    for (const each of frames) this.#options.port.send(each);
    return frames.length;
  }

  #gather({ fragments, lengthBytes }: TransmitPacket): Uint8Array | null {
    const { host, frontDomain } = this.#options;
    const frame = new Uint8Array(lengthBytes);
    let at = 0;
    for (const { ref, offset, lengthBytes } of fragments) {
      const part = frame.subarray(at, at + lengthBytes);
      this.#grants++;
      const status = host.grants.readGrant(host.domain, frontDomain, { ref, offset }, part);
      if (status !== 0) return null;
      at += lengthBytes;
    }
    this.#copied += lengthBytes;
    return frame;
  }

  /** Puts waiting frames into pages that the guest posted; answers how many pages were used. */
  #receive({ rx, scatter }: Link): number {
    let pages = 0;
    for (let packets = 0; packets < STEP_PACKETS && this.#queue.length > 0; packets++) {
      const { waiting } = rx;
      if (waiting === null) this.#broken = true;
      const needed = Math.ceil(this.#queue[0].length / PAGE_BYTES);
      if (needed > (scatter ? MAX_SLOTS : 1)) {
        this.#queue.shift();
        this.counters.rxDropped++;
        continue;
      }
      if (!waiting || waiting < needed) break;
      this.#deliver(rx, this.#queue.shift()!);
      pages += needed;
    }
    return pages;
  }

  #deliver(rx: BackRing, frame: Uint8Array): void {
    const { host, frontDomain } = this.#options;
    let good = true;
    for (let at = 0; at < frame.length; at += PAGE_BYTES) {
      const { id, gref } = NETIF_RX_REQUEST.read(rx.take());
      const part = frame.subarray(at, at + PAGE_BYTES);
      const place = { ref: gref as GrantReference, offset: 0 };
      this.#grants++;
      const failed = host.grants.writeGrant(host.domain, frontDomain, place, part) !== 0;
      good &&= !failed;
      // The bridge's frames have checksums, but nobody vouches for them: the guest looks itself.
      const flags = at + PAGE_BYTES < frame.length ? NETRXF.more_data : 0;
      const status = failed ? NETIF_RSP.ERROR : part.length;
      rx.put(NETIF_RX_RESPONSE.toBytes({ id, offset: 0, flags, status }));
    }
    this.#copied += frame.length;
    if (!good) this.counters.rxDropped++;
    else this.counters.rxPackets++;
    if (good) this.counters.rxBytes += frame.length;
  }
}

/** Answers each entry of a packet; extras get an answer that means nothing. */
function answer(tx: BackRing, { ids }: TransmitChain, status: number): void {
  for (const id of ids) {
    const response = id === null ? { id: 0, status: NETIF_RSP.NULL } : { id, status };
    tx.put(NETIF_TX_RESPONSE.toBytes(response));
  }
}
