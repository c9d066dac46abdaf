/**
 * Vector operations on 128-bit BigInts, lane by lane, by their WebAssembly names (WebAssembly core
 * specification, "Vector Instructions"). Shift counts and lanes arrive as 64-bit integers.
 *
 * Only lane arithmetic whose result WebAssembly fixes to the bit is here. Floating-point operations are
 * deliberately absent: the reference computes them by soft float (see softfloat/).
 */

/** Computes one operation; `lane` is the lane immediate of extract and replace operations. */
export type SimdFunction = (args: readonly bigint[], lane: number) => bigint;

const SHAPES: Record<string, number> = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 };

function lanes(vector: bigint, width: number): bigint[] {
  const result: bigint[] = [];
  for (let at = 0; at < 128; at += width) result.push((vector >> BigInt(at)) & mask(width));
  return result;
}

function join(values: readonly bigint[], width: number): bigint {
  return values.reduce((sum, lane, i) => sum | ((lane & mask(width)) << BigInt(i * width)), 0n);
}

function mask(width: number): bigint {
  return (1n << BigInt(width)) - 1n;
}

type LaneFunction = (a: bigint, b: bigint, width: number) => bigint;

const s = (a: bigint, width: number) => BigInt.asIntN(width, a);
const clampSigned = (a: bigint, width: number) =>
  clamp(a, -(1n << BigInt(width - 1)), mask(width - 1));
const clampUnsigned = (a: bigint, width: number) => clamp(a, 0n, mask(width));
const truth = (condition: boolean, width: number) => condition ? mask(width) : 0n;

function clamp(a: bigint, low: bigint, high: bigint): bigint {
  return a < low ? low : a > high ? high : a;
}

/** Operations lane by lane on two vectors (or one: `b` is ignored). */
const LANE_WISE: Record<string, LaneFunction> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  neg: (a) => -a,
  abs: (a, _, w) => s(a, w) < 0n ? -s(a, w) : a,
  add_sat_s: (a, b, w) => clampSigned(s(a, w) + s(b, w), w),
  add_sat_u: (a, b, w) => clampUnsigned(a + b, w),
  sub_sat_s: (a, b, w) => clampSigned(s(a, w) - s(b, w), w),
  sub_sat_u: (a, b, w) => clampUnsigned(a - b, w),
  min_s: (a, b, w) => s(a, w) < s(b, w) ? a : b,
  min_u: (a, b) => a < b ? a : b,
  max_s: (a, b, w) => s(a, w) > s(b, w) ? a : b,
  max_u: (a, b) => a > b ? a : b,
  avgr_u: (a, b) => (a + b + 1n) >> 1n,
  eq: (a, b, w) => truth(a === b, w),
  ne: (a, b, w) => truth(a !== b, w),
  gt_s: (a, b, w) => truth(s(a, w) > s(b, w), w),
  gt_u: (a, b, w) => truth(a > b, w),
  lt_s: (a, b, w) => truth(s(a, w) < s(b, w), w),
  lt_u: (a, b, w) => truth(a < b, w),
  popcnt: (a) => BigInt(a.toString(2).replaceAll("0", "").length),
};

/** Shifts of every lane by one count, taken modulo the lane width. */
const SHIFTS: Record<string, LaneFunction> = {
  shl: (a, count) => a << count,
  shr_u: (a, count) => a >> count,
  shr_s: (a, count, w) => s(a, w) >> count,
};

const BITWISE: Record<string, SimdFunction> = {
  "v128.and": ([a, b]) => a & b,
  "v128.or": ([a, b]) => a | b,
  "v128.xor": ([a, b]) => a ^ b,
  "v128.not": ([a]) => a ^ mask(128),
  "v128.andnot": ([a, b]) => a & (b ^ mask(128)),
  "v128.bitselect": ([a, b, c]) => (a & c) | (b & (c ^ mask(128))),
  "v128.any_true": ([a]) => a === 0n ? 0n : 1n,
  /** Lane i of the result is lane b[i] of a, or 0 if b[i] is 16 or more. */
  "i8x16.swizzle": ([a, b]) => {
    const source = lanes(a, 8);
    return join(lanes(b, 8).map((index) => index < 16n ? source[Number(index)] : 0n), 8);
  },
  "i32x4.dot_i16x8_s": ([a, b]) => {
    const [x, y] = [lanes(a, 16), lanes(b, 16)];
    const products = x.map((lane, i) => s(lane, 16) * s(y[i], 16));
    return join([0, 1, 2, 3].map((i) => products[2 * i] + products[2 * i + 1]), 32);
  },
  "i16x8.q15mulr_sat_s": ([a, b]) => {
    const y = lanes(b, 16);
    return join(
      lanes(a, 16).map((lane, i) => clampSigned((s(lane, 16) * s(y[i], 16) + 0x4000n) >> 15n, 16)),
      16,
    );
  },
};

const cache = new Map<string, SimdFunction>();

/** The function of a vector operation; throws `RangeError` for a name that is not one of these. */
export function simdOperation(name: string): SimdFunction {
  let operation = cache.get(name);
  if (!operation) {
    operation = BITWISE[name] ?? shaped(name) ?? floating(name);
    cache.set(name, operation);
  }
  return operation;
}

/** Floating-point operations occur in fast paths only, which the evaluator never takes. */
function floating(name: string): SimdFunction {
  if (!/f32x4|f64x2/.test(name)) {
    throw new RangeError(`the evaluator knows no vector operation named ${name}`);
  }
  return () => {
    throw new RangeError(`the evaluator computes no floating point, found ${name}`);
  };
}

function shaped(name: string): SimdFunction | undefined {
  const [shape, operation] = name.split(".");
  const width = SHAPES[shape];
  if (!width) return undefined;
  const laneWise = LANE_WISE[operation];
  if (laneWise) {
    return ([a, b = 0n]) => {
      const y = lanes(b, width);
      return join(lanes(a, width).map((lane, i) => laneWise(lane, y[i], width)), width);
    };
  }
  const shift = SHIFTS[operation];
  if (shift) {
    return ([a, count]) => {
      const by = count & BigInt(width - 1);
      return join(lanes(a, width).map((lane) => shift(lane, by, width)), width);
    };
  }
  return laneAccess(operation, width) ?? widening(operation, width);
}

function laneAccess(operation: string, width: number): SimdFunction | undefined {
  switch (operation) {
    case "splat":
      return ([a]) => join(new Array(128 / width).fill(a), width);
    case "extract_lane":
    case "extract_lane_u":
      return ([a], lane) => lanes(a, width)[lane];
    case "extract_lane_s":
      return ([a], lane) => BigInt.asUintN(64, s(lanes(a, width)[lane], width));
    case "replace_lane":
      return ([a, b], lane) => join(lanes(a, width).with(lane, b), width);
    case "bitmask":
      return ([a]) =>
        lanes(a, width).reduce(
          (bits, lane, i) => bits | ((lane >> BigInt(width - 1)) << BigInt(i)),
          0n,
        );
    case "all_true":
      return ([a]) => lanes(a, width).every((lane) => lane !== 0n) ? 1n : 0n;
    default:
      return undefined;
  }
}

/** Operations between shapes: `extend_low_i8x16_s`, `extmul_high_i16x8_u`, `narrow_i32x4_s`. */
function widening(operation: string, width: number): SimdFunction | undefined {
  const match = /^(extend|extmul)_(low|high)_i(\d+)x\d+_([su])$/.exec(operation);
  if (match) {
    const from = Number(match[3]);
    const read = (a: bigint) => {
      const all = lanes(a, from).map((lane) => match[4] === "s" ? s(lane, from) : lane);
      return match[2] === "low" ? all.slice(0, 64 / from) : all.slice(64 / from);
    };
    if (match[1] === "extend") return ([a]) => join(read(a), width);
    return ([a, b]) => {
      const y = read(b);
      return join(read(a).map((lane, i) => lane * y[i]), width);
    };
  }
  const narrow = /^narrow_i(\d+)x\d+_([su])$/.exec(operation);
  if (!narrow) return undefined;
  const from = Number(narrow[1]);
  const saturate = narrow[2] === "s" ? clampSigned : clampUnsigned;
  return ([a, b]) =>
    join(
      [...lanes(a, from), ...lanes(b, from)].map((lane) => saturate(s(lane, from), width)),
      width,
    );
}
