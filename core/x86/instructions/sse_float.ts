/**
 * Floating-point arithmetic of SSE to SSE4.1, and the MXCSR instructions (SDM vol. 2, the entries of each mnemonic).
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { V128 } from "../ir/ir.ts";
import { Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { withLow } from "./mmx_sse_moves.ts";
import { readAligned } from "./simd_operands.ts";
import {
  all,
  type Attempt,
  both,
  elementsArgument,
  exactlyAsWasm,
  finite,
  FLOATS,
  type FloatShape,
  isZero,
  ordinary,
  plain,
  SHAPES,
  withFastPath,
} from "./sse_fast_path.ts";

/** `value` for packed shapes; for scalar ones its low element above which `old` stays. */
export function merge(o: Builder, { width, count }: FloatShape, old: V128, value: V128): V128 {
  return count > 1 ? value : withLow(o, old, value, width);
}

/** A fast path: the result, and the mask of elements for which it is right. */
type FastBinary = (o: Builder, shape: FloatShape, a: V128, b: V128) => {
  readonly value: V128;
  readonly right: V128;
};

/** The mask of elements that are right if both operands are plain and `right` too. */
function ofPlain(o: Builder, { width }: FloatShape, a: V128, b: V128, right: V128): V128 {
  const operands = o.simd("v128.and", plain(o, width, a), plain(o, width, b));
  return o.simd("v128.and", operands, right);
}

type Arithmetic = "add" | "sub" | "mul" | "div";

/** The system functions that are exact. */
const EXACT = {
  add: "sseAdd",
  sub: "sseSub",
  mul: "sseMul",
  div: "sseDiv",
  min: "sseMin",
  max: "sseMax",
} as const;

const FAST: { readonly [Name in Arithmetic]: FastBinary } = {
  add: (o, shape, a, b) => sumOrDifference(o, shape, "add", a, b),
  sub: (o, shape, a, b) => sumOrDifference(o, shape, "sub", a, b),
  mul: (o, shape, a, b) => {
    const { width } = shape;
    const value = o.simd(`${FLOATS[width].shape}.mul`, a, b);
    const factors = o.simd("v128.or", isZero(o, width, a), isZero(o, width, b));
    return { value, right: ofPlain(o, shape, a, b, ordinaryOrZero(o, shape, value, factors)) };
  },
  div: (o, shape, a, b) => {
    const { width } = shape;
    const value = o.simd(`${FLOATS[width].shape}.div`, a, b);
    const dividend = isZero(o, width, a);
    return { value, right: ofPlain(o, shape, a, b, ordinaryOrZero(o, shape, value, dividend)) };
  },
};

/** Sums of plain operands are exact where they are tiny, so finite ones are right. */
function sumOrDifference(
  o: Builder,
  shape: FloatShape,
  operation: "add" | "sub",
  a: V128,
  b: V128,
): ReturnType<FastBinary> {
  const value = o.simd(`${FLOATS[shape.width].shape}.${operation}`, a, b);
  return { value, right: ofPlain(o, shape, a, b, finite(o, shape.width, value)) };
}

/** Results that are ordinary, or zero because an operand was. */
function ordinaryOrZero(o: Builder, { width }: FloatShape, value: V128, zeroOperand: V128): V128 {
  const zero = o.simd("v128.and", isZero(o, width, value), zeroOperand);
  return o.simd("v128.or", ordinary(o, width, value), zero);
}

function attempt(
  o: Builder,
  shape: FloatShape,
  old: V128,
  { value, right }: ReturnType<FastBinary>,
): Attempt {
  const holds = all(o, shape.width, shape.count, right);
  return { holds, value: merge(o, shape, old, value) };
}

/** Combines elements in place, or by the system function. */
function compute(
  o: Builder,
  shape: FloatShape,
  name: Arithmetic,
  a: V128,
  b: V128,
): V128 {
  return withFastPath(
    o,
    exactlyAsWasm(o),
    () => attempt(o, shape, a, FAST[name](o, shape, a, b)),
    () => o.systemVector(EXACT[name], a, b, elementsArgument(o, shape.width, shape.count)),
  );
}

/** One definition for each shape. */
export function perShape(
  shapes: readonly FloatShape["suffix"][],
  define: (shape: FloatShape) => Omit<Definition, "unit" | "feature">,
): Definition[] {
  return shapes.map((suffix) => ({
    unit: "sse",
    feature: SHAPES[suffix].feature,
    ...define(SHAPES[suffix]),
  }));
}

const ALL_SHAPES = ["PS", "PD", "SS", "SD"] as const;

function arithmetic(name: Arithmetic, opcode: string): Definition[] {
  return perShape(ALL_SHAPES, (shape) => ({
    mnemonic: name.toUpperCase() + shape.suffix,
    encodings: [`${shape.prefix} 0F ${opcode} /r: Vdq,${shape.source}`],
    run(o, destination: Operand, source: Operand) {
      const b = readAligned(o, source);
      o.writeVector(destination, compute(o, shape, name, o.readVector(destination), b));
    },
  }));
}

/** MINPS and MAXPS: the source unless the destination is less, or greater. */
function extremum(name: "min" | "max", opcode: string): Definition[] {
  return perShape(ALL_SHAPES, (shape) => ({
    mnemonic: name.toUpperCase() + shape.suffix,
    encodings: [`${shape.prefix} 0F ${opcode} /r: Vdq,${shape.source}`],
    run(o, destination: Operand, source: Operand) {
      const { width, count } = shape;
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const fast = () => {
        const comparison = name === "min" ? "lt" : "gt";
        const chooses = o.simd(`${FLOATS[width].shape}.${comparison}`, a, b);
        const value = o.simd("v128.bitselect", a, b, chooses);
        const right = o.simd("v128.and", plain(o, width, a), plain(o, width, b));
        return attempt(o, shape, a, { value, right });
      };
      const exact = () => o.systemVector(EXACT[name], a, b, elementsArgument(o, width, count));
      o.writeVector(destination, withFastPath(o, o.fastPaths(), fast, exact));
    },
  }));
}

const squareRoots = perShape(ALL_SHAPES, (shape) => ({
  mnemonic: `SQRT${shape.suffix}`,
  encodings: [`${shape.prefix} 0F 51 /r: Vdq,${shape.source}`],
  run(o, destination: Operand, source: Operand) {
    const { width, count } = shape;
    const b = readAligned(o, source);
    const old = o.readVector(destination);
    const fast = () => {
      const value = o.simd(`${FLOATS[width].shape}.sqrt`, b);
      const right = o.simd("v128.and", plain(o, width, b), finite(o, width, value));
      return attempt(o, shape, old, { value, right });
    };
    const exact = () => o.systemVector("sseSquareRoot", old, b, elementsArgument(o, width, count));
    o.writeVector(destination, withFastPath(o, exactlyAsWasm(o), fast, exact));
  },
}));

/** RCPPS and RSQRTPS. */
function approximation(mnemonic: string, opcode: string, name: string): Definition[] {
  return perShape(["PS", "SS"], (shape) => ({
    mnemonic: mnemonic + shape.suffix,
    encodings: [`${shape.prefix} 0F ${opcode} /r: Vdq,${shape.source}`],
    run(o, destination: Operand, source: Operand) {
      const b = readAligned(o, source);
      const old = o.readVector(destination);
      const elements = elementsArgument(o, shape.width, shape.count);
      o.writeVector(destination, o.systemVector(name, old, b, elements));
    },
  }));
}

// ---- SSE3 ----

/** Elements `first`, `first` + 2 and so on of `a`, then those of `b`. */
function everySecond(o: Builder, { width }: FloatShape, a: V128, b: V128, first: 0 | 1): V128 {
  if (width === 64) {
    return first === 0 ? o.vector(o.low(a), o.low(b)) : o.vector(o.high(a), o.high(b));
  }
  const order = first === 0 ? 0x0b0a090803020100n : 0x0f0e0d0c07060504n;
  const none = -1;
  return o.simd(
    "v128.or",
    o.simd("i8x16.swizzle", a, o.vectorConst(order, none)),
    o.simd("i8x16.swizzle", b, o.vectorConst(none, order)),
  );
}

/** Prefixes of SSE3's arithmetic. */
const SSE3_PREFIX = { PS: "F2", PD: "66", SS: "", SD: "" } as const;

function horizontal(mnemonic: string, opcode: string, name: "add" | "sub"): Definition[] {
  return perShape(["PS", "PD"], (shape) => ({
    mnemonic: mnemonic + shape.suffix,
    encodings: [`${SSE3_PREFIX[shape.suffix]} 0F ${opcode} /r: Vdq,Wdq f=SSE3`],
    run(o, destination: Operand, source: Operand) {
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const first = everySecond(o, shape, a, b, 0);
      const second = everySecond(o, shape, a, b, 1);
      o.writeVector(destination, compute(o, shape, name, first, second));
    },
  }));
}

const alternating = perShape(["PS", "PD"], (shape) => ({
  mnemonic: `ADDSUB${shape.suffix}`,
  encodings: [`${SSE3_PREFIX[shape.suffix]} 0F D0 /r: Vdq,Wdq f=SSE3`],
  run(o, destination: Operand, source: Operand) {
    const { width, count } = shape;
    const b = readAligned(o, source);
    const a = o.readVector(destination);
    const fast = () => {
      const signs = width === 32 ? both(o, 0x80000000n) : o.vectorConst(1n << 63n, 0);
      return attempt(o, shape, a, FAST.add(o, shape, a, o.simd("v128.xor", b, signs)));
    };
    const exact = () => o.systemVector("sseAddSubtract", a, b, elementsArgument(o, width, count));
    o.writeVector(destination, withFastPath(o, exactlyAsWasm(o), fast, exact));
  },
}));

// ---- SSE4.1 ----

const dotProducts = perShape(["PS", "PD"], (shape) => ({
  mnemonic: `DP${shape.suffix}`,
  encodings: [`66 0F 3A ${shape.width === 32 ? "40" : "41"} /r: Vdq,Wdq,Ib f=SSE4_1`],
  run(o, destination: Operand, source: Operand, selectors: Operand) {
    const b = readAligned(o, source);
    const a = o.readVector(destination);
    const elements = elementsArgument(o, shape.width, shape.count);
    o.writeVector(
      destination,
      o.systemVector("sseDotProduct", a, b, elements, o.read(selectors)),
    );
  },
}));

/** MXCSR_MASK: the bits that exist. */
const MXCSR_BITS = 0xffff;

const status: readonly Definition[] = [
  {
    mnemonic: "LDMXCSR",
    unit: "sse",
    feature: "SSE",
    encodings: ["NP 0F AE /2: Md"],
    run(o, source) {
      const value = o.read(source);
      o.if(o.ltU(o.const(MXCSR_BITS), value), () => o.raise(Exception.GP, 0));
      o.setField("mxcsr", value);
    },
  },
  {
    mnemonic: "STMXCSR",
    unit: "sse",
    feature: "SSE",
    encodings: ["NP 0F AE /3: Md"],
    run(o, destination) {
      o.write(destination, o.field("mxcsr"));
    },
  },
];

/** Floating-point arithmetic of SSE. */
export const SSE_FLOAT: InstructionGroup = {
  name: "SSE floating-point arithmetic",
  definitions: [
    ...arithmetic("add", "58"),
    ...arithmetic("mul", "59"),
    ...arithmetic("sub", "5C"),
    ...arithmetic("div", "5E"),
    ...extremum("min", "5D"),
    ...extremum("max", "5F"),
    ...squareRoots,
    ...approximation("RSQRT", "52", "sseReciprocalRoot"),
    ...approximation("RCP", "53", "sseReciprocal"),
    ...horizontal("HADD", "7C", "add"),
    ...horizontal("HSUB", "7D", "sub"),
    ...alternating,
    ...dotProducts,
    ...status,
  ],
};
