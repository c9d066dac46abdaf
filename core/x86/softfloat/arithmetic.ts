/**
 * Add, subtract, multiply, divide and square root, exact and then rounded once.
 *
 * x87 instructions with a memory operand convert it on the way in; they pass its format as `aFormat` or `bFormat`
 * so that signalling NaNs and denormals of that format are seen. Precision control applies to these operations
 * only. Source: SDM volume 2, FADD, FSUB, FMUL, FDIV, FSQRT and their SSE counterparts, tables of results.
 */

import { begin, EXCEPTION, type FloatEnvironment, raise, stopped } from "./environment.ts";
import { bitLength, type FloatFormat, infinityOf, type Unpacked, zeroOf } from "./formats.ts";
import { deliverInvalid, deliverNaN, denormalStops, isNotANumber, operandOf } from "./operands.ts";
import { type Delivered, roundAndPack } from "./round_and_pack.ts";

type UnpackedOperation = (
  env: FloatEnvironment,
  format: FloatFormat,
  a: Unpacked,
  b: Unpacked,
) => Delivered;

/** A two-operand operation on bit patterns; `aFormat` and `bFormat` default to the result's format. */
export type BinaryOperation = (
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  b: bigint,
  aFormat?: FloatFormat,
  bFormat?: FloatFormat,
) => Delivered;

function binaryOperation(operate: UnpackedOperation): BinaryOperation {
  return (env, format, a, b, aFormat = format, bFormat = format) => {
    begin(env);
    const left = operandOf(env, aFormat, a);
    const right = operandOf(env, bFormat, b);
    if (isNotANumber(left) || isNotANumber(right)) return deliverNaN(env, format, left, right);
    return operate(env, format, left, right);
  };
}

/** `a + b`. */
export const add: BinaryOperation = binaryOperation(sum);

/** `a - b`. */
export const sub: BinaryOperation = binaryOperation((env, format, a, b) =>
  sum(env, format, a, { ...b, negative: !b.negative })
);

/** `a * b`. */
export const mul: BinaryOperation = binaryOperation(product);

/** `a / b`; raises zero-divide for a finite nonzero `a` and zero `b`. */
export const div: BinaryOperation = binaryOperation(quotient);

/** The precision an arithmetic result is rounded to. */
function precisionOf(env: FloatEnvironment, format: FloatFormat): number {
  return env.unit === "x87"
    ? Math.min(env.precisionBits, format.precisionBits)
    : format.precisionBits;
}

/** Beyond this distance of exponents the smaller addend only decides rounding. */
const FAR = 136;

function sum(env: FloatEnvironment, format: FloatFormat, a: Unpacked, b: Unpacked): Delivered {
  const opposite = a.negative !== b.negative;
  if (a.kind === "infinity" && b.kind === "infinity" && opposite) {
    return deliverInvalid(env, format);
  }
  if (denormalStops(env, a, b)) return undefined;
  if (a.kind === "infinity") return infinityOf(format, a.negative);
  if (b.kind === "infinity") return infinityOf(format, b.negative);
  if (a.kind === "zero" && b.kind === "zero") {
    return zeroOf(format, opposite ? env.rounding === "down" : a.negative);
  }
  if (a.kind === "zero") return finite(env, format, b);
  if (b.kind === "zero") return finite(env, format, a);
  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  const distance = Math.min(high.exponent - low.exponent, FAR);
  const highBits = high.significand << BigInt(distance);
  const lowBits = distance === FAR ? 1n : low.significand;
  const total = opposite ? highBits - lowBits : highBits + lowBits;
  if (total === 0n) return zeroOf(format, env.rounding === "down");
  const negative = total < 0n ? !high.negative : high.negative;
  const significand = total < 0n ? -total : total;
  const scale = high.exponent - distance - 63;
  return roundAndPack(
    env,
    format,
    { negative, significand, scale, sticky: false },
    precisionOf(env, format),
  );
}

function finite(env: FloatEnvironment, format: FloatFormat, value: Unpacked): Delivered {
  const { negative, significand } = value;
  const magnitude = { negative, significand, scale: value.exponent - 63, sticky: false };
  return roundAndPack(env, format, magnitude, precisionOf(env, format));
}

function product(env: FloatEnvironment, format: FloatFormat, a: Unpacked, b: Unpacked): Delivered {
  const negative = a.negative !== b.negative;
  const infinite = a.kind === "infinity" || b.kind === "infinity";
  const zero = a.kind === "zero" || b.kind === "zero";
  if (infinite && zero) return deliverInvalid(env, format);
  if (denormalStops(env, a, b)) return undefined;
  if (infinite) return infinityOf(format, negative);
  if (zero) return zeroOf(format, negative);
  const magnitude = {
    negative,
    significand: a.significand * b.significand,
    scale: a.exponent + b.exponent - 126,
    sticky: false,
  };
  return roundAndPack(env, format, magnitude, precisionOf(env, format));
}

/** Extra quotient bits: enough for a full significand and rounding. */
const QUOTIENT_SHIFT = 67;

function quotient(env: FloatEnvironment, format: FloatFormat, a: Unpacked, b: Unpacked): Delivered {
  const negative = a.negative !== b.negative;
  if (a.kind === b.kind && a.kind !== "finite") return deliverInvalid(env, format);
  if (a.kind === "finite" && b.kind === "zero") {
    raise(env, EXCEPTION.zeroDivide);
    return stopped(env) ? undefined : infinityOf(format, negative);
  }
  if (denormalStops(env, a, b)) return undefined;
  if (a.kind === "infinity") return infinityOf(format, negative);
  if (a.kind === "zero" || b.kind === "infinity") return zeroOf(format, negative);
  const dividend = a.significand << BigInt(QUOTIENT_SHIFT);
  const significand = dividend / b.significand;
  const magnitude = {
    negative,
    significand,
    scale: a.exponent - b.exponent - QUOTIENT_SHIFT,
    sticky: significand * b.significand !== dividend,
  };
  return roundAndPack(env, format, magnitude, precisionOf(env, format));
}

/** The square root; negative numbers other than -0 are invalid. */
export function sqrt(
  env: FloatEnvironment,
  format: FloatFormat,
  bits: bigint,
): Delivered {
  begin(env);
  const value = operandOf(env, format, bits);
  if (isNotANumber(value)) return deliverNaN(env, format, value);
  if (value.kind === "zero") return zeroOf(format, value.negative);
  if (value.negative) return deliverInvalid(env, format);
  if (denormalStops(env, value)) return undefined;
  if (value.kind === "infinity") return infinityOf(format, false);
  // An even exponent and 2 * 66 bits give a root of at least 66 bits.
  const odd = (value.exponent - 63) & 1;
  const radicand = value.significand << BigInt(68 + odd);
  const significand = integerSqrt(radicand);
  const magnitude = {
    negative: false,
    significand,
    scale: (value.exponent - 63 - 68 - odd) / 2,
    sticky: significand * significand !== radicand,
  };
  return roundAndPack(env, format, magnitude, precisionOf(env, format));
}

/** The integer part of the square root of a nonnegative integer. */
export function integerSqrt(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  // Newton from above falls strictly until it has the answer, doubling its correct bits each time.
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
