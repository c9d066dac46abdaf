/**
 * x87 arithmetic, transcendental instructions and stack management (SDM vol. 2, F2XM1 to FYL2XP1).
 *
 * System functions carry them out exactly (system/x87_arithmetic.ts, system/x87_register_operations.ts); ordinary
 * numbers take the fast paths of x87_fast.ts, x87_fast_arithmetic.ts and
 * x87_fast_division.ts.
 */

import type { Builder } from "../ir/builder.ts";
import type { I64 } from "../ir/ir.ts";
import { X87Status } from "../system/x87_calls.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  BIAS,
  doubtEmpty,
  doubtOrdinary,
  doubtPlain,
  doubtPrecision,
  doubtRounding,
  doubtSwitch,
  doubtWithin,
  isClear,
  join,
  type Parts,
  partsOfInteger,
  partsOfMagnitude,
  round,
  roundingControl,
  roundToInteger,
  statusAfter,
  WHOLE_EXPONENT,
} from "./x87_fast.ts";
import {
  negated,
  type Outlet,
  product,
  sum,
  type Trivial,
  trivialProduct,
  trivialSum,
} from "./x87_fast_arithmetic.ts";
import {
  doubtRemainder,
  doubtRoot,
  quotient,
  remainder,
  squareRoot,
  trivialQuotient,
} from "./x87_fast_division.ts";
import { fastRegister, fastSource, type Numbers, readSource } from "./x87_operands.ts";
import {
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

/** A two-operand operation: its system function, and its fast paths for destination `a` and source `b`. */
interface BinaryOperation {
  readonly name: string;
  /** For two plain numbers. */
  readonly compute: (o: Builder, a: Parts, b: Parts, outlet: Outlet) => void;
  /** If an operand is zero. */
  readonly trivial: (o: Builder, a: Parts, b: Parts, control: I64) => Trivial;
}

const ADD: BinaryOperation = { name: "x87Add", compute: sum, trivial: trivialSum };
const SUBTRACT: BinaryOperation = {
  name: "x87Subtract",
  compute: (o, a, b, outlet) => sum(o, a, negated(o, b), outlet),
  trivial: (o, a, b, control) => trivialSum(o, a, negated(o, b), control),
};
const MULTIPLY: BinaryOperation = {
  name: "x87Multiply",
  compute: product,
  trivial: trivialProduct,
};
const DIVIDE: BinaryOperation = {
  name: "x87Divide",
  compute: quotient,
  trivial: trivialQuotient,
};

/** The same with source and destination exchanged. */
function reversed(operation: BinaryOperation, name: string): BinaryOperation {
  const { compute, trivial } = operation;
  return {
    name,
    compute: (o, a, b, outlet) => compute(o, b, a, outlet),
    trivial: (o, a, b, control) => trivial(o, b, a, control),
  };
}

const SUBTRACT_REVERSED = reversed(SUBTRACT, "x87SubtractReversed");
const DIVIDE_REVERSED = reversed(DIVIDE, "x87DivideReversed");

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
      const control = o.field("fpuControl");
      const first = fastRegister(o, x, target);
      const second = fastSource(o, x, source);
      const [a, b] = [first.parts, second.parts];
      const general = o.or(
        o.or(doubtSwitch(o), doubtRounding(o, control)),
        o.or(first.doubt, second.doubt),
      );
      const deliver = (value: Parts, flags: I64) => {
        overwrite(o, target, join(o, value));
        if (pops) pop(o, x);
        finish(o, x, statusAfter(o, x.status, flags));
      };
      o.if(isClear(o, general, doubtPlain(o, a, b)), () => {
        computeAndRound(o, (outlet) => operation.compute(o, a, b, outlet), control, deliver);
      }, () => {
        const { value, doubt } = operation.trivial(o, a, b, control);
        o.if(isClear(o, general, doubt), () => deliver(value, o.const(0)), () => {
          const how = o.or(number, o.const(pops ? 8 : 0));
          o.system(operation.name, source.bits, o.const(source.kind), how, source.address);
        });
      });
    },
  };
}

/** Rounds what comes out of any branch of `compute`, and delivers it once. */
function computeAndRound(
  o: Builder,
  compute: (outlet: Outlet) => void,
  control: I64,
  deliver: (value: Parts, flags: I64) => void,
): void {
  const zero = o.const(0);
  const [sign, exponent, significand, flags] = [zero, zero, zero, zero].map((each) =>
    o.variable(each)
  );
  compute({
    round: (exact) => {
      const rounded = round(o, exact, control);
      o.set(sign, rounded.parts.sign);
      o.set(exponent, rounded.parts.exponent);
      o.set(significand, rounded.parts.significand);
      o.set(flags, rounded.flags);
    },
    zero: (signOfZero) => o.set(sign, signOfZero),
  });
  const value = {
    sign: o.get(sign),
    exponent: o.get(exponent),
    significand: o.get(significand),
  };
  deliver(value, o.get(flags));
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

/** The fast path of an instruction on the top of the stack, and the doubt whether it may be taken. */
interface FastPath {
  readonly doubt: I64;
  readonly run: () => void;
}

/** An instruction on the top of the stack that a system function carries out, or a fast path. */
function registerOperation(
  mnemonic: string,
  modrm: string,
  name: string,
  fastPath?: (o: Builder, x: X87) => FastPath,
): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`D9 ${modrm}: -`],
    run(o) {
      const x = openX87(o);
      if (!fastPath) return void o.system(name);
      const { doubt, run } = fastPath(o, x);
      o.if(isClear(o, doubtSwitch(o), doubt), run, () => void o.system(name));
    },
  };
}

function fastSquareRoot(o: Builder, x: X87): FastPath {
  const { parts, doubt } = fastRegister(o, x, x.top);
  const control = o.field("fpuControl");
  return {
    doubt: o.or(doubt, o.or(doubtRounding(o, control), doubtRoot(o, parts))),
    run() {
      const rounded = round(o, squareRoot(o, parts), control);
      overwrite(o, x.top, join(o, rounded.parts));
      finish(o, x, statusAfter(o, x.status, rounded.flags));
    },
  };
}

/** Numbers from 2^63 on, which are integers, go the other way. */
function fastRoundToInteger(o: Builder, x: X87): FastPath {
  const { parts, doubt } = fastRegister(o, x, x.top);
  const control = o.field("fpuControl");
  const { magnitude, flags } = roundToInteger(o, parts, roundingControl(o, control));
  const small = o.sub(o.const(WHOLE_EXPONENT - 1), parts.exponent);
  const quiet = doubtPrecision(o, control, flags);
  return {
    doubt: o.or(o.or(doubt, doubtOrdinary(o, parts)), o.or(small, quiet)),
    run() {
      overwrite(o, x.top, join(o, partsOfMagnitude(o, magnitude, parts.sign)));
      finish(o, x, statusAfter(o, x.status, flags));
    },
  };
}

function fastRemainder(o: Builder, x: X87): FastPath {
  const a = fastRegister(o, x, x.top);
  const b = fastRegister(o, x, physical(o, x, 1));
  return {
    doubt: o.or(o.or(a.doubt, b.doubt), doubtRemainder(o, a.parts, b.parts)),
    run() {
      const { parts, quotient } = remainder(o, a.parts, b.parts);
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

/** The exponent changes by an integer of up to 15 bits. */
function fastScale(o: Builder, x: X87): FastPath {
  const a = fastRegister(o, x, x.top);
  const b = fastRegister(o, x, physical(o, x, 1));
  const { magnitude } = roundToInteger(o, b.parts, o.const(TRUNCATE));
  const change = o.select(o.isZero(b.parts.sign), magnitude, o.neg(magnitude));
  const exponent = o.add(a.parts.exponent, change);
  const doubts = [
    a.doubt,
    b.doubt,
    doubtPlain(o, a.parts, a.parts),
    doubtOrdinary(o, b.parts),
    o.sub(o.const(BIAS + 14), b.parts.exponent),
    doubtWithin(o, exponent, 1, 0x7ffe),
  ];
  return {
    doubt: doubts.reduce((all, doubt) => o.or(all, doubt)),
    run() {
      overwrite(o, x.top, join(o, { ...a.parts, exponent }));
      finish(o, x);
    },
  };
}

function fastExtract(o: Builder, x: X87): FastPath {
  const { parts, doubt } = fastRegister(o, x, x.top);
  const room = doubtEmpty(o, x, physical(o, x, -1));
  return {
    doubt: o.or(o.or(doubt, room), doubtPlain(o, parts, parts)),
    run() {
      const exponent = partsOfInteger(o, o.sub(parts.exponent, o.const(BIAS)));
      overwrite(o, x.top, join(o, exponent));
      push(o, x, join(o, { ...parts, exponent: o.const(BIAS) }));
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
