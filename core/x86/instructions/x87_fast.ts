/**
 * Fast paths of x87 instructions in 64-bit integer operations, for ordinary operands and results.
 *
 * A number is *ordinary* if it is normal or zero. Programs take a fast path only if the operands are ordinary and
 * their exponents rule out overflow and underflow, so that a result is ordinary too and precision is the only
 * exception that can occur; arithmetic furthermore asks for round-to-nearest with that exception masked. Everything
 * else is left to the system functions, the twins of these paths, which agree with them in every bit.
 *
 * A number is held as
 *
 * ```text
 * (-1)^sign * significand * 2^(exponent - 0x3fff - 63)      0 <= significand < 2^64
 * ```
 *
 * and an exact result on its way to rounding as significand `high` with a fraction `low / 2^64` below its last
 * place. Bit 0 of `low` may be *sticky*: it stands for anything nonzero below, which suffices since rounding only
 * asks how the fraction compares to one half.
 */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import { X87Status } from "../system/x87_calls.ts";
import { allOf, type Extended } from "./x87_stack.ts";

/** A number taken apart. */
export interface Parts {
  /** 0 or 0x8000. */
  readonly sign: I64;
  /** Biased by 0x3fff; 0 for zero. */
  readonly exponent: I64;
  /** Bit 63 is set but for zero. */
  readonly significand: I64;
}

/** Parts, and whether they are those of an ordinary number. */
export interface Operand extends Parts {
  readonly isOrdinary: Bool;
}

/** A result with the PE and C1 bits of the status word that go with it. */
export interface Rounded {
  readonly value: Extended;
  readonly flags: I64;
}

const BIAS = 0x3fff;
const SIGN = 0x8000;
const TOP = 1n << 63n;
const HALF = TOP;
const PRECISION_SHIFT = 5;
const C1_SHIFT = 9;

/** PC selects how many low significand bits are dropped: one byte each for 24, (reserved) 64, 53, 64 bits. */
const DROPPED_BY_PC = 0x000b0028;
const RC = 0xc00;
const PM = 0x20;

// ---- operands ----

/** A register's number. */
export function operandOf(o: Builder, { significand, signExponent }: Extended): Operand {
  const exponent = o.and(signExponent, o.const(0x7fff));
  const isNormal = o.bothOf(
    o.ltS(significand, o.const(0)),
    o.ltU(o.sub(exponent, o.const(1)), o.const(0x7ffe)),
  );
  const isOrdinary = o.eitherOf(isNormal, o.isZero(o.or(significand, exponent)));
  return { sign: o.and(signExponent, o.const(SIGN)), exponent, significand, isOrdinary };
}

/** Layouts of the memory formats: fraction bits, exponent field. */
const LAYOUTS = {
  32: { fraction: 23, exponentMask: 0xff, bias: 0x7f },
  64: { fraction: 52, exponentMask: 0x7ff, bias: 0x3ff },
} as const;

/** A number of memory format `width`: the fraction moves up below bit 63, the exponent changes its bias. */
export function widen(o: Builder, bits: I64, width: 32 | 64): Operand {
  const { fraction, exponentMask, bias } = LAYOUTS[width];
  const zero = o.const(0);
  const field = o.and(o.shr(bits, o.const(fraction)), o.const(exponentMask));
  const isZero = o.isZero(o.shl(bits, o.const(65 - width)));
  const isNormal = o.ltU(o.sub(field, o.const(1)), o.const(exponentMask - 1));
  // The exponent's last bit arrives at bit 63, where the integer bit covers it.
  const shifted = o.shl(bits, o.const(63 - fraction));
  return {
    sign: o.and(o.shr(bits, o.const(width - 16)), o.const(SIGN)),
    exponent: o.select(isZero, zero, o.add(field, o.const(BIAS - bias))),
    significand: o.select(isZero, zero, o.or(shifted, o.const(TOP))),
    isOrdinary: o.eitherOf(isNormal, isZero),
  };
}

/** The register format of parts. */
export function join(o: Builder, { sign, exponent, significand }: Parts): Extended {
  return { significand, signExponent: o.or(sign, exponent) };
}

/** An integer as an operand: sign-extended, always ordinary. */
export function integerOperand(o: Builder, value: I64): Operand {
  const zero = o.const(0);
  const isNegative = o.ltS(value, zero);
  const sign = o.shl(o.fromBool(isNegative), o.const(15));
  const magnitude = o.select(isNegative, o.neg(value), value);
  return { ...partsOfInteger(o, magnitude, sign), isOrdinary: o.isZero(zero) };
}

/** Chooses between two numbers. */
function choose(o: Builder, condition: Bool, a: Parts, b: Parts): Parts {
  return {
    sign: o.select(condition, a.sign, b.sign),
    exponent: o.select(condition, a.exponent, b.exponent),
    significand: o.select(condition, a.significand, b.significand),
  };
}

/** Whether |a| < |b|, and whether they are equal. */
function compareMagnitudes(o: Builder, a: Parts, b: Parts): { less: Bool; equal: Bool } {
  const sameExponent = o.eq(a.exponent, b.exponent);
  const smaller = o.bothOf(sameExponent, o.ltU(a.significand, b.significand));
  return {
    less: o.eitherOf(o.ltU(a.exponent, b.exponent), smaller),
    equal: o.bothOf(sameExponent, o.eq(a.significand, b.significand)),
  };
}

/** Whether an exponent lies in `first`..`last`. */
export function isWithin(o: Builder, exponent: I64, first: number, last: number): Bool {
  return o.ltU(o.sub(exponent, o.const(first)), o.const(last - first + 1));
}

// ---- rounding ----

/** Whether the control word says round-to-nearest and masks the precision exception. */
export function roundsQuietly(o: Builder, control: I64): Bool {
  return o.eq(o.and(control, o.const(RC | PM)), o.const(PM));
}

/** How many low bits of a 64-bit significand the precision control drops: 0, 11 or 40. */
export function droppedBits(o: Builder, control: I64): I64 {
  const byte = o.and(o.shr(control, o.const(PRECISION_SHIFT)), o.const(0x18));
  return o.and(o.shr(o.const(DROPPED_BY_PC), byte), o.const(0xff));
}

/** Normalized exact magnitude: `high` has bit 63 set, or it is zero as `isZero` says. */
export interface Exact {
  readonly sign: I64;
  readonly exponent: I64;
  readonly high: I64;
  readonly low: I64;
  readonly isZero: Bool;
}

/** Rounds to nearest even after dropping `drop` (0 to 63) low bits of `high`. */
export function round(o: Builder, exact: Exact, drop: I64): Rounded & { readonly parts: Parts } {
  const { high, low } = exact;
  const zero = o.const(0);
  const one = o.const(1);
  const mask = o.sub(o.shl(one, drop), one);
  // The dropped bits as a fraction of the last kept place; the old fraction becomes sticky below them.
  const dropped = o.or(
    o.shl(o.and(high, mask), o.sub(o.const(64), drop)),
    o.fromBool(o.isNonzero(low)),
  );
  const fraction = o.select(o.isZero(drop), low, dropped);
  // Up if above one half, or one half and the last kept bit is odd: fraction > one half - odd.
  const odd = o.and(o.shr(high, drop), one);
  const up = o.fromBool(o.ltU(o.sub(o.const(HALF), odd), fraction));
  const sum = o.add(o.and(high, o.not(mask)), o.shl(up, drop));
  // Carrying out of 64 bits leaves 0 and means 2^64.
  const carry = o.fromBool(o.isZero(sum));
  const parts = {
    sign: exact.sign,
    exponent: o.select(exact.isZero, zero, o.add(exact.exponent, carry)),
    significand: o.select(exact.isZero, zero, o.or(sum, o.shl(carry, o.const(63)))),
  };
  return { parts, value: join(o, parts), flags: roundingFlags(o, fraction, up) };
}

/** PE if the fraction is not zero, C1 if it was rounded up. */
function roundingFlags(o: Builder, fraction: I64, up: I64): I64 {
  const inexact = o.fromBool(o.isNonzero(fraction));
  return o.or(o.shl(inexact, o.const(PRECISION_SHIFT)), o.shl(up, o.const(C1_SHIFT)));
}

/** The status word after an operation that raised nothing but what `flags` says. */
export function statusAfter(o: Builder, status: I64, flags: I64): I64 {
  return o.or(o.and(status, o.const(0xffff & ~X87Status.C1)), flags);
}

// ---- addition ----

/** Cancellation takes at most 64 from the greater exponent, carries add at most 2. */
const SUM_EXPONENTS = { first: 65, last: 0x7ffc } as const;

/** Whether `sum` may be used: ordinary operands, and an exponent that leaves room; or two zeros. */
export function canAdd(o: Builder, a: Operand, b: Operand): Bool {
  const greater = o.select(o.ltU(a.exponent, b.exponent), b.exponent, a.exponent);
  const { first, last } = SUM_EXPONENTS;
  const room = o.eitherOf(isWithin(o, greater, first, last), o.isZero(greater));
  return allOf(o, a.isOrdinary, b.isOrdinary, room);
}

/**
 * `a + b`, exactly, before rounding.
 *
 * The smaller magnitude is shifted right by the distance of the exponents into `high:low`, from where on bits are
 * lost only to the sticky bit: beyond a distance of 64 the sum loses at most one leading bit, so the sticky bit
 * stays below the half. Opposite signs add its two's complement. The sum is then normalized: by one place to the
 * right if it carried, else to the left, across `low` if `high` cancelled altogether.
 */
export function sum(o: Builder, a: Parts, b: Parts): Exact {
  const zero = o.const(0);
  const one = o.const(1);
  const swaps = compareMagnitudes(o, a, b).less;
  const big = choose(o, swaps, b, a);
  const small = choose(o, swaps, a, b);
  const distance = o.sub(big.exponent, small.exponent);
  const farthest = o.const(127);
  const limited = o.select(o.ltU(farthest, distance), farthest, distance);
  const shift = o.and(limited, o.const(63));
  const isNear = o.ltU(limited, o.const(64));
  const shifted = o.shr(small.significand, shift);
  const shiftedOut = o.shl(o.shl(small.significand, one), o.sub(o.const(63), shift));
  const smallHigh = o.select(isNear, shifted, zero);
  const sticky = o.or(shifted, o.fromBool(o.isNonzero(shiftedOut)));
  const smallLow = o.select(isNear, shiftedOut, sticky);

  const isOpposite = o.ne(big.sign, small.sign);
  const flip = o.neg(o.fromBool(isOpposite));
  const low = o.sub(o.xor(smallLow, flip), flip);
  const carryIn = o.fromBool(o.bothOf(isOpposite, o.isZero(smallLow)));
  const high = o.add(o.add(big.significand, o.xor(smallHigh, flip)), carryIn);

  const carries = o.bothOf(o.isNot(isOpposite), o.ltU(high, big.significand));
  const carry = o.fromBool(carries);
  const carriedHigh = o.or(o.shr(high, carry), o.shl(carry, o.const(63)));
  const carriedLow = o.or(
    o.or(o.shr(low, carry), o.and(low, carry)),
    o.shl(o.and(high, carry), o.const(63)),
  );
  return normalize(o, {
    exponent: o.add(big.exponent, carry),
    high: carriedHigh,
    low: carriedLow,
    sign: big.sign,
    // In round-to-nearest a difference of zero is positive; the sum of two zeros of one sign has that sign.
    signOfZero: o.select(isOpposite, zero, big.sign),
  });
}

interface Unnormalized extends Omit<Exact, "isZero"> {
  readonly signOfZero: I64;
}

/** Moves the leading bit of `high:low` to bit 63 of `high`. */
function normalize(o: Builder, value: Unnormalized): Exact {
  const zero = o.const(0);
  const isLow = o.isZero(value.high);
  const high = o.select(isLow, value.low, value.high);
  const low = o.select(isLow, zero, value.low);
  const isZero = o.isZero(high);
  const shift = o.clz(high);
  const fromLow = o.shr(o.shr(low, o.const(1)), o.sub(o.const(63), shift));
  return {
    sign: o.select(isZero, value.signOfZero, value.sign),
    exponent: o.sub(o.sub(value.exponent, shift), o.select(isLow, o.const(64), zero)),
    high: o.or(o.shl(high, shift), fromLow),
    low: o.shl(low, shift),
    isZero,
  };
}

// ---- multiplication ----

/** Biased exponents of a product, before normalizing and rounding move it by one, that leave room. */
const PRODUCT_EXPONENTS = { first: 2, last: 0x7ffd } as const;

/** The biased exponent of a product whose leading bit is bit 127. */
function productExponent(o: Builder, a: Parts, b: Parts): I64 {
  return o.sub(o.add(a.exponent, b.exponent), o.const(BIAS - 1));
}

/** Whether `product` may be used. */
export function canMultiply(o: Builder, a: Operand, b: Operand): Bool {
  const { first, last } = PRODUCT_EXPONENTS;
  const hasZero = o.eitherOf(o.isZero(a.significand), o.isZero(b.significand));
  const room = o.eitherOf(isWithin(o, productExponent(o, a, b), first, last), hasZero);
  return allOf(o, a.isOrdinary, b.isOrdinary, room);
}

/** `a * b`, exactly: the 128-bit product of the significands, of which at most the first bit is clear. */
export function product(o: Builder, a: Parts, b: Parts): Exact {
  const one = o.const(1);
  const top = o.const(63);
  const high = o.mulHighU(a.significand, b.significand);
  const low = o.mul(a.significand, b.significand);
  const shift = o.xor(o.shr(high, top), one);
  return {
    sign: o.xor(a.sign, b.sign),
    exponent: o.sub(productExponent(o, a, b), shift),
    high: o.or(o.shl(high, shift), o.and(o.shr(low, top), shift)),
    low: o.shl(low, shift),
    isZero: o.isZero(high),
  };
}

// ---- comparison ----

/** A register's number for comparison, where infinities are as ordinary as others. */
export function comparableOf(o: Builder, value: Extended): Operand {
  const parts = operandOf(o, value);
  const isInfinite = o.bothOf(
    o.eq(parts.exponent, o.const(0x7fff)),
    o.eq(parts.significand, o.const(TOP)),
  );
  return { ...parts, isOrdinary: o.eitherOf(parts.isOrdinary, isInfinite) };
}

/** How two comparable numbers relate. */
export function relate(o: Builder, a: Parts, b: Parts): { less: Bool; equal: Bool } {
  const magnitudes = compareMagnitudes(o, a, b);
  const areZero = o.isZero(o.or(a.significand, b.significand));
  const isNegative = o.isNonzero(a.sign);
  const sameSign = o.eq(a.sign, b.sign);
  const greater = o.isNot(o.eitherOf(magnitudes.less, magnitudes.equal));
  const lessOfSameSign = o.eitherOf(
    o.bothOf(isNegative, greater),
    o.bothOf(o.isNot(isNegative), magnitudes.less),
  );
  const lessOfOpposite = o.bothOf(isNegative, o.isNot(areZero));
  return {
    less: o.eitherOf(
      o.bothOf(sameSign, lessOfSameSign),
      o.bothOf(o.isNot(sameSign), lessOfOpposite),
    ),
    equal: o.eitherOf(o.bothOf(sameSign, magnitudes.equal), areZero),
  };
}

// ---- conversion ----

/** A number in a memory format, with PE and C1, and whether it may be used. */
export interface Narrowed {
  readonly bits: I64;
  readonly flags: I64;
  readonly isExact: Bool;
  readonly fits: Bool;
}

/** Rounds to nearest in memory format `width`. The exponent leaves room for the carry of rounding. */
export function narrow(o: Builder, value: Operand, width: 32 | 64): Narrowed {
  const { fraction, exponentMask, bias } = LAYOUTS[width];
  const isZero = o.isZero(value.significand);
  const drop = o.const(63 - fraction);
  const exact = { ...value, high: value.significand, low: o.const(0), isZero };
  const { parts, flags } = round(o, exact, drop);
  const offset = BIAS - bias;
  // The integer bit adds the 1 that the exponent lacks here.
  const magnitude = o.add(
    o.shl(o.sub(parts.exponent, o.const(offset + 1)), o.const(fraction)),
    o.shr(parts.significand, drop),
  );
  const sign = o.shl(value.sign, o.const(width - 16));
  const room = isWithin(o, value.exponent, offset + 1, offset + exponentMask - 2);
  return {
    bits: o.or(sign, o.select(isZero, o.const(0), magnitude)),
    flags,
    isExact: o.isZero(flags),
    fits: o.bothOf(value.isOrdinary, o.eitherOf(room, isZero)),
  };
}

/** A magnitude rounded to an integer as RC says. */
export interface Integer {
  /** Right if the exponent is below that of 2^63. */
  readonly magnitude: I64;
  readonly flags: I64;
  readonly isExact: Bool;
}

/** Exponent of 2^63: from there on every number is an integer. */
export const WHOLE_EXPONENT = BIAS + 63;

/**
 * Rounds to an integer in the direction `rounding` (RC's encoding).
 *
 * The significand is shifted right by 63 - (exponent - bias), and what leaves it is the fraction; of numbers below
 * one half, whose shift exceeds 64, only a sticky bit.
 */
export function roundToInteger(o: Builder, value: Parts, rounding: I64): Integer {
  const zero = o.const(0);
  const one = o.const(1);
  const width = o.const(64);
  const shift = o.sub(o.const(WHOLE_EXPONENT), value.exponent);
  const integer = o.select(o.ltU(shift, width), o.shr(value.significand, shift), zero);
  const fraction = o.select(
    o.leU(shift, width),
    o.shl(value.significand, o.sub(width, shift)),
    o.shr(value.significand, o.const(63)),
  );
  const odd = o.and(integer, one);
  const nearest = o.ltU(o.sub(o.const(HALF), odd), fraction);
  const away = o.select(o.isZero(value.sign), o.const(2), one);
  const directed = o.bothOf(o.eq(rounding, away), o.isNonzero(fraction));
  const isNearest = o.isZero(rounding);
  const up = o.fromBool(o.eitherOf(
    o.bothOf(isNearest, nearest),
    o.bothOf(o.isNot(isNearest), directed),
  ));
  return {
    magnitude: o.add(integer, up),
    flags: roundingFlags(o, fraction, up),
    isExact: o.isZero(fraction),
  };
}

/** RC of a control word. */
export function roundingControl(o: Builder, control: I64): I64 {
  return o.and(o.shr(control, o.const(10)), o.const(3));
}

/** Whether the control word masks the precision exception. */
export function masksPrecision(o: Builder, control: I64): Bool {
  return o.isNonzero(o.and(control, o.const(PM)));
}

/** Whether a rounded magnitude, with its sign, surely fits a signed integer of `width` bits. */
export function fitsInteger(
  o: Builder,
  value: Operand,
  { magnitude }: Integer,
  width: Width,
): Bool {
  return allOf(
    o,
    value.isOrdinary,
    o.ltU(value.exponent, o.const(BIAS + width - 1)),
    o.ltU(magnitude, o.const(1n << BigInt(width - 1))),
  );
}

/** The parts of a nonnegative integer with a sign; zero keeps the sign too. */
export function partsOfInteger(o: Builder, magnitude: I64, sign: I64): Parts {
  const shift = o.clz(magnitude);
  const exponent = o.sub(o.const(WHOLE_EXPONENT), shift);
  return {
    sign,
    exponent: o.select(o.isZero(magnitude), o.const(0), exponent),
    significand: o.shl(magnitude, shift),
  };
}
