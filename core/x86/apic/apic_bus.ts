/**
 * The network that joins the local APICs of a machine to each other, to the I/O APICs, to devices
 * with message-signalled interrupts, and to the 8259s. It keeps no state of its own.
 *
 * Source: Intel SDM vol. 3, "Issuing Interprocessor Interrupts", "Lowest Priority Delivery Mode".
 */

import type { PhysicalAddress } from "../../lib/brand.ts";
import type { MessageBus } from "../../memory/ports.ts";
import { decodeMsi, DELIVERY, type InterruptMessage } from "./messages.ts";
import type { ApicMember, ApicNetwork } from "./ports.ts";

/** What answers INTA cycles: the 8259s. */
export interface ExternalController {
  /** Takes the request of highest priority into service and returns its vector. */
  acknowledge(): number;
}

/** The vector that an INTA cycle reads when no controller is there. */
const FLOATING_BUS_VECTOR = 0xff;

/** Routes interrupt messages among the local APICs, in the order in which they were added. */
export class ApicBus implements ApicNetwork, MessageBus {
  readonly #members: ApicMember[] = [];
  /** Called with the vector of every level-triggered interrupt that ends; I/O APICs listen. */
  onEoi: (vector: number) => void = () => {};
  /** Who answers INTA cycles; `null` for a machine without 8259s. */
  externalController: ExternalController | null = null;

  /** Joins a local APIC. */
  add(member: ApicMember): void {
    this.#members.push(member);
  }

  /** A device's write of `data` to `address`; outside 0xFEE00000 to 0xFEEFFFFF it is no interrupt. */
  sendMessage(address: PhysicalAddress, data: number): void {
    if (Math.floor(address / 0x100000) !== 0xfee) return;
    const message = decodeMsi(address, data);
    if (message) this.send(message);
  }

  send(message: InterruptMessage): void {
    this.#deliver(message, this.#members.filter((member) => member.isAddressedBy(message)));
  }

  broadcast(message: InterruptMessage, except: ApicMember | null): void {
    const everyone = { ...message, destination: 0xffffffff, wide: true };
    this.#deliver(
      message,
      this.#members.filter((member) => member !== except && member.isAddressedBy(everyone)),
    );
  }

  eoi(vector: number): void {
    this.onEoi(vector);
  }

  acknowledgeExternal(): number {
    return this.externalController?.acknowledge() ?? FLOATING_BUS_VECTOR;
  }

  /** The 8259s' INTR wire: it goes to LINT0 of every CPU; software opens it on one. */
  setExternalInterrupt(level: boolean): void {
    for (const member of this.#members) member.setLint(0, level);
  }

  /** The chipset's NMI wire: it goes to LINT1 of every CPU. */
  setNmi(level: boolean): void {
    for (const member of this.#members) member.setLint(1, level);
  }

  #deliver(message: InterruptMessage, targets: readonly ApicMember[]): void {
    if (message.deliveryMode !== DELIVERY.LOWEST_PRIORITY) {
      for (const target of targets) target.receive(message);
      return;
    }
    // Lowest APR wins; among equals the first, so that runs repeat.
    let winner: ApicMember | null = null;
    for (const target of targets) {
      if (!target.acceptsInterrupts) continue;
      if (winner === null || target.arbitrationPriority < winner.arbitrationPriority) {
        winner = target;
      }
    }
    winner?.receive(message);
  }
}
