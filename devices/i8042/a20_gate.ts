/**
 * Who opens address line 20: the keyboard controller or system control port A (92h); open if either says so.
 *
 * Wiring: one gate for each machine; the 8042 calls `setSource("keyboard", …)`, port 92h is
 * {@link SystemControlPortA}. The gate is open from the start, as firmware would leave it.
 *
 * Source: 82371FB/82371SB (PIIX/PIIX3) data sheet, "Port 92 Register" and "A20M#".
 */

import type { PortBus } from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { bytePorts } from "../byte_ports.ts";

/** Who can open the gate. */
export type A20Source = "keyboard" | "portA";

/** The OR of both sources. */
export class A20Gate implements Snapshot {
  readonly #sources: Record<A20Source, boolean> = { keyboard: true, portA: false };

  /** `setA20(open)` is called when the line changes; closed, the processor sees address bit 20 as zero. */
  constructor(private readonly setA20: (open: boolean) => void) {}

  /** Whether address line 20 works. */
  get open(): boolean {
    return this.#sources.keyboard || this.#sources.portA;
  }

  /** What one source says. */
  source(source: A20Source): boolean {
    return this.#sources[source];
  }

  /** Sets what one source says. */
  setSource(source: A20Source, open: boolean): void {
    const before = this.open;
    this.#sources[source] = open;
    if (this.open !== before) this.setA20(this.open);
  }

  save(): SnapshotRecord {
    return { kind: "a20-gate", version: 1, state: { ...this.#sources } };
  }

  /** Restores the sources and tells the processor, whose own snapshot may hold the mask already. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "a20-gate", 1);
    this.#sources.keyboard = state.keyboard as boolean;
    this.#sources.portA = state.portA as boolean;
    this.setA20(this.open);
  }
}

const PORT_92 = 0x92;
const FAST_INIT = 1 << 0;
const FAST_A20 = 1 << 1;

/** System control port A: bit 0 resets the processor when it rises, bit 1 opens A20. */
export class SystemControlPortA implements Snapshot {
  #initialized = false;

  /** Attaches port 92h; throws `RangeError` if it is taken. */
  constructor(private readonly gate: A20Gate, private readonly resetCpu: () => void, bus: PortBus) {
    const device = bytePorts({
      readByte: () =>
        (this.#initialized ? FAST_INIT : 0) | (this.gate.source("portA") ? FAST_A20 : 0),
      writeByte: (_port, value) => this.#write(value),
    });
    bus.attachPorts(PORT_92, PORT_92, "system control port A", device);
  }

  reset(): void {
    this.#initialized = false;
    this.gate.setSource("portA", false);
  }

  save(): SnapshotRecord {
    return { kind: "port92", version: 1, state: { initialized: this.#initialized } };
  }

  restore(record: SnapshotRecord): void {
    this.#initialized = expectRecord(record, "port92", 1).initialized as boolean;
  }

  #write(value: number): void {
    this.gate.setSource("portA", (value & FAST_A20) !== 0);
    const rises = (value & FAST_INIT) !== 0 && !this.#initialized;
    this.#initialized = (value & FAST_INIT) !== 0;
    if (rises) this.resetCpu();
  }
}
