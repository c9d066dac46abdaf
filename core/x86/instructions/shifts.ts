/**
 * Shifts and rotations (SDM vol. 2, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD").
 *
 * A count of 0 leaves all flags. For counts other than 1 the manual leaves OF undefined; it is computed here
 * as for 1, from the result, as CPUs do. AF, undefined after shifts, is cleared.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { Bool, I64 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { adjust, carry, setCarryOverflowAdjust, setResultFlags } from "./flags.ts";

/** The encodings of group 2 with `/digit`. */
function groupTwo(...digits: number[]): string[] {
  return digits.flatMap((digit) => [
    `C0 /${digit}: Eb,Ib`,
    `C1 /${digit}: Ev,Ib`,
    `D0 /${digit}: Eb,1`,
    `D1 /${digit}: Ev,1`,
    `D2 /${digit}: Eb,CL`,
    `D3 /${digit}: Ev,CL`,
  ]);
}

/** The count modulo 32, or 64 of 64-bit operands. */
function maskedCount(o: Builder, operand: Operand): I64 {
  if (o.operandForm(operand).kind === "constant") return o.read(operand);
  return o.and(o.read(operand), o.const(o.width === 64 ? 63 : 31));
}

/** Runs `body` if the count is not 0. */
function unlessZero(o: Builder, operand: Operand, count: I64, body: () => void): void {
  if (o.operandForm(operand).kind === "constant") body();
  else o.if(o.isNonzero(count), body);
}

/** Bit `n` of `value`, counted from the operand's top: 0 is its highest. */
function fromTop(o: Builder, value: I64, n: number): Bool {
  return o.bit(value, o.width - 1 - n);
}

/** `count - 1`. */
function less1(o: Builder, count: I64): I64 {
  return o.sub(count, o.const(1));
}

/** What a shift gives: its result, and CF and OF for counts other than 0. */
interface Shifted {
  readonly result: I64;
  readonly carry: () => Bool;
  readonly overflow: (carry: Bool) => Bool;
}

function shift(
  mnemonic: string,
  digits: number[],
  compute: (o: Builder, a: I64, count: I64) => Shifted,
): Definition {
  return {
    mnemonic,
    encodings: groupTwo(...digits),
    run(o, destination, operand) {
      const count = maskedCount(o, operand);
      const a = o.readForWrite(destination);
      finishShift(o, destination, operand, count, compute(o, a, count));
    },
  };
}

function finishShift(
  o: Builder,
  destination: Operand,
  operand: Operand,
  count: I64,
  shifted: Shifted,
): void {
  o.write(destination, shifted.result);
  unlessZero(o, operand, count, () => {
    setResultFlags(o, shifted.result);
    const carried = shifted.carry();
    setCarryOverflowAdjust(o, carried, shifted.overflow(carried), null);
  });
}

/** The highest two bits of the result differ: OF of right shifts and rotations. */
function topBitsDiffer(o: Builder, result: I64): Bool {
  return o.differ(fromTop(o, result, 0), fromTop(o, result, 1));
}

const SHIFTS: readonly Definition[] = [
  shift("SHL", [4, 6], (o, a, count) => {
    const result = o.zext(o.shl(a, count), o.width);
    return {
      result,
      carry: () => fromTop(o, o.shl(a, less1(o, count)), 0),
      overflow: (carried) => o.differ(carried, fromTop(o, result, 0)),
    };
  }),
  shift("SHR", [5], (o, a, count) => {
    const result = o.shr(a, count);
    return {
      result,
      carry: () => o.bit(o.shr(a, less1(o, count)), 0),
      overflow: () => topBitsDiffer(o, result),
    };
  }),
  shift("SAR", [7], (o, a, count) => {
    const extended = o.sext(a, o.width);
    return {
      result: o.zext(o.sar(extended, count), o.width),
      carry: () => o.bit(o.sar(extended, less1(o, count)), 0),
      overflow: () => o.isZero(o.const(1)),
    };
  }),
];

/** `value` of `bits` bits rotated left by `count`, below `bits`; it may leave bits above. */
function rotatedLeft(o: Builder, value: I64, bits: number, count: I64): I64 {
  if (bits === 64) return o.rotl(value, count);
  return o.or(o.shl(value, count), o.shr(value, o.sub(o.const(bits), count)));
}

/** `value` of `bits` bits rotated right by `count`, below `bits`; it may leave bits above. */
function rotatedRight(o: Builder, value: I64, bits: number, count: I64): I64 {
  if (bits === 64) return o.rotr(value, count);
  return o.or(o.shr(value, count), o.shl(value, o.sub(o.const(bits), count)));
}

function rotation(mnemonic: string, digit: number, left: boolean): Definition {
  return {
    mnemonic,
    encodings: groupTwo(digit),
    run(o, destination, operand) {
      const masked = maskedCount(o, operand);
      const a = o.readForWrite(destination);
      const count = o.width < 32 ? o.and(masked, o.const(o.width - 1)) : masked;
      const rotate = left ? rotatedLeft : rotatedRight;
      const result = o.zext(rotate(o, a, o.width, count), o.width);
      o.write(destination, result);
      unlessZero(o, operand, masked, () => {
        const high = fromTop(o, result, 0);
        const carried = left ? o.bit(result, 0) : high;
        const overflowed = left ? o.differ(carried, high) : topBitsDiffer(o, result);
        setCarryOverflowAdjust(o, carried, overflowed, adjust(o));
      });
    },
  };
}

/** Rotation of the operand and CF together, of `width + 1` bits; 64-bit operands in two parts. */
function throughCarry(
  o: Builder,
  a: I64,
  carryIn: I64,
  count: I64,
  left: boolean,
): { result: I64; carried: () => Bool } {
  if (o.width < 64) {
    const together = o.or(a, o.shl(carryIn, o.const(o.width)));
    const rotated = (left ? rotatedLeft : rotatedRight)(o, together, o.width + 1, count);
    return { result: o.zext(rotated, o.width), carried: () => o.bit(rotated, o.width) };
  }
  // Shifts by 64 - count and 65 - count, as two shifts each so that a count of 0 gives 0.
  const rest = o.sub(o.const(63), count);
  if (left) {
    const wrapped = o.shr(o.shr(a, o.const(2)), rest);
    const inserted = o.shr(o.shl(carryIn, count), o.const(1));
    const result = o.or(o.or(o.shl(a, count), inserted), wrapped);
    return { result, carried: () => o.bit(o.rotl(a, count), 0) };
  }
  const wrapped = o.shl(o.shl(a, o.const(2)), rest);
  const inserted = o.shl(o.shl(carryIn, o.const(1)), rest);
  const result = o.or(o.or(o.shr(a, count), inserted), wrapped);
  return { result, carried: () => o.bit(o.shr(a, less1(o, count)), 0) };
}

function rotationThroughCarry(mnemonic: string, digit: number, left: boolean): Definition {
  return {
    mnemonic,
    encodings: groupTwo(digit),
    run(o, destination, operand) {
      const masked = maskedCount(o, operand);
      const a = o.readForWrite(destination);
      const isOne = o.operandForm(operand).kind === "constant";
      const count = o.width < 32 && !isOne ? o.remU(masked, o.const(o.width + 1)) : masked;
      const { result, carried } = throughCarry(o, a, o.fromBool(carry(o)), count, left);
      o.write(destination, result);
      unlessZero(o, operand, count, () => {
        const out = carried();
        const overflowed = left ? o.differ(out, fromTop(o, result, 0)) : topBitsDiffer(o, result);
        setCarryOverflowAdjust(o, out, overflowed, adjust(o));
      });
    },
  };
}

/**
 * SHLD: the operand's bits move up and are followed by those of `b`. Counts above 16 of 16-bit operands,
 * which the manual leaves undefined, go on with the operand's own bits.
 */
function doubleLeft(o: Builder, a: I64, b: I64, count: I64): Shifted {
  const overflow = (result: I64) => (carried: Bool) => o.differ(carried, fromTop(o, result, 0));
  if (o.width === 64) {
    const below = o.shr(o.shr(b, o.const(1)), o.sub(o.const(63), count));
    const result = o.or(o.shl(a, count), below);
    const carried = () => o.bit(o.shl(a, less1(o, count)), 63);
    return { result, carry: carried, overflow: overflow(result) };
  }
  // The operand lies in bits 63..32 (of 16 bits: 47..32), with what follows below it.
  const high = o.shl(a, o.const(32));
  const joined = o.width === 32 ? o.or(high, b) : o.or(high, o.or(o.shl(b, o.const(16)), a));
  const result = o.zext(o.shr(o.shl(joined, count), o.const(32)), o.width);
  const carried = () => o.bit(o.shl(joined, less1(o, count)), o.width + 31);
  return { result, carry: carried, overflow: overflow(result) };
}

function doubleRight(o: Builder, a: I64, b: I64, count: I64): Shifted {
  const carried = (joined: I64) => () => o.bit(o.shr(joined, less1(o, count)), 0);
  if (o.width === 64) {
    const above = o.shl(o.shl(b, o.const(1)), o.sub(o.const(63), count));
    const result = o.or(o.shr(a, count), above);
    return { result, carry: carried(a), overflow: () => topBitsDiffer(o, result) };
  }
  const joined = o.width === 32
    ? o.or(a, o.shl(b, o.const(32)))
    : o.or(o.or(a, o.shl(b, o.const(16))), o.shl(a, o.const(32)));
  const result = o.zext(o.shr(joined, count), o.width);
  return { result, carry: carried(joined), overflow: () => topBitsDiffer(o, result) };
}

function doubleShift(
  mnemonic: string,
  encodings: string[],
  compute: (o: Builder, a: I64, b: I64, count: I64) => Shifted,
): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination, source, operand) {
      const count = maskedCount(o, operand);
      const b = o.read(source);
      const a = o.readForWrite(destination);
      finishShift(o, destination, operand, count, compute(o, a, b, count));
    },
  };
}

/** Shifts and rotations. */
export const SHIFTS_AND_ROTATIONS: InstructionGroup = {
  name: "shifts and rotations",
  definitions: [
    ...SHIFTS,
    rotation("ROL", 0, true),
    rotation("ROR", 1, false),
    rotationThroughCarry("RCL", 2, true),
    rotationThroughCarry("RCR", 3, false),
    doubleShift("SHLD", ["0F A4 /r: Ev,Gv,Ib", "0F A5 /r: Ev,Gv,CL"], doubleLeft),
    doubleShift("SHRD", ["0F AC /r: Ev,Gv,Ib", "0F AD /r: Ev,Gv,CL"], doubleRight),
  ],
};
