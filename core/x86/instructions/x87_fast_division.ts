/** Fast paths of x87 division, remainder and square root; see x87_fast.ts for the representation. */

import type { Builder } from "../ir/builder.ts";
import type { I64 } from "../ir/ir.ts";
import { BIAS, doubtOrdinary, type Exact, type Parts } from "./x87_fast.ts";
import type { Outlet, Trivial } from "./x87_fast_arithmetic.ts";

const LOW_32 = 0xffffffff;

/** Fractions that stand for "below", "exactly" and "above one half"; rounding needs no more of a remainder. */
const FRACTION = { below: 1n << 62n, half: 1n << 63n, above: 3n << 62n } as const;

/** Quotient and remainder. */
interface Division {
  readonly quotient: I64;
  readonly remainder: I64;
}

/**
 * One 32-bit digit of a quotient: `(rest * 2^32 + next) / divisor` for `rest` below the divisor, whose bit 63 is
 * set (Knuth, The Art of Computer Programming, vol. 2, 4.3.1, algorithm D).
 *
 * The estimate `rest / (divisor >> 32)` is the digit or up to two more, and a comparison with the divisor's low half
 * tells: `digit * low > (rest - digit * high) * 2^32 + next`. The second correction is none if the first was not.
 */
function quotientDigit(o: Builder, rest: I64, next: I64, divisor: I64): Division {
  const shift = o.const(32);
  const base = o.const(1n << 32n);
  const high = o.shr(divisor, shift);
  const low = o.and(divisor, o.const(LOW_32));
  let digit = o.divU(rest, high);
  let error = o.sub(rest, o.mul(digit, high));
  for (let correction = 0; correction < 2; correction++) {
    const tooGreat = o.eitherOf(
      o.leU(base, digit),
      o.ltU(o.or(o.shl(error, shift), next), o.mul(digit, low)),
    );
    // Once the error has reached 2^32 the product can be no greater.
    const excess = o.fromBool(o.bothOf(o.ltU(error, base), tooGreat));
    digit = o.sub(digit, excess);
    error = o.add(error, o.and(o.neg(excess), high));
  }
  const remainder = o.sub(o.or(o.shl(rest, shift), next), o.mul(digit, divisor));
  return { quotient: digit, remainder };
}

/** `(high * 2^64 + low) / divisor` for `high` below the divisor, whose bit 63 is set. */
function divide(o: Builder, high: I64, low: I64, divisor: I64): Division {
  const shift = o.const(32);
  const first = quotientDigit(o, high, o.shr(low, shift), divisor);
  const second = quotientDigit(o, first.remainder, o.and(low, o.const(LOW_32)), divisor);
  return {
    quotient: o.or(o.shl(first.quotient, shift), second.quotient),
    remainder: second.remainder,
  };
}

/** `a / b` if a is zero and b is not. */
export function trivialQuotient(o: Builder, a: Parts, b: Parts): Trivial {
  const zero = o.const(0);
  const isZero = o.or(a.significand, o.not(b.significand));
  return {
    value: { sign: o.xor(a.sign, b.sign), exponent: zero, significand: zero },
    doubt: o.or(o.or(doubtOrdinary(o, a), doubtOrdinary(o, b)), isZero),
  };
}

/**
 * `a / b`, before rounding.
 *
 * If a's significand is the smaller one, `a * 2^64 / b` has its leading bit at 63; else `a * 2^63 / b` has, and the
 * exponent is one more. The remainder r becomes the fraction by comparing 2 r with b.
 */
export function quotient(o: Builder, a: Parts, b: Parts, outlet: Outlet): void {
  const zero = o.const(0);
  const isSmaller = o.ltU(a.significand, b.significand);
  const shift = o.fromBool(o.isNot(isSmaller));
  const high = o.shr(a.significand, shift);
  const low = o.shl(o.and(a.significand, shift), o.const(63));
  const { quotient, remainder } = divide(o, high, low, b.significand);
  const rest = o.sub(b.significand, remainder);
  const inexact = o.select(
    o.ltU(rest, remainder),
    o.const(FRACTION.above),
    o.select(o.eq(rest, remainder), o.const(FRACTION.half), o.const(FRACTION.below)),
  );
  outlet.round({
    sign: o.xor(a.sign, b.sign),
    exponent: o.sub(
      o.add(o.sub(a.exponent, b.exponent), o.const(BIAS)),
      o.fromBool(isSmaller),
    ),
    high: quotient,
    low: o.select(o.isZero(remainder), zero, inexact),
  });
}

/** What FPREM leaves: always exact. */
export interface Remainder {
  readonly parts: Parts;
  /** The quotient's low bits are right. */
  readonly quotient: I64;
}

/** Distances of exponents that one 128-bit division covers, and divisors whose remainders cannot be denormal. */
const REMAINDER = { farthest: 63, leastExponent: 65 } as const;

/** `remainder` may not be used. This rules out a divisor of zero too. */
export function doubtRemainder(o: Builder, a: Parts, b: Parts): I64 {
  const distance = o.sub(o.const(REMAINDER.farthest), o.sub(a.exponent, b.exponent));
  const leastExponent = o.sub(b.exponent, o.const(REMAINDER.leastExponent));
  return o.or(o.or(doubtOrdinary(o, a), doubtOrdinary(o, b)), o.or(distance, leastExponent));
}

/**
 * The remainder of `a / b` for a quotient truncated to an integer (FPREM).
 *
 * With the distance d of the exponents it is `(a << d) mod b` in units of b's last place, and a itself if d is
 * negative.
 */
export function remainder(o: Builder, a: Parts, b: Parts): Remainder {
  const zero = o.const(0);
  const distance = o.sub(a.exponent, b.exponent);
  const isSmaller = o.ltS(distance, zero);
  const shift = o.select(isSmaller, zero, distance);
  const high = o.shr(o.shr(a.significand, o.const(1)), o.sub(o.const(63), shift));
  const low = o.shl(a.significand, shift);
  const division = divide(o, high, low, b.significand);
  const rest = division.remainder;
  const leading = o.clz(rest);
  const exponent = o.select(o.isZero(rest), zero, o.sub(b.exponent, leading));
  return {
    parts: {
      sign: a.sign,
      exponent: o.select(isSmaller, a.exponent, exponent),
      significand: o.select(isSmaller, a.significand, o.shl(rest, leading)),
    },
    quotient: o.select(isSmaller, zero, division.quotient),
  };
}

/** Square root and what is left: `radicand = root^2 + rest`. */
interface Root {
  readonly root: I64;
  readonly rest: I64;
}

/** The 16-bit root of a 32-bit integer, one bit after the other. */
function rootByDigits(o: Builder, radicand: I64): Root {
  const zero = o.const(0);
  const one = o.const(1);
  const root = o.variable(zero);
  const rest = o.variable(radicand);
  const digit = o.variable(o.const(1 << 30));
  o.loop(() => {
    const [current, left, bit] = [o.get(root), o.get(rest), o.get(digit)];
    const trial = o.add(current, bit);
    const taken = o.neg(o.fromBool(o.leU(trial, left)));
    o.set(rest, o.sub(left, o.and(trial, taken)));
    o.set(root, o.add(o.shr(current, one), o.and(bit, taken)));
    const next = o.shr(bit, o.const(2));
    o.set(digit, next);
    return o.isNonzero(next);
  });
  return { root: o.get(root), rest: o.get(rest) };
}

/**
 * The 32-bit root of a 64-bit integer of at least 2^62, from that of its upper half (P. Zimmermann, Karatsuba Square
 * Root): with root s and rest r of the upper half and the lower half l1 * 2^16 + l0, divide r * 2^16 + l1 by 2 s into
 * q and u; then s * 2^16 + q is the root or one more, and u * 2^16 + l0 - q^2 the rest, negative in the second case.
 */
function root32(o: Builder, radicand: I64): Root {
  const shift = o.const(16);
  const upper = rootByDigits(o, o.shr(radicand, o.const(32)));
  const l1 = o.and(o.shr(radicand, shift), o.const(0xffff));
  const l0 = o.and(radicand, o.const(0xffff));
  const dividend = o.or(o.shl(upper.rest, shift), l1);
  const divisor = o.shl(upper.root, o.const(1));
  const q = o.divU(dividend, divisor);
  const u = o.sub(dividend, o.mul(q, divisor));
  const root = o.add(o.shl(upper.root, shift), q);
  const rest = o.sub(o.or(o.shl(u, shift), l0), o.mul(q, q));
  const excess = o.shr(rest, o.const(63));
  const corrected = o.sub(root, excess);
  const correction = o.or(o.shl(corrected, o.const(1)), o.const(1));
  return { root: corrected, rest: o.add(rest, o.and(o.neg(excess), correction)) };
}

/**
 * The 64-bit root of `high * 2^64 + low`, as {@link root32}; the rest has up to 65 bits, of which rounding needs to
 * know how it compares with 0 and with the root: (root + 1/2)^2 is root^2 + root + 1/4.
 */
function root64(o: Builder, high: I64, low: I64): { root: I64; fraction: I64 } {
  const zero = o.const(0);
  const one = o.const(1);
  const shift = o.const(32);
  const upper = root32(o, high);
  const l1 = o.shr(low, shift);
  const l0 = o.and(low, o.const(LOW_32));
  // Both sides of the division are halved, since r * 2^32 + l1 may have 65 bits.
  const halved = o.or(o.shl(upper.rest, o.const(31)), o.shr(l1, one));
  const q = o.divU(halved, upper.root);
  const u = o.or(o.shl(o.sub(halved, o.mul(q, upper.root)), one), o.and(l1, one));
  const root = o.add(o.shl(upper.root, shift), q);
  // u * 2^32 + l0 - q^2 in two words; q is at most 2^32.
  const minuend = o.or(o.shl(u, shift), l0);
  const subtrahend = o.mul(q, q);
  const restLow = o.sub(minuend, subtrahend);
  const borrow = o.fromBool(o.ltU(minuend, subtrahend));
  const restHigh = o.sub(o.sub(o.shr(u, shift), o.shr(q, shift)), borrow);
  const excess = o.shr(restHigh, o.const(63));
  const corrected = o.sub(root, excess);
  const mask = o.neg(excess);
  const addend = o.and(mask, o.or(o.shl(corrected, one), one));
  const finalLow = o.add(restLow, addend);
  const carry = o.fromBool(o.ltU(finalLow, addend));
  const addendHigh = o.and(mask, o.shr(corrected, o.const(63)));
  const finalHigh = o.add(o.add(restHigh, addendHigh), carry);
  const isAbove = o.eitherOf(o.isNonzero(finalHigh), o.ltU(corrected, finalLow));
  const inexact = o.select(isAbove, o.const(FRACTION.above), o.const(FRACTION.below));
  const isExact = o.isZero(o.or(finalHigh, finalLow));
  return { root: corrected, fraction: o.select(isExact, zero, inexact) };
}

/** A number is not positive and normal. */
export function doubtRoot(o: Builder, a: Parts): I64 {
  return o.or(o.or(doubtOrdinary(o, a), o.not(a.significand)), o.neg(a.sign));
}

/**
 * The square root, before rounding. With an even exponent e, `significand * 2^63` is the square of the result's
 * significand and e / 2 its exponent; with an odd one `significand * 2^64`, and (e - 1) / 2. The biased exponent is
 * odd if e is even.
 */
export function squareRoot(o: Builder, a: Parts): Exact {
  const one = o.const(1);
  const isEven = o.and(a.exponent, one);
  const high = o.shr(a.significand, isEven);
  const low = o.shl(o.and(a.significand, isEven), o.const(63));
  const { root, fraction } = root64(o, high, low);
  return {
    sign: a.sign,
    exponent: o.shr(o.add(a.exponent, o.const(BIAS)), one),
    high: root,
    low: fraction,
  };
}
