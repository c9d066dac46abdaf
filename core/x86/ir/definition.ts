/** The shape of an instruction's definition, and how its program is built. */

import { Builder, type Operand, type SystemCatalogue } from "./builder.ts";
import type { Form } from "./form.ts";
import type { Program } from "./ir.ts";

/** What besides its operands an instruction's meaning depends on, so that its forms differ by it. */
export type Dependence =
  /** The address size (string instructions, LOOP, JCXZ, LEA). */
  | "address"
  /** The stack's width (PUSH, CALL, ENTER). Implies memory. */
  | "stack"
  /** REP prefixes. */
  | "repeat"
  /** Whether the CPU is in 64-bit mode (branches). */
  | "long"
  /** It accesses memory without a memory operand (string instructions). */
  | "memory";

/** The unit that must be available: decides which #NM or #UD is raised before anything else. */
export type Unit = "x87" | "mmx" | "sse";

/** One instruction: how it is encoded and what it does. */
export interface Definition {
  readonly mnemonic: string;
  /** Encodings in the notation of `decode/encoding.ts`. */
  readonly encodings: readonly string[];
  readonly depends?: readonly Dependence[];
  readonly unit?: Unit;
  /** CPUID feature that all its encodings need. */
  readonly feature?: string;
  /** Writes the meaning of one form; called once for each form that is met. */
  readonly run: (o: Builder, ...operands: Operand[]) => void;
}

/** Definitions that belong together, with the manual's chapter or table. */
export interface InstructionGroup {
  readonly name: string;
  readonly definitions: readonly Definition[];
}

const UNIT_TRAPS = { x87: "x87Trap", mmx: "mmxTrap", sse: "sseTrap" } as const;

/** Builds the program of `definition` in `form`. */
export function buildProgram(
  definition: Definition,
  form: Form,
  catalogue: SystemCatalogue,
): Program {
  const o = new Builder(form, catalogue);
  if (definition.unit) requireUnit(o, definition.unit);
  definition.run(o, ...form.operands.map((_, slot) => ({ slot })));
  return o.program();
}

/** Raises #UD or #NM if the unit is not available; for definitions whose unit their operands decide. */
export function requireUnit(o: Builder, unit: Unit): void {
  const trap = o.field(UNIT_TRAPS[unit]);
  o.if(o.isNonzero(trap), () => {
    o.if(o.eq(trap, o.const(6)), () => o.raise(6), () => o.raise(7));
  });
}
