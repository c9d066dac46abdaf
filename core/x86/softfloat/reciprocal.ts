/**
 * RCPSS and RSQRTSS: approximations to 12 bits, equal to those of Intel's Core and Xeon processors.
 *
 * Those round, to 12 fraction bits, the function at the middle of each of 2048 argument intervals, which keeps the
 * relative error within the manual's 1.5 * 2**-12. The manual leaves the exact bits open and other vendors' differ.
 * MXCSR has no influence: denormal arguments are zeros, results are never denormal, nothing is raised.
 * Source: SDM volume 2, RCPSS, RSQRTSS.
 */

import { integerSqrt } from "./arithmetic.ts";
import {
  assemble,
  binary32,
  infinityOf,
  isNaNValue,
  quietNaNOf,
  unpack,
  zeroOf,
} from "./formats.ts";

const FRACTION_BITS = 12n;
const ONE = 1n << FRACTION_BITS;

/** Approximates `1 / x` for a binary32 pattern. */
export function reciprocal(bits: bigint): bigint {
  const x = unpack(binary32, bits);
  if (isNaNValue(x)) return quietNaNOf(binary32, x);
  if (x.kind === "infinity") return zeroOf(binary32, x.negative);
  if (x.kind === "zero" || x.denormal) return infinityOf(binary32, x.negative);
  // 1.fraction is in the interval [n - 1, n + 1] / 4096 for an odd n; 2 / (n / 4096) is in (1, 2).
  const n = ((x.significand >> 52n) << 1n) + 1n;
  const numerator = 2n * ONE * ONE;
  const rounded = (2n * numerator + n) / (2n * n);
  return approximation(x.negative, -1 - x.exponent, rounded);
}

/** Approximates `1 / sqrt(x)` for a binary32 pattern; negative numbers give the default NaN. */
export function reciprocalSqrt(bits: bigint): bigint {
  const x = unpack(binary32, bits);
  if (isNaNValue(x)) return quietNaNOf(binary32, x);
  if (x.kind === "zero" || x.denormal) return infinityOf(binary32, x.negative);
  if (x.negative) return binary32.defaultNaN;
  if (x.kind === "infinity") return zeroOf(binary32, false);
  const half = Math.floor(x.exponent / 2);
  const odd = BigInt(x.exponent - 2 * half);
  // 1.fraction is in the interval [n - 1, n + 1] / 2048 for an odd n.
  const n = (((x.significand >> 53n) << 1n) + 1n) << odd;
  // 2 / sqrt(n / 2048), twice as large as the answer to round the last bit.
  const doubled = integerSqrt((16n * ONE * ONE * 2048n) / n);
  return approximation(false, -1 - half, (doubled + 1n) >> 1n);
}

function approximation(negative: boolean, exponent: number, rounded: bigint): bigint {
  if (exponent < binary32.minExponent) return zeroOf(binary32, negative);
  const significand = rounded << (BigInt(binary32.fieldBits) - FRACTION_BITS);
  return assemble(binary32, negative, exponent + binary32.bias, significand);
}
