/**
 * The x87 transcendental instructions: special cases as the manual tabulates them, values from `real.ts`.
 *
 * Trigonometric arguments are reduced with the 66-bit pi of Intel's processors, so results far from zero equal
 * theirs rather than the mathematical ones. Source: SDM volume 1, "Transcendental Instruction Accuracy", "Pi";
 * volume 2, F2XM1, FYL2X, FYL2XP1, FSIN, FCOS, FSINCOS, FPTAN, FPATAN.
 */

import { begin, EXCEPTION, type FloatEnvironment, raise, stopped } from "./environment.ts";
import { extended80, infinityOf, unpack, type Unpacked, zeroOf } from "./formats.ts";
import { deliverInvalid, deliverNaN, denormalStops, isNotANumber } from "./operands.ts";
import { type Delivered, roundAndPack } from "./round_and_pack.ts";
import {
  arctangent,
  cosine,
  divReal,
  exponentOf,
  type Fixed,
  LN10,
  LN2,
  logarithm2,
  logarithm2Plus1,
  mulReal,
  ofFixed,
  ONE,
  PI,
  powerOfTwoLessOne,
  type Real,
  sine,
  tangent,
  toFixed,
} from "./real.ts";

/** The extended80 of one. */
export const ONE_BITS = 0x3fff8000000000000000n;
const NEGATIVE_HALF = 0xbffe8000000000000000n;

function realOf(value: Unpacked): Real {
  const mantissa = value.negative ? -value.significand : value.significand;
  return { mantissa, scale: value.exponent - 63 };
}

/** Rounds a nonzero real; `exact` unless bits below the mantissa were cut. */
function deliverReal(env: FloatEnvironment, value: Real, exact = false): Delivered {
  const negative = value.mantissa < 0n;
  const significand = negative ? -value.mantissa : value.mantissa;
  return roundAndPack(env, extended80, {
    negative,
    significand,
    scale: value.scale,
    sticky: !exact,
  });
}

/** The numbers that FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2 and FLDZ push, by what follows "FLD". */
const CONSTANTS: Readonly<Record<ConstantName, Fixed>> = {
  "1": ONE,
  L2T: toFixed(divReal(ofFixed(LN10), ofFixed(LN2))),
  L2E: toFixed(divReal(ofFixed(ONE), ofFixed(LN2))),
  PI,
  LG2: toFixed(divReal(ofFixed(LN2), ofFixed(LN10))),
  LN2,
  Z: 0n,
};

/** Mnemonics of the constant loads without "FLD". */
export type ConstantName = "1" | "L2T" | "L2E" | "PI" | "LG2" | "LN2" | "Z";

/** A constant rounded to extended80 as RC says; raises nothing. */
export function constant(env: FloatEnvironment, name: ConstantName): bigint {
  const value = CONSTANTS[name];
  begin(env);
  if (value === 0n) return zeroOf(extended80, false);
  const quiet = { ...env, unit: "x87" as const };
  return deliverReal(quiet, ofFixed(value), name === "1") ?? extended80.defaultNaN;
}

/** Pi/2 in units of 2**-65: Intel's internal pi has 66 bits, 64 of them after the binary point. */
const HALF_PI_66 = 0x3243f6a8885a308d3n;
const HALF_PI_SCALE = -65;

interface Reduced {
  readonly rest: Real;
  /** Quarter turns taken off, modulo 4. */
  readonly quadrant: number;
}

/** Takes quarter turns off until the rest is at most an eighth turn; exact, and never zero for 64-bit inputs. */
function reduceAngle(x: Real): Reduced {
  const shift = x.scale - HALF_PI_SCALE;
  if (exponentOf(x) < -1) return { rest: x, quadrant: 0 };
  const scale = Math.min(x.scale, HALF_PI_SCALE);
  const angle = x.mantissa << BigInt(Math.max(shift, 0));
  const quarter = HALF_PI_66 << BigInt(Math.max(-shift, 0));
  const turns = floorDivide(2n * angle + quarter, 2n * quarter);
  return {
    rest: { mantissa: angle - turns * quarter, scale },
    quadrant: Number(BigInt.asUintN(2, turns)),
  };
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

function sineOf(angle: Reduced): Real {
  const value = (angle.quadrant & 1) === 0 ? sine(angle.rest) : cosine(angle.rest);
  return (angle.quadrant & 2) === 0 ? value : negated(value);
}

function cosineOf(angle: Reduced): Real {
  return sineOf({ rest: angle.rest, quadrant: (angle.quadrant + 1) & 3 });
}

function tangentOf(angle: Reduced): Real {
  const value = tangent(angle.rest);
  return (angle.quadrant & 1) === 0 ? value : negated(divReal({ mantissa: 1n, scale: 0 }, value));
}

function negated(value: Real): Real {
  return { mantissa: -value.mantissa, scale: value.scale };
}

/** FSIN, FCOS, FSINCOS and FPTAN set C2 and change nothing for arguments of 2**63 and more. */
export type Trigonometric<Result> = Result | "outOfRange" | undefined;

const RANGE_EXPONENT = 63;

/** The cases that all trigonometric instructions share; undefined for ordinary numbers (and zero). */
function trigonometricSpecial(
  env: FloatEnvironment,
  x: Unpacked,
): { result: Trigonometric<bigint> } | undefined {
  if (isNotANumber(x)) return { result: deliverNaN(env, extended80, x) };
  if (x.kind === "infinity") return { result: deliverInvalid(env, extended80) };
  if (denormalStops(env, x)) return { result: undefined };
  if (x.kind === "finite" && x.exponent >= RANGE_EXPONENT) return { result: "outOfRange" };
  return undefined;
}

/** FSIN. */
export function fsin(env: FloatEnvironment, bits: bigint): Trigonometric<bigint> {
  begin(env);
  const x = unpack(extended80, bits);
  const special = trigonometricSpecial(env, x);
  if (special !== undefined) return special.result;
  if (x.kind === "zero") return bits;
  return deliverReal(env, sineOf(reduceAngle(realOf(x))));
}

/** FCOS. */
export function fcos(env: FloatEnvironment, bits: bigint): Trigonometric<bigint> {
  begin(env);
  const x = unpack(extended80, bits);
  const special = trigonometricSpecial(env, x);
  if (special !== undefined) return special.result;
  if (x.kind === "zero") return ONE_BITS;
  return deliverReal(env, cosineOf(reduceAngle(realOf(x))));
}

/** What FSINCOS delivers: the sine replaces ST(0), then the cosine is pushed. */
export interface SineCosine {
  readonly sine: bigint;
  readonly cosine: bigint;
}

/** FSINCOS. */
export function fsincos(env: FloatEnvironment, bits: bigint): Trigonometric<SineCosine> {
  const sineBits = fsin(env, bits);
  if (sineBits === undefined || sineBits === "outOfRange") return sineBits;
  const raised = env.raised;
  const cosineBits = fcos(env, bits);
  raise(env, raised);
  if (cosineBits === undefined || cosineBits === "outOfRange") return cosineBits;
  return { sine: sineBits, cosine: cosineBits };
}

/** What FPTAN delivers: the tangent replaces ST(0), then `pushed` (one, or the NaN again) is pushed. */
export interface Tangent {
  readonly tangent: bigint;
  readonly pushed: bigint;
}

/** FPTAN. */
export function fptan(env: FloatEnvironment, bits: bigint): Trigonometric<Tangent> {
  begin(env);
  const x = unpack(extended80, bits);
  const special = trigonometricSpecial(env, x);
  if (special !== undefined) {
    const { result } = special;
    return typeof result === "bigint" ? { tangent: result, pushed: result } : result;
  }
  if (x.kind === "zero") return { tangent: bits, pushed: ONE_BITS };
  const value = deliverReal(env, tangentOf(reduceAngle(realOf(x))));
  return value === undefined ? undefined : { tangent: value, pushed: ONE_BITS };
}

/** FPATAN: the angle of the point (x, y), from -pi to pi; y is ST(1), x is ST(0). */
export function fpatan(env: FloatEnvironment, yBits: bigint, xBits: bigint): Delivered {
  begin(env);
  const y = unpack(extended80, yBits);
  const x = unpack(extended80, xBits);
  if (isNotANumber(x) || isNotANumber(y)) return deliverNaN(env, extended80, y, x);
  if (denormalStops(env, x, y)) return undefined;
  const eighths = specialAngle(y, x);
  if (eighths === 0) return zeroOf(extended80, y.negative);
  if (eighths !== undefined) {
    const angle = (PI * BigInt(eighths)) >> 3n;
    return deliverReal(env, ofFixed(y.negative ? -angle : angle));
  }
  const size = angleOf(magnitude(y), magnitude(x), x.negative);
  return deliverReal(env, y.negative ? negated(size) : size);
}

/** FPATAN's table for zeros and infinities, in eighths of pi, without the sign of y. */
function specialAngle(y: Unpacked, x: Unpacked): number | undefined {
  if (y.kind === "infinity" && x.kind === "infinity") return x.negative ? 6 : 2;
  if (y.kind === "infinity") return 4;
  if (x.kind === "infinity") return x.negative ? 8 : 0;
  if (y.kind === "zero") return x.negative ? 8 : 0;
  return x.kind === "zero" ? 4 : undefined;
}

function magnitude(value: Unpacked): Real {
  return { mantissa: value.significand, scale: value.exponent - 63 };
}

/** Below this exponent an angle is lost beside pi in `Fixed`. */
const LOST_EXPONENT = -200;

function angleOf(y: Real, x: Real, xNegative: boolean): Real {
  const steep = exponentOf(y) > exponentOf(x) ||
    (exponentOf(y) === exponentOf(x) && y.mantissa > x.mantissa);
  const ratio = steep ? divReal(x, y) : divReal(y, x);
  const small = arctangent(ratio);
  if (!steep && !xNegative) return small;
  const fixed = exponentOf(small) < LOST_EXPONENT ? 0n : toFixed(small);
  const base = steep ? PI >> 1n : PI;
  return ofFixed(steep === xNegative ? base + fixed : base - fixed);
}

/** F2XM1: `2**x - 1` for x from -1 to 1; x itself beyond, where the manual leaves the result undefined. */
export function f2xm1(env: FloatEnvironment, bits: bigint): Delivered {
  begin(env);
  const x = unpack(extended80, bits);
  if (isNotANumber(x)) return deliverNaN(env, extended80, x);
  if (denormalStops(env, x)) return undefined;
  if (x.kind === "zero") return bits;
  if (x.kind === "infinity") return x.negative ? negativeOne() : bits;
  if (x.exponent >= 0) return f2xm1FromOne(env, bits);
  return deliverReal(env, powerOfTwoLessOne(realOf(x)));
}

/** At 1 and -1 the result is exact, yet processors raise precision, as they do for any number. */
function f2xm1FromOne(env: FloatEnvironment, bits: bigint): Delivered {
  raise(env, EXCEPTION.precision);
  return bits === negativeOne() ? NEGATIVE_HALF : bits;
}

function negativeOne(): bigint {
  return ONE_BITS | (1n << 79n);
}

/** FYL2X: `y * log2(x)`; y is ST(1), x is ST(0). */
export function fyl2x(env: FloatEnvironment, yBits: bigint, xBits: bigint): Delivered {
  begin(env);
  const y = unpack(extended80, yBits);
  const x = unpack(extended80, xBits);
  if (isNotANumber(x) || isNotANumber(y)) return deliverNaN(env, extended80, y, x);
  if (x.kind === "zero") return logarithmOfZero(env, y);
  if (x.negative) return deliverInvalid(env, extended80);
  const logarithm = x.kind === "infinity" ? "infinity" : logarithm2(realOf(x));
  return timesLogarithm(env, y, x, logarithm);
}

/** Processors call even `y * log2(2**k)` inexact, and underflow if it is tiny, whatever the product is. */
function productOf(env: FloatEnvironment, y: Real, logarithm: Real): Delivered {
  // Only powers of two have a rational logarithm, an integer.
  const exact = logarithm.scale === 0;
  const result = deliverReal(env, mulReal(y, logarithm), exact);
  const tiny = result !== undefined && unpack(extended80, result).denormal;
  raise(env, EXCEPTION.precision | (tiny ? EXCEPTION.underflow : 0));
  return result;
}

function logarithmOfZero(env: FloatEnvironment, y: Unpacked): Delivered {
  if (y.kind === "zero") return deliverInvalid(env, extended80);
  if (y.kind === "finite") {
    raise(env, EXCEPTION.zeroDivide);
    if (stopped(env)) return undefined;
  }
  return infinityOf(extended80, !y.negative);
}

/** `y * logarithm`, where "infinity" is the logarithm of infinity. */
function timesLogarithm(
  env: FloatEnvironment,
  y: Unpacked,
  x: Unpacked,
  logarithm: Real | "infinity",
): Delivered {
  const infinite = logarithm === "infinity";
  const zero = !infinite && logarithm.mantissa === 0n;
  const negative = y.negative !== (!infinite && logarithm.mantissa < 0n);
  if (infinite ? y.kind === "zero" : zero && y.kind === "infinity") {
    return deliverInvalid(env, extended80);
  }
  if (denormalStops(env, x, y)) return undefined;
  if (infinite || y.kind === "infinity") return infinityOf(extended80, negative);
  if (zero || y.kind === "zero") return zeroOf(extended80, negative);
  return productOf(env, realOf(y), logarithm);
}

/** Least exponent of x for which FYL2XP1 computes by way of log2 of the exact sum 1 + x. */
const EXACT_SUM_EXPONENT = -2;

/**
 * FYL2XP1: `y * log2(x + 1)`; y is ST(1), x is ST(0).
 *
 * The manual defines it for |x| up to 1 - sqrt(1/2); this computes any x above -1 and answers x for the rest.
 */
export function fyl2xp1(env: FloatEnvironment, yBits: bigint, xBits: bigint): Delivered {
  begin(env);
  const y = unpack(extended80, yBits);
  const x = unpack(extended80, xBits);
  if (isNotANumber(x) || isNotANumber(y)) return deliverNaN(env, extended80, y, x);
  if (x.kind === "infinity") {
    return x.negative ? deliverInvalid(env, extended80) : timesLogarithm(env, y, x, "infinity");
  }
  if (x.kind === "zero") return timesZeroLogarithm(env, y, x);
  if (x.negative && x.exponent >= 0) {
    if (y.kind === "infinity") return infinityOf(extended80, !y.negative);
    if (y.kind === "zero") return zeroOf(extended80, !y.negative);
    if (denormalStops(env, y)) return undefined;
    raise(env, EXCEPTION.precision);
    return xBits;
  }
  return timesLogarithm(env, y, x, logarithmOfSum(realOf(x)));
}

/** log2(1 + x) is a zero of x's sign, which a `Real` cannot carry. */
function timesZeroLogarithm(env: FloatEnvironment, y: Unpacked, x: Unpacked): Delivered {
  if (y.kind === "infinity") return deliverInvalid(env, extended80);
  if (denormalStops(env, y)) return undefined;
  return zeroOf(extended80, x.negative !== y.negative);
}

function logarithmOfSum(x: Real): Real {
  const exponent = exponentOf(x);
  if (exponent < EXACT_SUM_EXPONENT) return logarithm2Plus1(x);
  // Far above one the addend 1 no longer matters at working precision.
  if (exponent > 300) return logarithm2(x);
  const scale = Math.min(x.scale, 0);
  const sum = (x.mantissa << BigInt(x.scale - scale)) + (1n << BigInt(-scale));
  return logarithm2({ mantissa: sum, scale });
}
