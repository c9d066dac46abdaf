/**
 * Conversions between formats and to and from signed integers, and rounding to an integral value.
 *
 * Source: SDM volume 2, CVTSS2SD, CVTSD2SS, CVTSI2SS, CVTSS2SI, CVTTSS2SI, FLD, FST, FILD, FIST, FISTTP, FRNDINT,
 * ROUNDSS; volume 1, "Integer Indefinite".
 */

import {
  begin,
  EXCEPTION,
  type FloatEnvironment,
  raise,
  type RoundingMode,
  unmasked,
} from "./environment.ts";
import { type FloatFormat, infinityOf, type Unpacked, zeroOf } from "./formats.ts";
import { deliverNaN, denormalStops, isNotANumber, operandOf } from "./operands.ts";
import {
  type Delivered,
  type Magnitude,
  roundAndPack,
  roundSignificand,
} from "./round_and_pack.ts";

/** Widths of the signed integers that instructions convert to and from. */
export type IntegerWidth = 16 | 32 | 64;

/**
 * Converts between formats: CVTSS2SD, CVTSD2SS, FLD m32/m64, FST m32/m64 (not FLD or FSTP m80, plain copies).
 *
 * Storing an x87 register does not raise denormal operand, all others do; loading one pushes the value even if
 * that exception is not masked (as processors do; the manual is silent).
 */
export function convert(
  env: FloatEnvironment,
  from: FloatFormat,
  to: FloatFormat,
  bits: bigint,
): Delivered {
  begin(env);
  const value = operandOf(env, from, bits);
  if (isNotANumber(value)) return deliverNaN(env, to, value);
  if (!from.explicitInteger && denormalStops(env, value) && env.unit === "sse") return undefined;
  if (value.kind === "zero") return zeroOf(to, value.negative);
  if (value.kind === "infinity") return infinityOf(to, value.negative);
  return roundAndPack(env, to, magnitudeOf(value));
}

/** CVTSI2SS and its like, FILD: rounds a signed integer. */
export function fromInteger(env: FloatEnvironment, format: FloatFormat, value: bigint): Delivered {
  begin(env);
  if (value === 0n) return zeroOf(format, false);
  const negative = value < 0n;
  const significand = negative ? -value : value;
  return roundAndPack(env, format, { negative, significand, scale: 0, sticky: false });
}

/**
 * CVTSS2SI and its like, FIST, FISTTP: rounds to a signed integer.
 *
 * @param rounding "zero" for the truncating instructions; the environment's otherwise
 * @returns the integer as an unsigned pattern of `width` bits; the integer indefinite (only the top bit set) for
 * values out of range, which are invalid; undefined if an unmasked exception leaves the destination unchanged
 */
export function toInteger(
  env: FloatEnvironment,
  format: FloatFormat,
  bits: bigint,
  width: IntegerWidth,
  rounding: RoundingMode = env.rounding,
): Delivered {
  begin(env);
  const limit = 1n << BigInt(width - 1);
  const value = operandOf(env, format, bits);
  const integer = roundInteger(env, value, rounding, -limit, limit - 1n);
  return integer === undefined || leavesInteger(env)
    ? undefined
    : BigInt.asUintN(width, integer === "indefinite" ? -limit : integer);
}

/** SSE faults on any unmasked exception; x87 stores an inexact integer before it reports. */
function leavesInteger(env: FloatEnvironment): boolean {
  return (unmasked(env) & (env.unit === "sse" ? ~0 : ~EXCEPTION.precision)) !== 0;
}

/**
 * Rounds to an integer from `least` to `most`, raising precision; anything else is invalid and "indefinite", or
 * undefined if invalid operation is not masked.
 */
export function roundInteger(
  env: FloatEnvironment,
  value: Unpacked,
  rounding: RoundingMode,
  least: bigint,
  most: bigint,
): bigint | "indefinite" | undefined {
  if (value.kind === "zero") return 0n;
  if (value.kind !== "finite" || value.exponent > 64) return invalidInteger(env);
  const drop = 63 - value.exponent;
  const { significand, inexact, up } = roundSignificand(
    rounding,
    value.negative,
    value.significand,
    Math.min(drop, 66),
    false,
  );
  const integer = value.negative ? -significand : significand;
  if (integer > most || integer < least) return invalidInteger(env);
  if (inexact) raise(env, EXCEPTION.precision);
  env.roundedUp = up;
  return integer;
}

function invalidInteger(env: FloatEnvironment): "indefinite" | undefined {
  raise(env, EXCEPTION.invalid);
  return unmasked(env) !== 0 ? undefined : "indefinite";
}

/**
 * FRNDINT, ROUNDSS, ROUNDSD: rounds to an integral value in the same format.
 *
 * @param suppressPrecision do not raise precision (bit 3 of ROUNDSS's immediate)
 */
export function roundToInteger(
  env: FloatEnvironment,
  format: FloatFormat,
  bits: bigint,
  rounding: RoundingMode = env.rounding,
  suppressPrecision = false,
): Delivered {
  begin(env);
  const value = operandOf(env, format, bits);
  if (isNotANumber(value)) return deliverNaN(env, format, value);
  if (env.unit === "x87" && denormalStops(env, value)) return undefined;
  if (value.kind === "zero") return zeroOf(format, value.negative);
  if (value.kind === "infinity") return infinityOf(format, value.negative);
  const { negative } = value;
  const drop = Math.min(63 - value.exponent, 66);
  if (drop <= 0) return roundAndPack(env, format, magnitudeOf(value));
  const rounded = roundSignificand(rounding, negative, value.significand, drop, false);
  if (rounded.inexact && !suppressPrecision) raise(env, EXCEPTION.precision);
  if (env.unit === "sse" && unmasked(env) !== 0) return undefined;
  const integral = rounded.significand === 0n ? zeroOf(format, negative) : roundAndPack(
    env,
    format,
    { negative, significand: rounded.significand, scale: 0, sticky: false },
  );
  env.roundedUp = rounded.up;
  return integral;
}

/** A finite value as a magnitude. */
export function magnitudeOf(value: Unpacked): Magnitude {
  const { negative, significand, exponent } = value;
  return { negative, significand, scale: exponent - 63, sticky: false };
}
