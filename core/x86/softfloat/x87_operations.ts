/**
 * x87 operations without an SSE counterpart: FPREM, FPREM1, FSCALE, FXTRACT, FXAM, and the constants.
 *
 * Source: SDM volume 2, pages of these instructions; volume 1, "Pi", "Load Constant Instructions".
 */

import { begin, EXCEPTION, type FloatEnvironment, raise, stopped } from "./environment.ts";
import { assemble, extended80, infinityOf, unpack, type Unpacked, zeroOf } from "./formats.ts";
import { magnitudeOf } from "./convert.ts";
import { deliverInvalid, deliverNaN, denormalStops, isNotANumber } from "./operands.ts";
import { type Delivered, roundAndPack } from "./round_and_pack.ts";

/** What FPREM and FPREM1 deliver. */
export interface Remainder {
  readonly remainder: bigint;
  /** C2: the reduction is partial and must be repeated. */
  readonly partial: boolean;
  /** The quotient's three low bits (Q2 goes to C0, Q1 to C3, Q0 to C1); 0 for a partial reduction. */
  readonly quotientBits: number;
}

/** FPREM: remainder of a quotient truncated toward zero. */
export function partialRemainder(
  env: FloatEnvironment,
  dividend: bigint,
  divisor: bigint,
): Remainder | undefined {
  return remainder(env, dividend, divisor, false);
}

/** FPREM1: IEEE remainder, of a quotient rounded to nearest even. */
export function partialRemainderNearest(
  env: FloatEnvironment,
  dividend: bigint,
  divisor: bigint,
): Remainder | undefined {
  return remainder(env, dividend, divisor, true);
}

function remainder(
  env: FloatEnvironment,
  dividend: bigint,
  divisor: bigint,
  nearest: boolean,
): Remainder | undefined {
  begin(env);
  const a = unpack(extended80, dividend);
  const b = unpack(extended80, divisor);
  if (isNotANumber(a) || isNotANumber(b)) return whole(deliverNaN(env, extended80, a, b));
  if (a.kind === "infinity" || b.kind === "zero") return whole(deliverInvalid(env, extended80));
  if (denormalStops(env, a, b)) return undefined;
  if (a.kind === "zero") return whole(zeroOf(extended80, a.negative));
  if (b.kind === "infinity") return whole(normalized(dividend, a));
  const distance = a.exponent - b.exponent;
  return distance < 64 ? fullReduction(env, a, b, nearest) : partialReduction(env, a, b, distance);
}

/** A finite pattern as processors write it: pseudo-denormals become the normal numbers they equal. */
function normalized(bits: bigint, value: Unpacked): bigint {
  const pseudo = value.denormal && value.exponent === extended80.minExponent;
  return pseudo ? bits | (1n << 64n) : bits;
}

function whole(bits: Delivered, quotientBits = 0): Remainder | undefined {
  return bits === undefined ? undefined : { remainder: bits, partial: false, quotientBits };
}

function fullReduction(
  env: FloatEnvironment,
  a: Unpacked,
  b: Unpacked,
  nearest: boolean,
): Remainder | undefined {
  const distance = a.exponent - b.exponent;
  // Below a quarter of the divisor the quotient is 0 in both rounding directions.
  if (distance < -2) return whole(roundAndPack(env, extended80, magnitudeOf(a)));
  const left = a.significand << BigInt(Math.max(distance, 0));
  const right = b.significand << BigInt(Math.max(-distance, 0));
  const scale = Math.min(a.exponent, b.exponent) - 63;
  let quotient = left / right;
  let rest = left - quotient * right;
  let negative = a.negative;
  if (nearest && (2n * rest > right || (2n * rest === right && (quotient & 1n) === 1n))) {
    quotient += 1n;
    rest = right - rest;
    negative = !negative;
  }
  const quotientBits = Number(quotient & 7n);
  if (rest === 0n) return whole(zeroOf(extended80, a.negative), quotientBits);
  const magnitude = { negative, significand: rest, scale, sticky: false };
  return whole(roundAndPack(env, extended80, magnitude), quotientBits);
}

/** The manual lets N be 32 to 63; hardware takes 32 plus the distance modulo 32. */
function partialReduction(
  env: FloatEnvironment,
  a: Unpacked,
  b: Unpacked,
  distance: number,
): Remainder | undefined {
  const bits = 32 + (distance & 31);
  const rest = (a.significand << BigInt(bits)) % b.significand;
  const scale = a.exponent - bits - 63;
  const reduced = rest === 0n ? zeroOf(extended80, a.negative) : roundAndPack(env, extended80, {
    negative: a.negative,
    significand: rest,
    scale,
    sticky: false,
  });
  return reduced === undefined ? undefined : { remainder: reduced, partial: true, quotientBits: 0 };
}

/** Scales beyond this overflow or underflow every number, even with the exponent bias of unmasked responses. */
const MASSIVE_SCALE = 1 << 17;
/** The explicit integer bit of a significand. */
const INTEGER_BIT = 1n << 63n;

/** FSCALE: `value * 2**truncate(scale)`. */
export function scale(env: FloatEnvironment, value: bigint, scaleBits: bigint): Delivered {
  begin(env);
  const a = unpack(extended80, value);
  const b = unpack(extended80, scaleBits);
  if (isNotANumber(a) || isNotANumber(b)) return deliverNaN(env, extended80, a, b);
  if (b.kind === "infinity") {
    const invalid = b.negative ? a.kind === "infinity" : a.kind === "zero";
    if (invalid) return deliverInvalid(env, extended80);
    if (denormalStops(env, a, b)) return undefined;
    return b.negative ? zeroOf(extended80, a.negative) : infinityOf(extended80, a.negative);
  }
  if (denormalStops(env, a, b)) return undefined;
  if (a.kind === "infinity") return infinityOf(extended80, a.negative);
  if (a.kind === "zero") return zeroOf(extended80, a.negative);
  // Nothing is rounded then, so that a denormal does not underflow; a pseudo-denormal becomes a normal number.
  if (b.kind === "zero" && (value & INTEGER_BIT) === 0n) return value;
  const magnitude = magnitudeOf(a);
  return roundAndPack(env, extended80, { ...magnitude, scale: magnitude.scale + truncated(b) });
}

function truncated(value: Unpacked): number {
  if (value.kind === "zero" || value.exponent < 0) return 0;
  const size = value.exponent > 16
    ? MASSIVE_SCALE
    : Number(value.significand >> BigInt(63 - value.exponent));
  return value.negative ? -size : size;
}

/** What FXTRACT delivers: `value = significand * 2**exponent`. */
export interface Extracted {
  readonly exponent: bigint;
  readonly significand: bigint;
}

/** FXTRACT: splits a number into exponent and significand, both extended80. */
export function extract(env: FloatEnvironment, bits: bigint): Extracted | undefined {
  begin(env);
  const value = unpack(extended80, bits);
  if (isNotANumber(value)) {
    const nan = deliverNaN(env, extended80, value);
    return nan === undefined ? undefined : { exponent: nan, significand: nan };
  }
  if (value.kind === "infinity") {
    return {
      exponent: infinityOf(extended80, false),
      significand: infinityOf(extended80, value.negative),
    };
  }
  if (value.kind === "zero") {
    raise(env, EXCEPTION.zeroDivide);
    if (stopped(env)) return undefined;
    return {
      exponent: infinityOf(extended80, true),
      significand: zeroOf(extended80, value.negative),
    };
  }
  if (denormalStops(env, value)) return undefined;
  return {
    exponent: integerBits(value.exponent),
    significand: assemble(extended80, value.negative, extended80.bias, value.significand),
  };
}

/** A small integer as extended80. */
export function integerBits(value: number): bigint {
  if (value === 0) return zeroOf(extended80, false);
  const size = Math.abs(value);
  const exponent = 31 - Math.clz32(size);
  const significand = BigInt(size) << BigInt(63 - exponent);
  return assemble(extended80, value < 0, extended80.bias + exponent, significand);
}

/** FXAM's answer for a register that is not empty: class and sign, and the C3, C2, C0 bits of the class. */
export interface Examined {
  readonly name: "unsupported" | "NaN" | "normal" | "infinity" | "zero" | "denormal";
  readonly c3: 0 | 1;
  readonly c2: 0 | 1;
  readonly c0: 0 | 1;
  /** C1, the sign. */
  readonly c1: 0 | 1;
}

type ExaminedClass = Omit<Examined, "c1">;

const EXAMINED = {
  unsupported: { name: "unsupported", c3: 0, c2: 0, c0: 0 },
  NaN: { name: "NaN", c3: 0, c2: 0, c0: 1 },
  normal: { name: "normal", c3: 0, c2: 1, c0: 0 },
  infinity: { name: "infinity", c3: 0, c2: 1, c0: 1 },
  zero: { name: "zero", c3: 1, c2: 0, c0: 0 },
  denormal: { name: "denormal", c3: 1, c2: 1, c0: 0 },
} as const satisfies Record<string, ExaminedClass>;

/** FXAM: classifies an extended80 pattern; raises nothing (an empty register, C3 and C0, is the caller's). */
export function examine(bits: bigint): Examined {
  const value = unpack(extended80, bits);
  return { ...examinedClass(value), c1: value.negative ? 1 : 0 };
}

function examinedClass(value: Unpacked): ExaminedClass {
  switch (value.kind) {
    case "unsupported":
      return EXAMINED.unsupported;
    case "quietNaN":
    case "signalingNaN":
      return EXAMINED.NaN;
    case "infinity":
      return EXAMINED.infinity;
    case "zero":
      return EXAMINED.zero;
    case "finite":
      return value.denormal ? EXAMINED.denormal : EXAMINED.normal;
    default:
      return value.kind satisfies never;
  }
}
