/** Source operands of x87 arithmetic and comparison: a stack register, a real or an integer in memory. */

import type { Builder, Operand as InstructionOperand } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import { X87Source } from "../system/x87_calls.ts";
import { comparableOf, integerOperand, type Operand, operandOf, widen } from "./x87_fast.ts";
import { isEmpty, physical, readRegister, type X87 } from "./x87_stack.ts";

/** What numbers memory operands hold. */
export type Numbers = "real" | "integer";

/** A source: a memory operand's bits, or a register's number, and what it is. */
export interface Source {
  readonly kind: (typeof X87Source)[keyof typeof X87Source];
  readonly bits: I64;
  /** The offset of a memory operand, else 0. */
  readonly address: I64;
  readonly width: number;
}

/** Reads a source operand, which may fault. */
export function readSource(o: Builder, operand: InstructionOperand, numbers: Numbers): Source {
  const bits = o.read(operand);
  if (!o.isMemory(operand)) {
    return { kind: X87Source.register, bits, address: o.const(0), width: 80 };
  }
  const width = o.widthOf(operand);
  const isInteger = numbers === "integer";
  const kind = isInteger
    ? (width === 16 ? X87Source.integer16 : X87Source.integer32)
    : (width === 32 ? X87Source.binary32 : X87Source.binary64);
  return { kind, bits, address: o.address(operand), width };
}

/** A source for fast paths. `isOrdinary` is false for an empty register too. */
export function fastSource(o: Builder, x: X87, source: Source, compares = false): Operand {
  switch (source.kind) {
    case X87Source.register:
      return fastRegister(o, x, physical(o, x, source.bits), compares);
    case X87Source.integer16:
    case X87Source.integer32:
      return integerOperand(o, o.sext(source.bits, source.width as Width));
    case X87Source.binary32:
    case X87Source.binary64:
      return widen(o, source.bits, source.width as 32 | 64);
    case X87Source.zero: {
      const zero = o.const(0);
      return { sign: zero, exponent: zero, significand: zero, isOrdinary: always(o) };
    }
  }
}

/** A register for fast paths. `isOrdinary` is false if it is empty. */
export function fastRegister(o: Builder, x: X87, register: I64, compares = false): Operand {
  const value = readRegister(o, register);
  const operand = compares ? comparableOf(o, value) : operandOf(o, value);
  const isOrdinary = o.bothOf(operand.isOrdinary, o.isNot(isEmpty(o, x, register)));
  return { ...operand, isOrdinary };
}

function always(o: Builder): Bool {
  return o.isZero(o.const(0));
}
