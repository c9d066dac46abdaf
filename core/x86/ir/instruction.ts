/** A decoded instruction: what every engine works from. */

import type { Form } from "./form.ts";
import type { Program } from "./ir.ts";
import type { Definition } from "./definition.ts";

/** A form together with its definition and program; one object for each form that was met. */
export interface BoundForm {
  /** Dense number, in order of first use in this process; never part of any state. */
  readonly index: number;
  readonly definition: Definition;
  readonly form: Form;
  readonly program: Program;
}

/** A memory operand's addressing form. Register numbers are 0..15, or -1 for none. */
export interface Addressing {
  readonly base: number;
  readonly index: number;
  /** 0..3: the index is shifted left by it. */
  readonly scale: number;
  /** Sign-extended displacement; the whole address of moffs forms. */
  readonly displacement: bigint;
  readonly ripRelative: boolean;
  readonly width: 16 | 32 | 64;
}

/** One decoded instruction. */
export interface Instruction {
  readonly bound: BoundForm;
  readonly length: number;
  /** For each operand that is a register: its offset in the CPU state; else -1. */
  readonly registers: readonly number[];
  readonly addressing: Addressing | null;
  /** Segment of the memory operand, or of implicit data accesses: 0..5. */
  readonly segment: number;
  /** Immediate or relative offset, truncated to the operand size; a segment's or register's number. */
  readonly immediate: bigint;
  readonly immediate2: number;
}

/** Why bytes are no instruction. */
export type DecodeFailure =
  /** More bytes are needed than were given. */
  | "truncated"
  /** Undefined opcode: #UD. */
  | "undefined"
  /** Longer than 15 bytes: #GP(0). */
  | "too long";
