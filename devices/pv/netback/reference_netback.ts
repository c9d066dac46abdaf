/**
 * The network back end of packets whose bytes are only referred to: it takes the same requests from the same rings as
 * {@link NetBackEnd}, finds by each grant which page it is, and what that page stands for. A page that was used once stays mapped
 * until the end: its front end uses the same ones again and again.
 *
 * It runs where its events find it: in the hypervisor. What that costs, its wiring says.
 */

import { NETIF_ENTRY_BYTES, NETIF_RSP } from "../../../core/abi/io/netif.ts";
import { GNTST } from "../../../core/abi/grant_table.ts";
import type { DomainId, GrantHandle, GrantReference, MachineFrame } from "../../../core/abi/ids.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { BackRing, type BackRingState } from "../../rings/back_ring.ts";
import type { PageReferences } from "../../rings/page_references.ts";
import {
  type BackEndHost,
  connect,
  type Connection,
  disconnect,
  type FrontEndOffer,
} from "../back_end_ports.ts";
import { noTraffic, type VifCounters } from "./netback.ts";

/** A packet, as far as a back end is concerned. */
export interface SizedFrame {
  /** From the Ethernet destination address to the end of the payload. */
  readonly frameBytes: number;
}

/** What such a back end serves. */
export interface ReferenceNetOptions<Frame extends SizedFrame> {
  readonly host: BackEndHost;
  readonly frontDomain: DomainId;
  /** Names its event consumer; unique, for example `netback.1`. */
  readonly name: string;
  /** What the domain's pages stand for. */
  readonly pages: PageReferences<Frame>;
  /** Whether the card would take a packet. */
  readonly mayLeave: () => boolean;
  /** Sends a packet; whether it has left already. If not, {@link ReferenceNetBackEnd.completed} tells when it has. */
  readonly leave: (frame: Frame) => boolean;
}

/** Packets that wait for pages; further ones are dropped. */
const QUEUE_FRAMES = 256;
/** Pages of each direction that stay mapped: as many as a ring has entries. */
const MOST_MAPPED = 256;

/** See the module comment. */
export class ReferenceNetBackEnd<Frame extends SizedFrame> implements Snapshot {
  readonly counters: VifCounters = noTraffic();
  readonly #options: ReferenceNetOptions<Frame>;
  #connection: Connection | null = null;
  #tx: BackRing | null = null;
  #rx: BackRing | null = null;
  /** Requests whose packets are with the card, oldest first. */
  #leaving: number[] = [];
  #firstLeaving = 0;
  #queue: Frame[] = [];
  /** Requests wait for the card. */
  #isStalled = false;
  /** Responses were put in place that the guest does not see yet. */
  #hasSent = false;
  #hasReceived = false;
  /** Pages that are mapped: those of packets that the guest sends, and those of packets for it. */
  readonly #sent = new MappedPages("read");
  readonly #received = new MappedPages("write");
  readonly #words = new Uint32Array(NETIF_ENTRY_BYTES.tx / 4);

  constructor(options: ReferenceNetOptions<Frame>) {
    this.#options = options;
    options.host.events.registerConsumer(options.name, () => void this.step());
  }

  /** Takes what the front end offers: transmit ring, then receive ring. False, and nothing is held, if it is not good. */
  connect(offer: FrontEndOffer): boolean {
    const { host, name } = this.#options;
    this.#connection = connect(host, offer, name);
    if (!this.#connection) return false;
    this.#open();
    this.#tx!.rearm();
    return true;
  }

  /** Lets go of rings and channel. */
  disconnect(): void {
    const { host, name } = this.#options;
    for (const pages of [this.#sent, this.#received]) pages.release(host);
    if (this.#connection) disconnect(host, this.#connection);
    this.#connection = this.#tx = this.#rx = null;
    host.events.unregisterConsumer(name);
  }

  /** Takes requests as long as the card has room, and shows what came of them; answers how many events that took. */
  step(): number {
    const tx = this.#tx;
    if (!tx) return 0;
    let more = true;
    while (more) {
      let waiting = tx.waiting ?? 0;
      for (; waiting > 0 && this.#options.mayLeave(); waiting--) this.#send(tx);
      // A ring whose counter cannot be true is left alone; one that waits for the card is looked at when that has room.
      this.#isStalled = waiting > 0;
      more = waiting === 0 && tx.rearm();
    }
    return this.show();
  }

  /** The card has been looked after: goes on with requests that it had no room for, and shows the guest what there is. */
  settle(): number {
    return this.#isStalled ? this.step() : this.show();
  }

  /** Shows the guest all responses, and with them packets that waited for pages; answers how many events that took: 0 or 1. */
  show(): number {
    const [tx, rx] = [this.#tx, this.#rx];
    if (!tx || !rx) return 0;
    if (this.#queue.length > 0) this.#serveQueue(rx);
    const isSentNews = this.#hasSent && tx.publish();
    const isReceivedNews = this.#hasReceived && rx.publish();
    this.#hasSent = this.#hasReceived = false;
    if (!isSentNews && !isReceivedNews) return 0;
    const { events, domain } = this.#options.host;
    events.sendAsConsumer(domain, this.#connection!.port);
    return 1;
  }

  /** The packet that is with the card for longest has left. */
  completed(): void {
    if (!this.#tx) return;
    this.#answer(this.#tx, this.#leaving[this.#firstLeaving++], NETIF_RSP.OKAY);
    if (this.#firstLeaving < QUEUE_FRAMES) return;
    this.#leaving = this.#leaving.slice(this.#firstLeaving);
    this.#firstLeaving = 0;
  }

  /** A packet for the guest, which sees it after the next {@link show}. */
  deliver(frame: Frame): void {
    const rx = this.#rx;
    if (rx && this.#queue.length === 0 && (rx.waiting ?? 0) > 0) this.#put(rx, frame);
    else if (rx && this.#queue.length < QUEUE_FRAMES) this.#queue.push(frame);
    else this.counters.rxDropped++;
  }

  save(): SnapshotRecord {
    const state = {
      connection: this.#connection && {
        rings: this.#connection.rings.map((each) => ({ ...each })),
        port: this.#connection.port,
      },
      tx: this.#tx?.save() ?? null,
      rx: this.#rx?.save() ?? null,
      leaving: this.#leaving.slice(this.#firstLeaving),
      queue: [...this.#queue],
      sent: this.#sent.save(),
      received: this.#received.save(),
      isStalled: this.#isStalled,
      hasSent: this.#hasSent,
      hasReceived: this.#hasReceived,
      counters: { ...this.counters },
    };
    return {
      kind: "reference netback",
      version: 1,
      state: state as unknown as SnapshotRecord["state"],
    };
  }

  /** The event channel, the grants, the pages and what they stand for are restored by their own records. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "reference netback", 1);
    this.#connection = state.connection as Connection | null;
    this.#tx = this.#rx = null;
    const [tx, rx] = [state.tx, state.rx] as unknown as (BackRingState | undefined)[];
    if (this.#connection) this.#open(tx, rx);
    this.#leaving = [...state.leaving as number[]];
    this.#firstLeaving = 0;
    this.#queue = [...state.queue as unknown as Frame[]];
    this.#sent.restore(state.sent as unknown as ReturnType<MappedPages["save"]>);
    this.#received.restore(state.received as unknown as ReturnType<MappedPages["save"]>);
    this.#isStalled = state.isStalled as boolean;
    this.#hasSent = state.hasSent as boolean;
    this.#hasReceived = state.hasReceived as boolean;
    Object.assign(this.counters, state.counters);
  }

  #open(txState?: BackRingState, rxState?: BackRingState): void {
    const { memory } = this.#options.host;
    const [tx, rx] = this.#connection!.rings;
    this.#tx = new BackRing(memory, tx.frame, NETIF_ENTRY_BYTES.tx, txState);
    this.#rx = new BackRing(memory, rx.frame, NETIF_ENTRY_BYTES.rx, rxState);
  }

  #send(tx: BackRing): void {
    const words = this.#words;
    tx.takeWords(words);
    const id = words[2] & 0xffff;
    const { host, frontDomain, pages } = this.#options;
    const frame = this.#sent.frameOf(host, frontDomain, words[0] as GrantReference);
    const packet = frame === null ? null : pages.take(frame);
    if (!packet) {
      this.counters.txDropped++;
      this.#answer(tx, id, NETIF_RSP.ERROR);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += packet.frameBytes;
    if (this.#options.leave(packet)) this.#answer(tx, id, NETIF_RSP.OKAY);
    else this.#leaving.push(id);
  }

  #answer(tx: BackRing, id: number, status: number): void {
    this.#words[0] = (status << 16 | id) >>> 0;
    tx.putWords(this.#words, 1);
    this.#hasSent = true;
  }

  /** Packets that waited get pages as far as there are any; if there are too few, the guest is asked to tell of more. */
  #serveQueue(rx: BackRing): void {
    let taken = 0;
    do {
      for (let waiting = rx.waiting ?? 0; waiting > 0 && taken < this.#queue.length; waiting--) {
        this.#put(rx, this.#queue[taken++]);
      }
    } while (taken < this.#queue.length && rx.waiting !== null && rx.rearm());
    this.#queue = this.#queue.slice(taken);
  }

  /** Puts a packet into the next page that the guest posted. */
  #put(rx: BackRing, packet: Frame): void {
    const words = this.#words;
    rx.takeWords(words);
    const id = words[0] & 0xffff;
    const { host, frontDomain, pages } = this.#options;
    const frame = this.#received.frameOf(host, frontDomain, words[1] as GrantReference);
    words[0] = id;
    words[1] = ((frame === null ? NETIF_RSP.ERROR : packet.frameBytes) << 16) >>> 0;
    if (frame === null) this.counters.rxDropped++;
    else {
      pages.put(frame, packet);
      this.counters.rxPackets++;
      this.counters.rxBytes += packet.frameBytes;
    }
    rx.putWords(words, 2);
    this.#hasReceived = true;
  }
}

/** Grants of one front end that stay mapped, as `io/netif.h` has them for staging ("XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING"). */
class MappedPages {
  readonly #frames = new Map<GrantReference, MachineFrame>();
  #handles: GrantHandle[] = [];

  constructor(private readonly access: "read" | "write") {}

  /** The frame of a grant, or `null` if it is not good; of too many, one at a time is looked at. */
  frameOf({ grants, domain }: BackEndHost, front: DomainId, ref: GrantReference) {
    const known = this.#frames.get(ref);
    if (known !== undefined) return known;
    const { status, handle, frame } = grants.mapForBackEnd(domain, front, ref, this.access);
    if (status !== GNTST.okay) return null;
    if (this.#handles.length < MOST_MAPPED) {
      this.#frames.set(ref, frame);
      this.#handles.push(handle);
    } else grants.unmapForBackEnd(domain, handle);
    return frame;
  }

  release({ grants, domain }: BackEndHost): void {
    for (const handle of this.#handles) grants.unmapForBackEnd(domain, handle);
    this.#handles = [];
    this.#frames.clear();
  }

  save() {
    return { frames: [...this.#frames].map((each) => [...each]), handles: [...this.#handles] };
  }

  restore({ frames, handles }: ReturnType<MappedPages["save"]>): void {
    this.#frames.clear();
    for (const [ref, frame] of frames) {
      this.#frames.set(ref as GrantReference, frame as MachineFrame);
    }
    this.#handles = [...handles];
  }
}
