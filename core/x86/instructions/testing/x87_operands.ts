/** Random numbers in the register format that lie where x87 arithmetic is decided: ties, cancellation, carries. */

const MASK_64 = (1n << 64n) - 1n;
const INTEGER_BIT = 1n << 63n;
const BIAS = 0x3fff;

/** Reproducible random numbers (a 64-bit linear congruential generator, upper bits). */
export class Random {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed);
  }

  /** An integer from 0 to `limit` - 1, at most 2^31 of them. */
  below(limit: number): number {
    this.#state = (this.#state * 6364136223846793005n + 1442695040888963407n) & MASK_64;
    return Number(this.#state >> 33n) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Bits 63..0. */
  bits64(): bigint {
    return ((BigInt(this.below(2 ** 31)) << 42n) ^ (BigInt(this.below(2 ** 31)) << 21n) ^
      BigInt(this.below(2 ** 31))) & MASK_64;
  }
}

/** Halves of significands at which digits of quotients and carries of products change. */
const HALVES = [0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn, 0xffff0000n];

/** A significand with bit 63 set: boundaries of its halves, or few bits, or a tie at a shorter precision. */
export function significand(random: Random): bigint {
  const half = () => random.below(3) === 0 ? random.bits64() & 0xffffffffn : random.pick(HALVES);
  const bits = ((half() << 32n) | half()) | INTEGER_BIT;
  const cut = random.pick([0n, 0n, 0n, 10n, 11n, 39n, 40n, 62n]);
  return (((bits >> cut) | BigInt(random.below(2))) << cut) & MASK_64 | INTEGER_BIT;
}

/** Assembles a number; `exponent` is biased. */
export function extended(negative: boolean, exponent: number, bits: bigint): bigint {
  return (BigInt(exponent) << 64n) | bits | (negative ? 1n << 79n : 0n);
}

/** Numbers that are not ordinary, or at the ends of ranges. */
const EDGES: readonly bigint[] = [
  extended(false, 0x7fff, INTEGER_BIT),
  extended(false, 0x7fff, INTEGER_BIT | 1n),
  extended(true, 0x7fff, 3n << 62n),
  extended(false, 0x7ffe, MASK_64),
  extended(false, 1, INTEGER_BIT),
  extended(false, 0, INTEGER_BIT),
  extended(false, 0, 1n),
  extended(false, BIAS, 1n << 62n),
  ...[0x2fff, 0x3000, 0x4fff, 0x5000].map((exponent) => extended(false, exponent, MASK_64)),
];

/** A number near one, near an integer's range, near the ends of a memory format, zero, or an edge. */
export function number(random: Random): bigint {
  const negative = random.below(2) === 1;
  switch (random.below(16)) {
    case 0:
      return negative ? 1n << 79n : 0n;
    case 1:
      return random.pick(EDGES) ^ (negative ? 1n << 79n : 0n);
    case 2:
      return extended(negative, BIAS + random.below(70), significand(random));
    case 3: {
      const ends = [-1075, -1074, -1023, -1022, -150, -149, -127, -126, 126, 127, 128, 1022, 1023];
      return extended(negative, BIAS + random.pick(ends), significand(random));
    }
    case 4:
      return extended(negative, BIAS + random.below(260) - 130, significand(random));
    default:
      return extended(negative, BIAS + random.below(5) - 2, significand(random));
  }
}
