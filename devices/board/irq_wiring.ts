/**
 * The interrupt wires of the board: each ISA line goes to the 8259 pair and to the I/O APIC, where IRQ 0
 * arrives at pin 2. Several devices may drive one line (PCI interrupts, the SCI): it is high while any does.
 */

import type { IrqLine } from "../../core/memory/ports.ts";
import type { IoApic } from "../ioapic/mod.ts";
import type { Pic8259Pair } from "../pic8259/mod.ts";

/** The line of the slave 8259; no device is wired to it. */
const CASCADE_IRQ = 2;
/** The I/O APIC's input for the timer, as the MADT's override says. */
const TIMER_PIN = 2;

/** Sixteen ISA lines, shared by any number of drivers. */
export class IrqWiring {
  readonly #drivers: Set<object>[] = Array.from({ length: 16 }, () => new Set());
  readonly #targets: readonly (readonly IrqLine[])[];

  constructor(pic: Pic8259Pair, ioapic: IoApic) {
    this.#targets = Array.from({ length: 16 }, (_, irq) => {
      const apicLine = ioapic.line(irq === 0 ? TIMER_PIN : irq);
      if (irq === CASCADE_IRQ) return [];
      return [pic.line(irq), apicLine];
    });
  }

  /** A new driver of ISA line `irq`. */
  driver(irq: number): IrqLine {
    const drivers = this.#drivers[irq];
    const targets = this.#targets[irq];
    const self = {};
    return {
      setLevel(high) {
        if (drivers.has(self) === high) return;
        if (high) drivers.add(self);
        else drivers.delete(self);
        // Only the first and the last driver change the wire.
        if (drivers.size !== (high ? 1 : 0)) return;
        for (const line of targets) line.setLevel(high);
      },
    };
  }
}
