/**
 * x87 arithmetic, transcendental instructions and stack management (SDM vol. 2, F2XM1 to FYL2XP1).
 *
 * System functions carry them out exactly (system/x87_arithmetic.ts, system/x87_register_operations.ts); ordinary
 * numbers take the fast paths of x87_fast.ts and x87_fast_division.ts.
 */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64 } from "../ir/ir.ts";
import { X87Status } from "../system/x87_calls.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  canAdd,
  canMultiply,
  droppedBits,
  type Exact,
  integerOperand,
  isWithin,
  join,
  masksPrecision,
  type Operand,
  partsOfInteger,
  product,
  round,
  roundingControl,
  roundsQuietly,
  roundToInteger,
  statusAfter,
  sum,
  WHOLE_EXPONENT,
} from "./x87_fast.ts";
import {
  canDivide,
  canReduce,
  canTakeRoot,
  quotient,
  remainder,
  squareRoot,
} from "./x87_fast_division.ts";
import { fastRegister, fastSource, type Numbers, readSource } from "./x87_operands.ts";
import {
  allOf,
  fill,
  finish,
  indefinite,
  isEmpty,
  openX87,
  overwrite,
  physical,
  pop,
  push,
  readRegister,
  recordInstruction,
  stackFault,
  type X87,
} from "./x87_stack.ts";

const { C0, C1, C3, conditions } = X87Status;

/** A two-operand operation: its system function, and its fast path for destination `a` and source `b`. */
interface BinaryOperation {
  readonly name: string;
  readonly can: (o: Builder, a: Operand, b: Operand) => Bool;
  readonly compute: (o: Builder, a: Operand, b: Operand) => Exact;
}

function negated(o: Builder, a: Operand): Operand {
  return { ...a, sign: o.xor(a.sign, o.const(0x8000)) };
}

const ADD: BinaryOperation = { name: "x87Add", can: canAdd, compute: sum };
const MULTIPLY: BinaryOperation = { name: "x87Multiply", can: canMultiply, compute: product };
const SUBTRACT: BinaryOperation = {
  name: "x87Subtract",
  can: canAdd,
  compute: (o, a, b) => sum(o, a, negated(o, b)),
};
const SUBTRACT_REVERSED: BinaryOperation = {
  name: "x87SubtractReversed",
  can: canAdd,
  compute: (o, a, b) => sum(o, b, negated(o, a)),
};
const DIVIDE: BinaryOperation = { name: "x87Divide", can: canDivide, compute: quotient };
const DIVIDE_REVERSED: BinaryOperation = {
  name: "x87DivideReversed",
  can: (o, a, b) => canDivide(o, b, a),
  compute: (o, a, b) => quotient(o, b, a),
};

/** A two-operand operation in one of its encodings. */
function binary(
  mnemonic: string,
  operation: BinaryOperation,
  encodings: readonly string[],
  numbers: Numbers = "real",
  pops = false,
): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings,
    run(o, destination, operand) {
      const x = openX87(o);
      const source = readSource(o, operand, numbers);
      const number = o.read(destination);
      const target = physical(o, x, number);
      const a = fastRegister(o, x, target);
      const b = fastSource(o, x, source);
      const control = o.field("fpuControl");
      const isFast = allOf(o, o.fastPaths(), roundsQuietly(o, control), operation.can(o, a, b));
      o.if(isFast, () => {
        const { value, flags } = round(o, operation.compute(o, a, b), droppedBits(o, control));
        overwrite(o, target, value);
        if (pops) pop(o, x);
        finish(o, x, statusAfter(o, x.status, flags));
      }, () => {
        const how = o.or(number, o.const(pops ? 8 : 0));
        o.system(operation.name, source.bits, o.const(source.kind), how, source.address);
      });
    },
  };
}

/**
 * FADD and its like: the digits of D8 and DC, and the register forms of DC and DE, whose digits are exchanged for
 * the reversed operations.
 */
function arithmetic(
  suffix: string,
  operation: BinaryOperation,
  digit: number,
  swapped: number,
): Definition[] {
  const modrm = (n: number) => (0xc0 + 8 * n).toString(16).toUpperCase();
  const real = [
    `D8 /${digit}: ST,Md`,
    `DC /${digit}: ST,Mq`,
    `D8 ${modrm(digit)}+r: ST,STi`,
    `DC ${modrm(swapped)}+r: STi,ST`,
  ];
  return [
    binary(`F${suffix}`, operation, real),
    binary(`F${suffix}P`, operation, [`DE ${modrm(swapped)}+r: STi,ST`], "real", true),
    binary(`FI${suffix}`, operation, [`DE /${digit}: ST,Mw`, `DA /${digit}: ST,Md`], "integer"),
  ];
}

/** FCHS and FABS: only the sign changes. */
function signOperation(
  mnemonic: string,
  modrm: string,
  change: (o: Builder, signExponent: I64) => I64,
): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`D9 ${modrm}: -`],
    run(o) {
      const x = openX87(o);
      o.if(isEmpty(o, x, x.top), () => {
        stackFault(o, o.const(0), () => fill(o, x, x.top, indefinite(o), false));
      }, () => {
        const { significand, signExponent } = readRegister(o, x.top);
        overwrite(o, x.top, { significand, signExponent: change(o, signExponent) });
        finish(o, x);
      });
    },
  };
}

/** The fast path of an instruction on the top of the stack, and when it may be taken. */
type FastPath = (o: Builder, x: X87) => { readonly can: Bool; readonly run: () => void };

/** An instruction on the top of the stack that a system function carries out, or a fast path. */
function registerOperation(
  mnemonic: string,
  modrm: string,
  name: string,
  fastPath?: FastPath,
): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`D9 ${modrm}: -`],
    run(o) {
      const x = openX87(o);
      if (!fastPath) return void o.system(name);
      const { can, run } = fastPath(o, x);
      o.if(o.bothOf(o.fastPaths(), can), run, () => void o.system(name));
    },
  };
}

function fastSquareRoot(o: Builder, x: X87): ReturnType<FastPath> {
  const a = fastRegister(o, x, x.top);
  const control = o.field("fpuControl");
  return {
    can: o.bothOf(roundsQuietly(o, control), canTakeRoot(o, a)),
    run() {
      const { value, flags } = round(o, squareRoot(o, a), droppedBits(o, control));
      overwrite(o, x.top, value);
      finish(o, x, statusAfter(o, x.status, flags));
    },
  };
}

/** Numbers from 2^63 on are integers. */
function fastRoundToInteger(o: Builder, x: X87): ReturnType<FastPath> {
  const a = fastRegister(o, x, x.top);
  const control = o.field("fpuControl");
  const integer = roundToInteger(o, a, roundingControl(o, control));
  const isSmall = o.ltU(a.exponent, o.const(WHOLE_EXPONENT));
  return {
    can: allOf(o, a.isOrdinary, isSmall, o.eitherOf(masksPrecision(o, control), integer.isExact)),
    run() {
      overwrite(o, x.top, join(o, partsOfInteger(o, integer.magnitude, a.sign)));
      finish(o, x, statusAfter(o, x.status, integer.flags));
    },
  };
}

function fastRemainder(o: Builder, x: X87): ReturnType<FastPath> {
  const a = fastRegister(o, x, x.top);
  const b = fastRegister(o, x, physical(o, x, 1));
  return {
    can: canReduce(o, a, b),
    run() {
      const { parts, quotient } = remainder(o, a, b);
      overwrite(o, x.top, join(o, parts));
      const code = (bit: number, code: number) =>
        o.select(o.bit(quotient, bit), o.const(code), o.const(0));
      const codes = o.or(o.or(code(2, C0), code(1, C3)), code(0, C1));
      finish(o, x, o.or(o.and(x.status, o.const(0xffff & ~conditions)), codes));
    },
  };
}

/** RC's encoding of rounding toward zero. */
const TRUNCATE = 3;
const BIAS = 0x3fff;

/** The exponent changes by an integer of up to 15 bits. */
function fastScale(o: Builder, x: X87): ReturnType<FastPath> {
  const a = fastRegister(o, x, x.top);
  const b = fastRegister(o, x, physical(o, x, 1));
  const { magnitude } = roundToInteger(o, b, o.const(TRUNCATE));
  const change = o.select(o.isZero(b.sign), magnitude, o.neg(magnitude));
  const exponent = o.add(a.exponent, change);
  return {
    can: allOf(
      o,
      a.isOrdinary,
      b.isOrdinary,
      o.isNonzero(a.significand),
      o.ltU(b.exponent, o.const(BIAS + 15)),
      isWithin(o, exponent, 1, 0x7ffe),
    ),
    run() {
      overwrite(o, x.top, join(o, { ...a, exponent }));
      finish(o, x);
    },
  };
}

function fastExtract(o: Builder, x: X87): ReturnType<FastPath> {
  const a = fastRegister(o, x, x.top);
  const room = isEmpty(o, x, physical(o, x, -1));
  return {
    can: allOf(o, room, a.isOrdinary, o.isNonzero(a.significand)),
    run() {
      const exponent = integerOperand(o, o.sub(a.exponent, o.const(BIAS)));
      overwrite(o, x.top, join(o, exponent));
      push(o, x, join(o, { ...a, exponent: o.const(BIAS) }));
      finish(o, x);
    },
  };
}

/** FDECSTP and FINCSTP: tags stay. */
function turnStack(mnemonic: string, modrm: string, by: 1 | -1): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`D9 ${modrm}: -`],
    run(o) {
      const x = openX87(o);
      o.setField("fpuTop", physical(o, x, by));
      finish(o, x);
    },
  };
}

/** FFREE, and the undocumented FFREEP that pops besides. */
function free(mnemonic: string, encoding: string, pops: boolean): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`${encoding}+r: STi`],
    run(o, register) {
      const x = openX87(o);
      const one = o.const(1);
      const freed = o.or(x.tags, o.shl(one, physical(o, x, o.read(register))));
      if (pops) {
        o.setField("fpuTags", o.or(freed, o.shl(one, x.top)));
        o.setField("fpuTop", physical(o, x, 1));
      } else o.setField("fpuTags", freed);
      // The manual calls C1 undefined; processors clear it.
      finish(o, x);
    },
  };
}

const definitions: readonly Definition[] = [
  ...arithmetic("ADD", ADD, 0, 0),
  ...arithmetic("MUL", MULTIPLY, 1, 1),
  ...arithmetic("SUB", SUBTRACT, 4, 5),
  ...arithmetic("SUBR", SUBTRACT_REVERSED, 5, 4),
  ...arithmetic("DIV", DIVIDE, 6, 7),
  ...arithmetic("DIVR", DIVIDE_REVERSED, 7, 6),
  signOperation("FCHS", "E0", (o, signExponent) => o.xor(signExponent, o.const(0x8000))),
  signOperation("FABS", "E1", (o, signExponent) => o.and(signExponent, o.const(0x7fff))),
  registerOperation("F2XM1", "F0", "x87PowerOfTwo"),
  registerOperation("FYL2X", "F1", "x87Logarithm"),
  registerOperation("FPTAN", "F2", "x87Tangent"),
  registerOperation("FPATAN", "F3", "x87Arctangent"),
  registerOperation("FXTRACT", "F4", "x87Extract", fastExtract),
  registerOperation("FPREM1", "F5", "x87RemainderNearest"),
  turnStack("FDECSTP", "F6", -1),
  turnStack("FINCSTP", "F7", 1),
  registerOperation("FPREM", "F8", "x87Remainder", fastRemainder),
  registerOperation("FYL2XP1", "F9", "x87LogarithmPlusOne"),
  registerOperation("FSQRT", "FA", "x87SquareRoot", fastSquareRoot),
  registerOperation("FSINCOS", "FB", "x87SineCosine"),
  registerOperation("FRNDINT", "FC", "x87RoundToInteger", fastRoundToInteger),
  registerOperation("FSCALE", "FD", "x87Scale", fastScale),
  registerOperation("FSIN", "FE", "x87Sine"),
  registerOperation("FCOS", "FF", "x87Cosine"),
  free("FFREE", "DD C0", false),
  free("FFREEP", "DF C0", true),
  {
    mnemonic: "FNOP",
    unit: "x87",
    encodings: ["D9 D0: -"],
    run(o) {
      openX87(o);
      recordInstruction(o);
    },
  },
];

/** Arithmetic and stack management of the x87 FPU. */
export const X87_ARITHMETIC: InstructionGroup = { name: "x87 arithmetic", definitions };
