/**
 * The network front end of a modelled kernel on the hypervisor (`xen-netfront`): two rings of one page each, and for every
 * entry of either a granted page of the domain. What stands in such a page is a packet: as a reference or as bytes, as whoever
 * made the port decides.
 *
 * ```
 *   word          0       1                  2
 *   tx request    gref    flags | offset     size | id        tx response   status | id
 *   rx request    id      gref               -                rx response   offset | id, status | flags
 * ```
 *
 * Source: Xen 4.17's `io/netif.h`.
 */

import { NETIF_ENTRY_BYTES } from "../../../core/abi/io/netif.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelModule } from "../kernel/module.ts";
import { FrontRing, type RingPage } from "../rings/front_ring.ts";
import type { NetDevicePort } from "./nic_driver.ts";
import type { Packet } from "./packet.ts";

/** The rings, the pages of packets, and the way to the other end. */
export interface NetFrontPort<Frame> {
  readonly transmit: RingPage;
  readonly receive: RingPage;
  /** {@link NET_RING_PAGES} granted pages: those of the transmit ring first, then those of the receive ring. */
  readonly grants: readonly GrantReference[];
  /** Puts a packet into a page; answers its size in bytes. */
  store(page: number, frame: Frame): number;
  /** Takes `sizeBytes` bytes out of a page; `null` if they are no packet for this system. */
  load(page: number, sizeBytes: number): Frame | null;
  /** `EVTCHNOP_send`. */
  notify(): void;
  /** Responses came that no event told of: the driver wants to be interrupted. */
  interrupt(): void;
}

/** Entries of each ring. */
const ENTRIES = 256;
/** Pages of packets that both rings need. */
export const NET_RING_PAGES = 2 * ENTRIES;
/** Packets that have left are worth an event when there are so many of them. */
const SENT_BATCH = 32;

/** See the module comment. */
export class NetFront<Frame = Packet> implements NetDevicePort<Frame>, KernelModule {
  readonly name = "netfront";
  readonly #transmit: FrontRing;
  readonly #receive: FrontRing;
  /** Pages of the transmit ring without a packet. */
  readonly #free: number[];

  /** Begins with empty rings, and posts all pages for packets to come. */
  constructor(private readonly kernel: Kernel, private readonly port: NetFrontPort<Frame>) {
    this.#transmit = new FrontRing(port.transmit, NETIF_ENTRY_BYTES.tx);
    this.#receive = new FrontRing(port.receive, NETIF_ENTRY_BYTES.rx);
    this.#free = Array.from({ length: ENTRIES }, (_, place) => ENTRIES - 1 - place);
    for (let id = 0; id < ENTRIES; id++) this.#post(id);
    this.#receive.show();
    this.#transmit.ask(SENT_BATCH);
  }

  get transmitRoom(): number {
    return this.#free.length;
  }

  transmit(frame: Frame): boolean {
    const id = this.#free.pop();
    if (id === undefined) return false;
    const { transmit: page, grants } = this.port;
    const sizeBytes = this.port.store(id, frame);
    const at = this.#transmit.put();
    page.write32(at, grants[id]);
    page.write32(at + 4, 0);
    page.write32(at + 8, (sizeBytes << 16 | id) >>> 0);
    if (this.#transmit.show()) this.#notify();
    return true;
  }

  take(): Frame | null {
    const { receive: page } = this.port;
    for (let at = this.#receive.take(); at >= 0; at = this.#receive.take()) {
      const id = page.read32(at) & 0xffff;
      const status = page.read32(at + 4) >> 16;
      const frame = status > 0 ? this.port.load(ENTRIES + id, status) : null;
      this.#post(id);
      if (frame) return frame;
    }
    return null;
  }

  reap(): number {
    const { transmit: page } = this.port;
    let reaped = 0;
    for (let at = this.#transmit.take(); at >= 0; at = this.#transmit.take()) {
      this.#free.push(page.read32(at) & 0xffff);
      reaped++;
    }
    this.#transmit.ask(SENT_BATCH);
    if (this.#receive.show()) this.#notify();
    return reaped;
  }

  unmask(): void {
    if (this.#receive.show()) this.#notify();
    if (this.#receive.ask()) this.port.interrupt();
  }

  save(): SnapshotRecord {
    const state = {
      transmit: { ...this.#transmit.save() },
      receive: { ...this.#receive.save() },
      free: [...this.#free],
    };
    return { kind: "netfront", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "netfront", 1);
    this.#transmit.restore(state.transmit as unknown as SnapshotRecord);
    this.#receive.restore(state.receive as unknown as SnapshotRecord);
    this.#free.splice(0, this.#free.length, ...state.free as number[]);
  }

  /** Offers a page for a packet to come. */
  #post(id: number): void {
    const { receive: page, grants } = this.port;
    const at = this.#receive.put();
    page.write32(at, id);
    page.write32(at + 4, grants[ENTRIES + id]);
  }

  #notify(): void {
    this.kernel.charge("eventSend");
    this.port.notify();
  }
}
