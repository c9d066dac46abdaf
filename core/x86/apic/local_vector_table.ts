/**
 * The local vector table: what the CPU's own interrupt sources (timer, sensors, counters, errors and
 * the pins LINT0 and LINT1) deliver.
 *
 * Source: Intel SDM vol. 3, "Local Vector Table", "Local Interrupt Acceptance".
 */

import { APIC_TIMER_MODES, type ApicTimer } from "./apic_timer.ts";
import { DELIVERY } from "./messages.ts";
import type { RegisterFile } from "./register_file.ts";
import { LVT, REG, SVR } from "./registers.ts";

/** The entries, in the order of the version register's count. */
export const LVT_ENTRIES = [
  REG.LVT_TIMER,
  REG.LVT_THERMAL,
  REG.LVT_PERFORMANCE,
  REG.LVT_LINT0,
  REG.LVT_LINT1,
  REG.LVT_ERROR,
] as const;

/** The register number of an entry. */
export type LvtEntry = typeof LVT_ENTRIES[number];

/** A pin: 0 is LINT0, 1 is LINT1. */
export type LintPin = 0 | 1;

/** What the table asks of its local APIC. */
export interface LvtOwner {
  /** Requests `vector` for this CPU. */
  accept(vector: number, level: boolean): void;
  nmi(): void;
  init(): void;
}

/** The table of one local APIC; its entries are in the register file. */
export class LocalVectorTable {
  readonly #registers: RegisterFile;
  readonly #owner: LvtOwner;
  readonly #pins: [boolean, boolean] = [false, false];

  constructor(registers: RegisterFile, owner: LvtOwner) {
    this.#registers = registers;
    this.#owner = owner;
  }

  /** The level of `pin`, before polarity. */
  level(pin: LintPin): boolean {
    return this.#pins[pin];
  }

  /** Notes the level of `pin` and delivers nothing: for a disabled APIC, and for a restored one. */
  noteLevel(pin: LintPin, high: boolean): void {
    this.#pins[pin] = high;
  }

  /** Drives `pin`, whose level is new. */
  drive(pin: LintPin, high: boolean): void {
    this.#pins[pin] = high;
    this.#serve(pin, true);
  }

  /** Whether LINT0 as ExtINT asks for an INTA cycle. */
  get externalRequest(): boolean {
    const value = this.#registers.get(REG.LVT_LINT0);
    const open = (value & (LVT.MASK | LVT.DELIVERY_MODE)) === DELIVERY.EXT_INT << 8;
    return open && this.#isActive(0);
  }

  /** Whether LINT0 is open as NMI or INIT, which no CPU can mask. */
  get opensUnmaskable(): boolean {
    const value = this.#registers.get(REG.LVT_LINT0);
    const mode = (value & LVT.DELIVERY_MODE) >> 8;
    return (value & LVT.MASK) === 0 && (mode === DELIVERY.NMI || mode === DELIVERY.INIT);
  }

  /** Writes an entry: `value` has writable bits only. While SVR disables the APIC, the mask bit stays set. */
  write(entry: LvtEntry, value: number, timer: ApicTimer): void {
    const enabled = (this.#registers.get(REG.SVR) & SVR.ENABLE) !== 0;
    const remoteIrr = value & LVT.TRIGGER ? this.#registers.get(entry) & LVT.REMOTE_IRR : 0;
    const stored = value | remoteIrr | (enabled ? 0 : LVT.MASK);
    if (entry === REG.LVT_TIMER) {
      // Before the entry changes: what is due already is delivered as it was set up.
      const mode = APIC_TIMER_MODES[(stored & LVT.TIMER_MODE) >> 17];
      timer.configure(mode, (stored & LVT.MASK) !== 0);
    }
    this.#registers.set(entry, stored);
    if (entry === REG.LVT_LINT0) this.#serve(0, false);
  }

  /** Delivers what `entry` says, if it is not masked. */
  deliver(entry: LvtEntry): void {
    const value = this.#registers.get(entry);
    if (value & LVT.MASK) return;
    // Timer and error entries have no delivery mode, and read 0 (fixed) there.
    switch ((value & LVT.DELIVERY_MODE) >> 8) {
      case DELIVERY.FIXED:
        this.#owner.accept(value & LVT.VECTOR, false);
        return;
      case DELIVERY.NMI:
        this.#owner.nmi();
        return;
      case DELIVERY.INIT:
        this.#owner.init();
        return;
      default:
        // SMI is ignored; ExtINT is a level, see `externalRequest`.
        return;
    }
  }

  /** A level-triggered interrupt with `vector`, which LINT0 may have made, is over. */
  endOfInterrupt(vector: number): void {
    const value = this.#registers.get(REG.LVT_LINT0);
    if ((value & LVT.REMOTE_IRR) === 0 || (value & LVT.VECTOR) !== vector) return;
    this.#registers.set(REG.LVT_LINT0, value & ~LVT.REMOTE_IRR);
    this.#serve(0, false);
  }

  #isActive(pin: LintPin): boolean {
    const value = this.#registers.get(pin === 0 ? REG.LVT_LINT0 : REG.LVT_LINT1);
    return this.#pins[pin] !== ((value & LVT.POLARITY) !== 0);
  }

  /** Looks at a pin after its level (`changed`) or its entry changed. LINT1 is edge-triggered always. */
  #serve(pin: LintPin, changed: boolean): void {
    if (!this.#isActive(pin)) return;
    const entry = pin === 0 ? REG.LVT_LINT0 : REG.LVT_LINT1;
    const value = this.#registers.get(entry);
    const isFixed = (value & LVT.DELIVERY_MODE) === DELIVERY.FIXED;
    if (pin === 0 && isFixed && (value & LVT.TRIGGER) !== 0) {
      if (value & (LVT.MASK | LVT.REMOTE_IRR)) return;
      this.#registers.set(entry, value | LVT.REMOTE_IRR);
      this.#owner.accept(value & LVT.VECTOR, true);
    } else if (changed) {
      this.deliver(entry);
    }
  }
}
