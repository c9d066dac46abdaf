/**
 * RAM as it was at instants, kept by copy on write of frames (core/memory/frame_history.ts): taking one copies nothing. What
 * nobody holds any more is given up by itself.
 */

import { FrameHistory, type FrameTable } from "../../core/memory/frame_history.ts";
import { FRAME_BYTES, type MachineMemory } from "../../core/memory/machine_memory.ts";
import type { RamSource } from "./page_store.ts";

/** The RAM that one machine had. */
export class RamHistory {
  readonly #memory: MachineMemory;
  readonly #history: FrameHistory;
  readonly #forgotten: FinalizationRegistry<FrameTable>;

  constructor(memory: MachineMemory) {
    this.#memory = memory;
    const history = this.#history = new FrameHistory(memory);
    this.#forgotten = new FinalizationRegistry((table) => history.release(table));
  }

  /** Bytes that are kept of the past. */
  get keptBytes(): number {
    return this.#history.keptBytes;
  }

  /** What RAM holds now, for as long as somebody holds it. */
  take(): RamSource {
    const table = this.#history.take();
    const taken = new PastRam(this.#memory, this.#history, table);
    this.#forgotten.register(taken, table);
    return taken;
  }
}

/** RAM at one instant. */
class PastRam implements RamSource {
  readonly sizeBytes: number;

  constructor(
    private readonly memory: MachineMemory,
    private readonly history: FrameHistory,
    private readonly table: FrameTable,
  ) {
    this.sizeBytes = memory.plan.ramBytes;
  }

  writeTo(memory: MachineMemory): void {
    if (memory === this.memory) return this.history.restore(this.table);
    const words = new Uint32Array(FRAME_BYTES / 4);
    const bytes = new Uint8Array(words.buffer);
    const first = memory.plan.ramBase / FRAME_BYTES;
    for (let frame = 0; frame < this.sizeBytes / FRAME_BYTES; frame++) {
      this.history.read(this.table, frame, words);
      memory.writePage(first + frame, bytes);
    }
  }
}
