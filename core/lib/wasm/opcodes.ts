/** WebAssembly instructions by name (WebAssembly core specification, "Index of Instructions"). */

/** One-byte opcodes of instructions without immediates. */
export const PLAIN: Readonly<Record<string, number>> = {
  unreachable: 0x00,
  else: 0x05,
  end: 0x0b,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  "i32.eqz": 0x45,
  "i32.eq": 0x46,
  "i32.ne": 0x47,
  "i32.lt_s": 0x48,
  "i32.lt_u": 0x49,
  "i32.le_s": 0x4c,
  "i32.and": 0x71,
  "i32.or": 0x72,
  "i32.xor": 0x73,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.shl": 0x74,
  "i32.shr_u": 0x76,
  "i32.gt_u": 0x4b,
  "i64.eqz": 0x50,
  "i64.eq": 0x51,
  "i64.ne": 0x52,
  "i64.lt_s": 0x53,
  "i64.lt_u": 0x54,
  "i64.gt_u": 0x56,
  "i64.le_s": 0x57,
  "i64.le_u": 0x58,
  "i64.clz": 0x79,
  "i64.ctz": 0x7a,
  "i64.popcnt": 0x7b,
  "i64.add": 0x7c,
  "i64.sub": 0x7d,
  "i64.mul": 0x7e,
  "i64.div_s": 0x7f,
  "i64.div_u": 0x80,
  "i64.rem_s": 0x81,
  "i64.rem_u": 0x82,
  "i64.and": 0x83,
  "i64.or": 0x84,
  "i64.xor": 0x85,
  "i64.shl": 0x86,
  "i64.shr_s": 0x87,
  "i64.shr_u": 0x88,
  "i64.rotl": 0x89,
  "i64.rotr": 0x8a,
  "i32.wrap_i64": 0xa7,
  "i64.extend_i32_s": 0xac,
  "i64.extend_i32_u": 0xad,
  "i64.extend8_s": 0xc2,
  "i64.extend16_s": 0xc3,
  "i64.extend32_s": 0xc4,
};

/** Loads and stores with a memory argument. */
export const MEMORY: Readonly<Record<string, number>> = {
  "i32.load": 0x28,
  "i64.load": 0x29,
  "i32.load8_u": 0x2d,
  "i32.load16_u": 0x2f,
  "i64.load8_u": 0x31,
  "i64.load16_u": 0x33,
  "i64.load32_u": 0x35,
  "i32.store": 0x36,
  "i32.store16": 0x3b,
  "i64.store": 0x37,
  "i64.store8": 0x3c,
  "i64.store16": 0x3d,
  "i64.store32": 0x3e,
};

/** Instructions on stretches of memory, behind {@link BULK_PREFIX}: the opcode, and how many memories are named. */
export const BULK: Readonly<Record<string, readonly [opcode: number, memories: number]>> = {
  "memory.copy": [10, 2],
  "memory.fill": [11, 1],
};
export const BULK_PREFIX = 0xfc;

/** Vector instructions behind the 0xFD prefix: loads and stores, then the others. */
export const SIMD_MEMORY: Readonly<Record<string, number>> = {
  "v128.load": 0x00,
  "v128.store": 0x0b,
};

/** Vector instructions with a lane immediate. */
export const SIMD_LANE: Readonly<Record<string, number>> = {
  "i8x16.extract_lane_s": 21,
  "i8x16.extract_lane_u": 22,
  "i8x16.replace_lane": 23,
  "i16x8.extract_lane_s": 24,
  "i16x8.extract_lane_u": 25,
  "i16x8.replace_lane": 26,
  "i32x4.extract_lane": 27,
  "i32x4.replace_lane": 28,
  "i64x2.extract_lane": 29,
  "i64x2.replace_lane": 30,
};

function numbered(names: string, first: number): Record<string, number> {
  const result: Record<string, number> = {};
  names.split(" ").forEach((name, i) => {
    if (name !== "-") result[name] = first + i;
  });
  return result;
}

/** Names of a shape's operations from `first` on; a dash is a number that is not used. */
function shaped(shape: string, names: string, first: number): Record<string, number> {
  return numbered(names.split(" ").map((n) => n === "-" ? n : `${shape}.${n}`).join(" "), first);
}

const INTEGER_COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const FLOAT_COMPARISONS = "eq ne lt gt le ge";

/** Vector instructions without immediates. */
export const SIMD: Readonly<Record<string, number>> = {
  "i8x16.swizzle": 14,
  ...numbered("i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat", 15),
  ...shaped("i8x16", INTEGER_COMPARISONS, 35),
  ...shaped("i16x8", INTEGER_COMPARISONS, 45),
  ...shaped("i32x4", INTEGER_COMPARISONS, 55),
  ...shaped("f32x4", FLOAT_COMPARISONS, 65),
  ...shaped("f64x2", FLOAT_COMPARISONS, 71),
  ...shaped("v128", "not and andnot or xor bitselect any_true", 77),
  ...shaped("f32x4", "demote_f64x2_zero", 94),
  ...shaped("f64x2", "promote_low_f32x4", 95),
  ...shaped("i8x16", "abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u", 96),
  ...shaped(
    "i8x16",
    "shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u - - min_s min_u max_s max_u - avgr_u",
    107,
  ),
  ...shaped(
    "i16x8",
    "abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u - mul min_s min_u max_s max_u - avgr_u extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u",
    128,
  ),
  ...shaped(
    "i32x4",
    "abs neg - all_true bitmask - - extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s - extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u",
    160,
  ),
  ...shaped(
    "i64x2",
    "abs neg - all_true bitmask - - extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u shl shr_s shr_u add - - sub - - - mul eq ne lt_s gt_s le_s ge_s extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u",
    192,
  ),
  ...shaped("f32x4", "abs neg - sqrt add sub mul div", 224),
  ...shaped("f64x2", "abs neg - sqrt add sub mul div", 236),
  ...numbered(
    "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u",
    248,
  ),
};

/** Instructions whose immediates are indices, constants or a block's type; each is written in its own way. */
export const WITH_IMMEDIATE = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  call: 0x10,
  call_indirect: 0x11,
  return_call: 0x12,
  return_call_indirect: 0x13,
  "local.get": 0x20,
  "local.set": 0x21,
  "local.tee": 0x22,
  "i32.const": 0x41,
  "i64.const": 0x42,
} as const;

/** What precedes the number of a vector instruction. */
export const SIMD_PREFIX = 0xfd;

/** A block that leaves no value. */
export const NO_RESULT = 0x40;

/** Value types. */
export const VALUE_TYPE = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
export type WasmType = keyof typeof VALUE_TYPE;
