/**
 * The real-time clock on a PC board: index port 0x70 with the NMI mask, data port 0x71, IRQ 8.
 *
 * Source: Intel 82371SB (PIIX3) data sheet, "Real-Time Clock Registers", "NMI Enable and Real-Time Clock Address".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import type { IrqLine, PortBus } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";
import { type DateTime, parseDateTime } from "./calendar.ts";
import { cmosBytesOf, type CmosSetup } from "./cmos_setup.ts";
import { Mc146818, rtcFrequencyHz } from "./mc146818.ts";

/** The date at power-on of a machine that names none: the first day of SOSP 2003. */
export const defaultDate = "2003-10-19T00:00:00Z";

/** What an {@link RtcDevice} is wired to, and what it holds at power-on. */
export interface RtcOptions {
  readonly clock: Clock;
  readonly ports: PortBus;
  readonly irq8: IrqLine;
  /** Simulated date at power-on, `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly date?: string;
  readonly setup?: CmosSetup;
  /** Told whenever bit 7 of port 0x70 changes: a masked NMI must not reach the CPU. */
  readonly onNmiMask?: (masked: boolean) => void;
}

/** Clock, CMOS memory and NMI mask of a PC. */
export class RtcDevice implements Snapshot {
  readonly #chip: Mc146818;
  readonly #clock: Clock;
  readonly #irq8: IrqLine;
  readonly #interrupt: Timer;
  readonly #onNmiMask: (masked: boolean) => void;
  #index = 0;
  #nmiMasked = false;

  /** Throws `SyntaxError` or `RangeError` on a date or a set-up that makes no sense. */
  constructor(options: RtcOptions) {
    this.#chip = new Mc146818(parseDateTime(options.date ?? defaultDate));
    this.#clock = options.clock;
    this.#irq8 = options.irq8;
    this.#onNmiMask = options.onNmiMask ?? (() => {});
    this.#interrupt = options.clock.createTimer("rtc.interrupt", () => this.#update());
    if (options.setup) {
      for (const [index, value] of cmosBytesOf(options.setup)) this.#chip.preset(index, value);
    }
    const device = bytePorts({
      readByte: (port) => (port & 1) === 0 ? 0xff : this.#readData(),
      writeByte: (port, value) => (port & 1) === 0 ? this.#select(value) : this.#writeData(value),
    });
    options.ports.attachPorts(0x70, 0x71, "mc146818", device);
  }

  /** Whether port 0x70 masks non-maskable interrupts. */
  get nmiMasked(): boolean {
    return this.#nmiMasked;
  }

  /** What the clock shows now. */
  get dateTime(): DateTime {
    return this.#chip.dateTime(this.#tick());
  }

  /** CMOS byte `index` without side effects, for tools. */
  peek(index: number): number {
    return this.#chip.peek(index);
  }

  /** The reset line: interrupts off; time and memory run on the battery. */
  reset(): void {
    this.#chip.reset(this.#tick());
    this.#select(0);
    this.#update();
  }

  save(): SnapshotRecord {
    const { state } = this.#chip.save();
    return {
      kind: "rtc",
      version: 1,
      state: { ...state, index: this.#index, nmiMasked: this.#nmiMasked },
    };
  }

  restore(record: SnapshotRecord): void {
    const { index, nmiMasked, ...state } = expectRecord(record, "rtc", 1);
    this.#chip.restore({ kind: "mc146818", version: 1, state });
    this.#index = index as number;
    this.#nmiMasked = nmiMasked as boolean;
  }

  #tick(): number {
    return this.#clock.ticks(rtcFrequencyHz);
  }

  #select(value: number): void {
    this.#index = value & 0x7f;
    const masked = (value & 0x80) !== 0;
    if (masked === this.#nmiMasked) return;
    this.#nmiMasked = masked;
    this.#onNmiMask(masked);
  }

  #readData(): number {
    const value = this.#chip.read(this.#index, this.#tick());
    this.#update();
    return value;
  }

  #writeData(value: number): void {
    this.#chip.write(this.#index, value, this.#tick());
    this.#update();
  }

  #update(): void {
    const tick = this.#tick();
    this.#irq8.setLevel(this.#chip.level(tick));
    const next = this.#chip.nextInterrupt(tick);
    if (next === null) this.#interrupt.disarm();
    else this.#interrupt.armAt(this.#clock.cycleOfTick(next, rtcFrequencyHz) as Cycle);
  }
}
