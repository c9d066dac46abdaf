/**
 * Traps that generated code delivered itself (quick/trap.ts), in linear memory until the trace takes them: their events
 * are the same as if TypeScript had noted each at once, since whoever looks at the trace has them taken first.
 *
 * ```text
 *  0  u32  how many there are
 * 16  entries of 16 bytes: cycle (u64), vector (u32), CPU (u32)
 * ```
 */

import type { Trace } from "../trace/trace.ts";

/** Offsets of the parts of a log and of an entry. */
export const TrapLogPart = { count: 0, entries: 16, cycle: 0, vector: 8, cpu: 12 } as const;
export const TRAP_LOG_SHIFT = 4;
/** Bytes of linear memory that the log takes, and how many traps it holds. */
export const TRAP_LOG_BYTES = 64 * 1024;
export const TRAP_LOG_ENTRIES: number = (TRAP_LOG_BYTES - TrapLogPart.entries) >> TRAP_LOG_SHIFT;

const TWO_32 = 0x1_0000_0000;

/** The log of one machine. */
export class TrapLog {
  readonly #words: Uint32Array;

  /** `base` is the linear offset of {@link TRAP_LOG_BYTES} zero bytes, a multiple of 16. */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.#words = new Uint32Array(buffer, base, TRAP_LOG_BYTES >> 2);
  }

  /** Lets `trace` take traps from here before anything else is done to it. */
  attach(trace: Trace): void {
    trace.source = (take) => this.#drain((cycle, vector, cpu) => take(cycle, "trap", vector, cpu));
  }

  #drain(take: (cycle: number, vector: number, cpu: number) => void): void {
    const words = this.#words;
    const count = words[TrapLogPart.count];
    if (count === 0) return;
    for (let i = 0; i < count; i++) {
      const at = (TrapLogPart.entries + (i << TRAP_LOG_SHIFT)) >> 2;
      take(words[at] + words[at + 1] * TWO_32, words[at + 2], words[at + 3]);
    }
    words[TrapLogPart.count] = 0;
  }
}
