/**
 * One 8259A programmable interrupt controller, without its neighbours: eight request lines in, one
 * interrupt line out, two registers. The cascade of two is in `pic8259_pair.ts`.
 *
 * Source: Intel 8259A data sheet (order number 231468), and the 82371SB (PIIX3) data sheet for the
 * edge/level control register, which replaces ICW1's LTIM bit on a PC with a PCI bus.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";

/** Bits of ICW1 (written at A0 = 0 with D4 = 1). Data sheet, "Initialization Command Words". */
const ICW1 = { IC4: 0x01, SNGL: 0x02, LTIM: 0x08, SELECT: 0x10 } as const;
/** Bits of ICW4. */
const ICW4 = { AEOI: 0x02, SFNM: 0x10 } as const;
/** Bits of OCW3 (written at A0 = 0 with D4 = 0 and D3 = 1). Data sheet, "Operation Control Words". */
const OCW3 = { RIS: 0x01, RR: 0x02, P: 0x04, SELECT: 0x08, SMM: 0x20, ESMM: 0x40 } as const;

/** The commands of OCW2, by its bits R, SL, EOI (D7 to D5). */
const OCW2 = {
  ROTATE_IN_AEOI_CLEAR: 0,
  NON_SPECIFIC_EOI: 1,
  NO_OPERATION: 2,
  SPECIFIC_EOI: 3,
  ROTATE_IN_AEOI_SET: 4,
  ROTATE_ON_NON_SPECIFIC_EOI: 5,
  SET_PRIORITY: 6,
  ROTATE_ON_SPECIFIC_EOI: 7,
} as const;

/** Which word the chip takes next at A0 = 1. */
export type InitializationStep = "icw2" | "icw3" | "icw4" | "ready";

/** The visible registers of one chip, for listings. */
export interface Pic8259Registers {
  readonly irr: number;
  readonly isr: number;
  readonly imr: number;
  readonly elcr: number;
  readonly vectorBase: number;
}

/** What {@link Pic8259Chip} is built with. */
export interface Pic8259ChipOptions {
  /**
   * Lines whose trigger the ELCR may set to level. With a mask given, ICW1's LTIM bit is ignored, as
   * in the PIIX3; without one, the chip is a plain 8259A.
   */
  readonly elcrMask?: number;
}

/** One 8259A. All values are bytes. */
export class Pic8259Chip implements Snapshot {
  readonly #elcrMask: number | undefined;
  /** Levels of the request lines IR0 to IR7. */
  #lines = 0;
  /** The edge-sense latches: risen and still high, and not acknowledged since. */
  #edges = 0;
  #isr = 0;
  #imr = 0;
  #elcr = 0;
  #icw1 = 0;
  #icw2 = 0;
  #icw3 = 0;
  #icw4 = 0;
  #step: InitializationStep = "ready";
  /** The line of lowest priority; the next one (modulo 8) has the highest. */
  #lowest = 7;
  #specialMask = false;
  #rotateInAeoi = false;
  #readIsr = false;
  #poll = false;

  constructor(options: Pic8259ChipOptions = {}) {
    this.#elcrMask = options.elcrMask;
  }

  /** The registers as a reader of the chip's state wants them; reading changes nothing. */
  get registers(): Pic8259Registers {
    return {
      irr: this.#irr,
      isr: this.#isr,
      imr: this.#imr,
      elcr: this.#elcr,
      vectorBase: this.#icw2 & 0xf8,
    };
  }

  /** The edge/level control register of this half (82371SB, "ELCR1, ELCR2"): one bit a line, 1 = level. */
  get elcr(): number {
    return this.#elcr;
  }

  set elcr(value: number) {
    this.#elcr = value & (this.#elcrMask ?? 0);
  }

  /** Of a slave: its address on the cascade lines (ICW3, ID2 to ID0). */
  get slaveAddress(): number {
    return this.#icw3 & 7;
  }

  /** Of a master: whether ICW3 says that a slave hangs on line `pin`. */
  hasSlave(pin: number): boolean {
    return (this.#icw1 & ICW1.SNGL) === 0 && (this.#icw3 & (1 << pin)) !== 0;
  }

  /** The vector that the chip puts on the bus for line `pin` (8086 mode: T7 to T3 of ICW2, then the line). */
  vector(pin: number): number {
    return (this.#icw2 & 0xf8) | pin;
  }

  /** Drives request line `pin`. A line that falls before its acknowledge takes its request with it. */
  setLine(pin: number, high: boolean): void {
    const bit = 1 << pin;
    if (high) {
      if ((this.#lines & bit) === 0) this.#edges |= bit;
      this.#lines |= bit;
    } else {
      this.#lines &= ~bit;
      this.#edges &= ~bit;
    }
  }

  /** The level of the INT output. */
  level(): boolean {
    return this.#request() >= 0;
  }

  /** The INTA sequence: takes the request of highest priority into service; -1 if there is none. */
  acknowledge(): number {
    const pin = this.#request();
    if (pin < 0) return -1;
    this.#edges &= ~(1 << pin);
    if ((this.#icw4 & ICW4.AEOI) === 0) this.#isr |= 1 << pin;
    else if (this.#rotateInAeoi) this.#lowest = pin;
    return pin;
  }

  /** Reads at address line A0 = `a0`: the poll word if one was asked for, else IRR, ISR or IMR. */
  read(a0: number): number {
    if (this.#poll) {
      this.#poll = false;
      const pin = this.acknowledge();
      return pin < 0 ? 0 : 0x80 | pin;
    }
    if (a0 === 1) return this.#imr;
    return this.#readIsr ? this.#isr : this.#irr;
  }

  /** Writes a command word at address line A0 = `a0`. */
  write(a0: number, value: number): void {
    if (a0 === 1) this.#writeHigh(value);
    else if (value & ICW1.SELECT) this.#writeIcw1(value);
    else if (value & OCW3.SELECT) this.#writeOcw3(value);
    else this.#writeOcw2(value);
  }

  /** Power-on: as the data sheet leaves it open, everything is clear and nothing is masked. */
  reset(): void {
    this.#writeIcw1(ICW1.SNGL);
    this.#icw1 = this.#icw2 = this.#icw3 = 0;
    this.#elcr = 0;
    this.#rotateInAeoi = false;
    this.#step = "ready";
  }

  save(): SnapshotRecord {
    return {
      kind: "pic8259.chip",
      version: 1,
      state: {
        lines: this.#lines,
        edges: this.#edges,
        isr: this.#isr,
        imr: this.#imr,
        elcr: this.#elcr,
        icw1: this.#icw1,
        icw2: this.#icw2,
        icw3: this.#icw3,
        icw4: this.#icw4,
        step: this.#step,
        lowest: this.#lowest,
        specialMask: this.#specialMask,
        rotateInAeoi: this.#rotateInAeoi,
        readIsr: this.#readIsr,
        poll: this.#poll,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pic8259.chip", 1);
    this.#lines = state.lines as number;
    this.#edges = state.edges as number;
    this.#isr = state.isr as number;
    this.#imr = state.imr as number;
    this.#elcr = state.elcr as number;
    this.#icw1 = state.icw1 as number;
    this.#icw2 = state.icw2 as number;
    this.#icw3 = state.icw3 as number;
    this.#icw4 = state.icw4 as number;
    this.#step = state.step as InitializationStep;
    this.#lowest = state.lowest as number;
    this.#specialMask = state.specialMask as boolean;
    this.#rotateInAeoi = state.rotateInAeoi as boolean;
    this.#readIsr = state.readIsr as boolean;
    this.#poll = state.poll as boolean;
  }

  /** Lines that request by level. */
  get #levelPins(): number {
    if (this.#elcrMask !== undefined) return this.#elcr;
    return this.#icw1 & ICW1.LTIM ? 0xff : 0;
  }

  get #irr(): number {
    const level = this.#levelPins;
    return (this.#edges & ~level) | (this.#lines & level);
  }

  /** In-service lines that hold others back; special mask mode leaves out the masked ones. */
  get #blocking(): number {
    return this.#specialMask ? this.#isr & ~this.#imr : this.#isr;
  }

  /** The line to be served next, or -1. Data sheet, "Fully Nested Mode", "Special Fully Nested Mode". */
  #request(): number {
    const pin = this.#highest(this.#irr & ~this.#imr);
    if (pin < 0) return -1;
    const serving = this.#highest(this.#blocking);
    if (serving < 0) return pin;
    if (serving === pin) return this.#icw4 & ICW4.SFNM && this.hasSlave(pin) ? pin : -1;
    return this.#rank(pin) < this.#rank(serving) ? pin : -1;
  }

  /** 0 for the line of highest priority, 7 for the lowest. */
  #rank(pin: number): number {
    return (pin - this.#lowest - 1) & 7;
  }

  /** The line of highest priority in the bit mask `pins`, or -1. */
  #highest(pins: number): number {
    if (pins === 0) return -1;
    for (let rank = 0; rank < 8; rank++) {
      const pin = (this.#lowest + 1 + rank) & 7;
      if (pins & (1 << pin)) return pin;
    }
    return -1;
  }

  /** Data sheet, "Initialization Command Words 1 and 2 (ICW1, ICW2)": what ICW1 resets. */
  #writeIcw1(value: number): void {
    this.#icw1 = value;
    this.#edges = 0;
    this.#imr = 0;
    this.#isr = 0;
    this.#lowest = 7;
    this.#icw3 = 7;
    this.#icw4 = 0;
    this.#specialMask = false;
    this.#readIsr = false;
    this.#poll = false;
    this.#step = "icw2";
  }

  #writeHigh(value: number): void {
    switch (this.#step) {
      case "icw2":
        this.#icw2 = value;
        this.#step = this.#icw1 & ICW1.SNGL ? this.#stepAfterIcw3() : "icw3";
        return;
      case "icw3":
        this.#icw3 = value;
        this.#step = this.#stepAfterIcw3();
        return;
      case "icw4":
        // Deviation: with uPM clear the chip of the data sheet speaks MCS-80 CALL; here it stays in 8086 mode.
        this.#icw4 = value;
        this.#step = "ready";
        return;
      case "ready":
        this.#imr = value;
        return;
    }
  }

  #stepAfterIcw3(): InitializationStep {
    return this.#icw1 & ICW1.IC4 ? "icw4" : "ready";
  }

  #writeOcw2(value: number): void {
    const pin = value & 7;
    const command = value >> 5;
    switch (command) {
      case OCW2.ROTATE_IN_AEOI_CLEAR:
      case OCW2.ROTATE_IN_AEOI_SET:
        this.#rotateInAeoi = command === OCW2.ROTATE_IN_AEOI_SET;
        return;
      case OCW2.NON_SPECIFIC_EOI:
      case OCW2.ROTATE_ON_NON_SPECIFIC_EOI: {
        const served = this.#highest(this.#blocking);
        if (served < 0) return;
        this.#isr &= ~(1 << served);
        if (command === OCW2.ROTATE_ON_NON_SPECIFIC_EOI) this.#lowest = served;
        return;
      }
      case OCW2.SPECIFIC_EOI:
        this.#isr &= ~(1 << pin);
        return;
      case OCW2.ROTATE_ON_SPECIFIC_EOI:
        this.#isr &= ~(1 << pin);
        this.#lowest = pin;
        return;
      case OCW2.SET_PRIORITY:
        this.#lowest = pin;
        return;
      default:
        return;
    }
  }

  #writeOcw3(value: number): void {
    if (value & OCW3.ESMM) this.#specialMask = (value & OCW3.SMM) !== 0;
    if (value & OCW3.P) this.#poll = true;
    else if (value & OCW3.RR) this.#readIsr = (value & OCW3.RIS) !== 0;
  }
}
