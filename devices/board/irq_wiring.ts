/**
 * The interrupt wires of the board: each ISA line goes to the 8259 pair and to the I/O APIC, where IRQ 0
 * arrives at pin 2; lines 16 to 23 go to the I/O APIC alone. Several devices may drive one line (PCI interrupts, the SCI): it is high while any does.
 *
 * Source: ACPI Specification 6.4, section 5.2.12.5 "Interrupt Source Override Structure", whose entries in our
 * tables say the same.
 */

import type { IrqLine } from "../../core/memory/ports.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
} from "../../core/lib/snapshot.ts";

/** How many ISA lines there are; those of the I/O APIC alone follow. */
const ISA_IRQS = 16;
const ALL_IRQS = 24;
/** The line of the slave 8259; no device is wired to it. */
const CASCADE_IRQ = 2;
/** The I/O APIC's input for the timer. */
const TIMER_PIN = 2;

/** Something with numbered interrupt inputs. */
export interface IrqInputs {
  line(input: number): IrqLine;
}

/** Who drives a line, as a listing shows it. */
export interface IrqDriver {
  readonly irq: number;
  readonly name: string;
}

interface Driver extends IrqDriver {
  high: boolean;
}

/** The lines, each shared by any number of drivers. */
export class IrqWiring implements Snapshot {
  readonly #drivers: Driver[] = [];
  readonly #targets: readonly (readonly IrqLine[])[];

  /** `pic` listens on inputs 0 to 15 without 2, `ioapic` on 1 to 23 with 2 in place of 0. */
  constructor(pic: IrqInputs, ioapic: IrqInputs) {
    this.#targets = Array.from({ length: ALL_IRQS }, (_, irq) => {
      if (irq === CASCADE_IRQ) return [];
      if (irq >= ISA_IRQS) return [ioapic.line(irq)];
      return [pic.line(irq), ioapic.line(irq === 0 ? TIMER_PIN : irq)];
    });
  }

  /** The drivers of all lines, in the order in which they were wired. */
  get drivers(): readonly IrqDriver[] {
    return this.#drivers;
  }

  /**
   * Wires `name` to line `irq`. Throws `RangeError` if there is no such line, or if that name drives
   * it already.
   */
  driver(irq: number, name: string): IrqLine {
    if (!this.#targets[irq]?.length) {
      throw new RangeError(`${name}: expected an IRQ of 0, 1 or 3 to 23, found ${irq}`);
    }
    if (this.#drivers.some((other) => other.irq === irq && other.name === name)) {
      throw new RangeError(`${name} drives IRQ ${irq} already`);
    }
    const driver: Driver = { irq, name, high: false };
    this.#drivers.push(driver);
    const others = () => this.#drivers.some((one) => one !== driver && one.irq === irq && one.high);
    return {
      setLevel: (high) => {
        if (driver.high === high) return;
        driver.high = high;
        if (others()) return;
        for (const line of this.#targets[irq]) line.setLevel(high);
      },
    };
  }

  save(): SnapshotRecord {
    const high = this.#drivers.filter((driver) => driver.high);
    return {
      kind: "irq wiring",
      version: 1,
      state: { high: high.map(({ irq, name }) => ({ irq, name })) },
    };
  }

  /**
   * Restores who drives what; touches no wire, because the controllers restore their own inputs. Throws
   * `SnapshotError` on a driver that this board lacks.
   */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "irq wiring", 1);
    for (const driver of this.#drivers) driver.high = false;
    for (const { irq, name } of state.high as unknown as readonly IrqDriver[]) {
      const driver = this.#drivers.find((one) => one.irq === irq && one.name === name);
      if (!driver) throw new SnapshotError(`the snapshot has ${name} on IRQ ${irq}, the board not`);
      driver.high = true;
    }
  }
}
