/** x87 comparison and classification (SDM vol. 2, FCOM, FUCOM, FCOMI, FICOM, FTST, FXAM). */

import type { Builder } from "../ir/builder.ts";
import type { I64 } from "../ir/ir.ts";
import { X87Comparison, X87Source, X87Status } from "../system/x87_calls.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { doubtComparable, doubtSwitch, isClear } from "./x87_fast.ts";
import { relate } from "./x87_fast_arithmetic.ts";
import { fastRegister, fastSource, type Numbers, readSource, type Source } from "./x87_operands.ts";
import {
  finish,
  isEmpty,
  openX87,
  pop,
  popTwice,
  readRegister,
  recordInstruction,
  type X87,
} from "./x87_stack.ts";

const { C0, C1, C2, C3, conditions } = X87Status;
const { quiet, toFlags, pops } = X87Comparison;

/** Compares ST(0) with a source; `how` is bits of `X87Comparison`. */
function compare(o: Builder, x: X87, source: Source, how: number): void {
  const a = fastRegister(o, x, x.top);
  const b = fastSource(o, x, source);
  const isFast = isClear(
    o,
    doubtSwitch(o),
    a.doubt,
    b.doubt,
    doubtComparable(o, a.parts),
    doubtComparable(o, b.parts),
  );
  o.if(isFast, () => {
    const { less, equal } = relate(o, a.parts, b.parts);
    if ((how & toFlags) !== 0) {
      o.setField("zeroSource", o.fromBool(o.isNot(equal)));
      // SF clear, and an odd number of ones for PF clear.
      o.setField("signSource", o.const(1));
      // CF is bit 63, and OF, which is clear, how bits 63 and 62 differ.
      o.setField("carrySource", o.shl(o.neg(o.fromBool(less)), o.const(62)));
    } else setConditionCodes(o, x, o.or(codeIf(o, less, C0), codeIf(o, equal, C3)));
    if ((how & pops) === 1) pop(o, x);
    if ((how & pops) === 2) popTwice(o, x);
    recordInstruction(o);
  }, () => {
    o.system("x87Compare", source.bits, o.const(source.kind), o.const(how), source.address);
  });
}

function codeIf(o: Builder, condition: Parameters<Builder["fromBool"]>[0], code: number): I64 {
  return o.select(condition, o.const(code), o.const(0));
}

function setConditionCodes(o: Builder, x: X87, codes: I64): void {
  o.setField("fpuStatus", o.or(o.and(x.status, o.const(0xffff & ~conditions)), codes));
}

/** A comparison in its encodings. */
function comparison(
  mnemonic: string,
  encodings: readonly string[],
  how: number,
  numbers: Numbers = "real",
): Definition {
  return {
    mnemonic,
    unit: "x87",
    ...((how & toFlags) !== 0 ? { feature: "CMOV" } : {}),
    encodings,
    run(o, _first, second) {
      const x = openX87(o);
      compare(o, x, readSource(o, second, numbers), how);
    },
  };
}

const definitions: readonly Definition[] = [
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
      const x = openX87(o);
      const zero = o.const(0);
      compare(o, x, { kind: X87Source.zero, bits: zero, address: zero, width: 80 }, 0);
    },
  },
  // FXAM: the class of ST(0) in C3, C2, C0, its sign (of an empty register too) in C1.
  {
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
  },
];

/** Comparisons of the x87 FPU. */
export const X87_COMPARE: InstructionGroup = { name: "x87 comparison", definitions };
