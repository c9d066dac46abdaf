/**
 * Interrupt cause, mask and throttling (8254x manual, sections 3.4.3 "Interrupts" and 13.4.17 to 13.4.22).
 *
 * @deviation The delay timers RDTR, RADV, TIDV and TADV are stored and not modelled: a cause is set when
 * its work is done, and only ITR spaces the interrupts out.
 */

import { type Clock, type Cycle, nanoseconds, type Timer } from "../../core/clock/clock.ts";
import type { IrqLine } from "../../core/memory/ports.ts";

/** Bits of ICR, ICS, IMS and IMC. */
export const ICR = {
  /** Transmit descriptor written back. */
  TXDW: 1 << 0,
  /** Transmit queue empty. */
  TXQE: 1 << 1,
  /** Link status change. */
  LSC: 1 << 2,
  RXSEQ: 1 << 3,
  /** Receive descriptor minimum threshold reached. */
  RXDMT0: 1 << 4,
  /** Receiver overrun. */
  RXO: 1 << 6,
  /** Receiver timer interrupt: a packet is in memory. */
  RXT0: 1 << 7,
  /** MDIO access complete. */
  MDAC: 1 << 9,
  RXCFG: 1 << 10,
  PHYINT: 1 << 12,
  TXD_LOW: 1 << 15,
  /** Small receive packet detected. */
  SRPD: 1 << 16,
} as const;

const CAUSES = 0x0001ffff;
/** ITR counts in units of 256 ns. */
const ITR_UNIT_NS = 256;

/** The interrupt logic of one card. */
export class InterruptBlock {
  #cause = 0;
  #mask = 0;
  #throttle = 0;
  #asserted = false;
  /** The wire may not rise again before this instant. */
  #notBefore = 0;
  readonly #timer: Timer;

  constructor(name: string, private readonly clock: Clock, private readonly irq: IrqLine) {
    this.#timer = clock.createTimer(`${name}.itr`, () => this.#update());
  }

  get mask(): number {
    return this.#mask;
  }

  get throttle(): number {
    return this.#throttle;
  }

  /** Sets causes, as the hardware or ICS does. */
  raise(causes: number): void {
    this.#cause |= causes & CAUSES;
    this.#update();
  }

  /** A read of ICR: returns and clears all causes. */
  readCause(): number {
    const cause = this.#cause;
    this.#cause = 0;
    this.#update();
    return cause;
  }

  /** A write of ICR clears the causes written as one. */
  clearCause(causes: number): void {
    this.#cause &= ~causes;
    this.#update();
  }

  enable(causes: number): void {
    this.#mask |= causes & CAUSES;
    this.#update();
  }

  disable(causes: number): void {
    this.#mask &= ~causes;
    this.#update();
  }

  /** Least time between two interrupts, in units of 256 ns; 0 is none. */
  setThrottle(interval: number): void {
    this.#throttle = interval & 0xffff;
    if (this.#throttle === 0) this.#notBefore = 0;
    this.#update();
  }

  reset(): void {
    this.#cause = 0;
    this.#mask = 0;
    this.#throttle = 0;
    this.#notBefore = 0;
    this.#update();
  }

  save() {
    return {
      cause: this.#cause,
      mask: this.#mask,
      throttle: this.#throttle,
      asserted: this.#asserted,
      notBefore: this.#notBefore,
    };
  }

  restore(state: ReturnType<InterruptBlock["save"]>): void {
    this.#cause = state.cause;
    this.#mask = state.mask;
    this.#throttle = state.throttle;
    this.#asserted = state.asserted;
    this.#notBefore = state.notBefore;
    this.irq.setLevel(this.#asserted);
  }

  #update(): void {
    if ((this.#cause & this.#mask) === 0) {
      this.#timer.disarm();
      if (this.#asserted) this.#drive(false);
    } else if (this.#asserted) return;
    else if (this.clock.now >= this.#notBefore) this.#drive(true);
    else if (this.#timer.deadline === null) this.#timer.armAt(this.#notBefore as Cycle);
  }

  #drive(level: boolean): void {
    this.#asserted = level;
    if (level && this.#throttle > 0) {
      const interval = nanoseconds(this.#throttle * ITR_UNIT_NS);
      this.#notBefore = this.clock.now + Math.ceil(interval * this.clock.frequencyHz / 1e9);
    }
    this.irq.setLevel(level);
  }
}
