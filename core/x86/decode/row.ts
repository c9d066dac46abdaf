/** What the decoder asks of an encoding at each instruction, worked out once when a decoder is made. */

import type { Encoding } from "./encoding.ts";

/** An encoding as a decoder holds it. */
export interface EncodingRow {
  readonly encoding: Encoding;
  /** Dense number within one decoder. */
  readonly id: number;
  /** Attributes; see encoding.ts. */
  readonly lock: boolean;
  readonly o64: boolean;
  readonly f64: boolean;
  readonly only64: boolean;
  readonly not64: boolean;
  readonly max32: boolean;
  readonly noRexB: boolean;
  /** The CPU lacks the feature that it needs with REX.W. */
  readonly noRexW: boolean;
  /** An operand has the operand size (`v`). */
  readonly hasV: boolean;
  /** An operand is a memory offset (`O`). */
  readonly hasOffset: boolean;
  /** MOV to and from control and debug registers takes ModRM.mod 3 for granted. */
  readonly anyMod: boolean;
  /** What the definition depends on. */
  readonly address: boolean;
  readonly stack: boolean;
  readonly repeat: boolean;
  readonly long: boolean;
  /** It accesses memory without a memory operand. */
  readonly touches: boolean;
}

/** Works out the row of `encoding`, number `id`, on a CPU with some features. */
export function encodingRow(
  encoding: Encoding,
  id: number,
  hasFeature: (feature: string) => boolean,
): EncodingRow {
  const { attributes, operands, definition, wideFeature } = encoding;
  const depends = definition.depends ?? [];
  return {
    encoding,
    id,
    lock: attributes.has("lock"),
    o64: attributes.has("o64"),
    f64: attributes.has("f64"),
    only64: attributes.has("only64"),
    not64: attributes.has("not64"),
    max32: attributes.has("max32"),
    noRexB: attributes.has("norexb"),
    noRexW: wideFeature !== null && !hasFeature(wideFeature),
    hasV: operands.some(({ size }) => size === "v"),
    hasOffset: operands.some(({ source }) => source === "O"),
    anyMod: operands.some(({ source }) => source === "C" || source === "D"),
    address: depends.includes("address"),
    stack: depends.includes("stack"),
    repeat: depends.includes("repeat"),
    long: depends.includes("long"),
    touches: depends.includes("memory") || depends.includes("stack"),
  };
}
