/**
 * The operations interface: what definitions of instructions are written with.
 *
 * Methods build a program (see ir.ts); none of them computes anything. A definition may use the
 * *form* (`o.width`, `o.form`) to decide which operations it uses, and values only through operations.
 *
 * Order rule: a definition lets every operation that can fault (load, store, raise, system) happen
 * before it changes architectural state; a store may come before register writes, never after.
 */

import { invariant } from "../../lib/assert.ts";
import {
  type FieldName,
  GENERAL_REGISTERS,
  type GeneralRegister,
  type NarrowField,
  offsetOf,
  STATE_FIELDS,
} from "../state/layout.ts";
import type { Form } from "./form.ts";
import type {
  AccessWidth,
  Bool,
  BoolOp,
  CompareOp,
  Expression,
  I64,
  IntegerOp,
  IntegerUnaryOp,
  Node,
  NodeOf,
  Place,
  PlaceWidth,
  Program,
  SegmentRef,
  SimdOp,
  Statement,
  V128,
  ValueType,
  Variable,
  Width,
} from "./ir.ts";

/** An operand of the instruction being defined: a handle, not a value. */
export interface Operand {
  readonly slot: number;
}

/** Which system functions exist and which of them end a block; a port to `system/`. */
export type SystemCatalogue = (name: string) => { readonly endsBlock: boolean } | undefined;

/** Builds the program of one form. */
export class Builder {
  #statements: Statement[] = [];
  readonly #variables: Variable[] = [];
  #nodes = 0;
  #endsBlock = false;
  readonly #addresses = new Map<number, I64>();
  readonly #constants = new Map<bigint, I64>();

  constructor(readonly form: Form, private readonly catalogue: SystemCatalogue) {}

  /** The operand size in bits. */
  get width(): Width {
    return this.form.width;
  }

  /** The finished program. */
  program(): Program {
    return {
      statements: withoutSingleUses(this.#statements),
      variables: this.#variables,
      nodeCount: this.#nodes,
      endsBlock: this.#endsBlock,
    };
  }

  // ---- values ----

  /** A constant; negative numbers are taken modulo 2^64. */
  const(value: number | bigint): I64 {
    const bits = BigInt.asUintN(64, BigInt(value));
    const known = this.#constants.get(bits);
    if (known) return known;
    const node = this.#node<"i64">("i64", { op: "const", value: bits });
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
    return this.#node<"bool">("bool", { op: "not", a });
  }
  /** 1 or 0. */
  fromBool(a: Bool): I64 {
    use(a);
    return this.#node<"i64">("i64", { op: "fromBool", a });
  }
  select<T extends "i64" | "v128">(condition: Bool, a: NodeOf<T>, b: NodeOf<T>): NodeOf<T> {
    use(condition, a, b);
    return this.#node<T>(a.type, { op: "select", condition, a, b });
  }

  /** A vector operation by its WebAssembly name; integer lanes and counts are i64 values. */
  simd(simd: SimdOp, ...args: Node[]): V128 {
    use(...args);
    return this.#node<"v128">("v128", { op: "simd", simd, args, lane: 0 });
  }
  /** A vector operation that gives an integer (`extract_lane`, `bitmask`, `any_true`, `all_true`). */
  simdToInteger(simd: SimdOp, a: V128, lane = 0): I64 {
    use(a);
    return this.#node<"i64">("i64", { op: "simd", simd, args: [a], lane });
  }
  /** `replace_lane` of the given shape, for example `i16x8`. */
  replaceLane(shape: string, a: V128, lane: number, value: I64): V128 {
    use(a, value);
    return this.#node<"v128">("v128", {
      op: "simd",
      simd: `${shape}.replace_lane`,
      args: [a, value],
      lane,
    });
  }
  vector(low: I64, high: I64): V128 {
    use(low, high);
    return this.#node<"v128">("v128", { op: "makeVector", low, high });
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

  // ---- CPU state ----

  /** A general register, zero-extended; `width` 8 is the low byte. */
  register(name: GeneralRegister, width: Width = 64): I64 {
    return this.#read<"i64">({ kind: "fixed", offset: offsetOf(name) }, width);
  }
  /** Writes a general register: 32 bits zero-extend to 64, 8 and 16 leave the rest. */
  setRegister(name: GeneralRegister, width: Width, value: I64): void {
    this.#writeRegister({ kind: "fixed", offset: offsetOf(name) }, width, value);
  }
  /** Any 64- or 32-bit field of the state, zero-extended. */
  field(name: FieldName): I64 {
    return this.#read<"i64">(place(name), fieldWidth(name));
  }
  setField(name: FieldName, value: I64): void {
    this.#write(place(name), fieldWidth(name), value);
  }
  /** A 128-bit field. */
  vectorField(name: FieldName): V128 {
    return this.#read<"v128">(place(name), 128);
  }
  setVectorField(name: FieldName, value: V128): void {
    this.#write(place(name), 128, value);
  }
  /** Physical x87 register `index` (0..7): its 16 bytes. */
  fpr(index: I64): V128 {
    use(index);
    return this.#read<"v128">({ kind: "indexed", base: offsetOf("fpr"), index }, 128);
  }
  setFpr(index: I64, value: V128): void {
    use(index);
    this.#write({ kind: "indexed", base: offsetOf("fpr"), index }, 128, value);
  }
  /** Bits 63..0 of physical x87 register `index`. */
  fprSignificand(index: I64): I64 {
    use(index);
    return this.#read<"i64">({ kind: "indexed", base: offsetOf("fpr"), index }, 64);
  }
  /** Sign (bit 15) and biased exponent of physical x87 register `index`. */
  fprSignExponent(index: I64): I64 {
    use(index);
    return this.#read<"i64">({ kind: "indexed", base: offsetOf("fpr") + 8, index }, 16);
  }
  /** Writes both parts of physical x87 register `index`; `signExponent` has 16 bits. */
  setFprParts(index: I64, significand: I64, signExponent: I64): void {
    use(index);
    this.#write({ kind: "indexed", base: offsetOf("fpr"), index }, 64, significand);
    use(index);
    this.#write({ kind: "indexed", base: offsetOf("fpr") + 8, index }, 64, signExponent);
  }

  // ---- operands ----

  /** What the form says of an operand. */
  operandForm(operand: Operand): Form["operands"][number] {
    return this.form.operands[operand.slot];
  }
  /** An operand's width in bits; of memory operands without an access, 0. */
  widthOf(operand: Operand): number {
    return this.operandForm(operand).width;
  }
  isMemory(operand: Operand): boolean {
    return this.operandForm(operand).kind === "memory";
  }

  /** Reads an integer operand, zero-extended to 64 bits. */
  read(operand: Operand): I64 {
    return this.#readOperand(operand, false);
  }
  /** Reads an integer operand that will be written: a memory operand faults here if it is not writable. */
  readForWrite(operand: Operand): I64 {
    return this.#readOperand(operand, true);
  }
  /** Writes an integer operand; excess bits of `value` are ignored. */
  write(operand: Operand, value: I64): void {
    const form = this.operandForm(operand);
    const width = form.width as Width;
    if (form.kind === "register") {
      this.#writeRegister({ kind: "operand", slot: operand.slot }, width, value);
    } else {
      invariant(form.kind === "memory", `operand ${operand.slot} cannot be written`);
      this.store("operand", this.address(operand), width, value);
    }
  }
  /** Reads an XMM register, or zero-extended to 128 bits: an MMX register, `width` bits of memory. */
  readVector(operand: Operand): V128 {
    const form = this.operandForm(operand);
    if (form.kind === "register") {
      const place: Place = { kind: "operand", slot: operand.slot };
      if (form.width === 128) return this.#read<"v128">(place, 128);
      return this.vector(this.#read<"i64">(place, 64), this.const(0));
    }
    const width = form.width as AccessWidth;
    const loaded = this.loadAny("operand", this.address(operand), width, false);
    return width === 128 ? loaded as V128 : this.vector(loaded as I64, this.const(0));
  }
  /**
   * Writes an XMM register, an MMX register (and ones to the sign and exponent above it), or as many bits of
   * memory as the operand has.
   */
  writeVector(operand: Operand, value: V128): void {
    const form = this.operandForm(operand);
    if (form.kind === "register") {
      const bits = form.width === 128 ? value : this.vector(this.low(value), this.const(0xffff));
      this.#write({ kind: "operand", slot: operand.slot }, 128, bits);
    } else if (form.width === 128) this.store("operand", this.address(operand), 128, value);
    else this.store("operand", this.address(operand), form.width as Width, this.low(value));
  }
  /** The offset of a memory operand within its segment (what LEA gives). */
  address(operand: Operand): I64 {
    const known = this.#addresses.get(operand.slot);
    if (known) return known;
    const result = this.#node<"i64">("i64", { op: "result" });
    this.#statements.push({ kind: "address", result });
    // An address computed in a branch is not known after it.
    if (this.#depth === 0) this.#addresses.set(operand.slot, result);
    return result;
  }
  /** The number of the segment register that the memory operand uses, for system functions. */
  operandSegment(): I64 {
    const result = this.#node<"i64">("i64", { op: "result" });
    this.#statements.push({ kind: "operandSegment", result });
    return result;
  }
  /** The second immediate (ENTER's level, a far pointer's selector). */
  immediate2(): I64 {
    const result = this.#node<"i64">("i64", { op: "result" });
    this.#statements.push({ kind: "immediate", field: "immediate2", result });
    return result;
  }

  // ---- memory ----

  /** Loads `width` bits from an offset in a segment, zero-extended. */
  load(segment: SegmentRef, offset: I64, width: Width, stack = false): I64 {
    return this.loadAny(segment, offset, width, false, stack) as I64;
  }
  loadForWrite(segment: SegmentRef, offset: I64, width: Width, stack = false): I64 {
    return this.loadAny(segment, offset, width, true, stack) as I64;
  }
  loadVector(segment: SegmentRef, offset: I64): V128 {
    return this.loadAny(segment, offset, 128, false) as V128;
  }
  store(segment: SegmentRef, offset: I64, width: AccessWidth, value: Node, stack = false): void {
    use(offset, value);
    this.#statements.push({ kind: "store", segment, offset, width, stack, value });
  }

  // ---- control ----

  /** A mutable local with an initial value. */
  variable<T extends ValueType>(initial: NodeOf<T>): Variable<T> {
    const variable: Variable<T> = { index: this.#variables.length, type: initial.type };
    this.#variables.push(variable);
    this.set(variable, initial);
    return variable;
  }
  get<T extends ValueType>(variable: Variable<T>): NodeOf<T> {
    const result = this.#node<T>(variable.type, { op: "result" });
    this.#statements.push({ kind: "getVariable", variable, result });
    return result;
  }
  set<T extends ValueType>(variable: Variable<T>, value: NodeOf<T>): void {
    use(value);
    this.#statements.push({ kind: "setVariable", variable, value });
  }
  /** Runs one of two branches. */
  if(condition: Bool, then: () => void, otherwise: () => void = () => {}): void {
    use(condition);
    this.#statements.push({
      kind: "if",
      condition,
      then: this.#branch(then),
      otherwise: this.#branch(otherwise),
    });
  }
  /** Runs `body`, and again as long as the condition that it returns holds. The bound is the definition's duty. */
  loop(body: () => Bool): void {
    let condition!: Bool;
    const statements = this.#branch(() => {
      condition = body();
      use(condition);
    });
    this.#statements.push({ kind: "loop", body: statements, condition });
  }
  /** Raises an exception; nothing after it in this branch happens. */
  raise(vector: number, errorCode = -1): void {
    this.#statements.push({ kind: "raise", vector, errorCode });
  }
  /** Raises unless CPL is 0. */
  privileged(): void {
    this.if(this.isNonzero(this.field("cpl")), () => this.raise(13, 0));
  }
  /** Calls a system function with up to four arguments; returns the low 64 bits of its result. */
  system(name: string, ...args: Node[]): I64 {
    return this.#system("i64", name, args) as I64;
  }
  systemVector(name: string, ...args: Node[]): V128 {
    return this.#system("v128", name, args) as V128;
  }
  /** Offset of this instruction, and of the one that follows it. */
  currentIp(): I64 {
    return this.#ip("current");
  }
  nextIp(): I64 {
    return this.#ip("next");
  }
  /** Continues at a computed offset; checks the code segment's limit, or in 64-bit mode the canonical form. */
  jump(target: I64): void {
    const masked = this.zext(target, this.width === 8 ? 32 : this.width);
    this.checkTarget(masked);
    this.continueAt(masked);
  }
  /** Continues at the following instruction plus the displacement operand (near relative branches). */
  jumpRelative(operand: Operand): void {
    const target = this.relativeTarget(operand);
    this.checkTarget(target);
    this.continueAt(target, true);
  }
  /** Raises #GP(0) if a target, truncated to the operand size, lies beyond the limit or is not canonical. */
  checkTarget(target: I64): void {
    const bad = this.form.long
      ? this.ne(this.sar(this.shl(target, this.const(16)), this.const(16)), target)
      : this.ltU(this.field("codeLast"), target);
    this.if(bad, () => this.raise(13, 0));
  }
  /** Continues at a checked target; nothing after it in this branch happens. `direct`: it is a relative one. */
  continueAt(target: I64, direct = false): void {
    this.#jump(target, direct);
  }
  /** The target of a near relative branch, truncated to the operand size. */
  relativeTarget(operand: Operand): I64 {
    return this.zext(
      this.add(this.nextIp(), this.read(operand)),
      this.width === 8 ? 32 : this.width,
    );
  }
  /** Retires one iteration and executes the instruction again; nothing after it in this branch happens. */
  repeat(): void {
    this.#statements.push({ kind: "repeat" });
  }
  /** Counts further retired iterations. */
  retire(extra: I64): void {
    use(extra);
    this.#statements.push({ kind: "retire", extra });
  }
  /** Instructions that may still retire, this one included (at least 1). */
  budget(): I64 {
    const result = this.#node<"i64">("i64", { op: "result" });
    this.#statements.push({ kind: "budget", result });
    return result;
  }
  /** Whether fast paths may be taken; false in the reference, where only the plain twin runs. */
  fastPaths(): Bool {
    return this.isNonzero(this.field("fastPaths"));
  }

  // ---- internals ----

  #depth = 0;

  #branch(body: () => void): Statement[] {
    const outer = this.#statements;
    const inner: Statement[] = [];
    this.#statements = inner;
    this.#depth++;
    body();
    this.#depth--;
    this.#statements = outer;
    return inner;
  }

  #node<T extends ValueType>(type: T, expression: Expression): NodeOf<T> {
    const node = { id: this.#nodes++, type, uses: 0, expression };
    if (expression.op !== "const" && expression.op !== "result") {
      this.#statements.push({ kind: "define", node });
    }
    return node;
  }

  #integer(integer: IntegerOp, a: I64, b: I64): I64 {
    use(a, b);
    return this.#node<"i64">("i64", { op: "integer", integer, a, b });
  }

  #unary(unary: IntegerUnaryOp, a: I64): I64 {
    use(a);
    return this.#node<"i64">("i64", { op: "unary", unary, a });
  }

  #compare(compare: CompareOp, a: I64, b: I64): Bool {
    use(a, b);
    return this.#node<"bool">("bool", { op: "compare", compare, a, b });
  }

  #bool(bool: BoolOp, a: Bool, b: Bool): Bool {
    use(a, b);
    return this.#node<"bool">("bool", { op: "bool", bool, a, b });
  }

  #read<T extends ValueType>(from: Place, width: PlaceWidth): NodeOf<T> {
    const result = this.#node<T>((width === 128 ? "v128" : "i64") as T, { op: "result" });
    this.#statements.push({ kind: "read", place: from, width, result });
    return result;
  }

  #write(to: Place, width: PlaceWidth, value: Node): void {
    use(value);
    this.#statements.push({ kind: "write", place: to, width, value });
  }

  #writeRegister(to: Place, width: Width, value: I64): void {
    if (width === 32) this.#write(to, 64, this.zext(value, 32));
    else this.#write(to, width, value);
  }

  #readOperand(operand: Operand, forWrite: boolean): I64 {
    const form = this.operandForm(operand);
    switch (form.kind) {
      case "register":
        return this.#read<"i64">({ kind: "operand", slot: operand.slot }, form.width as Width);
      case "memory":
        return this.loadAny("operand", this.address(operand), form.width as Width, forWrite) as I64;
      case "constant":
        return this.const(form.value);
      case "immediate": {
        const result = this.#node<"i64">("i64", { op: "result" });
        this.#statements.push({ kind: "immediate", field: "immediate", result });
        return result;
      }
    }
  }

  private loadAny(
    segment: SegmentRef,
    offset: I64,
    width: AccessWidth,
    forWrite: boolean,
    stack = false,
  ): Node {
    use(offset);
    const result = this.#node(width === 128 ? "v128" : "i64", { op: "result" });
    this.#statements.push({ kind: "load", segment, offset, width, forWrite, stack, result });
    return result;
  }

  #system(type: "i64" | "v128", name: string, args: Node[]): Node {
    const entry = this.catalogue(name);
    invariant(entry, `no system function is named ${name}`);
    invariant(args.length <= 4, `system function ${name} has more than four arguments`);
    use(...args);
    const result = this.#node(type, { op: "result" });
    this.#endsBlock ||= entry.endsBlock;
    this.#statements.push({ kind: "system", name, args, endsBlock: entry.endsBlock, result });
    return result;
  }

  #ip(which: "current" | "next"): I64 {
    const result = this.#node<"i64">("i64", { op: "result" });
    this.#statements.push({ kind: "ip", which, result });
    return result;
  }

  #jump(target: I64, direct: boolean): void {
    use(target);
    this.#endsBlock = true;
    this.#statements.push({ kind: "jump", target, direct });
  }
}

/** Drops definitions of values that are used once (they are computed in place) or never. */
function withoutSingleUses(statements: readonly Statement[]): Statement[] {
  return statements
    .filter((statement) => statement.kind !== "define" || statement.node.uses > 1)
    .map((statement) => {
      switch (statement.kind) {
        case "if":
          return {
            ...statement,
            then: withoutSingleUses(statement.then),
            otherwise: withoutSingleUses(statement.otherwise),
          };
        case "loop":
          return { ...statement, body: withoutSingleUses(statement.body) };
        default:
          return statement;
      }
    });
}

function use(...nodes: readonly Node[]): void {
  for (const node of nodes) node.uses++;
}

function place(name: FieldName): Place {
  return { kind: "fixed", offset: offsetOf(name) };
}

function fieldWidth(name: FieldName): Width {
  const type = STATE_FIELDS.get(name)!.type;
  invariant(type !== "v128", `${name} is a vector field`);
  return type === "u32" ? 32 : 64;
}

/** Narrow fields and general registers, re-exported for definitions. */
export { GENERAL_REGISTERS, type GeneralRegister, type NarrowField };
