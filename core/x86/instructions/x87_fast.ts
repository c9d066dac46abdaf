/**
 * Fast paths of x87 instructions in 64-bit integer operations: numbers, conditions, rounding, conversion.
 *
 * Programs take a fast path only if operands and exponents make sure that the result is ordinary (a normal number or
 * zero) and that precision is the only exception that can occur; arithmetic furthermore asks for round-to-nearest
 * with that exception masked. Everything else is left to the system functions, the twins of these paths, which agree
 * with them in every bit.
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
 *
 * Conditions are collected as *doubts*: integers whose bit 63 is set if something is not as it should be. ORing
 * them and looking at the sign once costs a fraction of what as many comparisons do.
 */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import { X87Status } from "../system/x87_calls.ts";
import type { Extended, X87 } from "./x87_stack.ts";

/** A number taken apart. */
export interface Parts {
  /** 0 or 0x8000. */
  readonly sign: I64;
  /** Biased by 0x3fff. */
  readonly exponent: I64;
  readonly significand: I64;
}

/** Normalized exact magnitude that is not zero: `high` has bit 63 set. */
export interface Exact {
  readonly sign: I64;
  readonly exponent: I64;
  readonly high: I64;
  readonly low: I64;
}

/** A rounded number, and the PE and C1 bits of the status word that go with it. */
export interface Rounded {
  readonly parts: Parts;
  readonly flags: I64;
}

/** The bias of register exponents. */
export const BIAS = 0x3fff;
/** The bit of a sign. */
export const SIGN = 0x8000;
const SPECIAL_EXPONENT = 0x7fff;
const TOP = 1n << 63n;
const HALF = TOP;
const PRECISION_SHIFT = 5;
const C1_SHIFT = 9;

/** PC selects how many low significand bits are dropped: one byte each for 24, (reserved) 64, 53, 64 bits. */
const DROPPED_BY_PC = 0x000b0028;
/** The bit of PC that is set for 64 bits. */
const PC_64 = 8;
const RC = 0xc00;
const PM = 0x20;

// ---- numbers ----

/** A register's number. */
export function partsOf(o: Builder, { significand, signExponent }: Extended): Parts {
  return {
    sign: o.and(signExponent, o.const(SIGN)),
    exponent: o.and(signExponent, o.const(SPECIAL_EXPONENT)),
    significand,
  };
}

/** The register format of parts. */
export function join(o: Builder, { sign, exponent, significand }: Parts): Extended {
  return { significand, signExponent: o.or(sign, exponent) };
}

/** Layouts of the memory formats: fraction bits, exponent field, bias. */
const LAYOUTS = {
  32: { fraction: 23, special: 0xff, bias: 0x7f },
  64: { fraction: 52, special: 0x7ff, bias: 0x3ff },
} as const;

/**
 * A number of memory format `width`: the fraction moves up below bit 63, the exponent changes its bias. Zeros,
 * infinities and NaNs stay what they are; denormals get an exponent of zero with bit 63 set, which is none of the
 * kinds that fast paths accept.
 */
export function widen(o: Builder, bits: I64, width: 32 | 64): Parts {
  const { fraction, special, bias } = LAYOUTS[width];
  const zero = o.const(0);
  const field = o.and(o.shr(bits, o.const(fraction)), o.const(special));
  const isZero = o.isZero(o.shl(bits, o.const(65 - width)));
  const isSpecial = o.eq(field, o.const(special));
  const moved = o.add(field, o.const(BIAS - bias));
  const large = o.select(isSpecial, o.const(SPECIAL_EXPONENT), moved);
  // The exponent's last bit arrives at bit 63, where the integer bit covers it.
  const shifted = o.shl(bits, o.const(63 - fraction));
  return {
    sign: o.and(o.shr(bits, o.const(width - 16)), o.const(SIGN)),
    exponent: o.select(o.isZero(field), zero, large),
    significand: o.select(isZero, zero, o.or(shifted, o.const(TOP))),
  };
}

/** Exponent of 2^63: from there on every number is an integer. */
export const WHOLE_EXPONENT = BIAS + 63;

/** A nonnegative integer with a sign; zero keeps the sign too. */
export function partsOfMagnitude(o: Builder, magnitude: I64, sign: I64): Parts {
  const shift = o.clz(magnitude);
  const exponent = o.sub(o.const(WHOLE_EXPONENT), shift);
  return {
    sign,
    exponent: o.select(o.isZero(magnitude), o.const(0), exponent),
    significand: o.shl(magnitude, shift),
  };
}

/** A signed integer. */
export function partsOfInteger(o: Builder, value: I64): Parts {
  const isNegative = o.ltS(value, o.const(0));
  const magnitude = o.select(isNegative, o.neg(value), value);
  return partsOfMagnitude(o, magnitude, o.shl(o.fromBool(isNegative), o.const(15)));
}

// ---- doubts ----

/** That there is no doubt. */
export function isClear(o: Builder, ...doubts: I64[]): Bool {
  return o.leS(o.const(0), doubts.reduce((all, doubt) => o.or(all, doubt)));
}

/** Fast paths are switched off. */
export function doubtSwitch(o: Builder): I64 {
  return o.sub(o.field("fastPaths"), o.const(1));
}

/** The control word asks for another rounding than to nearest, or does not mask the precision exception. */
export function doubtRounding(o: Builder, control: I64): I64 {
  return o.neg(o.xor(o.and(control, o.const(RC | PM)), o.const(PM)));
}

/** The precision exception is not masked, and there is one. */
export function doubtPrecision(o: Builder, control: I64, flags: I64): I64 {
  const raised = o.shl(flags, o.const(63 - PRECISION_SHIFT));
  return o.and(raised, o.shl(o.not(control), o.const(63 - PRECISION_SHIFT)));
}

/** A physical register is empty. */
export function doubtFilled(o: Builder, x: X87, register: I64): I64 {
  return o.shl(o.shr(x.tags, register), o.const(63));
}

/** A physical register is not empty. */
export function doubtEmpty(o: Builder, x: X87, register: I64): I64 {
  return o.not(doubtFilled(o, x, register));
}

/** A small value is not in `first`..`last`. */
export function doubtWithin(o: Builder, value: I64, first: number, last: number): I64 {
  return o.or(o.sub(value, o.const(first)), o.sub(o.const(last), value));
}

/**
 * Biased exponents 0x3000 to 0x4fff: with 0x1000 added, bits 15..13 are 010. All of binary64 is among them, and no
 * sum, product or quotient of two such numbers comes near the ends of the range.
 */
const PLAIN = { added: 0x1000, bits: 0x4000, rest: 0x1fff } as const;

/** Either of two numbers is not *plain*: normal, with an exponent as in `PLAIN`. */
export function doubtPlain(o: Builder, a: Parts, b: Parts): I64 {
  const deviation = ({ exponent }: Parts) =>
    o.xor(o.add(exponent, o.const(PLAIN.added)), o.const(PLAIN.bits));
  const range = o.sub(o.const(PLAIN.rest), o.or(deviation(a), deviation(b)));
  return o.or(o.not(o.and(a.significand, b.significand)), range);
}

/** Bit 63 is not set though the exponent is not zero, or the significand is not zero though the exponent is. */
function doubtEncoding(o: Builder, { exponent, significand }: Parts): I64 {
  const isZeroExponent = o.sub(exponent, o.const(1));
  return o.or(
    o.xor(significand, o.neg(exponent)),
    o.and(isZeroExponent, o.neg(significand)),
  );
}

/** A number is not *ordinary*: normal or zero. */
export function doubtOrdinary(o: Builder, parts: Parts): I64 {
  const special = o.sub(o.const(SPECIAL_EXPONENT - 1), parts.exponent);
  return o.or(doubtEncoding(o, parts), special);
}

/** A number is neither ordinary nor infinite. */
export function doubtComparable(o: Builder, parts: Parts): I64 {
  const isSpecial = o.sub(o.const(SPECIAL_EXPONENT - 1), parts.exponent);
  const isNaN = o.neg(o.xor(parts.significand, o.const(TOP)));
  return o.or(doubtEncoding(o, parts), o.and(isSpecial, isNaN));
}

// ---- rounding ----

/**
 * Rounds to nearest even, to as many bits as the precision control says.
 *
 * What is dropped is a fraction of the last kept place. It is rounded up if that is above one half, or one half with
 * an odd last bit: if `fraction > one half - odd`.
 */
export function round(o: Builder, exact: Exact, control: I64): Rounded {
  const { high, low } = exact;
  const half = o.const(HALF);
  const one = o.const(1);
  const odd = o.and(high, one);
  const isUp = o.fromBool(o.ltU(o.sub(half, odd), low));
  const fraction = o.variable(low);
  const up = o.variable(isUp);
  const sum = o.variable(o.add(high, isUp));
  o.if(o.bit(control, PC_64), () => {}, () => {
    const at = o.and(o.shr(control, o.const(PRECISION_SHIFT)), o.const(0x18));
    const drop = o.and(o.shr(o.const(DROPPED_BY_PC), at), o.const(0xff));
    const rounded = roundShorter(o, high, low, drop);
    o.set(fraction, rounded.fraction);
    o.set(up, rounded.up);
    o.set(sum, rounded.sum);
  });
  const total = o.get(sum);
  return {
    parts: carried(o, exact, total),
    flags: roundingFlags(o, o.get(fraction), o.get(up)),
  };
}

/** Drops 1 to 63 bits of `high`: they become the fraction, and the old one sticky below them. */
function roundShorter(
  o: Builder,
  high: I64,
  low: I64,
  drop: I64,
): { fraction: I64; up: I64; sum: I64 } {
  const one = o.const(1);
  const mask = o.sub(o.shl(one, drop), one);
  const dropped = o.shl(o.and(high, mask), o.sub(o.const(64), drop));
  const fraction = o.or(dropped, o.fromBool(o.isNonzero(low)));
  const odd = o.and(o.shr(high, drop), one);
  const up = o.fromBool(o.ltU(o.sub(o.const(HALF), odd), fraction));
  return { fraction, up, sum: o.add(o.and(high, o.not(mask)), o.shl(up, drop)) };
}

/** The number with a rounded significand; carrying out of 64 bits has left 0 and means 2^64. */
function carried(o: Builder, { sign, exponent }: Omit<Exact, "high" | "low">, sum: I64): Parts {
  const carry = o.fromBool(o.isZero(sum));
  return {
    sign,
    exponent: o.add(exponent, carry),
    significand: o.or(sum, o.shl(carry, o.const(63))),
  };
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

/** The precision control would change a significand: its dropped bits are not zero. */
export function doubtShort(o: Builder, control: I64, significand: I64): I64 {
  const at = o.and(o.shr(control, o.const(PRECISION_SHIFT)), o.const(0x18));
  const drop = o.and(o.shr(o.const(DROPPED_BY_PC), at), o.const(0xff));
  const mask = o.sub(o.shl(o.const(1), drop), o.const(1));
  return o.neg(o.and(significand, mask));
}

// ---- conversion ----

/** A number in a memory format, with PE and C1. */
export interface Narrowed {
  readonly bits: I64;
  readonly flags: I64;
  readonly doubt: I64;
}

/** Rounds an ordinary number to nearest in memory format `width`. */
export function narrow(o: Builder, value: Parts, width: 32 | 64): Narrowed {
  const { fraction, special, bias } = LAYOUTS[width];
  const zero = o.const(0);
  const drop = o.const(63 - fraction);
  const offset = BIAS - bias;
  const rounded = roundShorter(o, value.significand, zero, drop);
  const { exponent, significand } = carried(o, value, rounded.sum);
  // The integer bit adds the 1 that the exponent lacks here.
  const magnitude = o.add(
    o.shl(o.sub(exponent, o.const(offset + 1)), o.const(fraction)),
    o.shr(significand, drop),
  );
  const isZero = o.isZero(value.significand);
  const sign = o.shl(value.sign, o.const(width - 16));
  // The carry of rounding leaves the largest of these exponents below that of infinity.
  const range = doubtWithin(o, value.exponent, offset + 1, offset + special - 2);
  return {
    bits: o.or(sign, o.select(isZero, zero, magnitude)),
    flags: roundingFlags(o, rounded.fraction, rounded.up),
    doubt: o.or(doubtOrdinary(o, value), o.select(isZero, zero, range)),
  };
}

/** A magnitude rounded to an integer, with PE and C1. */
export interface Integer {
  readonly magnitude: I64;
  readonly flags: I64;
}

/**
 * Rounds an ordinary number below 2^63 to an integer in the direction `rounding` (RC's encoding).
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
  return { magnitude: o.add(integer, up), flags: roundingFlags(o, fraction, up) };
}

/** RC of a control word. */
export function roundingControl(o: Builder, control: I64): I64 {
  return o.and(o.shr(control, o.const(10)), o.const(3));
}

/** A rounded number may not fit a signed integer of `width` bits (the least one is left out). */
export function doubtInteger(o: Builder, value: Parts, integer: Integer, width: Width): I64 {
  const small = o.sub(o.const(BIAS + width - 2), value.exponent);
  const room = o.sub(o.const((1n << BigInt(width - 1)) - 1n), integer.magnitude);
  return o.or(doubtOrdinary(o, value), o.or(small, room));
}
