/**
 * The one place where an exact value becomes a bit pattern: rounding, tininess, overflow, FTZ, biased results.
 *
 * Tininess is detected after rounding, as both units do. Source: SDM volume 1, "Numeric Overflow Exception",
 * "Numeric Underflow Exception", "Inexact-Result (Precision) Exception", "Flush-To-Zero".
 */

import { EXCEPTION, type FloatEnvironment, raise, type RoundingMode } from "./environment.ts";
import { assemble, bitLength, type FloatFormat, infinityOf, zeroOf } from "./formats.ts";

/**
 * The bits an operation delivers, or undefined when an unmasked exception leaves the destination unchanged.
 */
export type Delivered = bigint | undefined;

/** An exact or truncated nonzero magnitude: `significand * 2**scale`, plus a little more if `sticky`. */
export interface Magnitude {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly scale: number;
  /** Bits below the significand's last one are not all zero. */
  readonly sticky: boolean;
}

/** x87 moves the exponent of an unmasked overflow or underflow by this much, back into range. */
const X87_BIAS_ADJUST = 24576;

interface Rounded {
  readonly significand: bigint;
  readonly inexact: boolean;
  readonly up: boolean;
}

/**
 * Drops the low `drop` bits of a significand (negative: appends zeros) and rounds what is left.
 *
 * @param sticky whether nonzero bits were lost before
 */
export function roundSignificand(
  rounding: RoundingMode,
  negative: boolean,
  significand: bigint,
  drop: number,
  sticky: boolean,
): Rounded {
  if (drop <= 0) {
    // Sticky values come with more bits than any format keeps, so here sticky can only mean "below half".
    const shifted = significand << BigInt(-drop);
    return roundParts(rounding, negative, shifted, sticky ? 1 : 0);
  }
  const bits = BigInt(drop);
  const kept = significand >> bits;
  const rest = significand - (kept << bits);
  const half = 1n << (bits - 1n);
  if (rest === 0n) return roundParts(rounding, negative, kept, sticky ? 1 : 0);
  if (rest === half) return roundParts(rounding, negative, kept, sticky ? 3 : 2);
  return roundParts(rounding, negative, kept, rest > half ? 3 : 1);
}

/** `rest`: 0 exact, 1 below half, 2 half, 3 above half a unit in the last place. */
function roundParts(
  rounding: RoundingMode,
  negative: boolean,
  kept: bigint,
  rest: 0 | 1 | 2 | 3,
): Rounded {
  const inexact = rest !== 0;
  const up = inexact && roundsAway(rounding, negative, kept, rest);
  return { significand: up ? kept + 1n : kept, inexact, up };
}

function roundsAway(
  rounding: RoundingMode,
  negative: boolean,
  kept: bigint,
  rest: number,
): boolean {
  switch (rounding) {
    case "nearest":
      return rest === 3 || (rest === 2 && (kept & 1n) === 1n);
    case "down":
      return negative;
    case "up":
      return !negative;
    case "zero":
      return false;
    default:
      return rounding satisfies never;
  }
}

/**
 * Rounds a nonzero magnitude into `format` and raises overflow, underflow and precision as needed.
 *
 * @param precisionBits significand bits to keep; less than the format's under x87 precision control
 * @returns the pattern; undefined for unmasked exceptions that leave the destination unchanged
 */
export function roundAndPack(
  env: FloatEnvironment,
  format: FloatFormat,
  value: Magnitude,
  precisionBits: number = format.precisionBits,
): Delivered {
  const { negative, significand, scale, sticky } = value;
  const drop = bitLength(significand) - precisionBits;
  const rounded = roundSignificand(env.rounding, negative, significand, drop, sticky);
  const carry = bitLength(rounded.significand) > precisionBits ? 1 : 0;
  const kept = carry === 1 ? rounded.significand >> 1n : rounded.significand;
  const exponent = scale + drop + carry + precisionBits - 1;
  const normal = { negative, exponent, kept, precisionBits, rounded };
  if (exponent > format.maxExponent) return overflow(env, format, normal);
  if (exponent < format.minExponent) return underflow(env, format, value, normal);
  if (rounded.inexact) raise(env, EXCEPTION.precision);
  return deliver(env, format, normal, 0);
}

interface Normal {
  readonly negative: boolean;
  readonly exponent: number;
  readonly kept: bigint;
  readonly precisionBits: number;
  readonly rounded: Rounded;
}

function deliver(
  env: FloatEnvironment,
  format: FloatFormat,
  value: Normal,
  adjust: number,
): Delivered {
  env.roundedUp = value.rounded.up;
  if (env.unit === "sse" && (env.raised & ~env.masks) !== 0) return undefined;
  const significand = value.kept << BigInt(format.precisionBits - value.precisionBits);
  const field = value.exponent + adjust + format.bias;
  return assemble(format, value.negative, field, significand);
}

function overflow(env: FloatEnvironment, format: FloatFormat, value: Normal): Delivered {
  raise(env, EXCEPTION.overflow);
  if ((env.masks & EXCEPTION.overflow) === 0) {
    // A store to memory ends before it is inexact; SSE and results for registers report that too.
    if (env.unit === "x87" && !format.explicitInteger) return undefined;
    if (value.rounded.inexact) raise(env, EXCEPTION.precision);
    if (env.unit === "sse") return undefined;
    if (value.exponent - X87_BIAS_ADJUST > format.maxExponent) {
      env.roundedUp = true;
      raise(env, EXCEPTION.precision);
      return infinityOf(format, value.negative);
    }
    return deliver(env, format, value, -X87_BIAS_ADJUST);
  }
  raise(env, EXCEPTION.precision);
  if (env.unit === "sse" && (env.masks & EXCEPTION.precision) === 0) return undefined;
  const toInfinity = roundsAway(env.rounding, value.negative, 1n, 3);
  env.roundedUp = toInfinity;
  if (toInfinity) return infinityOf(format, value.negative);
  const ones = (1n << BigInt(value.precisionBits)) - 1n;
  const significand = ones << BigInt(format.precisionBits - value.precisionBits);
  return assemble(format, value.negative, format.specialExponent - 1, significand);
}

function underflow(
  env: FloatEnvironment,
  format: FloatFormat,
  value: Magnitude,
  normal: Normal,
): Delivered {
  if ((env.masks & EXCEPTION.underflow) === 0) {
    raise(env, EXCEPTION.underflow);
    if (env.unit === "x87" && !format.explicitInteger) return undefined;
    if (normal.rounded.inexact) raise(env, EXCEPTION.precision);
    if (env.unit === "sse") return undefined;
    if (normal.exponent + X87_BIAS_ADJUST < format.minExponent) {
      raise(env, EXCEPTION.precision);
      return zeroOf(format, value.negative);
    }
    return deliver(env, format, normal, X87_BIAS_ADJUST);
  }
  if (env.flushToZero) {
    raise(env, EXCEPTION.underflow | EXCEPTION.precision);
    return (env.masks & EXCEPTION.precision) === 0 ? undefined : zeroOf(format, value.negative);
  }
  return denormal(env, format, value, normal.precisionBits);
}

/** Rounds a tiny value once more, from the exact one, at the last place of the denormal range. */
function denormal(
  env: FloatEnvironment,
  format: FloatFormat,
  value: Magnitude,
  precisionBits: number,
): Delivered {
  const lastPlace = format.minExponent - precisionBits + 1;
  const drop = lastPlace - value.scale;
  const rounded = roundSignificand(
    env.rounding,
    value.negative,
    value.significand,
    drop,
    value.sticky,
  );
  if (rounded.inexact) raise(env, EXCEPTION.underflow | EXCEPTION.precision);
  env.roundedUp = rounded.up;
  if (env.unit === "sse" && (env.raised & ~env.masks) !== 0) return undefined;
  // Rounding may have reached the smallest normal number, whose exponent field is 1.
  const field = bitLength(rounded.significand) === precisionBits ? 1 : 0;
  const significand = rounded.significand << BigInt(format.precisionBits - precisionBits);
  return assemble(format, value.negative, field, significand);
}
