/**
 * From an instruction as written to the encodings that could stand for it, shortest first.
 *
 * Only what is known without any label's value decides here: names, kinds and widths of operands. Whether a
 * value fits a field is decided each time the instruction is encoded (see encode.ts).
 */

import type { Encoding, OperandSpec } from "../decode/encoding.ts";
import { operandWidth } from "../decode/operand_width.ts";
import { type AddressForm, addressForms } from "./address.ts";
import { immediate, type MemoryOperand, type Operand } from "./operand.ts";
import { isHint, operandFits } from "./operand_fit.ts";
import { noEncoding } from "./refusal.ts";
import { REGISTERS } from "./registers.ts";
import { mnemonics, type Spelling } from "./spellings.ts";
import { didYouMean } from "./suggest.ts";

export type Bits = 16 | 32 | 64;

/** Prefixes that are written before an instruction. */
export interface WrittenPrefixes {
  readonly lock: boolean;
  /** 0xF2, 0xF3 or 0. */
  readonly repeat: number;
  /** Prefix byte of an overriding segment, or 0. */
  readonly segment: number;
  /** Operand size by `o16`, `o32`, `o64`, or 0. */
  readonly sizeBits: number;
  /** Address size by `a16`, `a32`, `a64`, or 0. */
  readonly addressBits: number;
}

/** An instruction as written. */
export interface WrittenInstruction {
  readonly name: string;
  readonly operands: readonly Operand[];
  readonly prefixes: WrittenPrefixes;
  readonly bits: Bits;
}

/** One way to encode an instruction. */
export interface Candidate {
  readonly spelling: Spelling;
  /** One for each operand of the encoding. */
  readonly operands: readonly Operand[];
  readonly operandBits: number;
  readonly operandPrefix: boolean;
  readonly rexW: boolean;
  readonly addressPrefix: boolean;
  readonly address: AddressForm | null;
}

/** Every way to encode `written`. Throws `SyntaxError` if there is none, or if a width is missing. */
export function candidatesOf(written: WrittenInstruction): Candidate[] {
  const spellings = mnemonics().get(written.name);
  if (!spellings) {
    throw new SyntaxError(
      `unknown mnemonic ${written.name}${didYouMean(written.name, mnemonics().keys())}`,
    );
  }
  checkRegisters(written);
  const found = spellings.flatMap((spelling) => ofSpelling(spelling, written));
  if (found.length === 0) throw noEncoding(written, spellings);
  checkWidthKnown(written, found);
  checkPrefixes(written, found);
  return found;
}

/** Throws if a register belongs to 64-bit code. */
function checkRegisters({ operands, bits }: WrittenInstruction): void {
  for (const operand of operands) {
    const registers = operand.kind === "register"
      ? [operand.register]
      : operand.kind === "memory"
      ? [operand.base, operand.index]
      : [];
    const wrong = bits !== 64 &&
      registers.find((register) =>
        register && (register.number > 7 || register.rex === "needed" ||
          (register.class === "general" && register.widthBits === 64))
      );
    if (wrong) {
      throw new SyntaxError(`${wrong.name} exists in 64-bit code only (directive bits 64)`);
    }
  }
}

function ofSpelling(spelling: Spelling, written: WrittenInstruction): Candidate[] {
  const { encoding } = spelling;
  const { bits } = written;
  if (encoding.attributes.has(bits === 64 ? "not64" : "only64")) return [];
  const found: Candidate[] = [];
  for (const operands of arrangements(spelling, written.operands)) {
    const seen = new Set<string>();
    for (const { rexW, operandPrefix } of sizePrefixes(spelling, written)) {
      const operandBits = operandSize(encoding, bits, rexW, operandPrefix);
      if (!sizeFits(spelling, operandBits, rexW)) continue;
      if (written.prefixes.sizeBits !== 0 && written.prefixes.sizeBits !== operandBits) continue;
      const widths = encoding.operands.map((spec) =>
        isHint(spelling) ? 0 : specWidth(spec, operandBits, rexW, encoding)
      );
      const fits = operands.every((operand, i) =>
        operandFits(operand, encoding.operands[i], widths[i], operandBits, spelling)
      );
      // A prefix that changes no operand's width is not worth its byte.
      const key = widths.join();
      if (!fits || seen.has(key)) continue;
      seen.add(key);
      for (const address of formsOf(operands, spelling, written)) {
        found.push({ spelling, operands, operandBits, operandPrefix, rexW, ...address });
      }
    }
  }
  return found;
}

/** The operands of an encoding for those that are written; some may be left out. */
function arrangements(spelling: Spelling, written: readonly Operand[]): (readonly Operand[])[] {
  const { operands: specs, definition } = spelling.encoding;
  const { mnemonic } = definition;
  if (written.length === specs.length) {
    const commutes = (mnemonic === "XCHG" || mnemonic === "TEST") && specs.length === 2 &&
      specs[1].source !== "I";
    return commutes ? [written, written.toReversed()] : [written];
  }
  const isShorter = written.length === specs.length - 1;
  const stack: Operand = { kind: "register", register: REGISTERS.get("st0")! };
  const stackAt = specs.findIndex(isStackTop);
  if (isShorter && stackAt >= 0) return [written.toSpliced(stackAt, 0, stack)];
  if (isShorter && specs.at(-1)?.number === 32) {
    return [[...written, { kind: "register", register: REGISTERS.get("xmm0")! }]];
  }
  if (isShorter && mnemonic === "IMUL" && written[0]?.kind === "register") {
    return [[written[0], ...written]];
  }
  if (written.length > 0) return [];
  if (mnemonic === "AAM" || mnemonic === "AAD") return [[immediate(10n)]];
  const next: Operand = { kind: "register", register: REGISTERS.get("st1")! };
  if (mnemonic === "FXCH" && specs.length === 1) return [[next]];
  if (stackAt < 0 || specs.some(({ source }) => source === "M")) return [];
  return [
    specs.map((spec) => isStackTop(spec) ? stack : spec.source === "ST" ? next : immediate(1n)),
  ];
}

/** The x87 operand ST(0), which need not be written. */
function isStackTop({ source, size }: OperandSpec): boolean {
  return source === "constant" && size === "t";
}

/** The combinations of operand-size prefix and REX.W that may be tried, fewest bytes first. */
function sizePrefixes(
  { encoding, sizeBits }: Spelling,
  { operands, prefixes, bits }: WrittenInstruction,
): { rexW: boolean; operandPrefix: boolean }[] {
  const isSized = sizeBits !== 0 || prefixes.sizeBits !== 0 || operands.some(hasWidth);
  const rexChoices = bits === 64 && isSized ? [false, true] : [false];
  const prefixChoices = encoding.prefix === "66"
    ? [true]
    : encoding.prefix === "none" || !isSized
    ? [false]
    : [false, true];
  return rexChoices.flatMap((rexW) =>
    prefixChoices.map((operandPrefix) => ({ rexW, operandPrefix }))
  );
}

function hasWidth(operand: Operand): boolean {
  return operand.kind === "register"
    ? ["general", "mmx", "xmm"].includes(operand.register.class)
    : operand.sizeBits !== 0;
}

/** The operand size that prefixes give (SDM vol. 1, 3.6, "Operand-Size and Address-Size Attributes"). */
function operandSize(
  encoding: Encoding,
  bits: Bits,
  rexW: boolean,
  operandPrefix: boolean,
): number {
  if (encoding.byte) return 8;
  const { attributes } = encoding;
  const isSize = operandPrefix &&
    (encoding.prefix !== "66" || encoding.operands.some(({ size }) => size === "v"));
  if (bits !== 64) return isSize === (bits === 32) ? 16 : 32;
  if (attributes.has("f64") || (rexW && !attributes.has("max32"))) return 64;
  if (isSize) return 16;
  return attributes.has("o64") ? 64 : 32;
}

function sizeFits({ sizeBits, encoding }: Spelling, operandBits: number, rexW: boolean): boolean {
  if (sizeBits === 0) return true;
  // Operands of width y depend on REX.W alone.
  if (encoding.operands.some(({ size }) => size === "y")) return rexW === (sizeBits === 64);
  return sizeBits === operandBits;
}

/** The width that a keyword before the operand would name: of immediates and far pointers, the operand size. */
function specWidth(
  { source, size }: OperandSpec,
  operandBits: number,
  rexW: boolean,
  { attributes }: Encoding,
): number {
  if (size === "p" || (size === "z" && source !== "E")) return operandBits;
  return operandWidth(size, operandBits, rexW && !attributes.has("max32"));
}

function formsOf(
  operands: readonly Operand[],
  { encoding, addressBits }: Spelling,
  { prefixes, bits }: WrittenInstruction,
): { address: AddressForm | null; addressPrefix: boolean }[] {
  const at = operands.findIndex(({ kind }) => kind === "memory");
  const demanded = addressBits || prefixes.addressBits;
  const prefixFor = (size: number) => size !== bits;
  if (at < 0) {
    const size = demanded || bits;
    const exists = bits === 64 ? size !== 16 : size !== 64;
    return exists ? [{ address: null, addressPrefix: prefixFor(size) }] : [];
  }
  const operand = operands[at] as MemoryOperand;
  const isOffsetForm = encoding.operands[at].source === "O";
  return addressForms(operand, bits, demanded, isOffsetForm).map((address) => ({
    address,
    addressPrefix: prefixFor(address.widthBits),
  }));
}

/** Throws if only a width keyword would tell which of several encodings is meant. */
function checkWidthKnown({ name }: WrittenInstruction, found: readonly Candidate[]): void {
  const widths = new Set<number>();
  for (const { spelling: { encoding }, operands, operandBits, rexW } of found) {
    const at = operands.findIndex(({ kind }) => kind === "memory");
    const operand = operands[at];
    if (operand?.kind !== "memory" || operand.sizeBits !== 0) continue;
    if (encoding.operands[at].size === "p") continue;
    widths.add(specWidth(encoding.operands[at], operandBits, rexW, encoding));
  }
  if (widths.size < 2) return;
  const words = [...widths].sort((a, b) => a - b).map(widthName);
  throw new SyntaxError(
    `${name} with this memory operand needs a width: write ${words.join(" or ")} before [`,
  );
}

function checkPrefixes({ name, prefixes }: WrittenInstruction, found: readonly Candidate[]): void {
  const { encoding: { attributes, definition } } = found[0].spelling;
  if (prefixes.lock && !(attributes.has("lock") && found[0].operands[0]?.kind === "memory")) {
    throw new SyntaxError(`lock stands before instructions that change memory, not this ${name}`);
  }
  const repeats = definition.depends?.includes("repeat") || name.startsWith("ret");
  if (prefixes.repeat !== 0 && !repeats) {
    throw new SyntaxError(`rep stands before string instructions, not before ${name}`);
  }
}

function widthName(widthBits: number): string {
  const names: Readonly<Record<number, string>> = {
    8: "byte",
    16: "word",
    32: "dword",
    64: "qword",
  };
  return names[widthBits] ?? (widthBits === 80 ? "tword" : "xmmword");
}
