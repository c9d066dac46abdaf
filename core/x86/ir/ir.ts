/**
 * The intermediate representation in which the meaning of each instruction form is written down.
 *
 * A program is a list of statements. Pure values are trees of nodes that hang off the statements and
 * may be shared; whatever reads or changes state is a statement, so its place in the order is fixed.
 * Three readers give programs their effect: the evaluator (reference), the cold tier and the
 * translator.
 *
 * Integers are 64 bits wide; a value of a narrower operand is kept zero-extended. Conditions are a
 * type of their own.
 */

import { unreachable } from "../../lib/assert.ts";
import type { FieldName, SegmentRegister } from "../state/layout.ts";

/** Types of values: 64-bit integers, conditions, 128-bit vectors. */
export type ValueType = "i64" | "bool" | "v128";

/** Widths of integer operands and accesses in bits. */
export type Width = 8 | 16 | 32 | 64;
/** Widths of memory accesses in bits. */
export type AccessWidth = Width | 128;

/** Pure operations on 64-bit integers, named as in WebAssembly without the type. */
export type IntegerOp =
  | "add"
  | "sub"
  | "mul"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr_u"
  | "shr_s"
  | "rotl"
  | "rotr"
  | "div_u"
  | "div_s"
  | "rem_u"
  | "rem_s";
export type IntegerUnaryOp =
  | "clz"
  | "ctz"
  | "popcnt"
  | "zext8"
  | "zext16"
  | "zext32"
  | "sext8"
  | "sext16"
  | "sext32";
export type CompareOp = "eq" | "ne" | "lt_u" | "lt_s" | "le_u" | "le_s";
export type BoolOp = "and" | "or" | "xor";

/**
 * Vector operations by their WebAssembly names, for example `i16x8.add` or `f64x2.mul`. Shifts take
 * the count as an i64; `extract_lane` and `replace_lane` name the lane in `lane`.
 */
export type SimdOp = string;

/** A value: a pure expression, or the result of a statement. */
export interface NodeOf<T extends ValueType> {
  readonly id: number;
  readonly type: T;
  /** How often the program mentions the node; counted while building. */
  uses: number;
  readonly expression: Expression;
}

export type Node = NodeOf<ValueType>;
export type I64 = NodeOf<"i64">;
export type Bool = NodeOf<"bool">;
export type V128 = NodeOf<"v128">;

/** How a value comes about. */
export type Expression =
  | { readonly op: "const"; readonly value: bigint }
  | { readonly op: "integer"; readonly integer: IntegerOp; readonly a: I64; readonly b: I64 }
  | { readonly op: "unary"; readonly unary: IntegerUnaryOp; readonly a: I64 }
  | { readonly op: "compare"; readonly compare: CompareOp; readonly a: I64; readonly b: I64 }
  | { readonly op: "bool"; readonly bool: BoolOp; readonly a: Bool; readonly b: Bool }
  | { readonly op: "not"; readonly a: Bool }
  | { readonly op: "fromBool"; readonly a: Bool }
  | { readonly op: "select"; readonly condition: Bool; readonly a: Node; readonly b: Node }
  | {
    readonly op: "simd";
    readonly simd: SimdOp;
    readonly args: readonly Node[];
    readonly lane: number;
  }
  | { readonly op: "makeVector"; readonly low: I64; readonly high: I64 }
  /** Set by the statement whose `result` it is. */
  | { readonly op: "result" };

/** A mutable local of a program. */
export interface Variable<T extends ValueType = ValueType> {
  readonly index: number;
  readonly type: T;
}

/** Somewhere in the CPU state. */
export type Place =
  /** A fixed byte offset. */
  | { readonly kind: "fixed"; readonly offset: number }
  /** The register that operand `slot` of the decoded instruction names. */
  | { readonly kind: "operand"; readonly slot: number }
  /** `base + index * 16` bytes, for x87 registers. */
  | { readonly kind: "indexed"; readonly base: number; readonly index: I64 };

/** A segment of an access: a fixed one, or the one that the instruction's memory operand uses. */
export type SegmentRef = SegmentRegister | "operand";

/** Bits of `state.…` that a place holds. */
export type PlaceWidth = Width | 128;

/** Immediate fields of a decoded instruction. */
export type ImmediateField = "immediate" | "immediate2";

export type Statement =
  /** Computes a pure value that is used more than once, here. */
  | { readonly kind: "define"; readonly node: Node }
  /** Reads `width` bits, zero-extended. */
  | {
    readonly kind: "read";
    readonly place: Place;
    readonly width: PlaceWidth;
    readonly result: Node;
  }
  | {
    readonly kind: "write";
    readonly place: Place;
    readonly width: PlaceWidth;
    readonly value: Node;
  }
  | { readonly kind: "immediate"; readonly field: ImmediateField; readonly result: I64 }
  /** The offset that the memory operand's addressing form gives, truncated to the address size. */
  | { readonly kind: "address"; readonly result: I64 }
  /** The number of the segment register that the memory operand uses. */
  | { readonly kind: "operandSegment"; readonly result: I64 }
  /** `rip` or the following instruction's. */
  | { readonly kind: "ip"; readonly which: "current" | "next"; readonly result: I64 }
  | {
    readonly kind: "load";
    readonly segment: SegmentRef;
    readonly offset: I64;
    readonly width: AccessWidth;
    /** The load of a read-modify-write: faults as the store will. */
    readonly forWrite: boolean;
    /** Through SS or the stack pointer: a bad address is #SS. */
    readonly stack: boolean;
    readonly result: Node;
  }
  | {
    readonly kind: "store";
    readonly segment: SegmentRef;
    readonly offset: I64;
    readonly width: AccessWidth;
    readonly stack: boolean;
    readonly value: Node;
  }
  | { readonly kind: "getVariable"; readonly variable: Variable; readonly result: Node }
  | { readonly kind: "setVariable"; readonly variable: Variable; readonly value: Node }
  | {
    readonly kind: "if";
    readonly condition: Bool;
    readonly then: readonly Statement[];
    readonly otherwise: readonly Statement[];
    /** It only raises if a jump's target is bad: superfluous where the target is known to be good. */
    readonly checksTarget?: true;
  }
  /** Runs `body`, then again while `condition`, which is computed at the end of `body`. */
  | { readonly kind: "loop"; readonly body: readonly Statement[]; readonly condition: Bool }
  /** Raises an exception and ends the instruction. */
  | { readonly kind: "raise"; readonly vector: number; readonly errorCode: number }
  /** Calls a system function; it may fault. */
  | {
    readonly kind: "system";
    readonly name: string;
    readonly args: readonly Node[];
    readonly endsBlock: boolean;
    readonly result: Node;
  }
  /** Continues at `target`, whose limit or canonical form was checked. `direct`: it is `next + immediate`. */
  | { readonly kind: "jump"; readonly target: I64; readonly direct: boolean }
  /** Retires this iteration and executes the instruction again (REP). */
  | { readonly kind: "repeat" }
  /**
   * Counts `extra` further cycles: iterations that a fast path did at once, which must ask `budget` first, or
   * the instruction's cost beyond one cycle, which may overdraw the budget.
   */
  | { readonly kind: "retire"; readonly extra: I64 }
  /** Cycles left in the budget, this instruction's own included. */
  | { readonly kind: "budget"; readonly result: I64 };

/** The meaning of one instruction form. */
export interface Program {
  readonly statements: readonly Statement[];
  readonly variables: readonly Variable[];
  readonly nodeCount: number;
  /** Whether control may go elsewhere than to the next instruction, or the mode may change. */
  readonly endsBlock: boolean;
}

/** A field of the CPU state, as a place. */
export type StateField = FieldName;

/** The values that an expression is computed from. */
export function inputsOf(expression: Expression): readonly Node[] {
  switch (expression.op) {
    case "const":
    case "result":
      return [];
    case "integer":
    case "compare":
    case "bool":
      return [expression.a, expression.b];
    case "unary":
    case "not":
    case "fromBool":
      return [expression.a];
    case "select":
      return [expression.condition, expression.a, expression.b];
    case "simd":
      return expression.args;
    case "makeVector":
      return [expression.low, expression.high];
    default:
      return unreachable(expression, "expression");
  }
}

/** Whether a statement for which `wanted` holds is anywhere among `statements`, branches and loops included. */
export function containsStatement(
  statements: readonly Statement[],
  wanted: (statement: Statement) => boolean,
): boolean {
  return statements.some((s) =>
    wanted(s) ||
    (s.kind === "if" &&
      (containsStatement(s.then, wanted) || containsStatement(s.otherwise, wanted))) ||
    (s.kind === "loop" && containsStatement(s.body, wanted))
  );
}
