/**
 * The PC's two cascaded 8259As with their ports and the edge/level control registers: IRQ0 to IRQ7
 * on the master, IRQ8 to IRQ15 on the slave, whose output drives the master's IR2.
 */

import type { IrqLine, PortBus, PortDevice, PortSize } from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { Pic8259Chip } from "./pic8259_chip.ts";

/** The master's line that the slave drives. */
const CASCADE = 2;

/** IRQ0, 1, 2, 8 and 13 are edge-triggered for ever (82371SB, "ELCR1", "ELCR2"). */
const ELCR_MASK = { master: 0xf8, slave: 0xde } as const;

/** Where the pair answers: first and last port, inclusive. */
const PORTS = [
  { first: 0x20, last: 0x21, name: "pic8259.master" },
  { first: 0xa0, last: 0xa1, name: "pic8259.slave" },
  { first: 0x4d0, last: 0x4d1, name: "pic8259.elcr" },
] as const;

/** The interrupt controllers of a PC/AT. Outputs through {@link onInterrupt}. */
export class Pic8259Pair implements PortDevice, Snapshot {
  readonly master = new Pic8259Chip({ elcrMask: ELCR_MASK.master });
  readonly slave = new Pic8259Chip({ elcrMask: ELCR_MASK.slave });
  /** Called with the new level of the master's INT output whenever it changes. */
  onInterrupt: (level: boolean) => void;
  readonly #lines: readonly IrqLine[];
  #output = false;

  constructor(options: { readonly onInterrupt?: (level: boolean) => void } = {}) {
    this.onInterrupt = options.onInterrupt ?? (() => {});
    this.#lines = Array.from({ length: 16 }, (_, irq) => ({
      setLevel: (high: boolean) => this.#setIrq(irq, high),
    }));
  }

  /** Claims the pair's ports on `bus`. */
  attach(bus: PortBus): void {
    for (const { first, last, name } of PORTS) bus.attachPorts(first, last, name, this);
  }

  /** The wire IRQ `irq` (0 to 15, except the cascade's 2); throws `RangeError` for another number. */
  line(irq: number): IrqLine {
    const line = this.#lines[irq];
    if (!line || irq === CASCADE) {
      throw new RangeError(
        `expected an IRQ from 0 to 15, other than 2 (the cascade), found ${irq}`,
      );
    }
    return line;
  }

  /** The level of the INT output. */
  get interrupt(): boolean {
    return this.#output;
  }

  /**
   * The CPU's INTA cycles: takes the request of highest priority into service and returns its vector.
   * With no request left it is line 7 of the chip asked that answers, with nothing in service (data
   * sheet, "Edge and Level Triggered Modes": the default IR7).
   */
  acknowledge(): number {
    const vector = this.#acknowledge();
    this.#settle();
    return vector;
  }

  /** Power-on. The levels of the request lines are not the pair's to reset. */
  reset(): void {
    this.slave.reset();
    this.master.reset();
    this.#settle();
  }

  readPort(port: number, size: PortSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.#read(port + byte) << (8 * byte);
    return value >>> 0;
  }

  writePort(port: number, size: PortSize, value: number): void {
    for (let byte = 0; byte < size; byte++) this.#write(port + byte, (value >>> (8 * byte)) & 0xff);
  }

  save(): SnapshotRecord {
    return {
      kind: "pic8259",
      version: 1,
      state: {
        master: this.master.save().state,
        slave: this.slave.save().state,
        output: this.#output,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pic8259", 1);
    const chip = (value: unknown): SnapshotRecord => ({
      kind: "pic8259.chip",
      version: 1,
      state: value as SnapshotRecord["state"],
    });
    this.master.restore(chip(state.master));
    this.slave.restore(chip(state.slave));
    this.#output = state.output as boolean;
  }

  #setIrq(irq: number, high: boolean): void {
    if (irq < 8) this.master.setLine(irq, high);
    else this.slave.setLine(irq - 8, high);
    this.#settle();
  }

  #acknowledge(): number {
    const pin = this.master.acknowledge();
    if (pin < 0) return this.master.vector(7);
    if (!this.master.hasSlave(pin)) return this.master.vector(pin);
    // The master leaves the bus to the slave it names; nobody answers if there is none.
    if (pin !== CASCADE || this.slave.slaveAddress !== CASCADE) return 0xff;
    const slavePin = this.slave.acknowledge();
    // INT drops during INTA, so a request that is left makes a new edge on IR2.
    this.master.setLine(CASCADE, false);
    return this.slave.vector(slavePin < 0 ? 7 : slavePin);
  }

  #read(port: number): number {
    const value = this.#readByte(port);
    this.#settle();
    return value;
  }

  #readByte(port: number): number {
    switch (port & ~1) {
      case 0x20:
        return this.master.read(port & 1);
      case 0xa0:
        return this.slave.read(port & 1);
      default:
        return (port & 1 ? this.slave : this.master).elcr;
    }
  }

  #write(port: number, value: number): void {
    switch (port & ~1) {
      case 0x20:
        this.master.write(port & 1, value);
        break;
      case 0xa0:
        this.slave.write(port & 1, value);
        break;
      default:
        (port & 1 ? this.slave : this.master).elcr = value;
        break;
    }
    this.#settle();
  }

  /** Carries the slave's output to the master and the master's to the CPU. */
  #settle(): void {
    this.master.setLine(CASCADE, this.slave.level());
    const output = this.master.level();
    if (output === this.#output) return;
    this.#output = output;
    this.onInterrupt(output);
  }
}
