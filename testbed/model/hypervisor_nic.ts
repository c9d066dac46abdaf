/**
 * A network card whose driver is in the hypervisor, as in the paper's Xen (DESIGN.md, 5: back ends placed in the hypervisor):
 * each domain has a virtual card on it, and frames find their domain by address.
 *
 * The card's driver and its rings are the hypervisor's. What a domain sends is the hypervisor's work in the domain's own
 * hypercall, priced by its platform. What arrives is work on the CPU that takes the card's interrupts, whoever runs there: a
 * frame is looked at, a page goes to the domain and one comes back for it, an event tells the domain.
 */

import type { Cycles } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import type { GigabitNic } from "../../devices/gigabit_nic/mod.ts";
import type { NetDevicePort } from "../../guests/model/net/nic_driver.ts";
import type { HostAddress, Packet } from "../../guests/model/net/packet.ts";

/** What it is made of. */
export interface HypervisorNicOptions {
  readonly nic: GigabitNic<Packet>;
  readonly costs: CostTable;
  /** The CPU that takes the card's interrupts is busy for so long. */
  readonly occupy: (cycles: Cycles) => void;
}

/** Frames that wait for a domain before further ones are dropped: its ring's pages. */
const RING_FRAMES = 512;
/** Frames taken in one go; the card interrupts again for what is left. */
const BUDGET = 64;
/** Registers that an interrupt's handler reads and writes: status and mailbox, as a native driver's (`nic_driver.ts`). */
const INTERRUPT_ACCESSES = 2;
/** Finished requests that are worth an event of their own. */
const SENT_BATCH = 32;
/** A page that goes to the domain and one that comes back: their entries in the domain's tables. */
const PAGES_PER_FRAME = 2;

/** A domain's card. */
class VirtualNic implements NetDevicePort {
  queue: Packet[] = [];
  first = 0;
  /** Requests that are done and were not reaped yet. */
  sent = 0;
  /** An event tells it of what came; it has not looked since. */
  isTold = false;
  dropped = 0;

  constructor(
    private readonly owner: HypervisorNic,
    readonly address: HostAddress,
    readonly raise: () => void,
  ) {}

  get transmitRoom(): number {
    return this.owner.transmitRoom;
  }

  transmit(packet: Packet): boolean {
    return this.owner.transmit(this, packet);
  }

  take(): Packet | null {
    if (this.first >= this.queue.length) return null;
    const packet = this.queue[this.first++];
    if (this.first === this.queue.length) {
      this.queue.length = this.first = 0;
    }
    return packet;
  }

  reap(): number {
    const { sent } = this;
    this.sent = 0;
    return sent;
  }

  unmask(): void {
    this.isTold = false;
    if (this.first < this.queue.length) this.tell();
  }

  tell(): void {
    if (this.isTold) return;
    this.isTold = true;
    this.raise();
  }

  save(): SavedCard {
    const { address, sent, isTold, dropped } = this;
    return { address, queue: this.queue.slice(this.first), sent, isTold, dropped };
  }

  restore({ queue, sent, isTold, dropped }: SavedCard): void {
    this.queue = [...queue];
    this.first = 0;
    Object.assign(this, { sent, isTold, dropped });
  }
}

/** A domain's card in a snapshot. Packets never change, so that they need no copies. */
interface SavedCard {
  readonly address: HostAddress;
  readonly queue: readonly Packet[];
  readonly sent: number;
  readonly isTold: boolean;
  readonly dropped: number;
}

/** See the module comment. */
export class HypervisorNic implements Snapshot {
  readonly #options: HypervisorNicOptions;
  readonly #cards = new Map<HostAddress, VirtualNic>();
  /** Whose frames are in the card's transmit ring, oldest first. */
  #senders: VirtualNic[] = [];
  readonly #perFrame: number;

  constructor(options: HypervisorNicOptions) {
    this.#options = options;
    const { costs } = options;
    this.#perFrame = costs.each("nicReceived") + costs.each("requests") + costs.each("frames") +
      PAGES_PER_FRAME * costs.each("batchedUpdate");
  }

  get transmitRoom(): number {
    return this.#options.nic.transmitRoom;
  }

  /** A card for the domain of that address; `raise` delivers its events. */
  plug(address: HostAddress, raise: () => void): NetDevicePort {
    const card = new VirtualNic(this, address, raise);
    this.#cards.set(address, card);
    return card;
  }

  /** Sends a domain's frame: to another domain of the box, or out. */
  transmit(from: VirtualNic, packet: Packet): boolean {
    const neighbour = this.#cards.get(packet.to);
    if (neighbour) {
      this.#deliver(neighbour, packet);
      from.sent++;
      return true;
    }
    if (!this.#options.nic.transmit(packet)) return false;
    this.#senders.push(from);
    return true;
  }

  /** The card has interrupted. */
  onInterrupt(): void {
    const { nic, costs, occupy } = this.#options;
    let cycles = costs.each("interrupt") + INTERRUPT_ACCESSES * costs.each("deviceRegister");
    const sent = nic.reap();
    cycles += sent * costs.each("nicSent");
    this.#finish(sent);
    let taken = 0;
    for (; taken < BUDGET; taken++) {
      const packet = nic.take();
      if (!packet) break;
      cycles += this.#perFrame;
      const card = this.#cards.get(packet.to);
      if (card && this.#deliver(card, packet)) cycles += costs.each("events");
    }
    occupy(Math.round(cycles) as Cycles);
    nic.unmask();
  }

  save(): SnapshotRecord {
    const cards = Array.from(this.#cards.values(), (card) => card.save());
    const state = {
      cards: cards as unknown as readonly SnapshotValue[],
      senders: this.#senders.map(({ address }) => address),
    };
    return { kind: "hypervisorNic", version: 1, state };
  }

  /** The real card has a record of its own. Throws `SnapshotError` unless the domains of the record have their cards. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "hypervisorNic", 1);
    const saved = state.cards as unknown as readonly SavedCard[];
    const cards = new Map(saved.map((each) => [each.address, each]));
    if (cards.size !== this.#cards.size || [...cards.keys()].some((at) => !this.#cards.has(at))) {
      throw new SnapshotError(
        `the snapshot has cards at ${[...cards.keys()]}; plugged in are ${[...this.#cards.keys()]}`,
      );
    }
    for (const [address, card] of this.#cards) card.restore(cards.get(address)!);
    this.#senders = (state.senders as HostAddress[]).map((address) => this.#cards.get(address)!);
  }

  /** Puts a frame into a domain's ring; whether it had to be told. */
  #deliver(card: VirtualNic, packet: Packet): boolean {
    if (card.queue.length - card.first >= RING_FRAMES) {
      card.dropped++;
      return false;
    }
    card.queue.push(packet);
    const isNews = !card.isTold;
    card.tell();
    return isNews;
  }

  #finish(count: number): void {
    for (let index = 0; index < count; index++) {
      const card = this.#senders[index];
      if (++card.sent === SENT_BATCH) card.tell();
    }
    this.#senders = this.#senders.slice(count);
  }
}
