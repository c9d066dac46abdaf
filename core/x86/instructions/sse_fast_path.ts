/**
 * Fast paths of SSE's floating point: when WebAssembly's operations give the same bits and flags as the CPU.
 *
 * WebAssembly rounds to nearest, raises no flags and leaves the bits of NaNs open. So an operation is done in place
 * only if MXCSR says round to nearest, no FTZ, no DAZ, all exceptions masked and the precision flag already set
 * (`exactlyAsWasm`), no operand is denormal or NaN, and the result is an ordinary number: the only flag that it could
 * raise is set already. All else is done by system/sse.ts, which the reference always calls.
 */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64, V128 } from "../ir/ir.ts";
import { Elements } from "../system/sse.ts";

/** Width of a floating-point element. */
export type FloatWidth = 32 | 64;

/** A kind of operands: packed or scalar, single or double. */
export interface FloatShape {
  readonly suffix: "PS" | "PD" | "SS" | "SD";
  readonly width: FloatWidth;
  readonly count: number;
  /** Mandatory prefix of most instructions on it, and the letters of their source operand. */
  readonly prefix: "NP" | "66" | "F3" | "F2";
  readonly source: "Wdq" | "Wd" | "Wq";
  readonly feature: "SSE" | "SSE2";
}

/** The four shapes. */
export const SHAPES: { readonly [S in FloatShape["suffix"]]: FloatShape } = {
  PS: { suffix: "PS", width: 32, count: 4, prefix: "NP", source: "Wdq", feature: "SSE" },
  PD: { suffix: "PD", width: 64, count: 2, prefix: "66", source: "Wdq", feature: "SSE2" },
  SS: { suffix: "SS", width: 32, count: 1, prefix: "F3", source: "Wd", feature: "SSE" },
  SD: { suffix: "SD", width: 64, count: 1, prefix: "F2", source: "Wq", feature: "SSE2" },
};

/** Names and numbers of the two formats. */
export const FLOATS = {
  32: {
    shape: "f32x4",
    integers: "i32x4",
    sign: 0x8000000080000000n,
    leastNormal: 0x0080000000800000n,
    infinity: 0x7f8000007f800000n,
    one: 0x3f8000003f800000n,
  },
  64: {
    shape: "f64x2",
    integers: "i64x2",
    sign: 0x8000000000000000n,
    leastNormal: 0x0010000000000000n,
    infinity: 0x7ff0000000000000n,
    one: 0x3ff0000000000000n,
  },
} as const;

/** MXCSR[15:5]: FTZ, rounding, masks, DAZ and the precision flag. */
const SETTINGS = 0xffe0;
/** All masks and the precision flag. */
const WASM_SETTINGS = 0x1fa0;

/** Whether WebAssembly's arithmetic does what MXCSR asks for. */
export function exactlyAsWasm(o: Builder): Bool {
  const settings = o.and(o.field("mxcsr"), o.const(SETTINGS));
  return o.bothOf(o.fastPaths(), o.eq(settings, o.const(WASM_SETTINGS)));
}

/** What a fast path computed, and whether it stands. */
export interface Attempt {
  readonly holds: Bool | "always";
  readonly value: V128;
}

/** The value of `fast` where `guard` allows it and it holds, else that of `exact`. */
export function withFastPath(
  o: Builder,
  guard: Bool,
  fast: () => Attempt,
  exact: () => V128,
): V128 {
  const value = o.variable(o.vectorConst(0, 0));
  const done = o.variable(o.const(0));
  o.if(guard, () => {
    const attempt = fast();
    const accept = () => {
      o.set(value, attempt.value);
      o.set(done, o.const(1));
    };
    if (attempt.holds === "always") accept();
    else o.if(attempt.holds, accept);
  });
  o.if(o.isZero(o.get(done)), () => o.set(value, exact()));
  return o.get(value);
}

/** The same 64 bits in both halves. */
export function both(o: Builder, bits: bigint): V128 {
  return o.vectorConst(bits, bits);
}

/** Whether a mask is all ones in its low `count` elements. */
export function all(o: Builder, width: FloatWidth, count: number, mask: V128): Bool {
  const { integers } = FLOATS[width];
  if (count * width === 128) return o.isNonzero(o.simdToInteger(`${integers}.all_true`, mask));
  const wanted = o.const((1 << count) - 1);
  return o.eq(o.and(o.simdToInteger(`${integers}.bitmask`, mask), wanted), wanted);
}

/** The mask of elements that are neither NaN nor denormal. */
export function plain(o: Builder, width: FloatWidth, value: V128): V128 {
  const { shape, leastNormal } = FLOATS[width];
  const normal = o.simd(`${shape}.ge`, o.simd(`${shape}.abs`, value), both(o, leastNormal));
  return o.simd("v128.or", normal, isZero(o, width, value));
}

/** The mask of elements that are finite. */
export function finite(o: Builder, width: FloatWidth, value: V128): V128 {
  return below(o, width, value, FLOATS[width].infinity);
}

/** The mask of elements whose magnitude is less than `limit`. */
export function below(o: Builder, width: FloatWidth, value: V128, limit: bigint): V128 {
  const { shape } = FLOATS[width];
  return o.simd(`${shape}.lt`, o.simd(`${shape}.abs`, value), both(o, limit));
}

/**
 * The mask of results that no underflow or overflow can have had a hand in. The least normal number does not
 * count: a result that was rounded up to it is tiny.
 */
export function ordinary(o: Builder, width: FloatWidth, value: V128): V128 {
  const { shape, leastNormal } = FLOATS[width];
  const large = o.simd(`${shape}.gt`, o.simd(`${shape}.abs`, value), both(o, leastNormal));
  return o.simd("v128.and", large, finite(o, width, value));
}

/** The mask of zeros. */
export function isZero(o: Builder, width: FloatWidth, value: V128): V128 {
  return o.simd(`${FLOATS[width].shape}.eq`, value, o.vectorConst(0, 0));
}

/** The argument that tells a system function about elements. */
export function elementsArgument(
  o: Builder,
  width: FloatWidth,
  count: number,
  integerWidth: 0 | 32 | 64 = 0,
  truncate = false,
): I64 {
  return o.const(
    (width << Elements.width) | (count << Elements.count) |
      (integerWidth << Elements.integerWidth) | ((truncate ? 1 : 0) << Elements.truncate),
  );
}
