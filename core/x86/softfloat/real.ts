/**
 * Real arithmetic on BigInt fixed point for the x87 transcendental instructions: constants and series.
 *
 * Two representations: a `Fixed` is an integer in units of 2**-FRACTION_BITS, right for values near one; a `Real`
 * is `mantissa * 2**scale` and keeps relative precision for values of any size. 192 fraction bits leave more than
 * 120 bits beyond an extended80's significand, so results are correctly rounded but for odds of about 2**-110.
 */

import { integerSqrt } from "./arithmetic.ts";
import { bitLength } from "./formats.ts";

/** Bits after the binary point of a `Fixed`. */
export const FRACTION_BITS = 192;

const SHIFT = BigInt(FRACTION_BITS);

/** A number in units of 2**-FRACTION_BITS. */
export type Fixed = bigint;

/** A number `mantissa * 2**scale` of any sign. */
export interface Real {
  readonly mantissa: bigint;
  readonly scale: number;
}

/** One. */
export const ONE: Fixed = 1n << SHIFT;

/** Below 2**-NEAR_BITS a series like sin x / x is 1 to working precision; only the side of 1 matters. */
const NEAR_BITS = 92;

/** Exponent of the leading bit; for nonzero reals. */
export function exponentOf(value: Real): number {
  const size = value.mantissa < 0n ? -value.mantissa : value.mantissa;
  return bitLength(size) - 1 + value.scale;
}

/** A real cut to fixed point (toward minus infinity). */
export function toFixed(value: Real): Fixed {
  const shift = value.scale + FRACTION_BITS;
  if (shift >= 0) return value.mantissa << BigInt(shift);
  return shift < -20000 ? 0n : value.mantissa >> BigInt(-shift);
}

/** A fixed-point number as a real. */
export function ofFixed(value: Fixed): Real {
  return { mantissa: value, scale: -FRACTION_BITS };
}

/** Product of two fixed-point numbers. */
export function mulFixed(a: Fixed, b: Fixed): Fixed {
  return (a * b) >> SHIFT;
}

/** Exact product of two reals. */
export function mulReal(a: Real, b: Real): Real {
  return { mantissa: a.mantissa * b.mantissa, scale: a.scale + b.scale };
}

/** Quotient with at least FRACTION_BITS significant bits; `b` is not zero. */
export function divReal(a: Real, b: Real): Real {
  const excess = bitLength(abs(b.mantissa)) - bitLength(abs(a.mantissa));
  const shift = Math.max(FRACTION_BITS + 8 + excess, 0);
  return { mantissa: (a.mantissa << BigInt(shift)) / b.mantissa, scale: a.scale - b.scale - shift };
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** `1/1 + z/3 + z**2/5 + ...`: atanh(x)/x at z = x**2, atan(x)/x at z = -x**2; for |z| below 1/4 or so. */
function oddReciprocals(z: Fixed): Fixed {
  let power = ONE;
  let total = ONE;
  for (let divisor = 3n; power !== 0n && power !== -1n; divisor += 2n) {
    power = mulFixed(power, z);
    total += power / divisor;
  }
  return total;
}

function atanOfReciprocal(n: bigint): Fixed {
  return mulFixed(ONE / n, oddReciprocals(-ONE / (n * n)));
}

function atanhOfReciprocal(n: bigint): Fixed {
  return mulFixed(ONE / n, oddReciprocals(ONE / (n * n)));
}

/** Pi, by Machin's formula. */
export const PI: Fixed = 16n * atanOfReciprocal(5n) - 4n * atanOfReciprocal(239n);

/** ln 2 = 2 atanh(1/3). */
export const LN2: Fixed = 2n * atanhOfReciprocal(3n);

/** ln 10 = 3 ln 2 + ln(5/4), and ln(5/4) = 2 atanh(1/9). */
export const LN10: Fixed = 3n * LN2 + 2n * atanhOfReciprocal(9n);

/** Quotient of two fixed-point numbers. */
export function divFixed(a: Fixed, b: Fixed): Fixed {
  return (a << SHIFT) / b;
}

/** `1 - z/(first) + ...` with factorial denominators, each term `z / (k (k+1))` of the one before, signs alternating. */
function alternatingFactorials(z: Fixed, first: bigint): Fixed {
  let term = ONE;
  let total = ONE;
  for (let k = first; term !== 0n; k += 2n) {
    term = mulFixed(term, z) / (k * (k + 1n));
    total += ((k - first) & 2n) === 0n ? -term : term;
  }
  return total;
}

/** sin x for |x| at most 1, nonzero. */
export function sine(x: Real): Real {
  if (exponentOf(x) < -NEAR_BITS) return mulReal(x, ofFixed(ONE - 1n));
  const fixed = toFixed(x);
  return mulReal(x, ofFixed(alternatingFactorials(mulFixed(fixed, fixed), 2n)));
}

/** cos x for |x| at most 1, nonzero. */
export function cosine(x: Real): Real {
  if (exponentOf(x) < -NEAR_BITS) return ofFixed(ONE - 1n);
  const fixed = toFixed(x);
  return ofFixed(alternatingFactorials(mulFixed(fixed, fixed), 1n));
}

/** tan x for |x| at most 1, nonzero. */
export function tangent(x: Real): Real {
  if (exponentOf(x) < -NEAR_BITS) return mulReal(x, ofFixed(ONE + 1n));
  return divReal(sine(x), cosine(x));
}

/** Each halving of atan's argument costs a square root and gains two bits per term of the series. */
const HALVINGS = 3;

/** atan x for x above 0, at most 1. */
export function arctangent(x: Real): Real {
  if (exponentOf(x) < -NEAR_BITS) return mulReal(x, ofFixed(ONE - 1n));
  let fixed = toFixed(x);
  if (exponentOf(x) < -5) {
    return mulReal(x, ofFixed(oddReciprocals(-mulFixed(fixed, fixed))));
  }
  // atan x = 2 atan(x / (1 + sqrt(1 + x**2)))
  for (let halving = 0; halving < HALVINGS; halving++) {
    const root = integerSqrt((ONE + mulFixed(fixed, fixed)) << SHIFT);
    fixed = divFixed(fixed, ONE + root);
  }
  const series = oddReciprocals(-mulFixed(fixed, fixed));
  return ofFixed(mulFixed(fixed, series) << BigInt(HALVINGS));
}

/** 2**x - 1 for |x| at most 1, nonzero. */
export function powerOfTwoLessOne(x: Real): Real {
  const y = mulReal(x, ofFixed(LN2));
  const fixed = toFixed(y);
  // (e**y - 1) / y = 1 + y/2! + y**2/3! + ...
  let term = ONE;
  let total = ONE;
  for (let k = 2n; term !== 0n && term !== -1n; k++) {
    term = mulFixed(term, fixed) / k;
    total += term;
  }
  return mulReal(y, ofFixed(total));
}

/** ln((1 + s) / (1 - s)) = 2 atanh s, for |s| below 0.2. */
function logarithmOfRatio(s: Real): Real {
  const fixed = toFixed(s);
  return mulReal(s, ofFixed(2n * oddReciprocals(mulFixed(fixed, fixed))));
}

/** log2 x for x above 0; exact (an integer) for powers of two, zero for one. */
export function logarithm2(x: Real): Real {
  const length = bitLength(x.mantissa);
  let exponent = length - 1 + x.scale;
  // m in [1, 2) becomes m in [sqrt 1/2, sqrt 2): compare the square with 2.
  let one = 1n << BigInt(length - 1);
  if (x.mantissa * x.mantissa > 2n * one * one) {
    one <<= 1n;
    exponent += 1;
  }
  if (x.mantissa === one) return { mantissa: BigInt(exponent), scale: 0 };
  const s = divReal(
    { mantissa: x.mantissa - one, scale: 0 },
    { mantissa: x.mantissa + one, scale: 0 },
  );
  const fraction = divReal(logarithmOfRatio(s), ofFixed(LN2));
  if (exponent === 0) return fraction;
  return ofFixed((BigInt(exponent) << SHIFT) + toFixed(fraction));
}

/** log2(1 + x) for |x| below 0.3, nonzero. */
export function logarithm2Plus1(x: Real): Real {
  const s = divReal(x, ofFixed(2n * ONE + toFixed(x)));
  return divReal(logarithmOfRatio(s), ofFixed(LN2));
}
