/**
 * Exact IEEE 754 arithmetic for the x86 FPU and SSE: the plain twin of every fast path, and the slow path itself.
 *
 * What it is: pure functions from bit patterns (bigint, 32, 64 or 80 bits) to bit patterns. What it is not: it
 * knows no registers, no x87 stack, no tags, no MXCSR updates and no faults; instruction semantics do that with
 * what an operation reports.
 *
 * - `sseEnvironment(mxcsr)` or `x87Environment(controlWord)` holds the settings and collects exceptions: `raised` by
 *   the latest operation, `flags` by all so far, in the bit positions of MXCSR and the status word. `roundedUp`
 *   is C1 of x87 after an operation.
 * - An operation returns what the instruction delivers, or undefined if an unmasked exception leaves its
 *   destination unchanged. On x87 an unmasked overflow, underflow or precision exception still delivers a result
 *   (biased for the first two); `unmasked(env)` says that there is one to report either way.
 * - `convert`, `toInteger`, `fromInteger`, `compare` and arithmetic take the formats of memory operands, so
 *   FADD m32fp is `add(env, extended80, st0, m32, extended80, binary32)`.
 * - SSE's packed instructions run their elements through `packedOperation`.
 *
 * ```ts
 * import { add, binary64, EXCEPTION, sseEnvironment } from "./mod.ts";
 *
 * const env = sseEnvironment(0x1f80);
 * const sum = add(env, binary64, 0x3ff0000000000000n, 0x3ca0000000000000n); // 1 + 2**-53, ADDSD
 * console.assert(sum === 0x3ff0000000000000n && env.flags === EXCEPTION.precision);
 * ```
 *
 * @module
 */

export {
  ALL_EXCEPTIONS,
  EXCEPTION,
  type FloatEnvironment,
  PRE_COMPUTATION,
  type PrecisionBits,
  type RoundingMode,
  roundingMode,
  sseEnvironment,
  unmasked,
  x87Environment,
} from "./environment.ts";
export {
  binary32,
  binary64,
  extended80,
  type FloatClass,
  type FloatFormat,
  infinityOf,
  unpack,
  type Unpacked,
  zeroOf,
} from "./formats.ts";
export type { Delivered } from "./round_and_pack.ts";
export { add, type BinaryOperation, div, mul, sqrt, sub } from "./arithmetic.ts";
export {
  compare,
  COMPARE_PREDICATES,
  comparePredicate,
  max,
  min,
  type Relation,
} from "./compare.ts";
export { convert, fromInteger, type IntegerWidth, roundToInteger, toInteger } from "./convert.ts";
export { fromPackedDecimal, PACKED_DECIMAL_INDEFINITE, toPackedDecimal } from "./packed_decimal.ts";
export {
  examine,
  type Examined,
  extract,
  type Extracted,
  partialRemainder,
  partialRemainderNearest,
  type Remainder,
  scale,
} from "./x87_operations.ts";
export {
  constant,
  type ConstantName,
  f2xm1,
  fcos,
  fpatan,
  fptan,
  fsin,
  fsincos,
  fyl2x,
  fyl2xp1,
  type SineCosine,
  type Tangent,
  type Trigonometric,
} from "./transcendental.ts";
export { reciprocal, reciprocalSqrt } from "./reciprocal.ts";
export { packedOperation } from "./packed.ts";
