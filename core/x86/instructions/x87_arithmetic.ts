/**
 * x87 arithmetic, comparison and transcendental instructions (SDM vol. 2, FABS to FYL2XP1).
 *
 * System functions carry them out exactly (system/x87_arithmetic.ts, system/x87_register_operations.ts).
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64 } from "../ir/ir.ts";
import { X87Comparison, X87Source, X87Status } from "../system/x87_calls.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  fill,
  finish,
  indefinite,
  isEmpty,
  openX87,
  overwrite,
  physical,
  readRegister,
  recordInstruction,
  stackFault,
} from "./x87_stack.ts";

type SourceKind = (typeof X87Source)[keyof typeof X87Source];

/** Floating-point or integer memory operands. */
type Numbers = "real" | "integer";

/** What a source operand is, by its form. */
function sourceKind(o: Builder, source: Operand, numbers: Numbers): SourceKind {
  if (!o.isMemory(source)) return X87Source.register;
  if (numbers === "integer") {
    return o.widthOf(source) === 16 ? X87Source.integer16 : X87Source.integer32;
  }
  return o.widthOf(source) === 32 ? X87Source.binary32 : X87Source.binary64;
}

/** A source: a memory operand's bits, or a register's number, and what it is. */
interface Source {
  readonly kind: SourceKind;
  readonly bits: I64;
  /** The offset of a memory operand, else 0. */
  readonly address: I64;
}

function readSource(o: Builder, source: Operand, numbers: Numbers): Source {
  const bits = o.read(source);
  const address = o.isMemory(source) ? o.address(source) : o.const(0);
  return { kind: sourceKind(o, source, numbers), bits, address };
}

/** A two-operand operation in one of its encodings. */
function binary(
  mnemonic: string,
  name: string,
  encodings: readonly string[],
  numbers: Numbers = "real",
  pops = false,
): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings,
    run(o, destination, operand) {
      openX87(o);
      const source = readSource(o, operand, numbers);
      const target = o.or(o.read(destination), o.const(pops ? 8 : 0));
      o.system(name, source.bits, o.const(source.kind), target, source.address);
    },
  };
}

/**
 * FADD and its like: the digits of D8 and DC, and the register forms of DC and DE, whose digits are exchanged for
 * the reversed operations.
 */
function arithmetic(suffix: string, name: string, digit: number, swapped: number): Definition[] {
  const modrm = (n: number) => (0xc0 + 8 * n).toString(16).toUpperCase();
  const real = [
    `D8 /${digit}: ST,Md`,
    `DC /${digit}: ST,Mq`,
    `D8 ${modrm(digit)}+r: ST,STi`,
    `DC ${modrm(swapped)}+r: STi,ST`,
  ];
  return [
    binary(`F${suffix}`, name, real),
    binary(`F${suffix}P`, name, [`DE ${modrm(swapped)}+r: STi,ST`], "real", true),
    binary(`FI${suffix}`, name, [`DE /${digit}: ST,Mw`, `DA /${digit}: ST,Md`], "integer"),
  ];
}

/** A comparison of ST(0); `how` is bits of `X87Comparison`. */
function comparison(
  mnemonic: string,
  encodings: readonly string[],
  how: number,
  numbers: Numbers = "real",
): Definition {
  return {
    mnemonic,
    unit: "x87",
    ...((how & X87Comparison.toFlags) !== 0 ? { feature: "CMOV" } : {}),
    encodings,
    run(o, _first, second) {
      openX87(o);
      const source = readSource(o, second, numbers);
      o.system("x87Compare", source.bits, o.const(source.kind), o.const(how), source.address);
    },
  };
}

const { quiet, toFlags } = X87Comparison;

const comparisons: readonly Definition[] = [
  // DC D0, DC D8 and DE D0 are undocumented.
  comparison("FCOM", ["D8 /2: ST,Md", "DC /2: ST,Mq", "D8 D0+r: ST,STi", "DC D0+r: ST,STi"], 0),
  comparison("FCOMP", [
    "D8 /3: ST,Md",
    "DC /3: ST,Mq",
    "D8 D8+r: ST,STi",
    "DC D8+r: ST,STi",
    "DE D0+r: ST,STi",
  ], 1),
  comparison("FCOMPP", ["DE D9: ST,1"], 2),
  comparison("FUCOM", ["DD E0+r: ST,STi"], quiet),
  comparison("FUCOMP", ["DD E8+r: ST,STi"], quiet | 1),
  comparison("FUCOMPP", ["DA E9: ST,1"], quiet | 2),
  comparison("FCOMI", ["DB F0+r: ST,STi"], toFlags),
  comparison("FCOMIP", ["DF F0+r: ST,STi"], toFlags | 1),
  comparison("FUCOMI", ["DB E8+r: ST,STi"], toFlags | quiet),
  comparison("FUCOMIP", ["DF E8+r: ST,STi"], toFlags | quiet | 1),
  comparison("FICOM", ["DE /2: ST,Mw", "DA /2: ST,Md"], 0, "integer"),
  comparison("FICOMP", ["DE /3: ST,Mw", "DA /3: ST,Md"], 1, "integer"),
  {
    mnemonic: "FTST",
    unit: "x87",
    encodings: ["D9 E4: -"],
    run(o) {
      openX87(o);
      const zero = o.const(0);
      o.system("x87Compare", zero, o.const(X87Source.zero), zero, zero);
    },
  },
];

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

const { C0, C1, C2, C3, conditions } = X87Status;

/** FXAM: the class of ST(0) in C3, C2, C0, its sign (of an empty register too) in C1. */
const examine: Definition = {
  mnemonic: "FXAM",
  unit: "x87",
  encodings: ["D9 E5: -"],
  run(o) {
    const x = openX87(o);
    const { significand, signExponent } = readRegister(o, x.top);
    const exponent = o.and(signExponent, o.const(0x7fff));
    const top = o.const(1n << 63n);
    const special = o.select(o.eq(significand, top), o.const(C2 | C0), o.const(C0));
    const finite = o.select(o.eq(exponent, o.const(0x7fff)), special, o.const(C2));
    const supported = o.select(o.ltS(significand, o.const(0)), finite, o.const(0));
    const tiny = o.select(o.isZero(significand), o.const(C3), o.const(C3 | C2));
    const filled = o.select(o.isZero(exponent), tiny, supported);
    const code = o.select(isEmpty(o, x, x.top), o.const(C3 | C0), filled);
    const sign = o.select(o.ltU(o.const(0x7fff), signExponent), o.const(C1), o.const(0));
    const rest = o.and(x.status, o.const(0xffff & ~conditions));
    finish(o, x, o.or(rest, o.or(code, sign)));
  },
};

/** An instruction on the top of the stack that a system function carries out. */
function registerOperation(mnemonic: string, modrm: string, name: string): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`D9 ${modrm}: -`],
    run(o) {
      openX87(o);
      o.system(name);
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
  ...arithmetic("ADD", "x87Add", 0, 0),
  ...arithmetic("MUL", "x87Multiply", 1, 1),
  ...arithmetic("SUB", "x87Subtract", 4, 5),
  ...arithmetic("SUBR", "x87SubtractReversed", 5, 4),
  ...arithmetic("DIV", "x87Divide", 6, 7),
  ...arithmetic("DIVR", "x87DivideReversed", 7, 6),
  ...comparisons,
  signOperation("FCHS", "E0", (o, signExponent) => o.xor(signExponent, o.const(0x8000))),
  signOperation("FABS", "E1", (o, signExponent) => o.and(signExponent, o.const(0x7fff))),
  examine,
  registerOperation("F2XM1", "F0", "x87PowerOfTwo"),
  registerOperation("FYL2X", "F1", "x87Logarithm"),
  registerOperation("FPTAN", "F2", "x87Tangent"),
  registerOperation("FPATAN", "F3", "x87Arctangent"),
  registerOperation("FXTRACT", "F4", "x87Extract"),
  registerOperation("FPREM1", "F5", "x87RemainderNearest"),
  turnStack("FDECSTP", "F6", -1),
  turnStack("FINCSTP", "F7", 1),
  registerOperation("FPREM", "F8", "x87Remainder"),
  registerOperation("FYL2XP1", "F9", "x87LogarithmPlusOne"),
  registerOperation("FSQRT", "FA", "x87SquareRoot"),
  registerOperation("FSINCOS", "FB", "x87SineCosine"),
  registerOperation("FRNDINT", "FC", "x87RoundToInteger"),
  registerOperation("FSCALE", "FD", "x87Scale"),
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
