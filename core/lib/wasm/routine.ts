/**
 * WebAssembly functions written by hand: expressions over 64-bit integers instead of a stack machine.
 *
 * An expression is a function that pushes its value each time it is used; {@link Routine.let} computes one once.
 * A routine that gives up returns 0 at once, so that conditions are stated one after the other.
 */

import type { FunctionWriter } from "./writer.ts";

/** Pushes an i64. */
export type Value = (code: FunctionWriter) => void;
/** Pushes an i32 that is 0 or not. */
export type Condition = (code: FunctionWriter) => void;

function binary(op: string) {
  return (a: Value, b: Value): Value => (code) => {
    a(code);
    b(code);
    code.op(op);
  };
}

/** The integer `value`. */
export function constant(value: number | bigint): Value {
  return (code) => code.i64(BigInt(value));
}

export const add = binary("i64.add");
export const sub = binary("i64.sub");
export const mul = binary("i64.mul");
export const div = binary("i64.div_u");
export const and = binary("i64.and");
export const or = binary("i64.or");
export const xor = binary("i64.xor");
export const shl = binary("i64.shl");
export const shr = binary("i64.shr_u");
export const shrSigned = binary("i64.shr_s");
export const equal: (a: Value, b: Value) => Condition = binary("i64.eq");
export const differ: (a: Value, b: Value) => Condition = binary("i64.ne");
export const below: (a: Value, b: Value) => Condition = binary("i64.lt_u");
export const notAbove: (a: Value, b: Value) => Condition = binary("i64.le_u");
export const both: (a: Condition, b: Condition) => Condition = binary("i32.and");
export const either: (a: Condition, b: Condition) => Condition = binary("i32.or");
export const not = (a: Condition): Condition => (code) => {
  a(code);
  code.op("i32.eqz");
};

/** How many bits of a value are 1. */
export function ones(value: Value): Value {
  return (code) => {
    value(code);
    code.op("i64.popcnt");
  };
}

/** Bits [first + count - 1 .. first] of a value. */
export function bits(value: Value, first: number, count: number): Value {
  const shifted = first === 0 ? value : shr(value, constant(first));
  return and(shifted, constant((1n << BigInt(count)) - 1n));
}

/** Whether a value has any of the bits in `mask`. */
export function hasAny(value: Value, mask: number | bigint): Condition {
  return differ(and(value, constant(mask)), constant(0));
}

/** `a` where the condition holds, else `b`; both are computed. */
export function select(condition: Condition, a: Value, b: Value): Value {
  return (code) => {
    a(code);
    b(code);
    condition(code);
    code.op("select");
  };
}

/** Loads `width` bits at a linear offset, zero-extended. */
export function load(address: Value, width: 8 | 16 | 32 | 64, offset = 0): Value {
  const name = width === 64 ? "i64.load" : `i64.load${width}_u`;
  return (code) => {
    address(code);
    code.memory(name, offset);
  };
}

/** Copies 16 bytes between linear offsets. */
export function copy16(
  { code }: Routine,
  target: Value,
  source: Value,
  targetOffset: number,
  sourceOffset: number,
): void {
  target(code);
  source(code);
  code.memory("v128.load", sourceOffset);
  code.memory("v128.store", targetOffset);
}

/** A function of i32 parameters under construction that returns 1, or 0 where it gives up, unless `givingUp` ends it otherwise. */
export class Routine {
  constructor(readonly code: FunctionWriter, private readonly givingUp?: () => void) {}

  /** Parameter `index`, zero-extended. */
  parameter(index: number): Value {
    return this.let((code) => {
      code.get(index);
      code.op("i64.extend_i32_u");
    });
  }

  /** Parameter `index`, which is an i64. */
  wide(index: number): Value {
    return (code) => code.get(index);
  }

  /** Computes a value once. */
  let(value: Value): Value {
    const local = this.code.local("i64");
    value(this.code);
    this.code.set(local);
    return (code) => code.get(local);
  }

  /** Stores the low `width` bits of a value at a linear offset. */
  store(address: Value, width: 8 | 16 | 32 | 64, value: Value, offset = 0): void {
    address(this.code);
    value(this.code);
    this.code.memory(width === 64 ? "i64.store" : `i64.store${width}`, offset);
  }

  /** Copies `bytes` bytes between linear offsets, as if all were read first. */
  copy(target: Value, source: Value, bytes: Value): void {
    for (const push of [target, source, bytes]) push(this.code);
    this.code.bulk("memory.copy");
  }

  /** Stores the low byte of a value `bytes` times from a linear offset on. */
  fill(target: Value, byte: Value, bytes: Value): void {
    target(this.code);
    byte(this.code);
    this.code.op("i32.wrap_i64");
    bytes(this.code);
    this.code.bulk("memory.fill");
  }

  /** Returns 0, or ends as the routine's maker wants it. */
  giveUp(): void {
    if (this.givingUp) this.givingUp();
    else this.return(0);
  }

  /** Returns 0 if the condition holds. */
  giveUpIf(condition: Condition): void {
    const { code } = this;
    condition(code);
    code.block("if");
    this.giveUp();
    code.op("end");
  }

  giveUpUnless(condition: Condition): void {
    this.giveUpIf(not(condition));
  }

  /** Writes one of two pieces of code. */
  if(condition: Condition, then: () => void, otherwise?: () => void): void {
    const { code } = this;
    condition(code);
    code.block("if");
    then();
    if (otherwise) {
      code.op("else");
      otherwise();
    }
    code.op("end");
  }

  /** A value that {@link set} changes. */
  variable(initial: Value): { readonly value: Value; set(value: Value): void } {
    const { code } = this;
    const local = code.local("i64");
    initial(code);
    code.set(local);
    return {
      value: (writer) => writer.get(local),
      set: (value) => {
        value(code);
        code.set(local);
      },
    };
  }

  /** Writes code that {@link leave}, called within it, goes to the end of. `depth` counts what was opened since. */
  block(body: (leave: (depth: number) => void) => void): void {
    const { code } = this;
    code.block("block");
    body((depth) => code.branch(depth));
    code.op("end");
  }

  /** Repeats `body` while the condition holds. */
  while(condition: Condition, body: () => void): void {
    const { code } = this;
    code.block("block");
    code.block("loop");
    not(condition)(code);
    code.branchIf(1);
    body();
    code.branch(0);
    code.op("end");
    code.op("end");
  }

  /** Returns a small number. */
  return(result: number): void {
    this.code.i32(result);
    this.code.op("return");
  }

  /** Ends the function with the low half of a value. */
  result(value: Value): void {
    value(this.code);
    this.code.op("i32.wrap_i64");
  }

  /** Ends the function with success. */
  done(): void {
    this.code.i32(1);
  }
}
