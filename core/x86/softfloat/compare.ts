/**
 * Comparisons and SSE's minimum and maximum.
 *
 * Source: SDM volume 2, COMISS, UCOMISS, CMPPS, FCOM, FUCOM, MINSS, MAXSS.
 */

import { begin, EXCEPTION, type FloatEnvironment, raise, unmasked } from "./environment.ts";
import { type FloatFormat, type Unpacked, zeroOf } from "./formats.ts";
import { denormalStops, isNotANumber, operandOf } from "./operands.ts";
import type { Delivered } from "./round_and_pack.ts";

/** How two values relate. */
export type Relation = "less" | "equal" | "greater" | "unordered";

/**
 * Compares two values.
 *
 * @param signalling quiet NaNs raise invalid operation too (COMISS, FCOM, CMPLTPS); else only signalling
 * NaNs and unsupported encodings do (UCOMISS, FUCOM, CMPEQPS)
 * @returns the relation; undefined if an unmasked exception leaves the destination unchanged
 */
export function compare(
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  b: bigint,
  signalling: boolean,
  bFormat: FloatFormat = format,
): Relation | undefined {
  begin(env);
  const left = operandOf(env, format, a);
  const right = operandOf(env, bFormat, b);
  if (isNotANumber(left) || isNotANumber(right)) {
    if (signalling || isInvalid(left) || isInvalid(right)) raise(env, EXCEPTION.invalid);
    return unmasked(env) !== 0 ? undefined : "unordered";
  }
  return denormalStops(env, left, right) ? undefined : relate(left, right);
}

function isInvalid(value: Unpacked): boolean {
  return value.kind === "signalingNaN" || value.kind === "unsupported";
}

function relate(a: Unpacked, b: Unpacked): Relation {
  if (a.kind === "zero" && b.kind === "zero") return "equal";
  if (signOf(a) !== signOf(b)) return signOf(a) < signOf(b) ? "less" : "greater";
  const size = compareSizes(a, b);
  if (size === 0) return "equal";
  return (size < 0) !== a.negative ? "less" : "greater";
}

function signOf(value: Unpacked): number {
  return value.kind === "zero" ? 0 : value.negative ? -1 : 1;
}

function compareSizes(a: Unpacked, b: Unpacked): number {
  if (a.kind !== b.kind) return a.kind === "infinity" ? 1 : -1;
  if (a.exponent !== b.exponent) return a.exponent - b.exponent;
  return a.significand < b.significand ? -1 : a.significand > b.significand ? 1 : 0;
}

interface Predicate {
  readonly name: string;
  readonly less: boolean;
  readonly equal: boolean;
  readonly greater: boolean;
  readonly unordered: boolean;
  /** Quiet NaNs raise invalid operation. */
  readonly signalling: boolean;
}

function predicate(name: string, holds: string, signalling: boolean): Predicate {
  return {
    name,
    less: holds.includes("<"),
    equal: holds.includes("="),
    greater: holds.includes(">"),
    unordered: holds.includes("?"),
    signalling,
  };
}

/** CMPPS's predicates by immediate; the first 8 are SSE's, all 32 VCMPPS's. Which relations hold: `< = > ?`. */
export const COMPARE_PREDICATES: readonly Predicate[] = [
  predicate("EQ_OQ", "=", false),
  predicate("LT_OS", "<", true),
  predicate("LE_OS", "<=", true),
  predicate("UNORD_Q", "?", false),
  predicate("NEQ_UQ", "<>?", false),
  predicate("NLT_US", "=>?", true),
  predicate("NLE_US", ">?", true),
  predicate("ORD_Q", "<=>", false),
  predicate("EQ_UQ", "=?", false),
  predicate("NGE_US", "<?", true),
  predicate("NGT_US", "<=?", true),
  predicate("FALSE_OQ", "", false),
  predicate("NEQ_OQ", "<>", false),
  predicate("GE_OS", "=>", true),
  predicate("GT_OS", ">", true),
  predicate("TRUE_UQ", "<=>?", false),
  predicate("EQ_OS", "=", true),
  predicate("LT_OQ", "<", false),
  predicate("LE_OQ", "<=", false),
  predicate("UNORD_S", "?", true),
  predicate("NEQ_US", "<>?", true),
  predicate("NLT_UQ", "=>?", false),
  predicate("NLE_UQ", ">?", false),
  predicate("ORD_S", "<=>", true),
  predicate("EQ_US", "=?", true),
  predicate("NGE_UQ", "<?", false),
  predicate("NGT_UQ", "<=?", false),
  predicate("FALSE_OS", "", true),
  predicate("NEQ_OS", "<>", true),
  predicate("GE_OQ", "=>", false),
  predicate("GT_OQ", ">", false),
  predicate("TRUE_US", "<=>?", true),
];

/**
 * CMPPS and its like for one element.
 *
 * @param immediate predicate number, 0 to 31; higher bits are ignored
 * @returns whether the predicate holds; undefined if an unmasked exception leaves the destination unchanged
 */
export function comparePredicate(
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  b: bigint,
  immediate: number,
): boolean | undefined {
  const row = COMPARE_PREDICATES[immediate & 31];
  const relation = compare(env, format, a, b, row.signalling);
  return relation === undefined ? undefined : row[relation];
}

/** MINSS: `a` if it is less, else `b`; so `b` for two zeros and, unquieted, for any NaN (which is invalid). */
export function min(
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  b: bigint,
): Delivered {
  return select(env, format, a, b, "less");
}

/** MAXSS: `a` if it is greater, else `b`; so `b` for two zeros and, unquieted, for any NaN (which is invalid). */
export function max(
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  b: bigint,
): Delivered {
  return select(env, format, a, b, "greater");
}

function select(
  env: FloatEnvironment,
  format: FloatFormat,
  a: bigint,
  b: bigint,
  wanted: Relation,
): Delivered {
  const relation = compare(env, format, a, b, true);
  if (relation === undefined) return undefined;
  const chosen = relation === wanted ? a : b;
  const value = operandOf(env, format, chosen);
  return value.kind === "zero" ? zeroOf(format, value.negative) : chosen;
}
