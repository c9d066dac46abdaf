/**
 * Which instruction the soft float oracle compares with which operation: one row per instruction.
 */

import {
  add,
  binary32,
  binary64,
  compare,
  comparePredicate,
  constant,
  type ConstantName,
  convert,
  type Delivered,
  div,
  examine,
  extended80,
  extract,
  f2xm1,
  fcos,
  type FloatEnvironment,
  type FloatFormat,
  fpatan,
  fptan,
  fromInteger,
  fromPackedDecimal,
  fsin,
  fsincos,
  fyl2x,
  fyl2xp1,
  type IntegerWidth,
  max,
  min,
  mul,
  packedOperation,
  partialRemainder,
  partialRemainderNearest,
  reciprocal,
  reciprocalSqrt,
  type Relation,
  roundingMode,
  roundToInteger,
  scale,
  sqrt,
  sub,
  toInteger,
  toPackedDecimal,
  type Trigonometric,
} from "../../core/x86/softfloat/mod.ts";
import {
  boundaryBits,
  boundaryFloat,
  exponentOf,
  floatInRange,
  type Random,
  relatedFloat,
} from "./softfloat_operands.ts";

/** What an instruction should leave; values that are undefined are not compared. */
export interface Outcome {
  readonly out0?: bigint;
  readonly out1?: bigint;
  /** Expected x87 condition codes, under `CONDITION` bits of `conditionMask`. */
  readonly conditions?: number;
  readonly conditionMask?: number;
  /** The instruction was not completed because of an unmasked SSE exception. */
  readonly faulted?: boolean;
}

/** One instruction of the oracle and its twin. */
export interface Row {
  readonly name: string;
  readonly unit: "sse" | "x87";
  /** Bits of `out0` and `out1` that are compared. */
  readonly widths: readonly [number, number];
  readonly operands: (random: Random) => readonly [bigint, bigint];
  readonly run: (env: FloatEnvironment, a: bigint, b: bigint) => Outcome;
  /** Results may differ by one unit in the last place. */
  readonly approximate?: boolean;
  /**
   * Operands for which every vendor must agree with the twin; all if missing. Elsewhere the manual leaves a choice
   * (RCPSS's table, FPREM's partial step, pi) or the result, and the twin follows Intel's processors.
   */
  readonly portable?: (a: bigint, b: bigint) => boolean;
}

/** Condition code bits of the x87 status word. */
export const CONDITION = { c0: 0x100, c1: 0x200, c2: 0x400, c3: 0x4000 } as const;

type Operands = Row["operands"];

const pairOf = (format: FloatFormat): Operands => (random) => {
  const a = boundaryFloat(random, format);
  return [a, relatedFloat(random, format, a)];
};
const mixed = (first: FloatFormat, second: FloatFormat): Operands => (random) => [
  boundaryFloat(random, first),
  boundaryFloat(random, second),
];
const integers = (width: number): Operands => (random) => [boundaryBits(random, width), 0n];
const inRange = (least: number, most: number): Operands => (random) =>
  random.below(4) === 0
    ? [boundaryFloat(random, extended80), boundaryFloat(random, extended80)]
    : [floatInRange(random, extended80, least, most), boundaryFloat(random, extended80)];

// SSE

function sse(
  name: string,
  width: number,
  operands: Operands,
  run: (env: FloatEnvironment, a: bigint, b: bigint) => Delivered,
  where: "out0" | "out1" = "out0",
): Row {
  return {
    name,
    unit: "sse",
    widths: where === "out0" ? [width, 0] : [0, width],
    operands,
    run(env, a, b) {
      const result = run(env, a, b);
      return result === undefined ? { faulted: true } : { [where]: result };
    },
  };
}

const SCALARS = [["ss", binary32], ["sd", binary64]] as const;

const BINARY = [
  ["add", add],
  ["sub", sub],
  ["mul", mul],
  ["div", div],
  ["min", min],
  ["max", max],
] as const;

const RELATION_FLAGS: Record<Relation, bigint> = {
  less: 0x01n,
  equal: 0x40n,
  greater: 0n,
  unordered: 0x45n,
};

function scalarRows([suffix, format]: (typeof SCALARS)[number]): Row[] {
  const width = format.widthBits;
  const pair = pairOf(format);
  const rows = BINARY.map(([name, operation]) =>
    sse(name + suffix, width, pair, (env, a, b) => operation(env, format, a, b))
  );
  rows.push(sse(`sqrt${suffix}`, width, pair, (env, a) => sqrt(env, format, a)));
  for (const [prefix, signalling] of [["comi", true], ["ucomi", false]] as const) {
    const run = (env: FloatEnvironment, a: bigint, b: bigint) => {
      const relation = compare(env, format, a, b, signalling);
      return relation === undefined ? undefined : RELATION_FLAGS[relation];
    };
    rows.push(sse(prefix + suffix, 7, pair, run, "out1"));
  }
  for (let immediate = 0; immediate < 8; immediate++) {
    rows.push(sse(`cmp${suffix}${immediate}`, width, pair, (env, a, b) => {
      const holds = comparePredicate(env, format, a, b, immediate);
      return holds === undefined ? undefined : BigInt.asUintN(width, holds ? -1n : 0n);
    }));
  }
  for (const immediate of [0, 1, 2, 3, 4, 8, 12]) {
    rows.push(sse(`round${suffix}${immediate}`, width, pair, (env, a) => {
      const rounding = (immediate & 4) !== 0 ? env.rounding : roundingMode(immediate);
      return roundToInteger(env, format, a, rounding, (immediate & 8) !== 0);
    }));
  }
  for (const [letter, size] of [["l", 32], ["q", 64]] as const) {
    rows.push(sse(`cvtsi2${suffix}${letter}`, width, integers(size), (env, a) => {
      return fromInteger(env, format, BigInt.asIntN(size, a));
    }));
    rows.push(sse(`cvt${suffix}2si${letter}`, size, pair, (env, a) => {
      return toInteger(env, format, a, size);
    }, "out1"));
    rows.push(sse(`cvtt${suffix}2si${letter}`, size, pair, (env, a) => {
      return toInteger(env, format, a, size, "zero");
    }, "out1"));
  }
  return rows;
}

function vectorOf(format: FloatFormat): Operands {
  return (random) => {
    let a = 0n;
    let b = 0n;
    for (let at = 0; at < 128; at += format.widthBits) {
      const [x, y] = pairOf(format)(random);
      a |= x << BigInt(at);
      b |= y << BigInt(at);
    }
    return [a, b];
  };
}

function packedRow(name: string, format: FloatFormat, operation: typeof add): Row {
  const width = format.widthBits;
  return sse(name, 128, vectorOf(format), (env, a, b) => {
    const element = (vector: bigint, at: number) =>
      BigInt.asUintN(width, vector >> BigInt(at * width));
    const results = packedOperation(env, 128 / width, (at) => {
      return operation(env, format, element(a, at), element(b, at));
    });
    return results?.reduceRight((vector, result) => (vector << BigInt(width)) | result, 0n);
  });
}

const never = () => false;

const RECIPROCALS: readonly Row[] = [
  { ...sse("rcpss", 32, pairOf(binary32), (_env, a) => reciprocal(a)), portable: never },
  { ...sse("rsqrtss", 32, pairOf(binary32), (_env, a) => reciprocalSqrt(a)), portable: never },
];

const SSE_ROWS: readonly Row[] = [
  ...SCALARS.flatMap(scalarRows),
  sse("cvtss2sd", 64, pairOf(binary32), (env, a) => convert(env, binary32, binary64, a)),
  sse("cvtsd2ss", 32, pairOf(binary64), (env, a) => convert(env, binary64, binary32, a)),
  packedRow("addps", binary32, add),
  packedRow("divps", binary32, div),
  packedRow("mulpd", binary64, mul),
  ...RECIPROCALS,
];

// x87

const C1_MASK = CONDITION.c1;

function c1Of(env: FloatEnvironment): number {
  return env.roundedUp ? CONDITION.c1 : 0;
}

/** An instruction that replaces ST(0), which keeps its value if nothing is delivered. */
function x87(
  name: string,
  operands: Operands,
  run: (env: FloatEnvironment, a: bigint, b: bigint) => Delivered,
): Row {
  return {
    name,
    unit: "x87",
    widths: [80, 0],
    operands,
    run(env, a, b) {
      const out0 = run(env, a, b) ?? a;
      return { out0, conditions: c1Of(env), conditionMask: C1_MASK };
    },
  };
}

/** An instruction that stores to memory, which the oracle fills with 0xcc before. */
function store(
  name: string,
  width: number,
  run: (env: FloatEnvironment, a: bigint) => Delivered,
): Row {
  const untouched = BigInt("0x" + "cc".repeat(width / 8));
  return {
    ...x87(name, pairOf(extended80), (env, a) => run(env, a) ?? untouched),
    widths: [width, 0],
  };
}

/** An instruction that pushes a value; if it does not, ST(0) is empty and reads as the default NaN. */
function load(
  name: string,
  operands: Operands,
  run: (env: FloatEnvironment, a: bigint) => Delivered,
): Row {
  return x87(name, operands, (env, a) => run(env, a) ?? extended80.defaultNaN);
}

function compareRow(name: string, bFormat: FloatFormat, signalling: boolean): Row {
  const { c0, c1, c2, c3 } = CONDITION;
  const codes: Record<Relation, number> = {
    less: c0,
    equal: c3,
    greater: 0,
    unordered: c0 | c2 | c3,
  };
  return {
    name,
    unit: "x87",
    widths: [80, 0],
    operands: bFormat === extended80 ? pairOf(extended80) : mixed(extended80, bFormat),
    run(env, a, b) {
      const relation = compare(env, extended80, a, b, signalling, bFormat);
      if (relation === undefined) return { out0: a };
      return { out0: a, conditions: codes[relation], conditionMask: c0 | c1 | c2 | c3 };
    },
  };
}

function remainderRow(name: string, operation: typeof partialRemainder): Row {
  const { c0, c1, c2, c3 } = CONDITION;
  return {
    name,
    unit: "x87",
    widths: [80, 0],
    operands: pairOf(extended80),
    // A full reduction is one step; a partial one leaves 32 to 63 bits of the quotient to the processor.
    portable: (a, b) => exponentOf(extended80, a) - exponentOf(extended80, b) < 64,
    run(env, a, b) {
      const result = operation(env, a, b);
      if (result === undefined) return { out0: a };
      const conditions = (result.partial ? c2 : 0) | ((result.quotientBits & 4) !== 0 ? c0 : 0) |
        ((result.quotientBits & 2) !== 0 ? c3 : 0) | ((result.quotientBits & 1) !== 0 ? c1 : 0);
      return { out0: result.remainder, conditions, conditionMask: c0 | c1 | c2 | c3 };
    },
  };
}

function examineRow(): Row {
  const { c0, c1, c2, c3 } = CONDITION;
  return {
    name: "fxam",
    unit: "x87",
    widths: [80, 0],
    operands: pairOf(extended80),
    run(_env, a) {
      const found = examine(a);
      const conditions = found.c0 * c0 | found.c1 * c1 | found.c2 * c2 | found.c3 * c3;
      return { out0: a, conditions, conditionMask: c0 | c1 | c2 | c3 };
    },
  };
}

function extractRow(): Row {
  return {
    name: "fxtract",
    unit: "x87",
    widths: [80, 80],
    operands: pairOf(extended80),
    run(env, a, b) {
      const parts = extract(env, a);
      return parts === undefined
        ? { out0: a, out1: b }
        : { out0: parts.significand, out1: parts.exponent };
    },
  };
}

const MEMORY_ARITHMETIC: readonly Row[] = [
  x87(
    "fadds",
    mixed(extended80, binary32),
    (env, a, b) => add(env, extended80, a, b, extended80, binary32),
  ),
  x87(
    "faddl",
    mixed(extended80, binary64),
    (env, a, b) => add(env, extended80, a, b, extended80, binary64),
  ),
  x87("fsubrs", mixed(extended80, binary32), (env, a, b) => sub(env, extended80, b, a, binary32)),
  x87(
    "fmull",
    mixed(extended80, binary64),
    (env, a, b) => mul(env, extended80, a, b, extended80, binary64),
  ),
  x87(
    "fdivs",
    mixed(extended80, binary32),
    (env, a, b) => div(env, extended80, a, b, extended80, binary32),
  ),
  x87("fdivrl", mixed(extended80, binary64), (env, a, b) => div(env, extended80, b, a, binary64)),
];

const STORE_INTEGER: readonly (readonly [string, IntegerWidth, boolean])[] = [
  ["fists", 16, false],
  ["fistl", 32, false],
  ["fistpq", 64, false],
  ["fisttps", 16, true],
  ["fisttpl", 32, true],
  ["fisttpq", 64, true],
];

const LOAD_INTEGER = [["filds", 16], ["fildl", 32], ["fildq", 64]] as const;

const packedDecimal: Operands = (random) => {
  let packed = BigInt(random.below(256)) << 72n;
  for (let digit = 0; digit < 18; digit++) {
    packed |= BigInt(random.pick([0, 9, random.below(10)])) << BigInt(4 * digit);
  }
  return [packed, 0n];
};

const LOAD_CONSTANT: readonly ConstantName[] = ["L2T", "L2E", "PI", "LG2", "LN2"];

const X87_ROWS: readonly Row[] = [
  x87("fadd", pairOf(extended80), (env, a, b) => add(env, extended80, a, b)),
  x87("fsub", pairOf(extended80), (env, a, b) => sub(env, extended80, a, b)),
  x87("fmul", pairOf(extended80), (env, a, b) => mul(env, extended80, a, b)),
  x87("fdiv", pairOf(extended80), (env, a, b) => div(env, extended80, a, b)),
  x87("fsqrt", pairOf(extended80), (env, a) => sqrt(env, extended80, a)),
  x87("fscale", (random) => [
    boundaryFloat(random, extended80),
    random.below(3) === 0
      ? boundaryFloat(random, extended80)
      : floatInRange(random, extended80, -2, 16),
  ], scale),
  x87("frndint", pairOf(extended80), (env, a) => roundToInteger(env, extended80, a)),
  ...MEMORY_ARITHMETIC,
  compareRow("fcom", extended80, true),
  compareRow("fucom", extended80, false),
  compareRow("fcoms", binary32, true),
  compareRow("fcoml", binary64, true),
  remainderRow("fprem", partialRemainder),
  remainderRow("fprem1", partialRemainderNearest),
  extractRow(),
  examineRow(),
  store("fsts", 32, (env, a) => convert(env, extended80, binary32, a)),
  store("fstl", 64, (env, a) => convert(env, extended80, binary64, a)),
  store("fbstp", 80, toPackedDecimal),
  ...STORE_INTEGER.map(([name, width, truncate]) =>
    store(
      name,
      width,
      (env, a) => toInteger(env, extended80, a, width, truncate ? "zero" : env.rounding),
    )
  ),
  load("flds", pairOf(binary32), (env, a) => convert(env, binary32, extended80, a)),
  load("fldl", pairOf(binary64), (env, a) => convert(env, binary64, extended80, a)),
  load("fbld", packedDecimal, fromPackedDecimal),
  ...LOAD_INTEGER.map(([name, width]) =>
    load(name, integers(width), (env, a) => fromInteger(env, extended80, BigInt.asIntN(width, a)))
  ),
  ...LOAD_CONSTANT.map((name) =>
    load(`fld${name.toLowerCase()}`, integers(16), (env) => constant(env, name))
  ),
];

// x87 transcendentals

/** Rows whose ST(0) is `a`, an argument that may be out of range (C2). */
function trigonometric(
  name: string,
  run: (env: FloatEnvironment, a: bigint) => Trigonometric<readonly [bigint, bigint | undefined]>,
): Row {
  return {
    name,
    unit: "x87",
    widths: [80, 80],
    operands: inRange(-70, 63),
    approximate: true,
    portable: (a) => exponentOf(extended80, a) < -1,
    run(env, a) {
      const result = run(env, a);
      if (result === undefined) return { out0: a };
      if (result === "outOfRange") {
        return { out0: a, conditions: CONDITION.c2, conditionMask: CONDITION.c2 };
      }
      return { out0: result[0], out1: result[1], conditions: 0, conditionMask: CONDITION.c2 };
    },
  };
}

function single(result: Trigonometric<bigint>): Trigonometric<readonly [bigint, undefined]> {
  return typeof result === "bigint" ? [result, undefined] as const : result;
}

/** Rows with ST(0) = a, ST(1) = b before an exchange, so that a is the manual's ST(1) and b its ST(0). */
function logarithmic(
  name: string,
  operands: Operands,
  run: (env: FloatEnvironment, st1: bigint, st0: bigint) => Delivered,
): Row {
  return {
    name,
    unit: "x87",
    widths: [80, 0],
    operands,
    approximate: true,
    run: (env, a, b) => ({ out0: run(env, a, b) ?? b }),
  };
}

const swapped = (operands: Operands): Operands => (random) => {
  const [a, b] = operands(random);
  return [b, a];
};

const TRANSCENDENTAL_ROWS: readonly Row[] = [
  {
    ...x87("f2xm1", inRange(-80, 0), f2xm1),
    approximate: true,
    portable: (a) => exponentOf(extended80, a) < 0,
  },
  logarithmic("fyl2x", pairOf(extended80), fyl2x),
  {
    ...logarithmic("fyl2xp1", swapped(inRange(-70, 2)), fyl2xp1),
    portable: (_a, b) => exponentOf(extended80, b) < -2,
  },
  logarithmic("fpatan", pairOf(extended80), fpatan),
  trigonometric("fsin", (env, a) => single(fsin(env, a))),
  trigonometric("fcos", (env, a) => single(fcos(env, a))),
  trigonometric("fsincos", (env, a) => {
    const result = fsincos(env, a);
    return typeof result === "object" ? [result.cosine, result.sine] as const : result;
  }),
  trigonometric("fptan", (env, a) => {
    const result = fptan(env, a);
    return typeof result === "object" ? [result.pushed, result.tangent] as const : result;
  }),
];

/** All rows; the position in this list is the instruction's number in the oracle's protocol. */
export const ROWS: readonly Row[] = [...SSE_ROWS, ...X87_ROWS, ...TRANSCENDENTAL_ROWS];
