/**
 * The I/O APIC: 24 interrupt pins, a redirection table that says which message each one sends, and
 * two windows in memory. Messages leave as writes in MSI format.
 *
 * Source: Intel 82093AA data sheet (order number 290566); version 0x20's EOI register as in the
 * Intel 631xESB/632xESB and ICH data sheets, "EOI Register" (IOxAPIC).
 */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import type {
  IrqLine,
  MessageBus,
  MmioBus,
  MmioDevice,
  MmioSize,
} from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";

/** Where the first I/O APIC of a PC is found. */
export const IOAPIC_BASE: PhysicalAddress = physical(0xfec00000);

/** How many pins there are. */
export const IOAPIC_PINS = 24;

/** Offsets in the memory window. */
const WINDOW = { IOREGSEL: 0x00, IOWIN: 0x10, EOIR: 0x40 } as const;

/** Numbers of the registers behind IOREGSEL. */
const REGISTER = { IOAPICID: 0x00, IOAPICVER: 0x01, IOAPICARB: 0x02, IOREDTBL: 0x10 } as const;

/** IOAPICVER: version 0x20 (has an EOI register), last entry 23. */
const VERSION = ((IOAPIC_PINS - 1) << 16) | 0x20;

/** Bits of the low half of a redirection entry (82093AA, "IOREDTBL[23:0]"). Bits 12 and 14 are read-only. */
const ENTRY = {
  VECTOR: 0x000ff,
  DELMOD: 0x00700,
  DESTMOD: 0x00800,
  DELIVS: 0x01000,
  INTPOL: 0x02000,
  REMOTE_IRR: 0x04000,
  TRIGGER: 0x08000,
  MASK: 0x10000,
} as const;
const WRITABLE = ENTRY.VECTOR | ENTRY.DELMOD | ENTRY.DESTMOD | ENTRY.INTPOL | ENTRY.TRIGGER |
  ENTRY.MASK;

/** Delivery modes by their number in DELMOD; level triggering holds for the first two only. */
const LOWEST_PRIORITY = 1;
/** SMI, NMI and INIT. */
const UNMASKABLE: readonly number[] = [2, 4, 5];

/** MSI: address bits 31 to 20, destination mode, and the level bit of the data word. */
const MSI = { BASE: 0xfee00000, LOGICAL: 0x4, ASSERT: 0x4000 } as const;

/** A redirection entry as a person reads it. */
export interface RedirectionEntry {
  readonly vector: number;
  readonly deliveryMode: number;
  readonly logical: boolean;
  readonly activeLow: boolean;
  readonly remoteIrr: boolean;
  readonly level: boolean;
  readonly masked: boolean;
  readonly destination: number;
}

/** An 82093AA, version 0x20, that sends its interrupts through a {@link MessageBus}. */
export class IoApic implements MmioDevice, Snapshot {
  readonly #bus: MessageBus;
  readonly #lines: readonly IrqLine[];
  readonly #low = new Uint32Array(IOAPIC_PINS);
  readonly #high = new Uint32Array(IOAPIC_PINS);
  /** Levels of the pins, one bit each, before polarity. */
  #pins = 0;
  #select = 0;
  #id = 0;

  constructor(bus: MessageBus) {
    this.#bus = bus;
    this.#lines = Array.from({ length: IOAPIC_PINS }, (_, pin) => ({
      setLevel: (high: boolean) => this.#setPin(pin, high),
    }));
    this.reset();
  }

  /** Claims the page at `base` on `bus`. */
  attach(bus: MmioBus, base: PhysicalAddress = IOAPIC_BASE): void {
    bus.attachMmio(base, 4096, "ioapic", this);
  }

  /** The wire to pin `pin`; throws `RangeError` unless it is from 0 to 23. */
  line(pin: number): IrqLine {
    const line = this.#lines[pin];
    if (!line) throw new RangeError(`expected an I/O APIC pin from 0 to 23, found ${pin}`);
    return line;
  }

  /** Redirection entry `pin`, decoded; throws `RangeError` unless it is from 0 to 23. */
  entry(pin: number): RedirectionEntry {
    this.line(pin);
    const low = this.#low[pin];
    return {
      vector: low & ENTRY.VECTOR,
      deliveryMode: (low & ENTRY.DELMOD) >> 8,
      logical: (low & ENTRY.DESTMOD) !== 0,
      activeLow: (low & ENTRY.INTPOL) !== 0,
      remoteIrr: (low & ENTRY.REMOTE_IRR) !== 0,
      level: (low & ENTRY.TRIGGER) !== 0,
      masked: (low & ENTRY.MASK) !== 0,
      destination: this.#high[pin] >>> 24,
    };
  }

  /** Whether a pin is open as SMI, NMI or INIT, which no CPU can mask. */
  get sendsUnmaskable(): boolean {
    return this.#low.some((low) =>
      (low & ENTRY.MASK) === 0 && UNMASKABLE.includes((low & ENTRY.DELMOD) >> 8)
    );
  }

  /** An EOI message for `vector`: each level-triggered entry that waits for it may send again. */
  eoi(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#low[pin];
      if ((low & ENTRY.VECTOR) !== vector || (low & ENTRY.REMOTE_IRR) === 0) continue;
      this.#low[pin] = low & ~ENTRY.REMOTE_IRR;
      this.#serveLevel(pin);
    }
  }

  /** Power-on: every entry is masked. The levels of the pins are not the chip's to reset. */
  reset(): void {
    this.#low.fill(ENTRY.MASK);
    this.#high.fill(0);
    this.#select = 0;
    this.#id = 0;
  }

  /** Registers are 32 bits wide; a narrower read gives its bytes. */
  readMmio(offset: number, size: MmioSize): number {
    const value = this.#readWindow(offset & ~3) >>> (8 * (offset & 3));
    return size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
  }

  /** IOREGSEL and the EOI register take any width; IOWIN takes 32 bits, as the data sheet requires. */
  writeMmio(offset: number, size: MmioSize, value: number): void {
    if (offset === WINDOW.IOREGSEL) this.#select = value & 0xff;
    else if (offset === WINDOW.EOIR) this.eoi(value & 0xff);
    else if (offset === WINDOW.IOWIN && size === 4) this.#writeRegister(this.#select, value);
  }

  save(): SnapshotRecord {
    const entries = Array.from(this.#low, (low, pin) => ({ low, high: this.#high[pin] }));
    return {
      kind: "ioapic",
      version: 1,
      state: { id: this.#id, select: this.#select, pins: this.#pins, entries },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "ioapic", 1);
    this.#id = state.id as number;
    this.#select = state.select as number;
    this.#pins = state.pins as number;
    (state.entries as { low: number; high: number }[]).forEach(({ low, high }, pin) => {
      this.#low[pin] = low;
      this.#high[pin] = high;
    });
  }

  #readWindow(offset: number): number {
    switch (offset) {
      case WINDOW.IOREGSEL:
        return this.#select;
      case WINDOW.IOWIN:
        return this.#readRegister(this.#select);
      default:
        return 0;
    }
  }

  #readRegister(register: number): number {
    switch (register) {
      case REGISTER.IOAPICID:
      case REGISTER.IOAPICARB:
        return this.#id << 24;
      case REGISTER.IOAPICVER:
        return VERSION;
      default: {
        const pin = (register - REGISTER.IOREDTBL) >> 1;
        if (pin < 0 || pin >= IOAPIC_PINS) return 0;
        return register & 1 ? this.#high[pin] : this.#low[pin];
      }
    }
  }

  #writeRegister(register: number, value: number): void {
    if (register === REGISTER.IOAPICID) this.#id = (value >>> 24) & 0xf;
    const pin = (register - REGISTER.IOREDTBL) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return;
    if (register & 1) {
      this.#high[pin] = value & 0xff000000;
      return;
    }
    // An entry turned to edge forgets its remote IRR: this is how a driver without EOI register acknowledges.
    const kept = value & ENTRY.TRIGGER ? this.#low[pin] & ENTRY.REMOTE_IRR : 0;
    this.#low[pin] = (value & WRITABLE) | kept;
    this.#serveLevel(pin);
  }

  #setPin(pin: number, high: boolean): void {
    const bit = 1 << pin;
    if (((this.#pins & bit) !== 0) === high) return;
    this.#pins ^= bit;
    if (this.#isLevel(pin)) this.#serveLevel(pin);
    else if (this.#isActive(pin)) this.#serveEdge(pin);
  }

  /** Whether the pin asks for service, polarity considered. */
  #isActive(pin: number): boolean {
    const high = (this.#pins & (1 << pin)) !== 0;
    return high !== ((this.#low[pin] & ENTRY.INTPOL) !== 0);
  }

  /** Level triggering exists for fixed and lowest-priority delivery; all other modes are edges. */
  #isLevel(pin: number): boolean {
    const low = this.#low[pin];
    return (low & ENTRY.TRIGGER) !== 0 && (low & ENTRY.DELMOD) >> 8 <= LOWEST_PRIORITY;
  }

  #serveLevel(pin: number): void {
    const low = this.#low[pin];
    if (low & (ENTRY.MASK | ENTRY.REMOTE_IRR) || !this.#isLevel(pin) || !this.#isActive(pin)) {
      return;
    }
    this.#low[pin] = low | ENTRY.REMOTE_IRR;
    this.#send(pin, ENTRY.TRIGGER);
  }

  /** An edge on a masked pin is neither delivered nor kept (82093AA, "Interrupt Mask"). */
  #serveEdge(pin: number): void {
    if ((this.#low[pin] & ENTRY.MASK) === 0) this.#send(pin, 0);
  }

  #send(pin: number, trigger: number): void {
    const low = this.#low[pin];
    const destination = this.#high[pin] >>> 24;
    const logical = low & ENTRY.DESTMOD ? MSI.LOGICAL : 0;
    this.#bus.sendMessage(
      physical(MSI.BASE + (destination << 12) + logical),
      (low & (ENTRY.VECTOR | ENTRY.DELMOD)) | MSI.ASSERT | trigger,
    );
  }
}
