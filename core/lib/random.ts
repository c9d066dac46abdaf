/**
 * Seeded randomness: the same seed, the same numbers, on every host.
 *
 * The generator is xoshiro128** (D. Blackman, S. Vigna, "Scrambled Linear Pseudorandom Number Generators"), seeded by
 * splitmix32. Whoever draws for a purpose of its own takes a {@link Random.fork}: then another purpose's draws do not
 * change what it gets.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "./snapshot.ts";

/** See the module comment. */
export class Random implements Snapshot {
  readonly #state = new Uint32Array(4);

  /** Throws `RangeError` for a seed that is no whole number. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`a seed is a whole number, found ${seed}`);
    }
    let mixed = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
    for (let index = 0; index < 4; index++) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      this.#state[index] = word ^ (word >>> 15);
    }
  }

  /** The next 32 bits. */
  bits(): number {
    const s = this.#state;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** At least 0, below 1. */
  unit(): number {
    return this.bits() / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.unit() * (most - least + 1));
  }

  /** A place in `cumulative`, whose last entry is the sum of all weights. */
  pick(cumulative: readonly number[]): number {
    const at = this.unit() * cumulative[cumulative.length - 1];
    let low = 0;
    let high = cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at < cumulative[middle]) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Exponentially distributed with that mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  /** A generator of its own, which depends on what was drawn so far. */
  fork(): Random {
    return new Random(this.bits());
  }

  save(): SnapshotRecord {
    return { kind: "random", version: 1, state: { words: [...this.#state] } };
  }

  restore(record: SnapshotRecord): void {
    this.#state.set(expectRecord(record, "random", 1).words as readonly number[]);
  }
}
