/**
 * The floating-point formats of x87 and SSE, and the split of a bit pattern into its parts.
 *
 * Every format is one row of `FORMAT_ROWS`; all other code is written against `FloatFormat`, so 32, 64 and
 * 80 bits share one implementation. Source: SDM volume 1, "Floating-Point Data Types" and
 * "Unsupported Double Extended-Precision Floating-Point Encodings and Pseudo-Denormals".
 */

/** One binary floating-point format, its layout and the numbers that follow from it. */
export interface FloatFormat {
  readonly name: "binary32" | "binary64" | "extended80";
  readonly widthBits: number;
  readonly exponentBits: number;
  /** Stored significand bits; in extended80 this includes the explicit integer bit. */
  readonly fieldBits: number;
  readonly explicitInteger: boolean;
  /** Significand bits of a normal number, the integer bit included. */
  readonly precisionBits: number;
  readonly bias: number;
  /** Exponent of the smallest normal number. */
  readonly minExponent: number;
  /** Exponent of the largest finite number. */
  readonly maxExponent: number;
  /** The exponent field of infinities and NaNs. */
  readonly specialExponent: number;
  readonly fieldMask: bigint;
  /** The quiet NaN that answers a masked invalid operation (negative, "real indefinite"). */
  readonly defaultNaN: bigint;
}

// seee eeee efff ffff ...          binary32, binary64: integer bit implied by a nonzero exponent
// seee eeee eeee eeee ifff ffff... extended80: integer bit i is stored, so some patterns mean nothing
const FORMAT_ROWS = [
  // name,       width, exponent, field, explicit integer bit
  ["binary32", 32, 8, 23, false],
  ["binary64", 64, 11, 52, false],
  ["extended80", 80, 15, 64, true],
] as const;

function makeFormat(row: (typeof FORMAT_ROWS)[number]): FloatFormat {
  const [name, widthBits, exponentBits, fieldBits, explicitInteger] = row;
  const bias = (1 << (exponentBits - 1)) - 1;
  const specialExponent = (1 << exponentBits) - 1;
  const leadingOnes = explicitInteger ? 3n << BigInt(fieldBits - 2) : 1n << BigInt(fieldBits - 1);
  return {
    name,
    widthBits,
    exponentBits,
    fieldBits,
    explicitInteger,
    precisionBits: explicitInteger ? fieldBits : fieldBits + 1,
    bias,
    minExponent: 1 - bias,
    maxExponent: bias,
    specialExponent,
    fieldMask: (1n << BigInt(fieldBits)) - 1n,
    defaultNaN: (1n << BigInt(widthBits - 1)) | (BigInt(specialExponent) << BigInt(fieldBits)) |
      leadingOnes,
  };
}

const FORMATS = FORMAT_ROWS.map(makeFormat);

/** Single precision: m32fp, an SSE scalar single. */
export const binary32: FloatFormat = FORMATS[0];
/** Double precision: m64fp, an SSE scalar double. */
export const binary64: FloatFormat = FORMATS[1];
/** Double extended precision: an x87 register, m80fp. */
export const extended80: FloatFormat = FORMATS[2];

/**
 * What a bit pattern stands for. `unsupported` are extended80's unnormals, pseudo-infinities and pseudo-NaNs,
 * which raise invalid operation wherever they are used.
 */
export type FloatClass =
  | "zero"
  | "finite"
  | "infinity"
  | "quietNaN"
  | "signalingNaN"
  | "unsupported";

/** A value taken apart, the same for every format. */
export interface Unpacked {
  readonly kind: FloatClass;
  readonly negative: boolean;
  /** Exponent of the leading significand bit; only for `finite`. */
  readonly exponent: number;
  /** 64 bits, leading bit at 63 for finite numbers and NaNs (a NaN's payload is left-aligned). */
  readonly significand: bigint;
  /** The encoding was denormal or pseudo-denormal (exponent field zero, significand not). */
  readonly denormal: boolean;
}

/** Significand width of `Unpacked`. */
export const UNPACKED_BITS = 64;

const QUIET_BIT = 1n << 62n;
const INTEGER_BIT = 1n << 63n;

/** Number of bits of a positive integer; 0 for 0. */
export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28;
}

/**
 * Takes a bit pattern apart.
 *
 * @param bits pattern of `format.widthBits` bits; higher bits are ignored
 */
export function unpack(format: FloatFormat, bits: bigint): Unpacked {
  const negative = ((bits >> BigInt(format.widthBits - 1)) & 1n) === 1n;
  const exponentField = Number(bits >> BigInt(format.fieldBits)) & format.specialExponent;
  const field = bits & format.fieldMask;
  const aligned = format.explicitInteger ? field : field << BigInt(63 - format.fieldBits);
  if (exponentField === 0) return unpackSmall(format, negative, aligned);
  if (format.explicitInteger && (aligned & INTEGER_BIT) === 0n) {
    return { kind: "unsupported", negative, exponent: 0, significand: aligned, denormal: false };
  }
  const significand = aligned | INTEGER_BIT;
  if (exponentField < format.specialExponent) {
    const exponent = exponentField - format.bias;
    return { kind: "finite", negative, exponent, significand, denormal: false };
  }
  const kind = significand === INTEGER_BIT
    ? "infinity"
    : (significand & QUIET_BIT) !== 0n
    ? "quietNaN"
    : "signalingNaN";
  return { kind, negative, exponent: 0, significand, denormal: false };
}

function unpackSmall(format: FloatFormat, negative: boolean, aligned: bigint): Unpacked {
  if (aligned === 0n) {
    return { kind: "zero", negative, exponent: 0, significand: 0n, denormal: false };
  }
  const shift = UNPACKED_BITS - bitLength(aligned);
  return {
    kind: "finite",
    negative,
    exponent: format.minExponent - shift,
    significand: aligned << BigInt(shift),
    denormal: true,
  };
}

/** Assembles a pattern from sign, exponent field and significand (integer bit included or implied). */
export function assemble(
  format: FloatFormat,
  negative: boolean,
  exponentField: number,
  significand: bigint,
): bigint {
  const sign = negative ? 1n << BigInt(format.widthBits - 1) : 0n;
  return sign | (BigInt(exponentField) << BigInt(format.fieldBits)) |
    (significand & format.fieldMask);
}

/** The zero of a sign. */
export function zeroOf(format: FloatFormat, negative: boolean): bigint {
  return assemble(format, negative, 0, 0n);
}

/** The infinity of a sign. */
export function infinityOf(format: FloatFormat, negative: boolean): bigint {
  const significand = format.explicitInteger ? INTEGER_BIT : 0n;
  return assemble(format, negative, format.specialExponent, significand);
}

/** A NaN in `format`, quieted; payload bits that do not fit are cut off. */
export function quietNaNOf(format: FloatFormat, value: Unpacked): bigint {
  const quieted = value.significand | QUIET_BIT | INTEGER_BIT;
  const significand = quieted >> BigInt(UNPACKED_BITS - format.precisionBits);
  return assemble(format, value.negative, format.specialExponent, significand);
}

/** Whether the value is a NaN of either kind. */
export function isNaNValue(value: Unpacked): boolean {
  return value.kind === "quietNaN" || value.kind === "signalingNaN";
}
