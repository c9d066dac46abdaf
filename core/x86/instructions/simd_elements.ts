/**
 * Elements of vectors: blends, insertion and extraction, MMX to SSE4.1 (SDM vol. 2, the entries of each mnemonic).
 *
 * Which element is data to the engines, not a constant; comparing its number with every element's own gives a mask.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, V128 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { beginVector, enterMmx, isMmx, readAligned, writeRegister } from "./simd_operands.ts";

type WideShape = "i16x8" | "i32x4" | "i64x2";
type Shape = "i8x16" | WideShape;

/** Each element's number, to be compared with a splat. */
const ELEMENT_NUMBERS: { readonly [S in Shape]: readonly [bigint, bigint] } = {
  i8x16: [0x0706050403020100n, 0x0f0e0d0c0b0a0908n],
  i16x8: [0x0003000200010000n, 0x0007000600050004n],
  i32x4: [0x0000000100000000n, 0x0000000300000002n],
  i64x2: [0n, 1n],
};
/** Each element's bit in a mask. */
const ELEMENT_BITS: { readonly [S in WideShape]: readonly [bigint, bigint] } = {
  i16x8: [0x0008000400020001n, 0x0080004000200010n],
  i32x4: [0x0000000200000001n, 0x0000000800000004n],
  i64x2: [1n, 2n],
};

/** All ones in the elements whose bit in `bits` is set. */
export function elementMask(o: Builder, shape: WideShape, bits: I64): V128 {
  const own = o.vectorConst(...ELEMENT_BITS[shape]);
  return o.simd(`${shape}.eq`, o.simd("v128.and", o.simd(`${shape}.splat`, bits), own), own);
}

function blendByImmediate(
  mnemonic: string,
  opcode: string,
  shape: WideShape,
): Definition {
  return {
    mnemonic,
    unit: "sse",
    feature: "SSE4_1",
    encodings: [`66 0F 3A ${opcode} /r: Vdq,Wdq,Ib`],
    run(o, destination, source, selectors) {
      const b = readAligned(o, source);
      const a = o.readVector(destination);
      const mask = elementMask(o, shape, o.read(selectors));
      o.writeVector(destination, o.simd("v128.bitselect", b, a, mask));
    },
  };
}

/** A blend by the top bits of XMM0's elements. */
function blendByXmm0(mnemonic: string, opcode: string, shape: Shape, top: number): Definition {
  return {
    mnemonic,
    unit: "sse",
    feature: "SSE4_1",
    encodings: [`66 0F 38 ${opcode} /r: Vdq,Wdq,XMM0`],
    run(o, destination, source, selectors) {
      const b = readAligned(o, source);
      const mask = o.simd(`${shape}.shr_s`, o.readVector(selectors), o.const(top));
      const a = o.readVector(destination);
      o.writeVector(destination, o.simd("v128.bitselect", b, a, mask));
    },
  };
}

const blends: readonly Definition[] = [
  blendByImmediate("PBLENDW", "0E", "i16x8"),
  blendByImmediate("BLENDPS", "0C", "i32x4"),
  blendByImmediate("BLENDPD", "0D", "i64x2"),
  blendByXmm0("PBLENDVB", "10", "i8x16", 7),
  blendByXmm0("BLENDVPS", "14", "i32x4", 31),
  blendByXmm0("BLENDVPD", "15", "i64x2", 63),
];

// ---- insertion and extraction ----

/** `vector` with the element that `index` names replaced by `value`. */
export function insertElement(
  o: Builder,
  shape: Shape,
  vector: V128,
  index: I64,
  value: I64,
): V128 {
  const numbers = o.vectorConst(...ELEMENT_NUMBERS[shape]);
  const mask = o.simd(`${shape}.eq`, o.simd(`${shape}.splat`, index), numbers);
  return o.simd("v128.bitselect", o.simd(`${shape}.splat`, value), vector, mask);
}

/** The element of 2^`log` bits that `index` names, zero-extended. */
export function extractElement(o: Builder, vector: V128, index: I64, log: 3 | 4 | 5 | 6): I64 {
  const half = o.select(o.bit(index, 6 - log), o.high(vector), o.low(vector));
  if (log === 6) return half;
  // A shift takes its count modulo 64, so the bit that chose the half falls away.
  return o.zext(o.shr(half, o.shl(index, o.const(log))), (1 << log) as 8 | 16 | 32);
}

function insert(mnemonic: string, encodings: readonly string[]): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination, source, selector) {
      beginVector(o, destination);
      const width = mnemonic === "PINSRB" ? 8 : mnemonic === "PINSRW" ? 16 : o.widthOf(source);
      const shape = ({ 8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2" } as const)[
        width as 8 | 16 | 32 | 64
      ];
      const elements = (isMmx(o, destination) ? 64 : 128) / width;
      const value = o.read(source);
      const index = o.and(o.read(selector), o.const(elements - 1));
      const old = o.readVector(destination);
      writeRegister(o, destination, insertElement(o, shape, old, index, value));
    },
  };
}

/** Extracts an element of 2^`log` bits, or of the destination's width. */
function extract(
  mnemonic: string,
  encodings: readonly string[],
  log: 3 | 4 | 5 | null,
): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination: Operand, source: Operand, selector: Operand) {
      beginVector(o, source);
      const logOf = log ?? (o.widthOf(destination) === 64 ? 6 : 5);
      const elements = (isMmx(o, source) ? 64 : 128) >> logOf;
      const index = o.and(o.read(selector), o.const(elements - 1));
      o.write(destination, extractElement(o, o.readVector(source), index, logOf));
      if (isMmx(o, source)) enterMmx(o);
    },
  };
}

const elements: readonly Definition[] = [
  insert("PINSRW", [
    "NP 0F C4 /r: Pq,Rd,Ib f=SSE",
    "NP 0F C4 /r: Pq,Mw,Ib f=SSE",
    "66 0F C4 /r: Vdq,Rd,Ib f=SSE2",
    "66 0F C4 /r: Vdq,Mw,Ib f=SSE2",
  ]),
  insert("PINSRB", [
    "66 0F 3A 20 /r: Vdq,Rd,Ib f=SSE4_1",
    "66 0F 3A 20 /r: Vdq,Mb,Ib f=SSE4_1",
  ]),
  insert("PINSRD", ["66 0F 3A 22 /r: Vdq,Ey,Ib f=SSE4_1"]),
  extract("PEXTRW", [
    "NP 0F C5 /r: Gd,Nq,Ib f=SSE",
    "66 0F C5 /r: Gd,Udq,Ib f=SSE2",
    "66 0F 3A 15 /r: Rd,Vdq,Ib f=SSE4_1",
    "66 0F 3A 15 /r: Mw,Vdq,Ib f=SSE4_1",
  ], 4),
  extract("PEXTRB", [
    "66 0F 3A 14 /r: Rd,Vdq,Ib f=SSE4_1",
    "66 0F 3A 14 /r: Mb,Vdq,Ib f=SSE4_1",
  ], 3),
  // EXTRACTPS moves the same bits.
  extract("PEXTRD", ["66 0F 3A 16 /r: Ey,Vdq,Ib f=SSE4_1"], null),
  extract("EXTRACTPS", ["66 0F 3A 17 /r: Ed,Vdq,Ib f=SSE4_1"], 5),
  {
    mnemonic: "INSERTPS",
    unit: "sse",
    feature: "SSE4_1",
    encodings: ["66 0F 3A 21 /r: Vdq,Udq,Ib", "66 0F 3A 21 /r: Vdq,Md,Ib"],
    run(o, destination, source, selectors) {
      const from = o.readVector(source);
      const immediate = o.read(selectors);
      const field = (first: number) => o.and(o.shr(immediate, o.const(first)), o.const(3));
      const value = o.isMemory(source) ? o.low(from) : extractElement(o, from, field(6), 5);
      const inserted = insertElement(o, "i32x4", o.readVector(destination), field(4), value);
      o.writeVector(
        destination,
        o.simd("v128.andnot", inserted, elementMask(o, "i32x4", immediate)),
      );
    },
  },
];

/** Vectors: blends, insertion, extraction. */
export const SIMD_ELEMENTS: InstructionGroup = {
  name: "MMX and SSE blends and elements",
  definitions: [...blends, ...elements],
};
