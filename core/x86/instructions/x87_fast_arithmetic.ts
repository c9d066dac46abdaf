/** Fast paths of x87 addition, multiplication and comparison; see x87_fast.ts for the representation. */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64 } from "../ir/ir.ts";
import { BIAS, doubtOrdinary, doubtShort, type Exact, type Parts, SIGN } from "./x87_fast.ts";

/** What a fast path hands its result to: an exact value to round, or a zero. */
export interface Outlet {
  readonly round: (exact: Exact) => void;
  /** `sign` is that of the zero. */
  readonly zero: (sign: I64) => void;
}

/** A result that needs no computation because an operand is zero, and whether there is doubt. */
export interface Trivial {
  readonly value: Parts;
  readonly doubt: I64;
}

// ---- addition ----

/** The operands ordered by exponent, the smaller one shifted right by the distance into `high:low`. */
interface Aligned {
  readonly big: Parts;
  readonly high: I64;
  readonly low: I64;
}

/**
 * Beyond a distance of 63 all of the smaller operand lies in `low`, and what leaves that stays as sticky bit: from a
 * distance of 2 on the sum loses at most one leading bit, so the sticky bit stays below the half.
 */
function align(o: Builder, a: Parts, b: Parts): Aligned {
  const zero = o.const(0);
  const swaps = o.ltU(a.exponent, b.exponent);
  const big = {
    sign: o.select(swaps, b.sign, a.sign),
    exponent: o.select(swaps, b.exponent, a.exponent),
    significand: o.select(swaps, b.significand, a.significand),
  };
  const small = o.select(swaps, a.significand, b.significand);
  const distance = o.sub(big.exponent, o.select(swaps, a.exponent, b.exponent));
  // Shifts take their counts modulo 64, where the complement of n is 63 - n.
  const shifted = o.shr(small, distance);
  const shiftedOut = o.shl(o.shl(small, o.const(1)), o.not(distance));
  const high = o.variable(shifted);
  const low = o.variable(shiftedOut);
  o.if(o.leU(o.const(64), distance), () => {
    const sticky = o.fromBool(o.isNonzero(shiftedOut));
    const isFarther = o.leU(o.const(128), distance);
    o.set(high, zero);
    o.set(low, o.select(isFarther, o.const(1), o.or(shifted, sticky)));
  });
  return { big, high: o.get(high), low: o.get(low) };
}

/** `a + b` for plain numbers, exactly. */
export function sum(o: Builder, a: Parts, b: Parts, outlet: Outlet): void {
  const aligned = align(o, a, b);
  o.if(
    o.eq(a.sign, b.sign),
    () => outlet.round(sumOfMagnitudes(o, aligned)),
    () => differenceOfMagnitudes(o, aligned, outlet),
  );
}

/** A carry out of 64 bits moves the sum one place to the right. */
function sumOfMagnitudes(o: Builder, { big, high, low }: Aligned): Exact {
  const top = o.const(63);
  const total = o.add(big.significand, high);
  const carry = o.fromBool(o.ltU(total, high));
  const sticky = o.and(low, carry);
  const movedOut = o.shl(o.and(total, carry), top);
  return {
    sign: big.sign,
    exponent: o.add(big.exponent, carry),
    high: o.or(o.shr(total, carry), o.shl(carry, top)),
    low: o.or(o.or(o.shr(low, carry), sticky), movedOut),
  };
}

/**
 * Only with equal exponents the greater magnitude may be the second one; then there is no fraction. The difference is
 * normalized to the left, across `low` if `high` cancelled altogether, and in round-to-nearest zero is positive.
 */
function differenceOfMagnitudes(o: Builder, { big, high, low }: Aligned, outlet: Outlet): void {
  const zero = o.const(0);
  const isReversed = o.ltU(big.significand, high);
  const borrow = o.fromBool(o.isNonzero(low));
  const restLow = o.neg(low);
  const signed = o.sub(o.sub(big.significand, high), borrow);
  const restHigh = o.select(isReversed, o.neg(signed), signed);
  o.if(o.isZero(o.or(restHigh, restLow)), () => outlet.zero(zero), () => {
    const isLow = o.isZero(restHigh);
    const leading = o.select(isLow, restLow, restHigh);
    const following = o.select(isLow, zero, restLow);
    const shift = o.clz(leading);
    // Of what follows, `shift` bits move up; it is shifted by 64 - shift in two steps.
    const movedUp = o.shr(o.shr(following, o.const(1)), o.not(shift));
    outlet.round({
      sign: o.xor(big.sign, o.shl(o.fromBool(isReversed), o.const(15))),
      exponent: o.sub(o.sub(big.exponent, shift), o.select(isLow, o.const(64), zero)),
      high: o.or(o.shl(leading, shift), movedUp),
      low: o.shl(following, shift),
    });
  });
}

/** The negative of a number. */
export function negated(o: Builder, parts: Parts): Parts {
  return { ...parts, sign: o.xor(parts.sign, o.const(SIGN)) };
}

/** `a + b` if either is zero: the other one, if it needs no rounding; of two zeros that differ, the positive one. */
export function trivialSum(o: Builder, a: Parts, b: Parts, control: I64): Trivial {
  const isZero = o.isZero(a.significand);
  const significand = o.or(a.significand, b.significand);
  const exponent = o.select(isZero, b.exponent, a.exponent);
  const sign = o.select(isZero, b.sign, a.sign);
  const areZero = o.isZero(significand);
  const isNeither = doubtZero(o, a, b);
  return {
    value: { sign: o.select(areZero, o.and(a.sign, b.sign), sign), exponent, significand },
    doubt: o.or(
      o.or(doubtOrdinary(o, a), doubtOrdinary(o, b)),
      o.or(isNeither, doubtShort(o, control, significand)),
    ),
  };
}

/** Neither of two ordinary numbers is zero: both have bit 63. */
function doubtZero(o: Builder, a: Parts, b: Parts): I64 {
  return o.and(a.significand, b.significand);
}

// ---- multiplication ----

/** `a * b`, exactly: the 128-bit product of the significands, of which at most the first bit is clear. */
export function product(o: Builder, a: Parts, b: Parts, outlet: Outlet): void {
  const top = o.const(63);
  const high = o.mulHighU(a.significand, b.significand);
  const low = o.mul(a.significand, b.significand);
  const shift = o.xor(o.shr(high, top), o.const(1));
  outlet.round({
    sign: o.xor(a.sign, b.sign),
    // That of a product whose leading bit is bit 127, less the shift.
    exponent: o.sub(o.sub(o.add(a.exponent, b.exponent), o.const(BIAS - 1)), shift),
    high: o.or(o.shl(high, shift), o.and(o.shr(low, top), shift)),
    low: o.shl(low, shift),
  });
}

/** `a * b` if either is zero. */
export function trivialProduct(o: Builder, a: Parts, b: Parts): Trivial {
  const zero = o.const(0);
  return {
    value: { sign: o.xor(a.sign, b.sign), exponent: zero, significand: zero },
    doubt: o.or(o.or(doubtOrdinary(o, a), doubtOrdinary(o, b)), doubtZero(o, a, b)),
  };
}

// ---- comparison ----

/** How two ordinary or infinite numbers relate. */
export function relate(o: Builder, a: Parts, b: Parts): { less: Bool; equal: Bool } {
  const sameExponent = o.eq(a.exponent, b.exponent);
  const sameSign = o.eq(a.sign, b.sign);
  const isNegative = o.isNonzero(a.sign);
  const isSmaller = o.eitherOf(
    o.ltU(a.exponent, b.exponent),
    o.bothOf(sameExponent, o.ltU(a.significand, b.significand)),
  );
  const sameMagnitude = o.bothOf(sameExponent, o.eq(a.significand, b.significand));
  const areZero = o.isZero(o.or(a.significand, b.significand));
  const equal = o.eitherOf(o.bothOf(sameSign, sameMagnitude), areZero);
  // Of one sign the magnitudes decide, backwards if it is the negative one; else the first sign does.
  const isBefore = o.differ(isNegative, o.bothOf(sameSign, isSmaller));
  return { less: o.bothOf(isBefore, o.isNot(equal)), equal };
}
