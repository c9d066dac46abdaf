/** Source operands of x87 arithmetic and comparison: a stack register, a real or an integer in memory. */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, Width } from "../ir/ir.ts";
import { X87Source } from "../system/x87_calls.ts";
import { doubtFilled, type Parts, partsOf, partsOfInteger, widen } from "./x87_fast.ts";
import { physical, readRegister, type X87 } from "./x87_stack.ts";

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
export function readSource(o: Builder, operand: Operand, numbers: Numbers): Source {
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

/** A source for fast paths, and the doubt whether it is there. */
export function fastSource(o: Builder, x: X87, source: Source): FastOperand {
  const zero = o.const(0);
  switch (source.kind) {
    case X87Source.register:
      return fastRegister(o, x, physical(o, x, source.bits));
    case X87Source.integer16:
    case X87Source.integer32: {
      const value = o.sext(source.bits, source.width as Width);
      return { parts: partsOfInteger(o, value), doubt: zero };
    }
    case X87Source.binary32:
    case X87Source.binary64:
      return { parts: widen(o, source.bits, source.width as 32 | 64), doubt: zero };
    case X87Source.zero:
      return { parts: { sign: zero, exponent: zero, significand: zero }, doubt: zero };
  }
}

/** An operand of a fast path. */
export interface FastOperand {
  readonly parts: Parts;
  /** The register is empty. */
  readonly doubt: I64;
}

/** A register for fast paths. */
export function fastRegister(o: Builder, x: X87, register: I64): FastOperand {
  return { parts: partsOf(o, readRegister(o, register)), doubt: doubtFilled(o, x, register) };
}
