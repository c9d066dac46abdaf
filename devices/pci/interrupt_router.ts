/**
 * From the INTx pins of PCI slots to interrupt inputs of the board.
 *
 * | slot and pin | PIRQ |
 * |---|---|
 * | slot s, pin p (INTA# = 0) | (s + p - 1) & 3, the rule of a board whose slot 1 is the PIIX3 |
 *
 * The PIIX3 routes each PIRQ to an ISA interrupt by its registers 60h to 63h. There is no second set
 * of wires: as on QEMU's `pc`, **in APIC mode too a PCI interrupt arrives at the I/O APIC's input of
 * the same number as its ISA interrupt** (level, active high), and inputs 16 to 23 are unused.
 * Firmware routes PIRQA to PIRQD to {@link FIRMWARE_PIRQ_IRQS}. {@link pciRoutingTable} gives the
 * entries of an ACPI `_PRT`: either name link devices (`LNKA` to `LNKD`, by `pirq`), whose `_SRS` writes
 * registers 60h to 63h, or use `gsi` directly, which holds while nobody changes firmware's routing.
 *
 * Source: 82371FB/82371SB (PIIX/PIIX3) data sheet, "PIRQRC[A:D]: PIRQx Route Control Registers".
 */

import type { IrqLine } from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";

/** The ISA interrupts to which SeaBIOS (and `configurePci`) route PIRQA to PIRQD. */
export const FIRMWARE_PIRQ_IRQS: readonly [number, number, number, number] = [10, 10, 11, 11];

/** Bit of a route control register that disconnects the PIRQ. */
export const PIRQ_DISABLED = 0x80;

/** ISA interrupts to which a PIRQ may be routed; the others are reserved. */
const ROUTABLE_IRQS: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15]);

/** Which PIRQ (0 for A to 3 for D) a pin of a slot drives; `pin` is 0 for INTA# to 3 for INTD#. */
export function pirqOf(slot: number, pin: number): number {
  return (slot + pin - 1) & 3;
}

/** One wire of the board, as ACPI's `_PRT` wants it. */
export interface PciRoute {
  readonly slot: number;
  /** 0 for INTA# to 3 for INTD#. */
  readonly pin: number;
  /** 0 for PIRQA to 3 for PIRQD. */
  readonly pirq: number;
  /** The global system interrupt under firmware's routing. */
  readonly gsi: number;
}

/** The routing of `slots` slots (default all 32), four pins each. */
export function pciRoutingTable(slots = 32): PciRoute[] {
  const routes: PciRoute[] = [];
  for (let slot = 0; slot < slots; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const pirq = pirqOf(slot, pin);
      routes.push({ slot, pin, pirq, gsi: FIRMWARE_PIRQ_IRQS[pirq] });
    }
  }
  return routes;
}

/** The wires and the PIIX3's four route control registers. */
export class PciInterruptRouter implements Snapshot {
  /** Route control registers; the PIIX3 function shows them at 60h to 63h. */
  readonly #routes = [PIRQ_DISABLED, PIRQ_DISABLED, PIRQ_DISABLED, PIRQ_DISABLED];
  /** For each PIRQ the pins that pull it, as slot * 32 + function * 4 + pin. */
  readonly #asserted = [0, 1, 2, 3].map(() => new Set<number>());
  readonly #lines = new Map<number, IrqLine>();
  readonly #levels: boolean[] = new Array(16).fill(false);

  /**
   * `isaIrq(n)` is the wire of ISA interrupt `n` (both PIC and I/O APIC listen); it is called once for
   * each of 0 to 15 that can be routed. A wire that another device shares must be a wired OR.
   */
  constructor(isaIrq: (irq: number) => IrqLine) {
    for (const irq of ROUTABLE_IRQS) this.#lines.set(irq, isaIrq(irq));
  }

  /** A function drives a pin; `pin` is 0 for INTA# to 3 for INTD#. */
  setPin(slot: number, func: number, pin: number, high: boolean): void {
    const sources = this.#asserted[pirqOf(slot, pin)];
    const source = slot * 32 + func * 4 + pin;
    if (high) sources.add(source);
    else sources.delete(source);
    this.#drive();
  }

  /** Writes the route control register of a PIRQ (0 for A). */
  setRoute(pirq: number, register: number): void {
    this.#routes[pirq] = register;
    this.#drive();
  }

  /** The ISA interrupt (and GSI) that a PIRQ reaches now, or `null`. */
  irqOf(pirq: number): number | null {
    const register = this.#routes[pirq];
    const irq = register & 0x0f;
    return register & PIRQ_DISABLED || !ROUTABLE_IRQS.has(irq) ? null : irq;
  }

  save(): SnapshotRecord {
    return {
      kind: "pci.router",
      version: 1,
      state: {
        routes: [...this.#routes],
        asserted: this.#asserted.map((sources) => [...sources].sort((a, b) => a - b)),
        levels: [...this.#levels],
      },
    };
  }

  /** Restores without driving a wire: whoever listens restores its own inputs. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pci.router", 1);
    this.#routes.splice(0, 4, ...(state.routes as number[]));
    (state.asserted as number[][]).forEach((sources, pirq) => {
      this.#asserted[pirq].clear();
      for (const source of sources) this.#asserted[pirq].add(source);
    });
    this.#levels.splice(0, 16, ...(state.levels as boolean[]));
  }

  #drive(): void {
    const wanted = new Set<number>();
    for (let pirq = 0; pirq < 4; pirq++) {
      const irq = this.irqOf(pirq);
      if (irq !== null && this.#asserted[pirq].size > 0) wanted.add(irq);
    }
    for (const [irq, line] of this.#lines) {
      const high = wanted.has(irq);
      if (this.#levels[irq] === high) continue;
      this.#levels[irq] = high;
      line.setLevel(high);
    }
  }
}
