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
  I64,
  Node,
  NodeOf,
  Place,
  PlaceWidth,
  Program,
  SegmentRef,
  Statement,
  V128,
  ValueType,
  Variable,
  Width,
} from "./ir.ts";
import { use, ValueBuilder } from "./values.ts";

/** An operand of the instruction being defined: a handle, not a value. */
export interface Operand {
  readonly slot: number;
}

/** Which system functions exist and which of them end a block; a port to `system/`. */
export type SystemCatalogue = (name: string) => { readonly endsBlock: boolean } | undefined;

/** Builds the program of one form. */
export class Builder extends ValueBuilder {
  readonly #variables: Variable[] = [];
  #endsBlock = false;
  readonly #addresses = new Map<number, I64>();

  constructor(readonly form: Form, private readonly catalogue: SystemCatalogue) {
    super();
  }

  /** The operand size in bits. */
  get width(): Width {
    return this.form.width;
  }

  /** The finished program. */
  program(): Program {
    return {
      statements: withoutSingleUses(this.statements),
      variables: this.#variables,
      nodeCount: this.nodeCount,
      endsBlock: this.#endsBlock,
    };
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
    const result = this.node<"i64">("i64", { op: "result" });
    this.statements.push({ kind: "address", result });
    // An address computed in a branch is not known after it.
    if (this.#depth === 0) this.#addresses.set(operand.slot, result);
    return result;
  }
  /** The number of the segment register that the memory operand uses, for system functions. */
  operandSegment(): I64 {
    const result = this.node<"i64">("i64", { op: "result" });
    this.statements.push({ kind: "operandSegment", result });
    return result;
  }
  /** The second immediate (ENTER's level, a far pointer's selector). */
  immediate2(): I64 {
    const result = this.node<"i64">("i64", { op: "result" });
    this.statements.push({ kind: "immediate", field: "immediate2", result });
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
    this.statements.push({ kind: "store", segment, offset, width, stack, value });
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
    const result = this.node<T>(variable.type, { op: "result" });
    this.statements.push({ kind: "getVariable", variable, result });
    return result;
  }
  set<T extends ValueType>(variable: Variable<T>, value: NodeOf<T>): void {
    use(value);
    this.statements.push({ kind: "setVariable", variable, value });
  }
  /** Runs one of two branches. */
  if(condition: Bool, then: () => void, otherwise: () => void = () => {}): void {
    use(condition);
    this.statements.push({
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
    this.statements.push({ kind: "loop", body: statements, condition });
  }
  /** Raises an exception; nothing after it in this branch happens. */
  raise(vector: number, errorCode = -1): void {
    this.statements.push({ kind: "raise", vector, errorCode });
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
    use(bad);
    const then = this.#branch(() => this.raise(13, 0));
    this.statements.push({ kind: "if", condition: bad, then, otherwise: [], checksTarget: true });
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
    this.statements.push({ kind: "repeat" });
  }
  /** Counts `extra` further cycles: iterations done at once, or what the instruction costs beyond one cycle. */
  retire(extra: I64): void {
    use(extra);
    this.statements.push({ kind: "retire", extra });
  }
  /** Cycles left in the budget, this instruction's own included (at least 1). */
  budget(): I64 {
    const result = this.node<"i64">("i64", { op: "result" });
    this.statements.push({ kind: "budget", result });
    return result;
  }
  /** Whether fast paths may be taken; false in the reference, where only the plain twin runs. */
  fastPaths(): Bool {
    return this.isNonzero(this.field("fastPaths"));
  }

  // ---- internals ----

  #depth = 0;

  #branch(body: () => void): Statement[] {
    const outer = this.statements;
    const inner: Statement[] = [];
    this.statements = inner;
    this.#depth++;
    body();
    this.#depth--;
    this.statements = outer;
    return inner;
  }

  #read<T extends ValueType>(from: Place, width: PlaceWidth): NodeOf<T> {
    const result = this.node<T>((width === 128 ? "v128" : "i64") as T, { op: "result" });
    this.statements.push({ kind: "read", place: from, width, result });
    return result;
  }

  #write(to: Place, width: PlaceWidth, value: Node): void {
    use(value);
    this.statements.push({ kind: "write", place: to, width, value });
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
        const result = this.node<"i64">("i64", { op: "result" });
        this.statements.push({ kind: "immediate", field: "immediate", result });
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
    const result = this.node(width === 128 ? "v128" : "i64", { op: "result" });
    this.statements.push({ kind: "load", segment, offset, width, forWrite, stack, result });
    return result;
  }

  #system(type: "i64" | "v128", name: string, args: Node[]): Node {
    const entry = this.catalogue(name);
    invariant(entry, `no system function is named ${name}`);
    invariant(args.length <= 4, `system function ${name} has more than four arguments`);
    use(...args);
    const result = this.node(type, { op: "result" });
    this.#endsBlock ||= entry.endsBlock;
    this.statements.push({ kind: "system", name, args, endsBlock: entry.endsBlock, result });
    return result;
  }

  #ip(which: "current" | "next"): I64 {
    const result = this.node<"i64">("i64", { op: "result" });
    this.statements.push({ kind: "ip", which, result });
    return result;
  }

  #jump(target: I64, direct: boolean): void {
    use(target);
    this.#endsBlock = true;
    this.statements.push({ kind: "jump", target, direct });
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
