/**
 * What every operation does with its operands first: DAZ, NaNs, unsupported encodings, denormals.
 *
 * Source: SDM volume 1, "Rules for Handling NaNs", "SNaNs and QNaNs", "Denormals-Are-Zeros", "Exception Priority".
 */

import { EXCEPTION, type FloatEnvironment, raise, stopped } from "./environment.ts";
import {
  type FloatFormat,
  isNaNValue,
  quietNaNOf,
  unpack,
  type Unpacked,
  zeroOf,
} from "./formats.ts";
import type { Delivered } from "./round_and_pack.ts";

/** Takes an operand apart; with DAZ a denormal is the zero of its sign. */
export function operandOf(env: FloatEnvironment, format: FloatFormat, bits: bigint): Unpacked {
  const value = unpack(format, bits);
  return env.denormalsAreZero && value.denormal
    ? unpack(format, zeroOf(format, value.negative))
    : value;
}

/** Whether an operand has no value to compute with (NaN or unsupported encoding). */
export function isNotANumber(value: Unpacked): boolean {
  return isNaNValue(value) || value.kind === "unsupported";
}

/** Raises invalid operation and delivers the default NaN. */
export function deliverInvalid(env: FloatEnvironment, format: FloatFormat): Delivered {
  raise(env, EXCEPTION.invalid);
  return stopped(env) ? undefined : format.defaultNaN;
}

/** Raises denormal operand if any operand is denormal; true if that ends the operation. */
export function denormalStops(env: FloatEnvironment, a: Unpacked, b: Unpacked = a): boolean {
  if (a.denormal || b.denormal) raise(env, EXCEPTION.denormal);
  return stopped(env);
}

/** The result of an operation with at least one operand that is not a number. */
export function deliverNaN(
  env: FloatEnvironment,
  format: FloatFormat,
  a: Unpacked,
  b: Unpacked = a,
): Delivered {
  if (a.kind === "unsupported" || b.kind === "unsupported") return deliverInvalid(env, format);
  if (a.kind === "signalingNaN" || b.kind === "signalingNaN") raise(env, EXCEPTION.invalid);
  if (stopped(env)) return undefined;
  return quietNaNOf(format, env.unit === "sse" ? (isNaNValue(a) ? a : b) : x87NaN(a, b));
}

/** x87 prefers a quiet NaN to a signalling one, then the larger significand, then the positive sign. */
function x87NaN(a: Unpacked, b: Unpacked): Unpacked {
  if (!isNaNValue(b)) return a;
  if (!isNaNValue(a)) return b;
  if (a.kind !== b.kind) return a.kind === "quietNaN" ? a : b;
  if (a.significand !== b.significand) return a.significand > b.significand ? a : b;
  return a.negative ? b : a;
}
