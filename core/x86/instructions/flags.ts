/**
 * Status flags: the three flag sources (see state/layout.ts) and how definitions read and set them.
 *
 * Results and operands are zero-extended to `width`.
 */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";

/** Which flags a condition code of Jcc, SETcc and CMOVcc reads, by its encoding (SDM vol. 1, appendix B). */
export function condition(o: Builder, code: number): Bool {
  const positive = [overflow, carry, zero, belowOrEqual, sign, parity, less, lessOrEqual]
    [code >> 1](o);
  return (code & 1) === 1 ? o.isNot(positive) : positive;
}

export function carry(o: Builder): Bool {
  return o.ltS(o.field("carrySource"), o.const(0));
}
export function overflow(o: Builder): Bool {
  const source = o.field("carrySource");
  return o.ltS(o.xor(source, o.shl(source, o.const(1))), o.const(0));
}
export function zero(o: Builder): Bool {
  return o.isZero(o.field("zeroSource"));
}
export function sign(o: Builder): Bool {
  return o.ltS(o.field("signSource"), o.const(0));
}
export function parity(o: Builder): Bool {
  return o.isNot(o.bit(o.popcnt(o.zext(o.field("signSource"), 8)), 0));
}
export function adjust(o: Builder): Bool {
  return o.bit(o.field("carrySource"), 3);
}
function belowOrEqual(o: Builder): Bool {
  return o.eitherOf(carry(o), zero(o));
}
function less(o: Builder): Bool {
  return o.differ(sign(o), overflow(o));
}
function lessOrEqual(o: Builder): Bool {
  return o.eitherOf(zero(o), less(o));
}

/** Sets ZF, SF and PF from a result. */
export function setResultFlags(o: Builder, result: I64, width: Width = o.width): void {
  const extended = o.sext(result, width);
  o.setField("zeroSource", extended);
  o.setField("signSource", extended);
}

/**
 * Sets CF, OF and AF from a vector whose bit i says whether bit i of an addition carried out (of a
 * subtraction: borrowed).
 */
export function setCarries(o: Builder, carries: I64, width: Width = o.width): void {
  if (width === 64) {
    o.setField("carrySource", carries);
  } else {
    const top = o.shl(carries, o.const(64 - width));
    o.setField("carrySource", o.or(top, o.and(carries, o.const(8))));
  }
}

/** Sets CF, OF and AF one by one. */
export function setCarryOverflowAdjust(
  o: Builder,
  carry: Bool,
  overflow: Bool,
  adjust: Bool | null,
): void {
  const high = o.shl(o.fromBool(carry), o.const(63));
  const next = o.shl(o.fromBool(o.differ(carry, overflow)), o.const(62));
  const both = o.or(high, next);
  const source = adjust ? o.or(both, o.shl(o.fromBool(adjust), o.const(3))) : both;
  o.setField("carrySource", source);
}

/** Changes CF alone: bits 63 and 62 of its source change together, so that OF stays. */
export function setCarry(o: Builder, value: Bool): void {
  const source = o.field("carrySource");
  const changes = o.differ(value, o.ltS(source, o.const(0)));
  const flipped = o.xor(source, o.const(3n << 62n));
  o.setField("carrySource", o.select(changes, flipped, source));
}

/** Complements CF alone. */
export function complementCarry(o: Builder): void {
  o.setField("carrySource", o.xor(o.field("carrySource"), o.const(3n << 62n)));
}

/** The carry vector of a + b (+ carry in) = result: bits that both have, or one has and the sum lost. */
export function additionCarries(o: Builder, a: I64, b: I64, result: I64): I64 {
  return o.or(o.and(a, b), o.and(o.or(a, b), o.not(result)));
}

/** The borrow vector of a - b (- borrow in) = result. */
export function subtractionBorrows(o: Builder, a: I64, b: I64, result: I64): I64 {
  const notA = o.not(a);
  return o.or(o.and(notA, b), o.and(o.or(notA, b), result));
}

/** All flags of an addition. */
export function setAdditionFlags(o: Builder, a: I64, b: I64, result: I64): void {
  setResultFlags(o, result);
  setCarries(o, additionCarries(o, a, b, result));
}

/** All flags of a subtraction or comparison. */
export function setSubtractionFlags(o: Builder, a: I64, b: I64, result: I64): void {
  setResultFlags(o, result);
  setCarries(o, subtractionBorrows(o, a, b, result));
}

/** Flags of AND, OR, XOR and TEST: CF and OF clear, AF (undefined) clear. */
export function setLogicFlags(o: Builder, result: I64): void {
  setResultFlags(o, result);
  o.setField("carrySource", o.const(0));
}

/** The status flags where EFLAGS has them, the other bits 0. */
export function readStatusFlags(o: Builder): I64 {
  const bits: [Bool, number][] = [
    [carry(o), 0],
    [parity(o), 2],
    [adjust(o), 4],
    [zero(o), 6],
    [sign(o), 7],
    [overflow(o), 11],
  ];
  return bits
    .map(([flag, position]) => o.shl(o.fromBool(flag), o.const(position)))
    .reduce((all, flag) => o.or(all, flag));
}

/** EFLAGS as PUSHF would store it, before RF and VM are cleared. */
export function readEflags(o: Builder): I64 {
  return o.or(o.or(o.field("flags"), o.const(2)), readStatusFlags(o));
}

/** Sets SF, ZF, AF, PF and CF from their places in EFLAGS (SAHF), and OF from `overflow`. */
export function writeArithmeticFlags(o: Builder, value: I64, overflow: Bool): void {
  o.setField("zeroSource", o.fromBool(o.isNot(o.bit(value, 6))));
  const oddParity = o.fromBool(o.isNot(o.bit(value, 2)));
  o.setField("signSource", o.or(o.shl(o.fromBool(o.bit(value, 7)), o.const(63)), oddParity));
  setCarryOverflowAdjust(o, o.bit(value, 0), overflow, o.bit(value, 4));
}

/** Sets all six status flags from their places in EFLAGS. */
export function writeStatusFlags(o: Builder, value: I64): void {
  writeArithmeticFlags(o, value, o.bit(value, 11));
}
