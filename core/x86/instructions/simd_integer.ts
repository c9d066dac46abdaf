/**
 * Integer arithmetic, logic, comparison and shifts on MMX and XMM registers, MMX to SSE4.2 (SDM vol. 2, the entries of
 * each mnemonic).
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, SimdOp, V128 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { beginVector, isMmx, readAligned, writeRegister } from "./simd_operands.ts";

/** What a two-operand instruction computes: from destination and source, the new destination. */
export type BinaryCompute = (o: Builder, a: V128, b: V128, isMmx: boolean) => V128;

/** Encodings `opcode` of an instruction with an MMX form since `mmx` and an XMM form since `xmm`. */
export function bothForms(opcode: string, mmx: string, xmm = "SSE2"): string[] {
  return [`NP 0F ${opcode} /r: Pq,Qq f=${mmx}`, `66 0F ${opcode} /r: Vdq,Wdq f=${xmm}`];
}

/** The encoding of an instruction that has only an XMM form. */
export function xmmForm(opcode: string, feature: string): string[] {
  return [`66 0F ${opcode} /r: Vdq,Wdq f=${feature}`];
}

/** An instruction that combines destination and source. */
export function binary(
  mnemonic: string,
  encodings: readonly string[],
  compute: BinaryCompute,
): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination, source) {
      beginVector(o, destination);
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      writeRegister(o, destination, compute(o, a, b, isMmx(o, destination)));
    },
  };
}

/** An instruction whose result depends on its source alone. */
export function unary(
  mnemonic: string,
  encodings: readonly string[],
  compute: (o: Builder, a: V128) => V128,
): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination, source) {
      beginVector(o, destination);
      writeRegister(o, destination, compute(o, readAligned(o, source)));
    },
  };
}

/** Instructions that are one vector operation. */
const SINGLE_OPERATIONS: readonly (readonly [mnemonic: string, encodings: string[], op: SimdOp])[] =
  [
    ["PADDB", bothForms("FC", "MMX"), "i8x16.add"],
    ["PADDW", bothForms("FD", "MMX"), "i16x8.add"],
    ["PADDD", bothForms("FE", "MMX"), "i32x4.add"],
    ["PADDQ", bothForms("D4", "SSE2"), "i64x2.add"],
    ["PADDSB", bothForms("EC", "MMX"), "i8x16.add_sat_s"],
    ["PADDSW", bothForms("ED", "MMX"), "i16x8.add_sat_s"],
    ["PADDUSB", bothForms("DC", "MMX"), "i8x16.add_sat_u"],
    ["PADDUSW", bothForms("DD", "MMX"), "i16x8.add_sat_u"],
    ["PSUBB", bothForms("F8", "MMX"), "i8x16.sub"],
    ["PSUBW", bothForms("F9", "MMX"), "i16x8.sub"],
    ["PSUBD", bothForms("FA", "MMX"), "i32x4.sub"],
    ["PSUBQ", bothForms("FB", "SSE2"), "i64x2.sub"],
    ["PSUBSB", bothForms("E8", "MMX"), "i8x16.sub_sat_s"],
    ["PSUBSW", bothForms("E9", "MMX"), "i16x8.sub_sat_s"],
    ["PSUBUSB", bothForms("D8", "MMX"), "i8x16.sub_sat_u"],
    ["PSUBUSW", bothForms("D9", "MMX"), "i16x8.sub_sat_u"],
    ["PMULLW", bothForms("D5", "MMX"), "i16x8.mul"],
    ["PMULLD", xmmForm("38 40", "SSE4_1"), "i32x4.mul"],
    ["PMADDWD", bothForms("F5", "MMX"), "i32x4.dot_i16x8_s"],
    ["PAVGB", bothForms("E0", "SSE"), "i8x16.avgr_u"],
    ["PAVGW", bothForms("E3", "SSE"), "i16x8.avgr_u"],
    ["PMINUB", bothForms("DA", "SSE"), "i8x16.min_u"],
    ["PMAXUB", bothForms("DE", "SSE"), "i8x16.max_u"],
    ["PMINSW", bothForms("EA", "SSE"), "i16x8.min_s"],
    ["PMAXSW", bothForms("EE", "SSE"), "i16x8.max_s"],
    ["PMINSB", xmmForm("38 38", "SSE4_1"), "i8x16.min_s"],
    ["PMINSD", xmmForm("38 39", "SSE4_1"), "i32x4.min_s"],
    ["PMINUW", xmmForm("38 3A", "SSE4_1"), "i16x8.min_u"],
    ["PMINUD", xmmForm("38 3B", "SSE4_1"), "i32x4.min_u"],
    ["PMAXSB", xmmForm("38 3C", "SSE4_1"), "i8x16.max_s"],
    ["PMAXSD", xmmForm("38 3D", "SSE4_1"), "i32x4.max_s"],
    ["PMAXUW", xmmForm("38 3E", "SSE4_1"), "i16x8.max_u"],
    ["PMAXUD", xmmForm("38 3F", "SSE4_1"), "i32x4.max_u"],
    ["PCMPEQB", bothForms("74", "MMX"), "i8x16.eq"],
    ["PCMPEQW", bothForms("75", "MMX"), "i16x8.eq"],
    ["PCMPEQD", bothForms("76", "MMX"), "i32x4.eq"],
    ["PCMPEQQ", xmmForm("38 29", "SSE4_1"), "i64x2.eq"],
    ["PCMPGTB", bothForms("64", "MMX"), "i8x16.gt_s"],
    ["PCMPGTW", bothForms("65", "MMX"), "i16x8.gt_s"],
    ["PCMPGTD", bothForms("66", "MMX"), "i32x4.gt_s"],
    ["PCMPGTQ", xmmForm("38 37", "SSE4_2"), "i64x2.gt_s"],
    // ANDPS, ANDPD and their like are the same operations.
    ["PAND", [...bothForms("DB", "MMX"), ...floatForms("54")], "v128.and"],
    ["POR", [...bothForms("EB", "MMX"), ...floatForms("56")], "v128.or"],
    ["PXOR", [...bothForms("EF", "MMX"), ...floatForms("57")], "v128.xor"],
  ];

/** Encodings of a logical instruction on floating-point vectors. */
function floatForms(opcode: string): string[] {
  return [`NP 0F ${opcode} /r: Vdq,Wdq f=SSE`, `66 0F ${opcode} /r: Vdq,Wdq f=SSE2`];
}

const arithmetic: readonly Definition[] = [
  ...SINGLE_OPERATIONS.map(([mnemonic, encodings, op]) =>
    binary(mnemonic, encodings, (o, a, b) => o.simd(op, a, b))
  ),
  binary(
    "PANDN",
    [...bothForms("DF", "MMX"), ...floatForms("55")],
    (o, a, b) => o.simd("v128.andnot", b, a),
  ),
  unary("PABSB", bothForms("38 1C", "SSSE3", "SSSE3"), (o, a) => o.simd("i8x16.abs", a)),
  unary("PABSW", bothForms("38 1D", "SSSE3", "SSSE3"), (o, a) => o.simd("i16x8.abs", a)),
  unary("PABSD", bothForms("38 1E", "SSSE3", "SSSE3"), (o, a) => o.simd("i32x4.abs", a)),
  binary("PSIGNB", bothForms("38 08", "SSSE3", "SSSE3"), signed("i8x16")),
  binary("PSIGNW", bothForms("38 09", "SSSE3", "SSSE3"), signed("i16x8")),
  binary("PSIGND", bothForms("38 0A", "SSSE3", "SSSE3"), signed("i32x4")),
  {
    mnemonic: "PTEST",
    unit: "sse",
    encodings: xmmForm("38 17", "SSE4_1"),
    run(o, destination, source) {
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const none = o.isZero(o.simdToInteger("v128.any_true", o.simd("v128.and", a, b)));
      const covered = o.isZero(o.simdToInteger("v128.any_true", o.simd("v128.andnot", b, a)));
      o.setField("zeroSource", o.fromBool(o.isNot(none)));
      o.setField("signSource", o.const(1));
      o.setField("carrySource", o.select(covered, o.const(3n << 62n), o.const(0)));
    },
  },
];

/** PSIGN: the destination with the source's sign applied to its own; zero where the source is. */
function signed(shape: string): BinaryCompute {
  return (o, a, b) => {
    const zero = o.vectorConst(0, 0);
    const negative = o.simd(`${shape}.lt_s`, b, zero);
    const result = o.simd("v128.bitselect", o.simd(`${shape}.neg`, a), a, negative);
    return o.simd("v128.and", result, o.simd(`${shape}.ne`, b, zero));
  };
}

const ONES_16 = 0x0001000100010001n;
const LOW_DWORDS = 0x00000000ffffffffn;

/** The high halves of 16-bit products. */
function multiplyHigh(sign: "s" | "u"): BinaryCompute {
  return (o, a, b) => {
    const half = (which: "low" | "high") => {
      const product = o.simd(`i32x4.extmul_${which}_i16x8_${sign}`, a, b);
      return o.simd(`i32x4.shr_${sign}`, product, o.const(16));
    };
    return o.simd(`i16x8.narrow_i32x4_${sign}`, half("low"), half("high"));
  };
}

/** Bits 31..0 of each quadword, extended to 64 bits. */
function lowDwords(o: Builder, a: V128, sign: "s" | "u"): V128 {
  if (sign === "u") return o.simd("v128.and", a, o.vectorConst(LOW_DWORDS, LOW_DWORDS));
  return o.simd("i64x2.shr_s", o.simd("i64x2.shl", a, o.const(32)), o.const(32));
}

const multiplication: readonly Definition[] = [
  binary("PMULHW", bothForms("E5", "MMX"), multiplyHigh("s")),
  binary("PMULHUW", bothForms("E4", "SSE"), multiplyHigh("u")),
  binary(
    "PMULUDQ",
    bothForms("F4", "SSE2"),
    (o, a, b) => o.simd("i64x2.mul", lowDwords(o, a, "u"), lowDwords(o, b, "u")),
  ),
  binary(
    "PMULDQ",
    xmmForm("38 28", "SSE4_1"),
    (o, a, b) => o.simd("i64x2.mul", lowDwords(o, a, "s"), lowDwords(o, b, "s")),
  ),
  binary("PMULHRSW", bothForms("38 0B", "SSSE3", "SSSE3"), (o, a, b) => {
    // WebAssembly saturates -1 times -1, x86 wraps to -1.
    const least = o.simd("i16x8.splat", o.const(0x8000));
    const wraps = o.simd("v128.and", o.simd("i16x8.eq", a, least), o.simd("i16x8.eq", b, least));
    return o.simd("v128.xor", o.simd("i16x8.q15mulr_sat_s", a, b), wraps);
  }),
  binary("PMADDUBSW", bothForms("38 04", "SSSE3", "SSSE3"), (o, a, b) => {
    const eight = o.const(8);
    const evenA = o.simd("v128.and", a, o.simd("i16x8.splat", o.const(0xff)));
    const evenB = o.simd("i16x8.shr_s", o.simd("i16x8.shl", b, eight), eight);
    const even = o.simd("i16x8.mul", evenA, evenB);
    const odd = o.simd(
      "i16x8.mul",
      o.simd("i16x8.shr_u", a, eight),
      o.simd("i16x8.shr_s", b, eight),
    );
    return o.simd("i16x8.add_sat_s", even, odd);
  }),
  binary("PSADBW", bothForms("F6", "SSE"), (o, a, b) => {
    const differences = o.simd(
      "i8x16.sub",
      o.simd("i8x16.max_u", a, b),
      o.simd("i8x16.min_u", a, b),
    );
    const pairs = o.simd(
      "i16x8.add",
      o.simd("v128.and", differences, o.simd("i16x8.splat", o.const(0xff))),
      o.simd("i16x8.shr_u", differences, o.const(8)),
    );
    const quads = o.simd("i32x4.dot_i16x8_s", pairs, o.vectorConst(ONES_16, ONES_16));
    return o.simd(
      "i64x2.add",
      lowDwords(o, quads, "u"),
      o.simd("i64x2.shr_u", quads, o.const(32)),
    );
  }),
];

/** Pairs of 16-bit elements of two registers, summed (`odd` 1) or subtracted (-1), as 32-bit elements each. */
function pairs16(o: Builder, odd: 1 | -1): (a: V128) => V128 {
  const factors = odd === 1 ? ONES_16 : 0xffff0001ffff0001n;
  return (a) => o.simd("i32x4.dot_i16x8_s", a, o.vectorConst(factors, factors));
}

/** PHADDW and its like: `finish` makes 16 bits of exact sums. */
function horizontal16(odd: 1 | -1, finish: (o: Builder, sums: V128) => V128): BinaryCompute {
  return (o, a, b, mmx) => {
    const sums = pairs16(o, odd);
    const low = finish(o, sums(mmx ? o.vector(o.low(a), o.low(b)) : a));
    const high = mmx ? low : finish(o, sums(b));
    return o.simd("i16x8.narrow_i32x4_s", low, high);
  };
}

/** 32-bit elements cut to 16 bits, so that narrowing does not saturate them. */
function wrap16(o: Builder, sums: V128): V128 {
  return o.simd("i32x4.shr_s", o.simd("i32x4.shl", sums, o.const(16)), o.const(16));
}

/** PHADDD and PHSUBD. */
function horizontal32(op: "add" | "sub"): BinaryCompute {
  return (o, a, b, mmx) => {
    const none = 0xffffffffffffffffn;
    const [even, odd] = [0x0b0a090803020100n, 0x0f0e0d0c07060504n];
    const gather = (order: bigint) => {
      if (mmx) {
        const both = o.vector(o.low(a), o.low(b));
        return o.simd("i8x16.swizzle", both, o.vectorConst(order, none));
      }
      return o.simd(
        "v128.or",
        o.simd("i8x16.swizzle", a, o.vectorConst(order, none)),
        o.simd("i8x16.swizzle", b, o.vectorConst(none, order)),
      );
    };
    return o.simd(`i32x4.${op}`, gather(even), gather(odd));
  };
}

const horizontal: readonly Definition[] = [
  binary("PHADDW", bothForms("38 01", "SSSE3", "SSSE3"), horizontal16(1, wrap16)),
  binary("PHADDD", bothForms("38 02", "SSSE3", "SSSE3"), horizontal32("add")),
  binary("PHADDSW", bothForms("38 03", "SSSE3", "SSSE3"), horizontal16(1, (_, sums) => sums)),
  binary("PHSUBW", bothForms("38 05", "SSSE3", "SSSE3"), horizontal16(-1, wrap16)),
  binary("PHSUBD", bothForms("38 06", "SSSE3", "SSSE3"), horizontal32("sub")),
  binary("PHSUBSW", bothForms("38 07", "SSSE3", "SSSE3"), horizontal16(-1, (_, sums) => sums)),
  unary("PHMINPOSUW", xmmForm("38 41", "SSE4_1"), (o, a) => {
    // Each element with its number below it: the least of all has the lowest number among equals.
    const three = o.const(3);
    const numbered = (half: "low" | "high", first: bigint, second: bigint) => {
      const wide = o.simd(`i32x4.extend_${half}_i16x8_u`, a);
      return o.simd(
        "v128.or",
        o.simd("i32x4.shl", wide, three),
        o.vectorConst(first, second),
      );
    };
    const four = o.simd(
      "i32x4.min_u",
      numbered("low", 0x0000000100000000n, 0x0000000300000002n),
      numbered("high", 0x0000000500000004n, 0x0000000700000006n),
    );
    const two = o.simd("i32x4.min_u", four, o.vector(o.high(four), o.low(four)));
    const [first, second] = [
      o.zext(o.low(two), 32),
      o.shr(o.low(two), o.const(32)),
    ];
    const least = o.select(o.ltU(first, second), first, second);
    const index = o.shl(o.and(least, o.const(7)), o.const(16));
    return o.vector(o.or(o.shr(least, three), index), o.const(0));
  }),
];

type Lane = 16 | 32 | 64;
const SHAPES = { 16: "i16x8", 32: "i32x4", 64: "i64x2" } as const;

/** Shifts all elements; counts of the element's width and more give zeros, or copies of the sign. */
function shiftAll(
  o: Builder,
  lane: Lane,
  op: "shl" | "shr_u" | "shr_s",
  a: V128,
  count: I64,
): V128 {
  const within = o.ltU(count, o.const(lane));
  const bounded = o.select(within, count, o.const(lane - 1));
  const shifted = o.simd(`${SHAPES[lane]}.${op}`, a, bounded);
  return op === "shr_s" ? shifted : o.select(within, shifted, o.vectorConst(0, 0));
}

/** A shift by a register's low 64 bits, or by an immediate. */
function shift(
  mnemonic: string,
  opcode: string,
  immediateOpcode: string,
  digit: number,
  lane: Lane,
  op: "shl" | "shr_u" | "shr_s",
): Definition[] {
  return [
    binary(
      mnemonic,
      bothForms(opcode, "MMX"),
      (o, a, count) => shiftAll(o, lane, op, a, o.low(count)),
    ),
    {
      mnemonic,
      encodings: [
        `NP 0F ${immediateOpcode} /${digit}: Nq,Ib f=MMX`,
        `66 0F ${immediateOpcode} /${digit}: Udq,Ib f=SSE2`,
      ],
      run(o, destination, count) {
        beginVector(o, destination);
        const a = o.readVector(destination);
        writeRegister(o, destination, shiftAll(o, lane, op, a, o.read(count)));
      },
    },
  ];
}

/** The number of each byte, from the low one up. */
export function byteNumbers(o: Builder): V128 {
  return o.vectorConst(0x0706050403020100n, 0x0f0e0d0c0b0a0908n);
}

/** `value`, or `limit` if it is more. */
export function atMost(o: Builder, value: I64, limit: number): I64 {
  const bound = o.const(limit);
  return o.select(o.ltU(value, bound), value, bound);
}

/** PSLLDQ and PSRLDQ: `op` moves from a byte's number to that of the byte it takes. */
function byteShift(mnemonic: string, digit: number, op: "add" | "sub"): Definition {
  return {
    mnemonic,
    unit: "sse",
    feature: "SSE2",
    encodings: [`66 0F 73 /${digit}: Udq,Ib`],
    run(o, destination: Operand, count: Operand) {
      const by = o.simd("i8x16.splat", atMost(o, o.read(count), 16));
      const order = o.simd(`i8x16.${op}`, byteNumbers(o), by);
      o.writeVector(destination, o.simd("i8x16.swizzle", o.readVector(destination), order));
    },
  };
}

const shifts: readonly Definition[] = [
  ...shift("PSRLW", "D1", "71", 2, 16, "shr_u"),
  ...shift("PSRLD", "D2", "72", 2, 32, "shr_u"),
  ...shift("PSRLQ", "D3", "73", 2, 64, "shr_u"),
  ...shift("PSRAW", "E1", "71", 4, 16, "shr_s"),
  ...shift("PSRAD", "E2", "72", 4, 32, "shr_s"),
  ...shift("PSLLW", "F1", "71", 6, 16, "shl"),
  ...shift("PSLLD", "F2", "72", 6, 32, "shl"),
  ...shift("PSLLQ", "F3", "73", 6, 64, "shl"),
  byteShift("PSRLDQ", 3, "add"),
  byteShift("PSLLDQ", 7, "sub"),
];

/** Integer vectors: arithmetic, logic, comparison, shifts. */
export const SIMD_INTEGER: InstructionGroup = {
  name: "MMX and SSE integer arithmetic",
  definitions: [...arithmetic, ...multiplication, ...horizontal, ...shifts],
};
