/** What the decoder asks of an encoding at each instruction, worked out once when a decoder is made. */

import type { BoundForm } from "../ir/instruction.ts";
import type { Width } from "../ir/ir.ts";
import type { Encoding, MandatoryPrefix } from "./encoding.ts";
import { isNumber, type OperandRow, operandRow } from "./operand_row.ts";

/** What of 66, F2 and F3 stands before an opcode, as one bit: F2 and F3 go before 66. */
export const PrefixClass = { none: 1, operandSize: 2, f3: 4, f2: 8 } as const;

const PREFIX_CLASSES: { readonly [P in MandatoryPrefix]: number } = {
  any: 0xf,
  none: PrefixClass.none,
  "66": PrefixClass.operandSize,
  F3: PrefixClass.f3,
  F2: PrefixClass.f2,
};

/** The operands of an encoding, and those of them that are numbers or addresses. */
export interface OperandRows {
  readonly all: readonly OperandRow[];
  readonly numbers: readonly OperandRow[];
}

function operandRows({ operands, byte }: Encoding, mod3: boolean): OperandRows {
  const all = operands.map((spec) => operandRow(spec, byte, mod3));
  return { all, numbers: all.filter(isNumber) };
}

/** An encoding as a decoder holds it. */
export interface EncodingRow {
  readonly encoding: Encoding;
  /** Bits of PrefixClass that it may have. */
  readonly prefixes: number;
  /** It exists in 64-bit mode; outside of it. */
  readonly in64: boolean;
  readonly outside64: boolean;
  /** Attributes; see encoding.ts. */
  readonly lock: boolean;
  readonly noRexB: boolean;
  /** The CPU lacks the feature that it needs with REX.W. */
  readonly noRexW: boolean;
  readonly max32: boolean;
  /** The first ModRM byte that fits, or 0, and the last. */
  readonly firstModrm: number;
  readonly lastModrm: number;
  /** A ModRM byte with mod 0 to 2 names memory. */
  readonly memory: boolean;
  /** Operand size by {@link sizeIndex}. */
  readonly widths: readonly Width[];
  /** Operands where ModRM.mod names memory, and where it names a register. */
  readonly memoryOperands: OperandRows;
  readonly registerOperands: OperandRows;
  /** An operand is a memory offset (`O`). */
  readonly hasOffset: boolean;
  /** What the definition depends on. */
  readonly address: boolean;
  readonly stack: boolean;
  readonly repeat: boolean;
  readonly long: boolean;
  /** It accesses memory without a memory operand. */
  readonly touches: boolean;
  /** Forms met so far, and by the same index what they were met by; most rows have one or two. */
  readonly forms: BoundForm[];
  readonly formKeys: number[];
}

/** Works out the row of `encoding` on a CPU with some features. */
export function encodingRow(
  encoding: Encoding,
  hasFeature: (feature: string) => boolean,
): EncodingRow {
  const { attributes, operands, definition, modrm, wideFeature } = encoding;
  const depends = definition.depends ?? [];
  const max32 = attributes.has("max32");
  return {
    encoding,
    prefixes: PREFIX_CLASSES[encoding.prefix],
    in64: !attributes.has("not64"),
    outside64: !attributes.has("only64"),
    lock: attributes.has("lock"),
    noRexB: attributes.has("norexb"),
    noRexW: wideFeature !== null && !hasFeature(wideFeature),
    max32,
    firstModrm: Math.max(modrm, 0),
    lastModrm: modrm < 0 ? 0xff : modrm + encoding.modrmCount - 1,
    memory: encoding.mod !== "register",
    widths: operandSizes(encoding),
    memoryOperands: operandRows(encoding, false),
    registerOperands: operandRows(encoding, true),
    hasOffset: operands.some(({ source }) => source === "O"),
    address: depends.includes("address"),
    stack: depends.includes("stack"),
    repeat: depends.includes("repeat"),
    long: depends.includes("long"),
    touches: depends.includes("memory") || depends.includes("stack"),
    forms: [],
    formKeys: [],
  };
}

/** Index into {@link EncodingRow.widths}. */
export function sizeIndex(
  long: boolean,
  default32: boolean,
  rexW: boolean,
  prefix66: boolean,
): number {
  return (long ? 8 : 0) | (default32 ? 4 : 0) | (rexW ? 2 : 0) | (prefix66 ? 1 : 0);
}

/** Operand sizes by what of an encoding decides them; most encodings share few. */
const OPERAND_SIZES = new Map<number, readonly Width[]>();

function operandSizes({ byte, attributes, operands, prefix }: Encoding): readonly Width[] {
  // A mandatory 66 is no operand-size prefix, except for the few integer instructions with a v operand.
  const heeds66 = prefix !== "66" || operands.some(({ size }) => size === "v");
  const traits = [byte, heeds66, ...["f64", "max32", "o64"].map((name) => attributes.has(name))];
  const key = traits.reduce((bits, trait) => bits * 2 + (trait ? 1 : 0), 0);
  let sizes = OPERAND_SIZES.get(key);
  if (!sizes) {
    const [f64, max32, o64] = traits.slice(2);
    sizes = Array.from({ length: 16 }, (_, index): Width => {
      const [long, default32, rexW] = [8, 4, 2].map((bit) => (index & bit) !== 0);
      const prefix66 = heeds66 && (index & 1) !== 0;
      if (byte) return 8;
      if (!long) return prefix66 === default32 ? 16 : 32;
      if (f64 || (rexW && !max32)) return 64;
      if (prefix66) return 16;
      return o64 ? 64 : 32;
    });
    OPERAND_SIZES.set(key, sizes);
  }
  return sizes;
}

/**
 * Whether the encoding could stand behind a ModRM byte with `mod` 3 or not, and with `reg`. MOV to and from
 * control and debug registers takes mod 3 for granted.
 */
export function fitsModrm({ encoding }: EncodingRow, mod3: boolean, reg: number): boolean {
  const { modrm, modrmCount, mod, operands, digit } = encoding;
  if (!encoding.hasModrm) return true;
  if (digit >= 0 && digit !== reg) return false;
  if (modrm >= 0) {
    const first = 0xc0 | (reg << 3);
    return mod3 && modrm < first + 8 && modrm + modrmCount > first;
  }
  if (operands.some(({ source }) => source === "C" || source === "D")) return true;
  return mod === "any" || (mod === "register") === mod3;
}
