/** From pure values of a program to WebAssembly: the part of lowering that every generator shares. */

import { invariant, unreachable } from "../../lib/assert.ts";
import type { WasmType } from "../../lib/wasm/opcodes.ts";
import { SIMD_LANE } from "../../lib/wasm/opcodes.ts";
import type { FunctionWriter } from "../../lib/wasm/writer.ts";
import { type Expression, inputsOf, type Node, type ValueType, type Variable } from "../ir/ir.ts";

const WASM_TYPES: Record<ValueType, WasmType> = { i64: "i64", bool: "i32", v128: "v128" };

const COMPARE = {
  eq: "i64.eq",
  ne: "i64.ne",
  lt_u: "i64.lt_u",
  lt_s: "i64.lt_s",
  le_u: "i64.le_u",
  le_s: "i64.le_s",
} as const;

/** Values of one program within one function: which locals hold them, and code that computes them. */
export class ExpressionWriter {
  readonly #locals = new Map<number, number>();
  readonly #variables = new Map<number, number>();

  /** `newLocal` gives the locals that values are kept in. */
  constructor(
    readonly code: FunctionWriter,
    private readonly newLocal: (type: WasmType) => number = (type) => code.local(type),
  ) {}

  /** Pushes the value of `node`. */
  push(node: Node): void {
    const local = this.#locals.get(node.id);
    if (local !== undefined) this.code.get(local);
    else this.#expand(node.expression);
  }

  /** Pops the value of `node` into a local of its own. */
  keep(node: Node): void {
    const local = this.newLocal(WASM_TYPES[node.type]);
    this.#locals.set(node.id, local);
    this.code.set(local);
  }

  /** Computes a pure value into a local. */
  define(node: Node): void {
    this.#expand(node.expression);
    this.keep(node);
  }

  /** The local that holds a value; constants and values in place get a new one. */
  localOf(node: Node): number {
    const known = this.#locals.get(node.id);
    if (known !== undefined) return known;
    const local = this.newLocal(WASM_TYPES[node.type]);
    this.push(node);
    this.code.set(local);
    return local;
  }

  /** Adds the locals that pushing `node` would read to `into`. */
  localsIn(node: Node, into: Set<number>): void {
    const known = this.#locals.get(node.id);
    if (known !== undefined) into.add(known);
    else for (const input of inputsOf(node.expression)) this.localsIn(input, into);
  }

  /** The local of a program's variable. */
  variable(variable: Variable): number {
    let local = this.#variables.get(variable.index);
    if (local === undefined) {
      local = this.newLocal(WASM_TYPES[variable.type]);
      this.#variables.set(variable.index, local);
    }
    return local;
  }

  #expand(expression: Expression): void {
    const { code } = this;
    switch (expression.op) {
      case "const":
        return code.i64(expression.value);
      case "integer":
        this.push(expression.a);
        this.push(expression.b);
        return code.op(`i64.${expression.integer}`);
      case "unary":
        this.push(expression.a);
        return this.#unary(expression.unary);
      case "compare":
        this.push(expression.a);
        this.push(expression.b);
        return code.op(COMPARE[expression.compare]);
      case "bool":
        this.push(expression.a);
        this.push(expression.b);
        return code.op(`i32.${expression.bool}`);
      case "not":
        this.push(expression.a);
        return code.op("i32.eqz");
      case "fromBool":
        this.push(expression.a);
        return code.op("i64.extend_i32_u");
      case "select":
        return this.#select(expression);
      case "makeVector":
        this.push(expression.low);
        code.op("i64x2.splat");
        this.push(expression.high);
        return code.lane("i64x2.replace_lane", 1);
      case "simd":
        return this.#simd(expression);
      case "result":
        throw invariant(false, "a value is used before the statement that gives it");
      default:
        return unreachable(expression, "expression");
    }
  }

  #unary(unary: string): void {
    const { code } = this;
    switch (unary) {
      case "zext8":
        code.i64(0xffn);
        return code.op("i64.and");
      case "zext16":
        code.i64(0xffffn);
        return code.op("i64.and");
      case "zext32":
        code.op("i32.wrap_i64");
        return code.op("i64.extend_i32_u");
      case "sext8":
        return code.op("i64.extend8_s");
      case "sext16":
        return code.op("i64.extend16_s");
      case "sext32":
        return code.op("i64.extend32_s");
      default:
        return code.op(`i64.${unary}`);
    }
  }

  /** Vectors need the typed form of select, so they go through a branch. */
  #select(expression: Extract<Expression, { op: "select" }>): void {
    const { code } = this;
    if (expression.a.type === "v128") {
      this.push(expression.condition);
      code.block("if", "v128");
      this.push(expression.a);
      code.op("else");
      this.push(expression.b);
      code.op("end");
      return;
    }
    this.push(expression.a);
    this.push(expression.b);
    this.push(expression.condition);
    code.op("select");
  }

  #simd({ simd, args, lane }: Extract<Expression, { op: "simd" }>): void {
    const { code } = this;
    const [shape, operation] = simd.split(".");
    const narrow = shape === "i8x16" || shape === "i16x8" || shape === "i32x4";
    args.forEach((arg) => {
      this.push(arg);
      const isCount = arg.type === "i64" && /^sh[lr]/.test(operation);
      if (arg.type === "i64" && (isCount || narrow)) code.op("i32.wrap_i64");
    });
    if (simd in SIMD_LANE) code.lane(simd, lane);
    else code.op(simd);
    if (/^(bitmask|any_true|all_true)$/.test(operation)) code.op("i64.extend_i32_u");
    else if (operation.startsWith("extract_lane") && narrow) {
      code.op(operation.endsWith("_s") ? "i64.extend_i32_s" : "i64.extend_i32_u");
    }
  }
}
