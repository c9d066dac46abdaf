/**
 * Forms: what distinguishes one program of an instruction from another.
 *
 * A definition is written once; the operand kinds, widths and modes with which an encoding uses it are its
 * forms. Only what a definition declares to depend on takes part, so that few forms exist.
 */

import type { Width } from "./ir.ts";

/** How memory operands become linear addresses. */
export type AccessModel =
  /** 64-bit mode, no segment base. */
  | "long"
  /** 64-bit mode, FS or GS base. */
  | "longBased"
  /** Flat segments below 4 GiB: the offset is the linear address. */
  | "flat"
  /** Base, limit and access rights of the segment apply. */
  | "checked";

/** What a form's operand is. */
export type OperandForm =
  | { readonly kind: "register"; readonly width: Width | 80 | 128 }
  | { readonly kind: "memory"; readonly width: Width | 80 | 128 | 0 }
  | { readonly kind: "immediate"; readonly width: Width }
  /** An implied constant, such as the 1 of `SHL r/m, 1`. */
  | { readonly kind: "constant"; readonly value: number; readonly width: Width };

/** REP prefixes. */
export type Repeat = "none" | "rep" | "repne";

/** The parameters of a program. */
export interface Form {
  readonly operands: readonly OperandForm[];
  /** Operand size: of the operation, not of each operand. */
  readonly width: Width;
  /** Address size, for string instructions, LOOP and JCXZ; 0 where it does not matter. */
  readonly addressWidth: 16 | 32 | 64 | 0;
  /** Size of the stack pointer; 0 where it does not matter. */
  readonly stackWidth: 16 | 32 | 64 | 0;
  readonly access: AccessModel;
  readonly repeat: Repeat;
  /** 64-bit mode; false where it does not matter. */
  readonly long: boolean;
}
