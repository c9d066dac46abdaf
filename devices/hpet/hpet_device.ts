/**
 * The HPET on a PC board: its page of registers at 0xFED00000, its interrupt inputs, and the switch by which
 * it takes IRQ 0 and IRQ 8 away from the 8254 and the RTC.
 *
 * Source: Intel "IA-PC HPET Specification" 1.0a, section 2.3.5 (LEG_RT_CNF), 2.4 "Theory of Operation".
 */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import type { IrqLine, MmioBus, MmioSize } from "../../core/memory/ports.ts";
import { comparatorCount, Hpet, hpetFrequencyHz } from "./hpet.ts";

/** Where chipsets put the registers. */
export const hpetBase: PhysicalAddress = physical(0xfed0_0000);
const registersBytes = 4096;

/** What an {@link HpetDevice} is wired to. */
export interface HpetWiring {
  readonly clock: Clock;
  readonly memory: MmioBus;
  /** IRQ 0 and IRQ 8 as the PIC and the I/O APIC see them; the 8254 and the RTC go through {@link HpetDevice.legacyInput}. */
  readonly irq0: IrqLine;
  readonly irq8: IrqLine;
  /** I/O APIC inputs (GSI 0 to 31) that timers may be routed to. */
  readonly inputs?: ReadonlyMap<number, IrqLine>;
  readonly base?: PhysicalAddress;
}

/** A legacy interrupt with two sources: the old chip's level is kept, and passed on unless replaced. */
interface LegacyInterrupt {
  readonly line: IrqLine;
  oldChip: boolean;
}

/** The event timers of a PC. */
export class HpetDevice implements Snapshot {
  readonly #chip: Hpet;
  readonly #clock: Clock;
  readonly #match: Timer;
  readonly #legacy: readonly [LegacyInterrupt, LegacyInterrupt];
  readonly #inputs: ReadonlyMap<number, IrqLine>;
  /** Levels that were driven, per GSI, so that only changes are. */
  readonly #driven = new Map<number, boolean>();

  constructor({ clock, memory, irq0, irq8, inputs = new Map(), base = hpetBase }: HpetWiring) {
    let routes = 0;
    for (const gsi of inputs.keys()) {
      if (!(gsi >= 0 && gsi < 32)) throw new RangeError(`HPET inputs are 0 to 31, found ${gsi}`);
      routes |= 1 << gsi;
    }
    this.#chip = new Hpet(routes >>> 0, (timer) => this.#matched(timer));
    this.#clock = clock;
    this.#inputs = inputs;
    this.#legacy = [{ line: irq0, oldChip: false }, { line: irq8, oldChip: false }];
    this.#match = clock.createTimer("hpet.match", () => this.#update());
    memory.attachMmio(base, registersBytes, "hpet", {
      readMmio: (offset, size) => this.#read(offset, size),
      writeMmio: (offset, size, value) => this.#write(offset, size, value),
    });
  }

  /** The line that the 8254 (`irq` 0) or the RTC (`irq` 8) drives instead of the interrupt controllers. */
  legacyInput(irq: 0 | 8): IrqLine {
    const index = irq === 0 ? 0 : 1;
    return { setLevel: (high) => this.#oldChipDrives(index, high) };
  }

  /** Power-on state. */
  reset(): void {
    this.#chip.reset(this.#tick());
    this.#update();
  }

  save(): SnapshotRecord {
    const { state } = this.#chip.save();
    const oldChips = this.#legacy.map(({ oldChip }) => oldChip);
    const driven = [...this.#driven].map(([gsi, high]) => ({ gsi, high }));
    return { kind: "hpet device", version: 1, state: { ...state, oldChips, driven } };
  }

  restore(record: SnapshotRecord): void {
    const { oldChips, driven, ...state } = expectRecord(record, "hpet device", 1);
    this.#chip.restore({ kind: "hpet", version: 1, state });
    this.#legacy.forEach((legacy, index) => {
      legacy.oldChip = (oldChips as boolean[])[index];
    });
    this.#driven.clear();
    for (const { gsi, high } of driven as { gsi: number; high: boolean }[]) {
      this.#driven.set(gsi, high);
    }
  }

  #tick(): number {
    return this.#clock.ticks(hpetFrequencyHz);
  }

  /** Narrow reads see their bytes of the 32-bit register; narrow writes are ignored. */
  #read(offset: number, size: MmioSize): number {
    const value = this.#chip.read(offset & ~3, this.#tick()) >>> (8 * (offset & 3));
    return size === 4 ? value : value & ((1 << (8 * size)) - 1);
  }

  #write(offset: number, size: MmioSize, value: number): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    const wasLegacy = this.#chip.legacyRouting;
    this.#chip.write(offset, value, this.#tick());
    if (wasLegacy !== this.#chip.legacyRouting) this.#switchLegacy();
    this.#update();
  }

  /** Each edge is a fresh rise: the line stays high until the next match or until the timer is disabled. */
  #matched(timer: number): void {
    if (!this.#chip.edgeTriggered(timer) || !this.#chip.level(timer)) return;
    const line = this.#lineOf(timer);
    line?.setLevel(false);
    line?.setLevel(true);
    if (line && !this.#replaces(timer)) this.#driven.set(this.#chip.route(timer), true);
  }

  #update(): void {
    const tick = this.#tick();
    const next = this.#chip.nextMatch(tick);
    const at = next === null ? Infinity : this.#clock.cycleOfTick(next, hpetFrequencyHz);
    if (Number.isSafeInteger(at)) this.#match.armAt(at as Cycle);
    else this.#match.disarm();
    if (this.#chip.legacyRouting) {
      this.#legacy.forEach(({ line }, timer) => line.setLevel(this.#chip.level(timer)));
    }
    for (const [gsi, line] of this.#inputs) this.#drive(gsi, line);
  }

  #drive(gsi: number, line: IrqLine): void {
    let high = false;
    for (let timer = 0; timer < comparatorCount; timer++) {
      if (!this.#replaces(timer) && this.#chip.route(timer) === gsi) {
        high ||= this.#chip.level(timer);
      }
    }
    if (high === (this.#driven.get(gsi) ?? false)) return;
    this.#driven.set(gsi, high);
    line.setLevel(high);
  }

  #replaces(timer: number): boolean {
    return timer < this.#legacy.length && this.#chip.legacyRouting;
  }

  #lineOf(timer: number): IrqLine | undefined {
    return this.#replaces(timer)
      ? this.#legacy[timer].line
      : this.#inputs.get(this.#chip.route(timer));
  }

  #oldChipDrives(index: 0 | 1, high: boolean): void {
    const legacy = this.#legacy[index];
    legacy.oldChip = high;
    if (!this.#chip.legacyRouting) legacy.line.setLevel(high);
  }

  /** The wires of IRQ 0 and IRQ 8 change hands. */
  #switchLegacy(): void {
    this.#legacy.forEach(({ line, oldChip }, timer) => {
      line.setLevel(this.#chip.legacyRouting ? this.#chip.level(timer) : oldChip);
    });
  }
}
