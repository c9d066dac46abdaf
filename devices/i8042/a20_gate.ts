/**
 * Who opens address line 20: the keyboard controller or system control port A (92h); open if either says so.
 *
 * Wiring: one gate for each machine. `KeyboardController` takes it; port 92h (`devices/debug_ports`) gets
 * `onA20: (open) => gate.setSource("portA", open)`. Both sources are open from the start, as firmware
 * would leave them.
 *
 * Source: 82371FB/82371SB (PIIX/PIIX3) data sheet, "Port 92 Register" and "A20M#".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";

/** Who can open the gate. */
export type A20Source = "keyboard" | "portA";

/** The OR of both sources. */
export class A20Gate implements Snapshot {
  readonly #sources: Record<A20Source, boolean> = { keyboard: true, portA: true };

  /** `setA20(open)` is called when the line changes; closed, the processor sees address bit 20 as zero. */
  constructor(private readonly setA20: (open: boolean) => void) {}

  /** Whether address line 20 works. */
  get open(): boolean {
    return this.#sources.keyboard || this.#sources.portA;
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

  /** Does not call `setA20`: the processor's own snapshot holds the line. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "a20-gate", 1);
    this.#sources.keyboard = state.keyboard as boolean;
    this.#sources.portA = state.portA as boolean;
  }
}
