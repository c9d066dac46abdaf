/**
 * Page frames of a modelled kernel: who is free, and how many mappings each has. Frames are handed out in a mixed order, as by a
 * kernel that has run for a while, so that the colours of a program's pages are those of chance.
 */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";

/** A frame's number; 0 is none. */
export type Frame = number;

/** See the module comment. */
export class Frames {
  /** Mappings of each frame. */
  readonly #references: Uint16Array;
  /** Those that are free: the next one to be taken is the last. */
  readonly #free: Uint32Array;
  #freeCount: number;

  /** `seed` decides the order. Throws `RangeError` for less than one frame. */
  constructor(readonly count: number, seed = 0) {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new RangeError(`memory has at least one page, found ${count}`);
    }
    this.#references = new Uint16Array(count + 1);
    this.#free = Uint32Array.from({ length: count }, (_, i) => i + 1);
    this.#freeCount = count;
    mix(this.#free, seed);
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** Takes a free frame, with one mapping; 0 if there is none. */
  take(): Frame {
    if (this.#freeCount === 0) return 0;
    const frame = this.#free[--this.#freeCount];
    this.#references[frame] = 1;
    return frame;
  }

  references(frame: Frame): number {
    return this.#references[frame];
  }

  /** One more mapping. */
  share(frame: Frame): void {
    this.#references[frame]++;
  }

  /** One mapping less; whether the frame is free now. */
  drop(frame: Frame): boolean {
    if (--this.#references[frame] > 0) return false;
    this.#free[this.#freeCount++] = frame;
    return true;
  }

  save(): SnapshotRecord {
    return {
      kind: "frames",
      version: 1,
      state: {
        freeCount: this.#freeCount,
        free: bytesOf(this.#free).slice(),
        references: bytesOf(this.#references).slice(),
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "frames", 1);
    this.#freeCount = state.freeCount as number;
    bytesOf(this.#free).set(state.free as Uint8Array);
    bytesOf(this.#references).set(state.references as Uint8Array);
  }
}

/** The bytes of a typed array. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Shuffles (a linear congruential generator, Numerical Recipes' constants). */
function mix(numbers: Uint32Array, from: number): void {
  let seed = Math.imul(from + 1, 2003) >>> 0;
  for (let i = numbers.length - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = Math.floor(seed / 2 ** 32 * (i + 1));
    [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
  }
}
