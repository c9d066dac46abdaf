/**
 * What MMX and SSE instructions share: the traps of their unit, alignment of memory operands, and the x87 state
 * that the use of MMX registers leaves behind.
 *
 * Most integer instructions have an MMX and an XMM form that one definition describes: it computes on 128 bits, of
 * which an MMX register is the low half.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, V128 } from "../ir/ir.ts";
import { Exception } from "../state/bits.ts";
import { requireUnit } from "./definition.ts";
import { openX87 } from "./x87_stack.ts";

/** Whether a register operand that is no general register is an MMX register. */
export function isMmx(o: Builder, register: Operand): boolean {
  return o.widthOf(register) === 64;
}

/** Raises what stands in the way of an instruction on `register`, an MMX or XMM register. */
export function beginVector(o: Builder, register: Operand): void {
  if (isMmx(o, register)) beginMmx(o);
  else requireUnit(o, "sse");
}

/** Raises what stands in the way of an MMX instruction: #UD, #NM, or #MF for a pending x87 exception. */
export function beginMmx(o: Builder): void {
  requireUnit(o, "mmx");
  reportPendingX87(o);
}

/**
 * Raises #MF for a pending x87 exception, as instructions on MMX registers do (SDM vol. 1, "Interfacing MMX
 * Instructions with x87 Exceptions").
 */
export function reportPendingX87(o: Builder): void {
  openX87(o);
}

/** Marks all x87 registers as valid, after everything that can fault (SDM vol. 1, "MMX State and the x87 Tag Word"). */
export function enterMmx(o: Builder): void {
  o.setField("fpuTop", o.const(0));
  o.setField("fpuTags", o.const(0));
}

/** Writes an MMX or XMM register as the result of an instruction on it. */
export function writeRegister(o: Builder, register: Operand, value: V128): void {
  o.writeVector(register, value);
  if (isMmx(o, register)) enterMmx(o);
}

/** Reads a register or memory operand; 128 bits of memory must be aligned. */
export function readAligned(o: Builder, operand: Operand): V128 {
  requireAligned(o, operand);
  return o.readVector(operand);
}

/** Writes a register or memory operand; 128 bits of memory must be aligned. */
export function writeAligned(o: Builder, operand: Operand, value: V128): void {
  requireAligned(o, operand);
  o.writeVector(operand, value);
}

/** Raises #GP(0) if a 128-bit memory operand is not aligned to 16 bytes. */
export function requireAligned(o: Builder, operand: Operand): void {
  if (!o.isMemory(operand) || o.widthOf(operand) !== 128) return;
  const linear = o.add(o.address(operand), operandBase(o));
  o.if(o.isNonzero(o.and(linear, o.const(15))), () => o.raise(Exception.GP, 0));
}

/** The base of the memory operand's segment, as far as it can be other than zero. */
function operandBase(o: Builder): I64 {
  switch (o.form.access) {
    case "long":
    case "flat":
      return o.const(0);
    case "longBased": {
      const isFs = o.eq(o.operandSegment(), o.const(4));
      return o.select(isFs, o.field("fsBase"), o.field("gsBase"));
    }
    case "checked": {
      const number = o.operandSegment();
      const others = ["cs", "ss", "ds", "fs", "gs"] as const;
      return others.reduce<I64>(
        (base, segment, i) =>
          o.select(o.eq(number, o.const(i + 1)), o.field(`${segment}Base`), base),
        o.field("esBase"),
      );
    }
  }
}
