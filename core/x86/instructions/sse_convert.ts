/**
 * Conversions of SSE between integers and floating point and between its formats, with their MMX forms (SDM vol. 2,
 * the CVT… entries).
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, V128, Width } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { withLow } from "./mmx_sse_moves.ts";
import { enterMmx, readAligned, reportPendingX87, writeRegister } from "./simd_operands.ts";
import {
  all,
  type Attempt,
  below,
  both,
  elementsArgument,
  exactlyAsWasm,
  finite,
  type FloatWidth,
  isZero,
  plain,
  withFastPath,
} from "./sse_fast_path.ts";

type IntegerWidth = 32 | 64;

/** What a conversion delivers: its elements from the low one up, zeros above. */
type Conversion = (o: Builder, source: V128) => V128;

// ---- integers to floating point ----

/** 2^32 and 2^53. */
const TWO_32 = 0x41f0000000000000n;
const TWO_53 = 1n << 53n;

/** A 64-bit integer as a double, rounded once. */
function doubleOf(o: Builder, integer: V128): V128 {
  const signed = o.simd("f64x2.convert_low_i32x4_s", integer);
  const high = o.vector(o.high(signed), o.const(0));
  const low = o.simd("f64x2.convert_low_i32x4_u", integer);
  return o.simd("f64x2.add", o.simd("f64x2.mul", high, both(o, TWO_32)), low);
}

/** What WebAssembly makes of integers, and whether a single 64-bit one is small enough. */
function fromIntegersFast(
  o: Builder,
  source: V128,
  integerWidth: IntegerWidth,
  width: FloatWidth,
): Attempt {
  if (integerWidth === 32) {
    const name = width === 64 ? "f64x2.convert_low_i32x4_s" : "f32x4.convert_i32x4_s";
    return { holds: "always", value: o.simd(name, source) };
  }
  const double = doubleOf(o, source);
  if (width === 64) return { holds: "always", value: double };
  // As a double it is exact up to 2^53, so that rounding to single is the only one.
  const small = o.ltU(o.add(o.low(source), o.const(TWO_53)), o.const(TWO_53 << 1n));
  return { holds: small, value: o.simd("f32x4.demote_f64x2_zero", double) };
}

function fromIntegers(integerWidth: IntegerWidth, width: FloatWidth, count: number): Conversion {
  return (o, source) => {
    // A double holds every 32-bit integer.
    const exact = integerWidth === 32 && width === 64;
    return withFastPath(
      o,
      exact ? o.fastPaths() : exactlyAsWasm(o),
      () => fromIntegersFast(o, source, integerWidth, width),
      () => {
        const elements = elementsArgument(o, width, count, integerWidth);
        return o.systemVector("sseFromIntegers", source, elements);
      },
    );
  };
}

// ---- floating point to integers ----

/** 2^31 and 2^63. */
const LIMITS = {
  32: { single: 0x4f0000004f000000n, double: 0x41e0000000000000n },
  64: { single: 0x5f0000005f000000n, double: 0x43e0000000000000n },
} as const;
/** 2^51, below which adding 3 * 2^51 rounds to an integer. */
const ROUNDABLE = 0x4320000000000000n;
const ROUNDER = 0x4338000000000000n;

/** Doubles below 2^51 rounded to the nearest integer. */
function nearestDouble(o: Builder, value: V128): V128 {
  const rounder = both(o, ROUNDER);
  return o.simd("f64x2.sub", o.simd("f64x2.add", value, rounder), rounder);
}

/** The integer part of a double of a magnitude below 2^63. */
function integerPart(o: Builder, bits: I64): I64 {
  const exponent = o.and(o.shr(bits, o.const(52)), o.const(0x7ff));
  const significand = o.or(o.and(bits, o.const((1n << 52n) - 1n)), o.const(1n << 52n));
  const right = o.sub(o.const(1075), exponent);
  const shifted = o.select(
    o.leS(right, o.const(0)),
    o.shl(significand, o.neg(right)),
    o.shr(significand, o.select(o.ltS(right, o.const(63)), right, o.const(63))),
  );
  return o.select(o.ltS(bits, o.const(0)), o.neg(shifted), shifted);
}

/** One element to a general register. */
function scalarToInteger(
  o: Builder,
  source: V128,
  width: FloatWidth,
  integerWidth: IntegerWidth,
  truncate: boolean,
): Attempt {
  const double = width === 64 ? source : o.simd("f64x2.promote_low_f32x4", source);
  const value = truncate ? double : nearestDouble(o, double);
  const inRange = below(o, 64, value, LIMITS[integerWidth].double);
  const right = truncate ? inRange : o.simd("v128.and", inRange, below(o, 64, double, ROUNDABLE));
  return {
    holds: all(o, 64, 1, right),
    value: o.vector(integerPart(o, o.low(value)), o.const(0)),
  };
}

/** Two or four elements to 32-bit integers. */
function packedToIntegers(
  o: Builder,
  source: V128,
  width: FloatWidth,
  count: number,
  truncate: boolean,
): Attempt {
  const limit = width === 32 ? LIMITS[32].single : LIMITS[32].double;
  const inRange = below(o, width, source, limit);
  if (truncate) {
    const name = width === 32 ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f64x2_s_zero";
    return { holds: all(o, width, count, inRange), value: o.simd(name, source) };
  }
  const round = (value: V128) => o.simd("i32x4.trunc_sat_f64x2_s_zero", nearestDouble(o, value));
  if (width === 64) {
    // Rounding may reach 2^31, which saturation would hide.
    const rounded = below(o, 64, nearestDouble(o, source), limit);
    const right = o.simd("v128.and", inRange, rounded);
    return { holds: all(o, 64, count, right), value: round(source) };
  }
  const half = (value: V128) => o.low(round(o.simd("f64x2.promote_low_f32x4", value)));
  const high = o.vector(o.high(source), o.const(0));
  return {
    holds: all(o, 32, count, inRange),
    value: o.vector(half(source), half(high)),
  };
}

function toIntegers(
  o: Builder,
  source: V128,
  width: FloatWidth,
  count: number,
  integerWidth: IntegerWidth,
  truncate: boolean,
): V128 {
  const value = withFastPath(
    o,
    exactlyAsWasm(o),
    () =>
      count === 1
        ? scalarToInteger(o, source, width, integerWidth, truncate)
        : packedToIntegers(o, source, width, count, truncate),
    () => {
      const elements = elementsArgument(o, width, count, integerWidth, truncate);
      return o.systemVector("sseToIntegers", source, elements);
    },
  );
  // Fast paths leave elements beyond the last one open.
  return count * integerWidth === 128 ? value : o.vector(o.low(value), o.const(0));
}

// ---- between the formats ----

/** From single to double, which is exact. */
function widen(count: number): Conversion {
  return (o, source) =>
    withFastPath(
      o,
      o.fastPaths(),
      () => ({
        holds: all(o, 32, count, plain(o, 32, source)),
        value: o.simd("f64x2.promote_low_f32x4", source),
      }),
      () => o.systemVector("sseConvertFormat", source, elementsArgument(o, 32, count)),
    );
}

/** From double to single. */
function narrow(count: number): Conversion {
  return (o, source) =>
    withFastPath(
      o,
      exactlyAsWasm(o),
      () => {
        const value = o.simd("f32x4.demote_f64x2_zero", source);
        // From 2^-126 on results are normal, so no underflow can have had a hand in them.
        const sources = o.simd("v128.or", isZero(o, 64, source), atLeastSingle(o, source));
        const holds = o.bothOf(
          all(o, 64, count, sources),
          all(o, 32, count, finite(o, 32, value)),
        );
        return { holds, value };
      },
      () => o.systemVector("sseConvertFormat", source, elementsArgument(o, 64, count)),
    );
}

/** 2^-126, the least normal single, as a double. */
const LEAST_SINGLE = 0x3810000000000000n;

/** The mask of doubles that are not below the least normal single. */
function atLeastSingle(o: Builder, value: V128): V128 {
  return o.simd("f64x2.ge", o.simd("f64x2.abs", value), both(o, LEAST_SINGLE));
}

// ---- definitions ----

/** A conversion between a destination and a source; those of singles to and from integers came with SSE. */
function conversionOf(
  mnemonic: string,
  encoding: string,
  feature: "SSE" | "SSE2",
  run: (o: Builder, destination: Operand, source: Operand) => void,
): Definition {
  return { mnemonic, unit: "sse", feature, encodings: [encoding], run };
}

/** Which extension brought conversions between integers and elements of `width` bits. */
function featureOf(width: FloatWidth): "SSE" | "SSE2" {
  return width === 32 ? "SSE" : "SSE2";
}

/** A conversion from one XMM register or memory operand to a whole XMM register. */
function packed(
  mnemonic: string,
  encoding: string,
  conversion: Conversion,
): Definition {
  return conversionOf(mnemonic, encoding, "SSE2", (o, destination, source) => {
    o.writeVector(destination, conversion(o, readAligned(o, source)));
  });
}

function packedToInteger(mnemonic: string, encoding: string, width: FloatWidth): Definition {
  const truncate = mnemonic.startsWith("CVTT");
  return packed(
    mnemonic,
    encoding,
    (o, source) => toIntegers(o, source, width, 128 / width, 32, truncate),
  );
}

/** A conversion to the low element of an XMM register, whose others stay. */
function scalar(
  mnemonic: string,
  encoding: string,
  width: FloatWidth,
  conversion: Conversion,
): Definition {
  return conversionOf(mnemonic, encoding, "SSE2", (o, destination, source) => {
    const converted = conversion(o, o.readVector(source));
    o.writeVector(destination, withLow(o, o.readVector(destination), converted, width));
  });
}

/** CVTSI2SS and CVTSI2SD. */
function fromGeneral(mnemonic: string, encoding: string, width: FloatWidth): Definition {
  return conversionOf(mnemonic, encoding, featureOf(width), (o, destination, source) => {
    const integer = o.vector(o.read(source), o.const(0));
    const conversion = fromIntegers(o.widthOf(source) as IntegerWidth, width, 1);
    const converted = conversion(o, integer);
    o.writeVector(destination, withLow(o, o.readVector(destination), converted, width));
  });
}

/** CVTSS2SI and its like. */
function toGeneral(mnemonic: string, encoding: string, width: FloatWidth): Definition {
  return conversionOf(mnemonic, encoding, featureOf(width), (o, destination, source) => {
    const truncate = mnemonic.startsWith("CVTT");
    const integerWidth = o.widthOf(destination) as IntegerWidth;
    const value = toIntegers(o, o.readVector(source), width, 1, integerWidth, truncate);
    o.write(destination, o.zext(o.low(value), integerWidth as Width));
  });
}

/** CVTPI2PS and CVTPI2PD; with a source in memory they do not touch x87 state. */
function fromMmx(mnemonic: string, encoding: string, width: FloatWidth): Definition {
  return conversionOf(mnemonic, encoding, featureOf(width), (o, destination, source) => {
    const usesMmx = !o.isMemory(source);
    if (usesMmx) reportPendingX87(o);
    const converted = fromIntegers(32, width, 2)(o, o.readVector(source));
    const result = width === 64
      ? converted
      : o.vector(o.low(converted), o.high(o.readVector(destination)));
    o.writeVector(destination, result);
    if (usesMmx) enterMmx(o);
  });
}

/** CVTPS2PI and its like. */
function toMmx(mnemonic: string, encoding: string, width: FloatWidth): Definition {
  return conversionOf(mnemonic, encoding, featureOf(width), (o, destination, source) => {
    reportPendingX87(o);
    const truncate = mnemonic.startsWith("CVTT");
    const value = toIntegers(o, readAligned(o, source), width, 2, 32, truncate);
    writeRegister(o, destination, value);
  });
}

/** Conversions of SSE. */
export const SSE_CONVERT: InstructionGroup = {
  name: "SSE conversions",
  definitions: [
    fromMmx("CVTPI2PS", "NP 0F 2A /r: Vdq,Qq", 32),
    fromMmx("CVTPI2PD", "66 0F 2A /r: Vdq,Qq", 64),
    fromGeneral("CVTSI2SS", "F3 0F 2A /r: Vdq,Ey", 32),
    fromGeneral("CVTSI2SD", "F2 0F 2A /r: Vdq,Ey", 64),
    toMmx("CVTTPS2PI", "NP 0F 2C /r: Pq,Wq", 32),
    toMmx("CVTTPD2PI", "66 0F 2C /r: Pq,Wdq", 64),
    toGeneral("CVTTSS2SI", "F3 0F 2C /r: Gy,Wd", 32),
    toGeneral("CVTTSD2SI", "F2 0F 2C /r: Gy,Wq", 64),
    toMmx("CVTPS2PI", "NP 0F 2D /r: Pq,Wq", 32),
    toMmx("CVTPD2PI", "66 0F 2D /r: Pq,Wdq", 64),
    toGeneral("CVTSS2SI", "F3 0F 2D /r: Gy,Wd", 32),
    toGeneral("CVTSD2SI", "F2 0F 2D /r: Gy,Wq", 64),
    packed("CVTPS2PD", "NP 0F 5A /r: Vdq,Wq", widen(2)),
    packed("CVTPD2PS", "66 0F 5A /r: Vdq,Wdq", narrow(2)),
    scalar("CVTSS2SD", "F3 0F 5A /r: Vdq,Wd", 64, widen(1)),
    scalar("CVTSD2SS", "F2 0F 5A /r: Vdq,Wq", 32, narrow(1)),
    packed("CVTDQ2PS", "NP 0F 5B /r: Vdq,Wdq", fromIntegers(32, 32, 4)),
    packedToInteger("CVTPS2DQ", "66 0F 5B /r: Vdq,Wdq", 32),
    packedToInteger("CVTTPS2DQ", "F3 0F 5B /r: Vdq,Wdq", 32),
    packedToInteger("CVTTPD2DQ", "66 0F E6 /r: Vdq,Wdq", 64),
    packedToInteger("CVTPD2DQ", "F2 0F E6 /r: Vdq,Wdq", 64),
    packed("CVTDQ2PD", "F3 0F E6 /r: Vdq,Wq", fromIntegers(32, 64, 2)),
  ],
};
