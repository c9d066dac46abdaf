/** The seams of the local APIC: its CPU on one side, the interrupt network on the other. */

import type { Cycle } from "../../clock/clock.ts";
import type { InterruptMessage } from "./messages.ts";

/** What a local APIC asks of its CPU. */
export interface LocalApicPort {
  /**
   * The level of the interrupt request: while it is high, and RFLAGS.IF and the interrupt shadow let
   * it, the CPU calls `acknowledge()` at an instruction boundary. Called on changes only, except that
   * restoring a snapshot repeats the present level. A halted CPU wakes.
   */
  setInterruptPending(pending: boolean): void;
  /** One non-maskable interrupt. */
  nmi(): void;
  /** INIT: the CPU resets as the manual says; its local APIC has done so already. */
  init(): void;
  /** A start-up IPI: counts only while the CPU waits for one; it starts at `vector` x 4096. */
  sipi(vector: number): void;
  /** The first cycle at which this CPU's TSC is at least `tsc`; may lie in the past. */
  cycleOfTsc(tsc: number): Cycle;
  /** The register page moved, appeared or vanished: cached translations to it are stale. */
  apicPageChanged(): void;
}

/** What a local APIC asks of the network that joins it to the others. */
export interface ApicNetwork {
  /** Delivers `message` to those it addresses. */
  send(message: InterruptMessage): void;
  /** Delivers `message` to everyone but `except` (`null`: to everyone), whatever its destination. */
  broadcast(message: InterruptMessage, except: ApicMember | null): void;
  /** A level-triggered interrupt with `vector` is over. */
  eoi(vector: number): void;
  /** The INTA cycle towards the 8259s; returns their vector. */
  acknowledgeExternal(): number;
}

/** What the network sees of one local APIC. */
export interface ApicMember {
  /** Whether `message` is addressed to this APIC, and it listens at all. */
  isAddressedBy(message: InterruptMessage): boolean;
  /** Whether fixed and lowest-priority interrupts are accepted (globally and by software enabled). */
  readonly acceptsInterrupts: boolean;
  /** APR: the lower, the more willing to take a lowest-priority interrupt. */
  readonly arbitrationPriority: number;
  receive(message: InterruptMessage): void;
  /** Drives the pin LINT0 or LINT1. */
  setLint(pin: 0 | 1, high: boolean): void;
}
