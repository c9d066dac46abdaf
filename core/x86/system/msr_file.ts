/** Storage for the model-specific registers that are remembered and nothing else. */

import type { Snapshot, SnapshotRecord } from "../../lib/snapshot.ts";
import { expectRecord } from "../../lib/snapshot.ts";
import type { CpuModel } from "../model/cpu_model.ts";
import { STORED_MSRS } from "./msr_tables.ts";

/** The stored model-specific registers of one CPU, by number. */
export class MsrFile implements Snapshot {
  readonly #low = new Map<number, number>();
  readonly #high = new Map<number, number>();

  constructor(private readonly model: CpuModel) {
    this.reset();
  }

  /** Power-on values. */
  reset(): void {
    for (const row of STORED_MSRS) {
      if (row.vendor !== undefined && row.vendor !== this.model.behaviour) continue;
      this.write(row.number, row.resetLow(this.model), row.resetHigh);
    }
  }

  low(number: number): number {
    return this.#low.get(number) ?? 0;
  }

  high(number: number): number {
    return this.#high.get(number) ?? 0;
  }

  write(number: number, low: number, high: number): void {
    this.#low.set(number, low >>> 0);
    this.#high.set(number, high >>> 0);
  }

  save(): SnapshotRecord {
    const registers = [...this.#low].map(([number, low]) => [number, low, this.high(number)]);
    return { kind: "x86.msrs", version: 1, state: { registers } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "x86.msrs", 1);
    for (const [number, low, high] of state.registers as [number, number, number][]) {
      this.write(number, low, high);
    }
  }
}
