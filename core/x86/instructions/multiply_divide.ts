/**
 * Multiplication and division (SDM vol. 2, "MUL", "IMUL", "DIV", "IDIV").
 *
 * Flags that the manual leaves undefined (SF, ZF, AF and PF of multiplications, all of divisions) stay as they
 * were, but AF, which multiplications clear.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { Bool, I64, Variable } from "../ir/ir.ts";
import { Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";

/** Sets CF and OF to `value` and clears AF. */
function setCarryAndOverflow(o: Builder, value: Bool): void {
  o.setField("carrySource", o.shl(o.fromBool(value), o.const(63)));
}

/** The double-width product in two halves of the operand size. */
function product(o: Builder, a: I64, b: I64, signed: boolean): { low: I64; high: I64 } {
  const { width } = o;
  if (width === 64) {
    const high = signed ? o.mulHighS(a, b) : o.mulHighU(a, b);
    return { low: o.mul(a, b), high };
  }
  const whole = signed ? o.mul(o.sext(a, width), o.sext(b, width)) : o.mul(a, b);
  return { low: o.zext(whole, width), high: o.zext(o.shr(whole, o.const(width)), width) };
}

/** Whether a signed product needs its high half. */
function overflows(o: Builder, low: I64, high: I64): Bool {
  const signs = o.zext(o.sar(o.sext(low, o.width), o.const(63)), o.width);
  return o.ne(high, signs);
}

/** Writes AX, or rDX:rAX. */
function writePair(o: Builder, low: I64, high: I64): void {
  if (o.width === 8) o.setRegister("rax", 16, o.or(low, o.shl(high, o.const(8))));
  else {
    o.setRegister("rax", o.width, low);
    o.setRegister("rdx", o.width, high);
  }
}

/** MUL and one-operand IMUL. */
function multiplyAccumulator(mnemonic: string, digit: number, signed: boolean): Definition {
  return {
    mnemonic,
    encodings: [`F6 /${digit}: Eb`, `F7 /${digit}: Ev`],
    run(o, source) {
      const { low, high } = product(o, o.register("rax", o.width), o.read(source), signed);
      writePair(o, low, high);
      setCarryAndOverflow(o, signed ? overflows(o, low, high) : o.isNonzero(high));
    },
  };
}

function multiplyInto(o: Builder, destination: Operand, a: I64, b: I64): void {
  const { low, high } = product(o, a, b, true);
  o.write(destination, low);
  setCarryAndOverflow(o, overflows(o, low, high));
}

const MULTIPLICATIONS: readonly Definition[] = [
  multiplyAccumulator("MUL", 4, false),
  multiplyAccumulator("IMUL", 5, true),
  {
    mnemonic: "IMUL",
    encodings: ["0F AF /r: Gv,Ev"],
    run(o, destination, source) {
      multiplyInto(o, destination, o.read(destination), o.read(source));
    },
  },
  {
    mnemonic: "IMUL",
    encodings: ["69 /r: Gv,Ev,Iz", "6B /r: Gv,Ev,Ibs"],
    run(o, destination, source, factor) {
      multiplyInto(o, destination, o.read(source), o.read(factor));
    },
  },
];

/** Raises #DE if `condition` holds. */
function divideErrorIf(o: Builder, condition: Bool): void {
  o.if(condition, () => o.raise(Exception.DE));
}

/** The dividend of an 8-, 16- or 32-bit division: AX, DX:AX or EDX:EAX. */
function narrowDividend(o: Builder): I64 {
  const { width } = o;
  if (width === 8) return o.register("rax", 16);
  return o.or(o.shl(o.register("rdx", width), o.const(width)), o.register("rax", width));
}

function divideNarrow(o: Builder, divisor: I64): void {
  const { width } = o;
  divideErrorIf(o, o.isZero(divisor));
  const dividend = narrowDividend(o);
  const quotient = o.divU(dividend, divisor);
  divideErrorIf(o, o.isNonzero(o.shr(quotient, o.const(width))));
  writePair(o, quotient, o.remU(dividend, divisor));
}

const LOWEST = 1n << 63n;

/** Raises #DE for a zero divisor, and for the only quotient of 64-bit numbers that has 65 bits. */
function checkSigned(o: Builder, dividend: I64, divisor: I64): void {
  const overflowing = o.bothOf(
    o.eq(dividend, o.const(LOWEST)),
    o.eq(divisor, o.const(-1)),
  );
  divideErrorIf(o, o.eitherOf(o.isZero(divisor), overflowing));
}

function divideNarrowSigned(o: Builder, operand: I64): void {
  const { width } = o;
  const divisor = o.sext(operand, width);
  const whole = narrowDividend(o);
  const dividend = width === 32 ? whole : o.sext(whole, width === 8 ? 16 : 32);
  checkSigned(o, dividend, divisor);
  const quotient = o.divS(dividend, divisor);
  divideErrorIf(o, o.ne(o.sext(quotient, width), quotient));
  const remainder = o.remS(dividend, divisor);
  writePair(o, o.zext(quotient, width), o.zext(remainder, width));
}

/** A quotient and a remainder that branches compute. */
interface Division {
  readonly quotient: Variable<"i64">;
  readonly remainder: Variable<"i64">;
}

function divisionVariables(o: Builder): Division {
  return { quotient: o.variable(o.const(0)), remainder: o.variable(o.const(0)) };
}

/** Divides high:low by a divisor above `high`, bit by bit: 64 steps. */
function longDivision(o: Builder, high: I64, low: I64, divisor: I64, into: Division): void {
  const { quotient, remainder } = into;
  const one = o.const(1);
  const top = o.const(63);
  o.set(remainder, high);
  o.set(quotient, low);
  const left = o.variable(o.const(64));
  o.loop(() => {
    const before = o.get(remainder);
    const bits = o.get(quotient);
    const shifted = o.or(o.shl(before, one), o.shr(bits, top));
    const fits = o.eitherOf(o.bit(before, 63), o.leU(divisor, shifted));
    o.set(remainder, o.select(fits, o.sub(shifted, divisor), shifted));
    o.set(quotient, o.or(o.shl(bits, one), o.fromBool(fits)));
    const rest = o.sub(o.get(left), one);
    o.set(left, rest);
    return o.isNonzero(rest);
  });
}

function divideWide(o: Builder, divisor: I64): void {
  const low = o.register("rax");
  const high = o.register("rdx");
  divideErrorIf(o, o.leU(divisor, high));
  const into = divisionVariables(o);
  o.if(o.isZero(high), () => {
    o.set(into.quotient, o.divU(low, divisor));
    o.set(into.remainder, o.remU(low, divisor));
  }, () => longDivision(o, high, low, divisor, into));
  writePair(o, o.get(into.quotient), o.get(into.remainder));
}

function divideWideSigned(o: Builder, divisor: I64): void {
  const low = o.register("rax");
  const high = o.register("rdx");
  const into = divisionVariables(o);
  o.if(o.eq(high, o.sar(low, o.const(63))), () => {
    checkSigned(o, low, divisor);
    o.set(into.quotient, o.divS(low, divisor));
    o.set(into.remainder, o.remS(low, divisor));
  }, () => {
    const zero = o.const(0);
    const isNegative = o.ltS(high, zero);
    const divisorIsNegative = o.ltS(divisor, zero);
    const magnitude = o.select(divisorIsNegative, o.neg(divisor), divisor);
    const borrow = o.fromBool(o.isNonzero(low));
    const absoluteHigh = o.select(isNegative, o.sub(o.neg(high), borrow), high);
    const absoluteLow = o.select(isNegative, o.neg(low), low);
    divideErrorIf(o, o.leU(magnitude, absoluteHigh));
    longDivision(o, absoluteHigh, absoluteLow, magnitude, into);
    const unsigned = o.get(into.quotient);
    const remainder = o.get(into.remainder);
    const negate = o.differ(isNegative, divisorIsNegative);
    const bound = o.add(o.const(LOWEST - 1n), o.fromBool(negate));
    divideErrorIf(o, o.ltU(bound, unsigned));
    o.set(into.quotient, o.select(negate, o.neg(unsigned), unsigned));
    o.set(into.remainder, o.select(isNegative, o.neg(remainder), remainder));
  });
  writePair(o, o.get(into.quotient), o.get(into.remainder));
}

const DIVISIONS: readonly Definition[] = [
  {
    mnemonic: "DIV",
    encodings: ["F6 /6: Eb", "F7 /6: Ev"],
    run(o, source) {
      const divisor = o.read(source);
      if (o.width === 64) divideWide(o, divisor);
      else divideNarrow(o, divisor);
    },
  },
  {
    mnemonic: "IDIV",
    encodings: ["F6 /7: Eb", "F7 /7: Ev"],
    run(o, source) {
      const divisor = o.read(source);
      if (o.width === 64) divideWideSigned(o, divisor);
      else divideNarrowSigned(o, divisor);
    },
  },
];

/** Multiplication and division. */
export const MULTIPLY_DIVIDE: InstructionGroup = {
  name: "multiplication and division",
  definitions: [...MULTIPLICATIONS, ...DIVISIONS],
};
