/**
 * The pure half of the operations interface: integers, conditions and vectors. Methods make nodes; the place
 * where a node is made is where it is computed if it is used more than once.
 */

import type {
  Bool,
  BoolOp,
  CompareOp,
  Expression,
  I64,
  IntegerOp,
  IntegerUnaryOp,
  Node,
  NodeOf,
  SimdOp,
  Statement,
  V128,
  ValueType,
  Width,
} from "./ir.ts";

/** Makes values; statements that define shared ones go to the list that is being written. */
export class ValueBuilder {
  protected statements: Statement[] = [];
  protected nodeCount = 0;
  readonly #constants = new Map<bigint, I64>();

  /** A constant; negative numbers are taken modulo 2^64. */
  const(value: number | bigint): I64 {
    const bits = BigInt.asUintN(64, BigInt(value));
    const known = this.#constants.get(bits);
    if (known) return known;
    const node = this.node<"i64">("i64", { op: "const", value: bits });
    this.#constants.set(bits, node);
    return node;
  }

  add(a: I64, b: I64): I64 {
    return this.#integer("add", a, b);
  }
  sub(a: I64, b: I64): I64 {
    return this.#integer("sub", a, b);
  }
  mul(a: I64, b: I64): I64 {
    return this.#integer("mul", a, b);
  }
  and(a: I64, b: I64): I64 {
    return this.#integer("and", a, b);
  }
  or(a: I64, b: I64): I64 {
    return this.#integer("or", a, b);
  }
  xor(a: I64, b: I64): I64 {
    return this.#integer("xor", a, b);
  }
  /** Shifts and rotations take their count modulo 64. */
  shl(a: I64, b: I64): I64 {
    return this.#integer("shl", a, b);
  }
  shr(a: I64, b: I64): I64 {
    return this.#integer("shr_u", a, b);
  }
  sar(a: I64, b: I64): I64 {
    return this.#integer("shr_s", a, b);
  }
  rotl(a: I64, b: I64): I64 {
    return this.#integer("rotl", a, b);
  }
  rotr(a: I64, b: I64): I64 {
    return this.#integer("rotr", a, b);
  }
  /** Division: the definition has ruled out a zero divisor and signed overflow. */
  divU(a: I64, b: I64): I64 {
    return this.#integer("div_u", a, b);
  }
  divS(a: I64, b: I64): I64 {
    return this.#integer("div_s", a, b);
  }
  remU(a: I64, b: I64): I64 {
    return this.#integer("rem_u", a, b);
  }
  remS(a: I64, b: I64): I64 {
    return this.#integer("rem_s", a, b);
  }
  /** The high 64 bits of the unsigned 128-bit product, from four 32-bit products. */
  mulHighU(a: I64, b: I64): I64 {
    const low32 = this.const(0xffffffff);
    const shift = this.const(32);
    const aLow = this.and(a, low32);
    const aHigh = this.shr(a, shift);
    const bLow = this.and(b, low32);
    const bHigh = this.shr(b, shift);
    const middle1 = this.add(this.mul(aHigh, bLow), this.shr(this.mul(aLow, bLow), shift));
    const middle2 = this.add(this.mul(aLow, bHigh), this.and(middle1, low32));
    return this.add(
      this.add(this.mul(aHigh, bHigh), this.shr(middle1, shift)),
      this.shr(middle2, shift),
    );
  }
  /** The high 64 bits of the signed 128-bit product. */
  mulHighS(a: I64, b: I64): I64 {
    const sign = this.const(63);
    return this.sub(
      this.sub(this.mulHighU(a, b), this.and(this.sar(a, sign), b)),
      this.and(this.sar(b, sign), a),
    );
  }
  not(a: I64): I64 {
    return this.xor(a, this.const(-1));
  }
  neg(a: I64): I64 {
    return this.sub(this.const(0), a);
  }
  clz(a: I64): I64 {
    return this.#unary("clz", a);
  }
  ctz(a: I64): I64 {
    return this.#unary("ctz", a);
  }
  popcnt(a: I64): I64 {
    return this.#unary("popcnt", a);
  }
  /** The low `width` bits, zero-extended. */
  zext(a: I64, width: Width): I64 {
    return width === 64 ? a : this.#unary(`zext${width}` as IntegerUnaryOp, a);
  }
  /** The low `width` bits, sign-extended to 64. */
  sext(a: I64, width: Width): I64 {
    return width === 64 ? a : this.#unary(`sext${width}` as IntegerUnaryOp, a);
  }

  eq(a: I64, b: I64): Bool {
    return this.#compare("eq", a, b);
  }
  ne(a: I64, b: I64): Bool {
    return this.#compare("ne", a, b);
  }
  ltU(a: I64, b: I64): Bool {
    return this.#compare("lt_u", a, b);
  }
  ltS(a: I64, b: I64): Bool {
    return this.#compare("lt_s", a, b);
  }
  leU(a: I64, b: I64): Bool {
    return this.#compare("le_u", a, b);
  }
  leS(a: I64, b: I64): Bool {
    return this.#compare("le_s", a, b);
  }
  isZero(a: I64): Bool {
    return this.eq(a, this.const(0));
  }
  isNonzero(a: I64): Bool {
    return this.ne(a, this.const(0));
  }
  /** Whether bit `n` (a number, or a value below 64) is set. */
  bit(a: I64, n: number | I64): Bool {
    const count = typeof n === "number" ? this.const(n) : n;
    return this.isNonzero(this.and(this.shr(a, count), this.const(1)));
  }
  bothOf(a: Bool, b: Bool): Bool {
    return this.#bool("and", a, b);
  }
  eitherOf(a: Bool, b: Bool): Bool {
    return this.#bool("or", a, b);
  }
  differ(a: Bool, b: Bool): Bool {
    return this.#bool("xor", a, b);
  }
  isNot(a: Bool): Bool {
    use(a);
    return this.node<"bool">("bool", { op: "not", a });
  }
  /** 1 or 0. */
  fromBool(a: Bool): I64 {
    use(a);
    return this.node<"i64">("i64", { op: "fromBool", a });
  }
  select<T extends "i64" | "v128">(condition: Bool, a: NodeOf<T>, b: NodeOf<T>): NodeOf<T> {
    use(condition, a, b);
    return this.node<T>(a.type, { op: "select", condition, a, b });
  }

  /** A vector operation by its WebAssembly name; integer lanes and counts are i64 values. */
  simd(simd: SimdOp, ...args: Node[]): V128 {
    use(...args);
    return this.node<"v128">("v128", { op: "simd", simd, args, lane: 0 });
  }
  /** A vector operation that gives an integer (`extract_lane`, `bitmask`, `any_true`, `all_true`). */
  simdToInteger(simd: SimdOp, a: V128, lane = 0): I64 {
    use(a);
    return this.node<"i64">("i64", { op: "simd", simd, args: [a], lane });
  }
  /** `replace_lane` of the given shape, for example `i16x8`. */
  replaceLane(shape: string, a: V128, lane: number, value: I64): V128 {
    use(a, value);
    return this.node<"v128">("v128", {
      op: "simd",
      simd: `${shape}.replace_lane`,
      args: [a, value],
      lane,
    });
  }
  vector(low: I64, high: I64): V128 {
    use(low, high);
    return this.node<"v128">("v128", { op: "makeVector", low, high });
  }
  vectorConst(low: number | bigint, high: number | bigint): V128 {
    return this.vector(this.const(low), this.const(high));
  }
  /** Bits 63..0, and bits 127..64. */
  low(a: V128): I64 {
    return this.simdToInteger("i64x2.extract_lane", a, 0);
  }
  high(a: V128): I64 {
    return this.simdToInteger("i64x2.extract_lane", a, 1);
  }

  // ---- internals ----

  protected node<T extends ValueType>(type: T, expression: Expression): NodeOf<T> {
    const node = { id: this.nodeCount++, type, uses: 0, expression };
    if (expression.op !== "const" && expression.op !== "result") {
      this.statements.push({ kind: "define", node });
    }
    return node;
  }

  #integer(integer: IntegerOp, a: I64, b: I64): I64 {
    use(a, b);
    return this.node<"i64">("i64", { op: "integer", integer, a, b });
  }

  #unary(unary: IntegerUnaryOp, a: I64): I64 {
    use(a);
    return this.node<"i64">("i64", { op: "unary", unary, a });
  }

  #compare(compare: CompareOp, a: I64, b: I64): Bool {
    use(a, b);
    return this.node<"bool">("bool", { op: "compare", compare, a, b });
  }

  #bool(bool: BoolOp, a: Bool, b: Bool): Bool {
    use(a, b);
    return this.node<"bool">("bool", { op: "bool", bool, a, b });
  }
}

/** Counts the mention of nodes by another node or a statement. */
export function use(...nodes: readonly Node[]): void {
  for (const node of nodes) node.uses++;
}
