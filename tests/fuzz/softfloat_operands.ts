/**
 * Random operands for the soft float oracle, gathered at the boundaries where floating point goes wrong.
 */

import { type FloatFormat, unpack } from "../../core/x86/softfloat/mod.ts";

/** A small deterministic generator (xorshift32 state, multiplied output). */
export class Random {
  #state: number;

  /** @param seed any integer; equal seeds give equal sequences */
  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b9) ^ 0x6a09e667 || 1;
  }

  /** An unsigned 32-bit integer. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return Math.imul(x, 0x2545f491) >>> 0;
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit);
  }

  /** An integer of `width` random bits. */
  bits(width: number): bigint {
    let value = 0n;
    for (let have = 0; have < width; have += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }

  /** One of the values. */
  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)];
  }
}

/** Integers of `width` bits with long runs of equal bits, single bits, and noise. */
export function boundaryBits(random: Random, width: number): bigint {
  const ones = (1n << BigInt(width)) - 1n;
  const at = BigInt(random.below(width));
  switch (random.below(9)) {
    case 0:
      return 0n;
    case 1:
      return ones;
    case 2:
      return 1n << at;
    case 3:
      return (1n << at) - 1n;
    case 4:
      return ones ^ ((1n << at) - 1n);
    case 5:
      return (random.bits(width) >> at) << at;
    case 6:
      return (1n << BigInt(width - 1)) | (1n << at);
    case 7:
      return BigInt.asUintN(width, (1n << at) + BigInt(random.below(5)) - 2n);
    default:
      return random.bits(width);
  }
}

/** Exponents (unbiased) at which conversions to 16, 32 and 64-bit integers change their answer. */
const INTEGER_EXPONENTS = [
  -66,
  -2,
  -1,
  0,
  1,
  14,
  15,
  16,
  30,
  31,
  32,
  52,
  53,
  58,
  59,
  60,
  62,
  63,
  64,
  65,
];

function boundaryExponent(random: Random, format: FloatFormat): number {
  const { bias, specialExponent, precisionBits } = format;
  switch (random.below(9)) {
    case 0:
      return random.below(3);
    case 1:
      return specialExponent - random.below(3);
    case 2:
      return bias + random.below(7) - 3;
    case 3:
    case 4:
      return bias + random.pick(INTEGER_EXPONENTS);
    case 5:
      return (bias >> 1) + random.below(5) + random.pick([0, bias]);
    case 6:
      return random.below(precisionBits + 3);
    default:
      return random.below(specialExponent + 1);
  }
}

/** Exponent fields and top two significand bits (of the stored field) of the values every table singles out. */
function notable(random: Random, format: FloatFormat): bigint {
  const { fieldBits, specialExponent, bias } = format;
  const exponent = random.pick([0, 0, 1, bias - 1, bias, specialExponent - 1, specialExponent]);
  const top = BigInt(random.below(4)) << BigInt(fieldBits - 2);
  const low = random.pick([0n, 0n, 1n, (1n << BigInt(fieldBits - 2)) - 1n]);
  const sign = BigInt(random.below(2)) << BigInt(format.widthBits - 1);
  return sign | (BigInt(exponent) << BigInt(fieldBits)) | top | low;
}

/** A pattern of `format`: special values, denormals, halves, neighbours of powers of two, noise. */
export function boundaryFloat(random: Random, format: FloatFormat): bigint {
  if (random.below(6) === 0) return notable(random, format);
  const { fieldBits, explicitInteger, specialExponent } = format;
  const sign = BigInt(random.below(2)) << BigInt(format.widthBits - 1);
  const exponent = Math.min(Math.max(boundaryExponent(random, format), 0), specialExponent);
  let field = boundaryBits(random, fieldBits);
  // The stored integer bit is mostly right; wrong ones are unnormals and pseudo-numbers.
  if (explicitInteger && random.below(12) !== 0) {
    const integerBit = 1n << BigInt(fieldBits - 1);
    field = exponent === 0 ? field & ~integerBit : field | integerBit;
  }
  return sign | (BigInt(exponent) << BigInt(fieldBits)) | field;
}

/** A second operand: unrelated, or near the first in exponent or in value, so that sums cancel and quotients tie. */
export function relatedFloat(random: Random, format: FloatFormat, first: bigint): bigint {
  const other = boundaryFloat(random, format);
  const shift = BigInt(format.fieldBits);
  const wraps = (value: bigint) => BigInt.asUintN(format.widthBits, value);
  const sign = BigInt(random.below(2)) << BigInt(format.widthBits - 1);
  switch (random.below(8)) {
    case 0:
      return first ^ sign;
    case 1:
      return wraps(first + BigInt(random.below(5)) - 2n) ^ sign;
    case 2:
    case 3: {
      const near = Number((first >> shift) & BigInt(format.specialExponent)) +
        random.below(2 * format.precisionBits + 8) - format.precisionBits - 4;
      const exponent = Math.min(Math.max(near, 0), format.specialExponent);
      const field = other & format.fieldMask;
      const integer = format.explicitInteger && exponent !== 0 ? 1n << 63n : 0n;
      return sign | (BigInt(exponent) << shift) | field | integer;
    }
    default:
      return other;
  }
}

/** A finite pattern of `format` with an unbiased exponent in `least` to `most`, for functions with a domain. */
export function floatInRange(
  random: Random,
  format: FloatFormat,
  least: number,
  most: number,
): bigint {
  const exponent = least + random.below(most - least + 1) + format.bias;
  const sign = BigInt(random.below(2)) << BigInt(format.widthBits - 1);
  const integer = format.explicitInteger ? 1n << 63n : 0n;
  const field = boundaryBits(random, format.fieldBits) | integer;
  return sign | (BigInt(exponent) << BigInt(format.fieldBits)) | field;
}

/** Unbiased exponent field of a pattern. */
export function exponentOf(format: FloatFormat, bits: bigint): number {
  return (Number(bits >> BigInt(format.fieldBits)) & format.specialExponent) - format.bias;
}

/** Steps between two patterns in units of the last place, infinity being one beyond; undefined for NaNs. */
export function distanceUlp(format: FloatFormat, a: bigint, b: bigint): bigint | undefined {
  const left = unpack(format, a);
  const right = unpack(format, b);
  const numbers = ["zero", "finite", "infinity"];
  if (!numbers.includes(left.kind) || !numbers.includes(right.kind)) return undefined;
  const x = orderOf(format, a);
  const y = orderOf(format, b);
  return x > y ? x - y : y - x;
}

function orderOf(format: FloatFormat, bits: bigint): bigint {
  const sign = 1n << BigInt(format.widthBits - 1);
  const size = bits & (sign - 1n);
  // An explicit integer bit would double every step between exponents.
  const exponent = size >> BigInt(format.fieldBits);
  const stored = format.explicitInteger ? 63n : BigInt(format.fieldBits);
  const fraction = size & ((1n << stored) - 1n);
  const order = (exponent << stored) | fraction;
  return (bits & sign) === 0n ? order : -order;
}
