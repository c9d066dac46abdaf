/** Comparison and rounding of SSE's floating point (SDM vol. 2, CMPPS, COMISS, UCOMISS, ROUNDPS and their like). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, V128 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { writeStatusFlags } from "./flags.ts";
import { readAligned } from "./simd_operands.ts";
import {
  all,
  type Attempt,
  both,
  elementsArgument,
  exactlyAsWasm,
  FLOATS,
  type FloatShape,
  plain,
  withFastPath,
} from "./sse_fast_path.ts";
import { merge, perShape } from "./sse_float.ts";

/** All ones if bit 0 of `bits` is set, in every element. */
function spread(o: Builder, bits: I64): V128 {
  return o.simd("i64x2.splat", o.neg(o.and(bits, o.const(1))));
}

/**
 * CMPPS of operands that are ordered. Predicates 0 to 3 hold where the operands are equal; less; less or equal; never.
 * 4 to 7 are their opposites.
 */
function comparePlain(o: Builder, shape: FloatShape, a: V128, b: V128, predicate: I64): Attempt {
  const { width, count } = shape;
  const name = FLOATS[width].shape;
  const wantsEqual = spread(o, o.not(predicate));
  const wantsLess = spread(o, o.shr(o.add(o.and(predicate, o.const(3)), o.const(1)), o.const(1)));
  const inverts = spread(o, o.shr(predicate, o.const(2)));
  const holds = o.simd(
    "v128.or",
    o.simd("v128.and", o.simd(`${name}.eq`, a, b), wantsEqual),
    o.simd("v128.and", o.simd(`${name}.lt`, a, b), wantsLess),
  );
  const right = o.simd("v128.and", plain(o, width, a), plain(o, width, b));
  const value = o.simd("v128.xor", holds, inverts);
  return { holds: all(o, width, count, right), value: merge(o, shape, a, value) };
}

const masks = perShape(["PS", "PD", "SS", "SD"], (shape) => ({
  mnemonic: `CMP${shape.suffix}`,
  encodings: [`${shape.prefix} 0F C2 /r: Vdq,${shape.source},Ib`],
  run(o, destination: Operand, source: Operand, immediate: Operand) {
    const b = readAligned(o, source);
    const a = o.readVector(destination);
    const predicate = o.read(immediate);
    const elements = elementsArgument(o, shape.width, shape.count);
    o.writeVector(
      destination,
      withFastPath(
        o,
        o.fastPaths(),
        () => comparePlain(o, shape, a, b, predicate),
        () => o.systemVector("sseCompare", a, b, elements, predicate),
      ),
    );
  },
}));

/** COMISS and UCOMISS, which differ in the exact path alone. */
function compareForFlags(mnemonic: string, opcode: string): Definition[] {
  return perShape(["SS", "SD"], (shape) => ({
    mnemonic: mnemonic + shape.suffix[1],
    encodings: [`${shape.width === 32 ? "NP" : "66"} 0F ${opcode} /r: Vdq,${shape.source}`],
    run(o, left: Operand, right: Operand) {
      const { width } = shape;
      const b = o.readVector(right);
      const a = o.readVector(left);
      const isPlain = o.variable(o.const(0));
      o.if(o.fastPaths(), () => {
        const both = o.simd("v128.and", plain(o, width, a), plain(o, width, b));
        o.set(isPlain, o.fromBool(all(o, width, 1, both)));
      });
      o.if(o.isNonzero(o.get(isPlain)), () => {
        const name = FLOATS[width].shape;
        const equal = all(o, width, 1, o.simd(`${name}.eq`, a, b));
        o.setField("zeroSource", o.fromBool(o.isNot(equal)));
        o.setField("signSource", o.const(1));
        const less = all(o, width, 1, o.simd(`${name}.lt`, a, b));
        o.setField("carrySource", o.select(less, o.const(3n << 62n), o.const(0)));
      }, () => {
        const name = mnemonic === "COMIS" ? "sseCompareOrdered" : "sseCompareUnordered";
        writeStatusFlags(o, o.system(name, a, b, elementsArgument(o, width, 1)));
      });
    },
  }));
}

// ---- rounding ----

/** From this magnitude on every number is an integer, and adding it rounds smaller ones to integers. */
const INTEGERS_FROM = { 32: 0x4b0000004b000000n, 64: 0x4330000000000000n } as const;

/** ROUNDPS without NaNs, whose result can raise at most the precision exception. */
function roundPlain(o: Builder, shape: FloatShape, old: V128, b: V128, immediate: I64): Attempt {
  const { width, count } = shape;
  const { shape: name, integers, sign, one } = FLOATS[width];
  const size = o.simd(`${name}.abs`, b);
  const large = both(o, INTEGERS_FROM[width]);
  const shifted = o.simd(`${name}.sub`, o.simd(`${name}.add`, size, large), large);
  const nearest = o.simd("v128.bitselect", shifted, size, o.simd(`${name}.lt`, size, large));
  const step = (comparison: "gt" | "lt") =>
    o.simd("v128.and", o.simd(`${name}.${comparison}`, nearest, size), both(o, one));
  const toZero = o.simd(`${name}.sub`, nearest, step("gt"));
  const fromZero = o.simd(`${name}.add`, nearest, step("lt"));
  // Bit 2 takes the mode from MXCSR, where the guard has found round to nearest.
  const mode = o.select(o.bit(immediate, 2), o.const(0), o.and(immediate, o.const(3)));
  const is = (n: number) => spread(o, o.fromBool(o.eq(mode, o.const(n))));
  const negative = o.simd(`${integers}.shr_s`, b, o.const(width - 1));
  const [down, up] = [is(1), is(2)];
  const choosesFrom = o.simd("v128.bitselect", down, up, negative);
  const choosesTo = o.simd("v128.or", is(3), o.simd("v128.bitselect", up, down, negative));
  const rounded = o.simd(
    "v128.bitselect",
    toZero,
    o.simd("v128.bitselect", fromZero, nearest, choosesFrom),
    choosesTo,
  );
  const value = o.simd("v128.or", rounded, o.simd("v128.and", b, both(o, sign)));
  const ordered = o.simd(`${name}.eq`, b, b);
  return { holds: all(o, width, count, ordered), value: merge(o, shape, old, value) };
}

const ROUND_OPCODES = { PS: "08", PD: "09", SS: "0A", SD: "0B" } as const;

const rounding = perShape(["PS", "PD", "SS", "SD"], (shape) => ({
  mnemonic: `ROUND${shape.suffix}`,
  encodings: [`66 0F 3A ${ROUND_OPCODES[shape.suffix]} /r: Vdq,${shape.source},Ib f=SSE4_1`],
  run(o, destination: Operand, source: Operand, control: Operand) {
    const b = readAligned(o, source);
    const old = o.readVector(destination);
    const immediate = o.read(control);
    const elements = elementsArgument(o, shape.width, shape.count);
    o.writeVector(
      destination,
      withFastPath(
        o,
        exactlyAsWasm(o),
        () => roundPlain(o, shape, old, b, immediate),
        () => o.systemVector("sseRound", old, b, elements, immediate),
      ),
    );
  },
}));

/** Comparison and rounding of SSE. */
export const SSE_COMPARE: InstructionGroup = {
  name: "SSE floating-point comparison and rounding",
  definitions: [
    ...masks,
    ...compareForFlags("UCOMIS", "2E"),
    ...compareForFlags("COMIS", "2F"),
    ...rounding,
  ],
};
