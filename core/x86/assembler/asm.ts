/** The assembler as a tagged template, for scripts and the REPL. */

import { assemble } from "./assemble.ts";

/** What may stand in the template: numbers, text, and bytes as a list for `db`. */
export type AsmValue = number | bigint | string | Uint8Array;

/**
 * Assembles the template as 64-bit code (a `bits` directive changes that) at address 0 and returns its bytes.
 * Throws `SyntaxError` as {@link assemble} does.
 *
 * ```ts
 * import { asm } from "./asm.ts";
 * if (asm`mov eax, ${1}`.join() !== "184,1,0,0,0") throw new Error("unexpected");
 * ```
 */
export function asm(
  template: TemplateStringsArray,
  ...values: readonly AsmValue[]
): Uint8Array<ArrayBuffer> {
  const parts = template.raw.map((text, i) => text + (i < values.length ? show(values[i]) : ""));
  return assemble(parts.join("")).bytes;
}

function show(value: AsmValue): string {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new TypeError(`expected a safe integer in assembly, found ${value}`);
  }
  return value instanceof Uint8Array ? value.join() : String(value);
}
