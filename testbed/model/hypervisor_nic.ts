/**
 * A network card whose driver is in the hypervisor, as in the paper's Xen (DESIGN.md, 5: back ends placed in the hypervisor):
 * each domain has a virtual card on it, with a back end that serves the domain's rings, and frames find their domain by address.
 *
 * The card's driver and its rings are the hypervisor's. What a domain sends is the hypervisor's work in the domain's own
 * hypercall, priced by its platform. What arrives is work on the CPU that takes the card's interrupts, whoever runs there: a
 * frame is looked at, a page goes to the domain and one comes back for it, an event tells the domain.
 */

import type { DomainId } from "../../core/abi/ids.ts";
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
import { type BackEndHost, ReferenceNetBackEnd } from "../../devices/pv/mod.ts";
import { PageReferences } from "../../devices/rings/page_references.ts";
import type { HostAddress, Packet } from "../../guests/model/net/packet.ts";

/** What it is made of. */
export interface HypervisorNicOptions {
  readonly nic: GigabitNic<Packet>;
  readonly costs: CostTable;
  /** The CPU that takes the card's interrupts is busy for so long. */
  readonly occupy: (cycles: Cycles) => void;
}

/** Frames taken in one go; the card interrupts again for what is left. */
const BUDGET = 64;
/** Registers that an interrupt's handler reads and writes: status and mailbox, as a native driver's (`nic_driver.ts`). */
const INTERRUPT_ACCESSES = 2;
/** A page that goes to the domain and one that comes back: their entries in the domain's tables. */
const PAGES_PER_FRAME = 2;

/** The back end of a domain's virtual card. */
export type VirtualCard = ReferenceNetBackEnd<Packet>;

/** See the module comment. */
export class HypervisorNic implements Snapshot {
  /** What the pages of domains stand for. */
  readonly pages = new PageReferences<Packet>();
  readonly #options: HypervisorNicOptions;
  readonly #cards = new Map<HostAddress, VirtualCard>();
  /** Whose frames are in the card's transmit ring, oldest first; `null` for one that is gone. */
  #senders: (HostAddress | null)[] = [];
  readonly #perFrame: number;

  constructor(options: HypervisorNicOptions) {
    this.#options = options;
    const { costs } = options;
    this.#perFrame = costs.each("nicReceived") + costs.each("requests") + costs.each("frames") +
      PAGES_PER_FRAME * costs.each("batchedUpdate");
  }

  /** A card for the domain of that address; whoever asks connects it. Throws `RangeError` if there is one. */
  plug(address: HostAddress, host: BackEndHost, frontDomain: DomainId): VirtualCard {
    if (this.#cards.has(address)) throw new RangeError(`there is a card at ${address} already`);
    const { nic } = this.#options;
    const card = new ReferenceNetBackEnd<Packet>({
      host,
      frontDomain,
      name: `netback.${frontDomain}`,
      pages: this.pages,
      mayLeave: () => nic.transmitRoom > 0,
      leave: (packet) => this.#leave(address, packet),
    });
    this.#cards.set(address, card);
    return card;
  }

  /** The domain of that address is gone. */
  unplug(address: HostAddress): void {
    this.#cards.get(address)?.disconnect();
    this.#cards.delete(address);
    this.#senders = this.#senders.map((sender) => sender === address ? null : sender);
  }

  /** The card has interrupted. */
  onInterrupt(): void {
    const { nic, costs, occupy } = this.#options;
    let cycles = costs.each("interrupt") + INTERRUPT_ACCESSES * costs.each("deviceRegister");
    const sent = nic.reap();
    cycles += sent * costs.each("nicSent");
    this.#finish(sent);
    for (let taken = 0; taken < BUDGET; taken++) {
      const packet = nic.take();
      if (!packet) break;
      cycles += this.#perFrame;
      this.#cards.get(packet.to)?.deliver(packet);
    }
    let events = 0;
    for (const card of this.#cards.values()) events += card.settle();
    cycles += events * costs.each("events");
    occupy(Math.round(cycles) as Cycles);
    nic.unmask();
  }

  save(): SnapshotRecord {
    const cards = Array.from(this.#cards, ([address, card]) => ({ address, card: card.save() }));
    const state = {
      cards: cards as unknown as readonly SnapshotValue[],
      senders: [...this.#senders],
      pages: { ...this.pages.save() },
    };
    return { kind: "hypervisorNic", version: 2, state };
  }

  /** The real card has a record of its own. Throws `SnapshotError` unless the domains of the record have their cards. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "hypervisorNic", 2);
    const saved = state.cards as unknown as readonly SavedCard[];
    const cards = new Map(saved.map(({ address, card }) => [address, card]));
    if (cards.size !== this.#cards.size || [...cards.keys()].some((at) => !this.#cards.has(at))) {
      throw new SnapshotError(
        `the snapshot has cards at ${[...cards.keys()]}; plugged in are ${[...this.#cards.keys()]}`,
      );
    }
    for (const [address, card] of this.#cards) card.restore(cards.get(address)!);
    this.#senders = [...state.senders as (HostAddress | null)[]];
    this.pages.restore(state.pages as unknown as SnapshotRecord);
  }

  /** Sends a domain's frame: to another domain of the box, at once, or out. */
  #leave(from: HostAddress, packet: Packet): boolean {
    const neighbour = this.#cards.get(packet.to);
    if (neighbour) {
      neighbour.deliver(packet);
      neighbour.show();
      return true;
    }
    // The back end has asked whether there is room.
    this.#options.nic.transmit(packet);
    this.#senders.push(from);
    return false;
  }

  #finish(count: number): void {
    for (let index = 0; index < count; index++) {
      const sender = this.#senders[index];
      if (sender !== null) this.#cards.get(sender)?.completed();
    }
    this.#senders = this.#senders.slice(count);
  }
}

/** A domain's card in a snapshot. */
interface SavedCard {
  readonly address: HostAddress;
  readonly card: SnapshotRecord;
}
