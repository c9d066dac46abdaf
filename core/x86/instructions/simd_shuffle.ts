/**
 * Vectors rearranged: packing, interleaving, shuffles and extension, MMX to SSE4.1 (SDM vol. 2, the entries of
 * each mnemonic).
 *
 * Immediates are data to the engines, not constants: shuffles by them compute the index vector of a swizzle.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, V128 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  atMost,
  binary,
  type BinaryCompute,
  bothForms,
  byteNumbers,
  xmmForm,
} from "./simd_integer.ts";
import { extractElement } from "./simd_elements.ts";
import { beginVector, isMmx, readAligned, writeRegister } from "./simd_operands.ts";

/** Saturates the elements of both operands to half their width, one operand behind the other. */
function pack(op: string): BinaryCompute {
  return (o, a, b, mmx) => {
    const first = mmx ? o.vector(o.low(a), o.low(b)) : a;
    return o.simd(op, first, b);
  };
}

/** Interleaves elements of the low halves (`low`) or high halves of both operands. */
function interleave(half: "low" | "high", width: 8 | 16 | 32): BinaryCompute {
  const [from, to] = { 8: ["i8x16", "i16x8"], 16: ["i16x8", "i32x4"], 32: ["i32x4", "i64x2"] }[
    width
  ];
  return (o, a, b, mmx) => {
    const extend = (value: V128) => {
      // The high half of an MMX register is its upper 32 bits.
      if (mmx && half === "high") {
        const upper = o.vector(o.shr(o.low(value), o.const(32)), o.const(0));
        return o.simd(`${to}.extend_low_${from}_u`, upper);
      }
      return o.simd(`${to}.extend_${half}_${from}_u`, value);
    };
    return o.simd("v128.or", extend(a), o.simd(`${to}.shl`, extend(b), o.const(width)));
  };
}

/** Low interleaving reads 32 bits of memory for MMX registers. */
function lowForms(opcode: string): string[] {
  return [`NP 0F ${opcode} /r: Pq,Qd f=MMX`, `66 0F ${opcode} /r: Vdq,Wdq f=SSE2`];
}

/** Encodings of UNPCKLPS and its like, which interleave as the integer instructions do. */
function floatForm(prefix: string, opcode: string): string {
  return `${prefix} 0F ${opcode} /r: Vdq,Wdq f=${prefix === "NP" ? "SSE" : "SSE2"}`;
}

const packing: readonly Definition[] = [
  binary("PACKSSWB", bothForms("63", "MMX"), pack("i8x16.narrow_i16x8_s")),
  binary("PACKUSWB", bothForms("67", "MMX"), pack("i8x16.narrow_i16x8_u")),
  binary("PACKSSDW", bothForms("6B", "MMX"), pack("i16x8.narrow_i32x4_s")),
  binary("PACKUSDW", xmmForm("38 2B", "SSE4_1"), pack("i16x8.narrow_i32x4_u")),
  binary("PUNPCKLBW", lowForms("60"), interleave("low", 8)),
  binary("PUNPCKLWD", lowForms("61"), interleave("low", 16)),
  binary("PUNPCKLDQ", [...lowForms("62"), floatForm("NP", "14")], interleave("low", 32)),
  binary("PUNPCKHBW", bothForms("68", "MMX"), interleave("high", 8)),
  binary("PUNPCKHWD", bothForms("69", "MMX"), interleave("high", 16)),
  binary(
    "PUNPCKHDQ",
    [...bothForms("6A", "MMX"), floatForm("NP", "15")],
    interleave("high", 32),
  ),
  binary(
    "PUNPCKLQDQ",
    [...xmmForm("6C", "SSE2"), floatForm("66", "14")],
    (o, a, b) => o.vector(o.low(a), o.low(b)),
  ),
  binary(
    "PUNPCKHQDQ",
    [...xmmForm("6D", "SSE2"), floatForm("66", "15")],
    (o, a, b) => o.vector(o.high(a), o.high(b)),
  ),
];

// ---- shuffles by immediate ----

/** Two 2-bit selectors, the lower one in bits 1..0 and the other in bits 33..32. */
function selectorPair(o: Builder, selectors: I64, first: number): I64 {
  const low = o.and(o.shr(selectors, o.const(first)), o.const(3));
  const high = o.and(o.shl(selectors, o.const(30 - first)), o.const(3n << 32n));
  return o.or(low, high);
}

/** The byte order in which two elements of 32 bits are taken from the four that `pair` selects among. */
export function dwordOrder(o: Builder, selectors: I64, first: number): I64 {
  const pair = o.mul(selectorPair(o, selectors, first), o.const(0x04040404));
  return o.add(pair, o.const(0x0302010003020100n));
}

/** The byte order of four elements of 16 bits, from the 8-bit immediate of PSHUFW. */
function wordOrder(o: Builder, selectors: I64): I64 {
  const halves = o.and(
    o.or(selectors, o.shl(selectors, o.const(28))),
    o.const(0x0000000f0000000fn),
  );
  const quarters = o.and(
    o.or(halves, o.shl(halves, o.const(14))),
    o.const(0x0003000300030003n),
  );
  return o.add(o.mul(quarters, o.const(0x0202)), o.const(0x0100010001000100n));
}

/** A shuffle of the source by an immediate; `order` makes the two halves of the index vector. */
function shuffle(
  mnemonic: string,
  encoding: string,
  order: (o: Builder, immediate: I64) => [low: I64, high: I64],
): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o, destination, source, selectors) {
      beginVector(o, destination);
      const value = readAligned(o, source);
      const [low, high] = order(o, o.read(selectors));
      writeRegister(o, destination, o.simd("i8x16.swizzle", value, o.vector(low, high)));
    },
  };
}

/** Bytes in their own order. */
const LOW_BYTES = 0x0706050403020100n;
const HIGH_BYTES = 0x0f0e0d0c0b0a0908n;

/** The source from byte `count` on, with the destination above it. */
function alignRight(o: Builder, a: V128, b: V128, count: I64, mmx: boolean): V128 {
  if (mmx) {
    const both = o.vector(o.low(b), o.low(a));
    const by = o.simd("i8x16.splat", atMost(o, count, 16));
    return o.simd("i8x16.swizzle", both, o.simd("i8x16.add", byteNumbers(o), by));
  }
  const by = o.simd("i8x16.splat", atMost(o, count, 32));
  const order = o.simd("i8x16.add", byteNumbers(o), by);
  const above = o.simd("i8x16.sub", order, o.simd("i8x16.splat", o.const(16)));
  return o.simd(
    "v128.or",
    o.simd("i8x16.swizzle", b, order),
    o.simd("i8x16.swizzle", a, above),
  );
}

const shuffles: readonly Definition[] = [
  shuffle(
    "PSHUFD",
    "66 0F 70 /r: Vdq,Wdq,Ib f=SSE2",
    (o, immediate) => [dwordOrder(o, immediate, 0), dwordOrder(o, immediate, 4)],
  ),
  shuffle(
    "PSHUFLW",
    "F2 0F 70 /r: Vdq,Wdq,Ib f=SSE2",
    (o, immediate) => [wordOrder(o, immediate), o.const(HIGH_BYTES)],
  ),
  shuffle(
    "PSHUFHW",
    "F3 0F 70 /r: Vdq,Wdq,Ib f=SSE2",
    (o, immediate) => [
      o.const(LOW_BYTES),
      o.add(wordOrder(o, immediate), o.const(0x0808080808080808n)),
    ],
  ),
  shuffle(
    "PSHUFW",
    "NP 0F 70 /r: Pq,Qq,Ib f=SSE",
    (o, immediate) => [wordOrder(o, immediate), o.const(0)],
  ),
  binary("PSHUFB", bothForms("38 00", "SSSE3", "SSSE3"), (o, a, b, mmx) => {
    const kept = o.const(mmx ? 0x8787878787878787n : 0x8f8f8f8f8f8f8f8fn);
    return o.simd("i8x16.swizzle", a, o.simd("v128.and", b, o.vector(kept, kept)));
  }),
  {
    mnemonic: "PALIGNR",
    feature: "SSSE3",
    encodings: ["NP 0F 3A 0F /r: Pq,Qq,Ib", "66 0F 3A 0F /r: Vdq,Wdq,Ib"],
    run(o, destination, source, count) {
      beginVector(o, destination);
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const result = alignRight(o, a, b, o.read(count), isMmx(o, destination));
      writeRegister(o, destination, result);
    },
  },
  {
    mnemonic: "SHUFPS",
    unit: "sse",
    feature: "SSE",
    encodings: ["NP 0F C6 /r: Vdq,Wdq,Ib"],
    run(o, destination, source, selectors) {
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const immediate = o.read(selectors);
      const none = o.const(-1);
      const low = o.vector(dwordOrder(o, immediate, 0), none);
      const high = o.vector(none, dwordOrder(o, immediate, 4));
      o.writeVector(
        destination,
        o.simd("v128.or", o.simd("i8x16.swizzle", a, low), o.simd("i8x16.swizzle", b, high)),
      );
    },
  },
  {
    mnemonic: "SHUFPD",
    unit: "sse",
    feature: "SSE2",
    encodings: ["66 0F C6 /r: Vdq,Wdq,Ib"],
    run(o, destination, source, selectors) {
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const immediate = o.read(selectors);
      const low = o.select(o.bit(immediate, 0), o.high(a), o.low(a));
      const high = o.select(o.bit(immediate, 1), o.high(b), o.low(b));
      o.writeVector(destination, o.vector(low, high));
    },
  },
];

// ---- extension ----

const STEPS = ["i8x16", "i16x8", "i32x4", "i64x2"] as const;

/** PMOVSX and PMOVZX: from the low elements of one shape to the next `steps` shapes. */
function extend(
  name: string,
  opcode: number,
  size: string,
  from: number,
  to: number,
): Definition[] {
  return (["s", "u"] as const).map((sign) => ({
    mnemonic: `PMOV${sign === "s" ? "SX" : "ZX"}${name}`,
    unit: "sse" as const,
    feature: "SSE4_1",
    encodings: [
      `66 0F 38 ${(opcode + (sign === "s" ? 0x20 : 0x30)).toString(16)} /r: Vdq,W${size}`,
    ],
    run(o: Builder, destination: Operand, source: Operand) {
      let value = o.readVector(source);
      for (let step = from; step < to; step++) {
        value = o.simd(`${STEPS[step + 1]}.extend_low_${STEPS[step]}_${sign}`, value);
      }
      o.writeVector(destination, value);
    },
  }));
}

const extensions: readonly Definition[] = [
  ...extend("BW", 0, "q", 0, 1),
  ...extend("BD", 1, "d", 0, 2),
  ...extend("BQ", 2, "w", 0, 3),
  ...extend("WD", 3, "q", 1, 2),
  ...extend("WQ", 4, "d", 1, 3),
  ...extend("DQ", 5, "q", 2, 3),
];

const differences: readonly Definition[] = [
  {
    mnemonic: "MPSADBW",
    unit: "sse",
    feature: "SSE4_1",
    encodings: ["66 0F 3A 42 /r: Vdq,Wdq,Ib"],
    run(o, destination, source, selectors) {
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const immediate = o.read(selectors);
      const firstA = o.and(immediate, o.const(4));
      const block = o.zext(extractElement(o, b, o.and(immediate, o.const(3)), 5), 32);
      const differenceFrom = (k: number) => {
        const order = o.simd(
          "i8x16.add",
          byteNumbers(o),
          o.simd("i8x16.splat", o.add(firstA, o.const(k))),
        );
        const bytes = o.simd("i16x8.extend_low_i8x16_u", o.simd("i8x16.swizzle", a, order));
        const other = o.zext(o.shr(block, o.const(8 * k)), 8);
        return o.simd(
          "i16x8.abs",
          o.simd("i16x8.sub", bytes, o.simd("i16x8.splat", other)),
        );
      };
      const sum = [1, 2, 3].reduce(
        (total, k) => o.simd("i16x8.add", total, differenceFrom(k)),
        differenceFrom(0),
      );
      o.writeVector(destination, sum);
    },
  },
];

/** Integer vectors: packing, shuffles, extension. */
export const SIMD_SHUFFLE: InstructionGroup = {
  name: "MMX and SSE shuffles",
  definitions: [
    ...packing,
    ...shuffles,
    ...extensions,
    ...differences,
  ],
};
