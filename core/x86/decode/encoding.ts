/**
 * The notation of opcode tables, and its parser. Decoder and assembler are both derived from it.
 *
 * ```text
 * [NP|66|F3|F2] [0F [38|3A]] opcode [+r] [/digit|/r] : operands attributes
 * ```
 *
 * `NP` demands that no 66, F3 or F2 stands before it. Without any of the four, 66 is the operand-size
 * prefix and the others are ignored. `+r` takes a register from the opcode's low three bits. A second
 * opcode byte written after `/digit`-less opcodes in the range C0..FF fixes the ModRM byte (`D9 C0+r`).
 *
 * Operands are those of the manual's opcode maps (SDM vol. 2, appendix A.2), a letter for where and one
 * or more for how wide:
 *
 * | letter | operand |
 * |---|---|
 * | E G M R Z | general: ModRM.rm, ModRM.reg, memory only, register rm only, opcode register |
 * | I J A O | immediate, relative offset, far pointer, memory offset |
 * | S C D | segment, control, debug register: the operand is its number |
 * | V W U | XMM: ModRM.reg, ModRM.rm or memory, rm only |
 * | P Q N | MMX: ModRM.reg, ModRM.rm or memory, rm only |
 *
 * Widths: b w d q dq t (8 to 128, t is 80), v (operand size), y (32, or 64 with REX.W), z (16 or 32), bs
 * (byte, sign-extended to the operand size), none (no access). Further operands: AL AX CL DX rAX XMM0,
 * `ST` (x87 register number 0), `STi` (x87 register number from the ModRM byte), and numbers.
 *
 * Attributes: `lock` (LOCK allowed on memory), `o64` (operand size defaults to 64 in 64-bit mode), `f64` (it is
 * 64 there), `only64`, `not64`, `max32` (REX.W ignored), `b` and `v` (operand size of instructions without
 * operands), `rep` (REP belongs to it), `norexb` (not with REX.B), `f=NAME` (CPUID feature),
 * `w=NAME` (CPUID feature that it needs with REX.W).
 */

import type { Definition } from "../ir/definition.ts";

export type MandatoryPrefix = "any" | "none" | "66" | "F3" | "F2";
export type OpcodeMap = 0 | 1 | 2 | 3;

/** Where an operand comes from. */
export type OperandSource =
  | "E"
  | "G"
  | "M"
  | "R"
  | "Z"
  | "I"
  | "J"
  | "A"
  | "O"
  | "S"
  | "C"
  | "D"
  | "V"
  | "W"
  | "U"
  | "P"
  | "Q"
  | "N"
  | "ST"
  | "fixed"
  | "constant";

export type OperandSize = "b" | "w" | "d" | "q" | "dq" | "t" | "v" | "y" | "z" | "bs" | "p" | "";

export interface OperandSpec {
  readonly source: OperandSource;
  readonly size: OperandSize;
  /** Register number of a fixed register (32 for XMM0), or the constant. */
  readonly number: number;
}

/** One row of the opcode tables. */
export interface Encoding {
  readonly definition: Definition;
  readonly text: string;
  readonly prefix: MandatoryPrefix;
  readonly map: OpcodeMap;
  readonly opcode: number;
  readonly hasModrm: boolean;
  /** Required ModRM.reg, or -1. */
  readonly digit: number;
  /** Required ModRM byte (x87 and 0F 01 forms), or -1; with `modrmCount` consecutive values. */
  readonly modrm: number;
  readonly modrmCount: number;
  /** Which mod values fit: "register" for mod 3, "memory" for the others. */
  readonly mod: "any" | "register" | "memory";
  readonly operands: readonly OperandSpec[];
  readonly byte: boolean;
  readonly attributes: ReadonlySet<string>;
  readonly feature: string | null;
  /** What it needs besides with REX.W. */
  readonly wideFeature: string | null;
}

const FIXED: Record<string, OperandSpec> = {
  AL: { source: "fixed", size: "b", number: 0 },
  CL: { source: "fixed", size: "b", number: 1 },
  AX: { source: "fixed", size: "w", number: 0 },
  DX: { source: "fixed", size: "w", number: 2 },
  rAX: { source: "fixed", size: "v", number: 0 },
  XMM0: { source: "fixed", size: "dq", number: 32 },
  ST: { source: "constant", size: "t", number: 0 },
  STi: { source: "ST", size: "b", number: 0 },
};

const SIZES = new Set(["b", "w", "d", "q", "dq", "t", "v", "y", "z", "bs", "p", ""]);
const ATTRIBUTES = new Set([
  "lock",
  "o64",
  "f64",
  "only64",
  "not64",
  "max32",
  "b",
  "v",
  "rep",
  "norexb",
]);

/** Parses one row; throws `SyntaxError` that names the row. */
export function parseEncoding(definition: Definition, text: string): Encoding[] {
  const [left, right] = text.split(":").map((part) => part.trim());
  if (right === undefined) throw new SyntaxError(`${definition.mnemonic}: "${text}" has no colon`);
  const words = left.split(/\s+/);
  const prefix = parsePrefix(words);
  let map: OpcodeMap = 0;
  if (words[0] === "0F") {
    words.shift();
    const escape = words.length > 1 ? ["38", "3A"].indexOf(words[0]) : -1;
    map = escape < 0 ? 1 : escape === 0 ? 2 : 3;
    if (escape >= 0) words.shift();
  }
  const [opcodeText, plusR] = words.shift()!.split("+");
  const opcode = Number.parseInt(opcodeText, 16);
  const tail = words.shift() ?? "";
  const fixedModrm = /^([0-9A-F]{2})(\+r)?$/.exec(tail);
  const digit = /^\/[0-7]$/.test(tail) ? Number(tail[1]) : -1;
  if (Number.isNaN(opcode) || (tail !== "" && tail !== "/r" && digit < 0 && !fixedModrm)) {
    throw new SyntaxError(`${definition.mnemonic}: cannot read the opcode of "${text}"`);
  }
  const [operandText, ...attributeList] = right.split(/\s+/);
  const hasOperands = operandText !== "" && operandText !== "-";
  const operands = hasOperands
    ? operandText.split(",").map((o) => parseOperand(definition, text, o))
    : [];
  const named = (key: "f=" | "w=") =>
    attributeList.find((a) => a.startsWith(key))?.slice(2) ?? null;
  for (const a of attributeList) {
    if (!ATTRIBUTES.has(a) && !/^[fw]=/.test(a)) {
      throw new SyntaxError(`${definition.mnemonic}: unknown attribute "${a}" in "${text}"`);
    }
  }
  const isByte = operands[0]?.size === "b" && !"IJSTCD".includes(operands[0].source) &&
    operands[0].source !== "constant";
  const base = {
    definition,
    text,
    prefix,
    map,
    hasModrm: tail !== "",
    digit,
    modrm: fixedModrm ? Number.parseInt(fixedModrm[1], 16) : -1,
    modrmCount: fixedModrm?.[2] ? 8 : 1,
    mod: fixedModrm ? "register" as const : modOf(operands),
    operands,
    byte: (isByte && !attributeList.includes("v")) || attributeList.includes("b"),
    attributes: new Set(attributeList),
    feature: named("f=") ?? definition.feature ?? null,
    wideFeature: named("w="),
  };
  const count = plusR === "r" ? 8 : 1;
  return Array.from({ length: count }, (_, i) => ({ ...base, opcode: opcode + i }));
}

function parsePrefix(words: string[]): MandatoryPrefix {
  const word = words[0];
  if (word === "NP") {
    words.shift();
    return "none";
  }
  // 66, F2 and F3 are also no opcodes of any instruction, so there is no ambiguity.
  if (word === "66" || word === "F3" || word === "F2") {
    words.shift();
    return word;
  }
  return "any";
}

function parseOperand(definition: Definition, text: string, operand: string): OperandSpec {
  const fixed = FIXED[operand];
  if (fixed) return fixed;
  if (/^\d+$/.test(operand)) return { source: "constant", size: "b", number: Number(operand) };
  const source = operand[0] as OperandSource;
  const size = operand.slice(1) as OperandSize;
  if (!"EGMRZIJAOSCDVWUPQN".includes(source) || !SIZES.has(size)) {
    throw new SyntaxError(`${definition.mnemonic}: unknown operand "${operand}" in "${text}"`);
  }
  return { source, size, number: 0 };
}

function modOf(operands: readonly OperandSpec[]): Encoding["mod"] {
  if (operands.some(({ source }) => source === "M")) return "memory";
  return operands.some(({ source }) => "RUN".includes(source)) ? "register" : "any";
}
