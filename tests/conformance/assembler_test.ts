/**
 * The assembler against iced-x86, which reads back what it writes: every mnemonic in every form that the
 * opcode tables give it, in 16-, 32- and 64-bit code; and against NASM where that is installed.
 */

import { assertEquals } from "@std/assert";
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, MemorySizeOptions } from "iced-x86";
import { assemble } from "../../core/x86/assembler/mod.ts";
import { mnemonics, type Spelling } from "../../core/x86/assembler/spellings.ts";
import type { OperandSpec } from "../../core/x86/decode/encoding.ts";

type Bits = 16 | 32 | 64;
const WIDTHS: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, dq: 128, t: 80 };
const GENERAL: Readonly<Record<number, readonly string[]>> = {
  8: ["bl", "ch"],
  16: ["bx", "di"],
  32: ["ebx", "edi"],
  64: ["rbx", "r9"],
};
const KEYWORDS: Readonly<Record<number, string>> = {
  8: "byte ",
  16: "word ",
  32: "dword ",
  64: "qword ",
  80: "tword ",
  128: "oword ",
};
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];

/** Ways to write an operand of `spec` where the operand size is `size`. */
function samples(spec: OperandSpec, size: number, bits: Bits, spelling: Spelling): string[] {
  const { encoding, sizeBits } = spelling;
  const y = sizeBits || (size === 64 ? 64 : 32);
  const far = encoding.definition.mnemonic.endsWith(" far") ? "far " : "";
  const width = WIDTHS[spec.size] ??
    (spec.size === "y" ? y : spec.size === "z" && spec.source === "E" ? Math.min(size, 32) : size);
  const isHint = spelling.digit >= 0 && spelling.name !== "nop";
  const keyword = spec.size === "" || isHint ? "" : KEYWORDS[width];
  const memory = bits === 16
    ? [`${far}${keyword}[bx+si+0x12]`]
    : bits === 32
    ? [`${far}${keyword}[ebx+esi*4+0x12]`]
    : [`${far}${keyword}[rbx+r14*4+0x12]`, `${far}${keyword}[rel 0x1000]`];
  const general = GENERAL[width] ?? [];
  const xmm = bits === 64 ? ["xmm1", "xmm12"] : ["xmm1", "xmm2"];
  switch (spec.source) {
    case "E":
      return encoding.mod === "memory" || isHint ? memory : [...general, ...memory];
    case "G":
    case "R":
    case "Z":
      return [...general];
    case "M":
      return memory;
    case "I":
      return spec.size === "w" ? ["0x1234"] : ["0x12"];
    case "J":
      return ["0x12"];
    case "A":
      return [`${KEYWORDS[size]}0x8:0x1234`];
    case "O":
      return ["[0x1234]"];
    case "S":
      return [];
    case "C":
      return ["cr3"];
    case "D":
      return ["dr7"];
    case "V":
    case "U":
      return xmm;
    case "W":
      return [...xmm, ...memory];
    case "P":
    case "N":
      return ["mm3"];
    case "Q":
      return ["mm3", ...memory];
    case "ST":
      return ["st3"];
    case "fixed":
      if (spec.number === 32) return ["xmm0"];
      if (spec.number === 1) return ["cl"];
      if (spec.number === 2) return ["dx"];
      return [{ 8: "al", 16: "ax", 32: "eax", 64: "rax" }[width]!];
    case "constant":
      if (spec.size === "t") return ["st0"];
      return encoding.definition.mnemonic.endsWith("segment register")
        ? [SEGMENTS[spec.number]]
        : [String(spec.number)];
  }
}

/** Every line that a spelling gives in `bits`-bit code; each operand varies in turn. */
function linesOf(spelling: Spelling, bits: Bits): string[] {
  const { encoding, name, sizeBits } = spelling;
  const { attributes } = encoding;
  if (attributes.has(bits === 64 ? "not64" : "only64")) return [];
  if (bits !== 64 && sizeBits === 64) return [];
  if (encoding.operands.length === 0) return [name];
  const wide = bits === 64 && !attributes.has("max32") ? [64] : [];
  const sizes = encoding.byte
    ? [8]
    : attributes.has("f64") && bits === 64
    ? [64]
    : attributes.has("o64") && bits === 64
    ? [16, 64]
    : [16, 32, ...wide];
  const lines = new Set<string>();
  for (const size of sizes) {
    const choices = encoding.operands.map((spec) => samples(spec, size, bits, spelling));
    if (choices.some((list) => list.length === 0)) continue;
    choices.forEach((list, varied) =>
      list.forEach((text) => {
        const operands = choices.map((other, i) => i === varied ? text : other[0]);
        lines.add(`${name} ${operands.join(", ")}`);
      })
    );
  }
  return [...lines];
}

/** What iced reads back, in NASM's syntax; `null` if it is no single instruction. */
function readBack(bytes: Uint8Array, bits: Bits, formatter: Formatter): string | null {
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const isWhole = !instruction.isInvalid && instruction.length === bytes.length;
  const text = isWhole ? formatter.format(instruction) : null;
  instruction.free();
  decoder.free();
  return text;
}

function nasmFormatter(): Formatter {
  const formatter = new Formatter(FormatterSyntax.Nasm);
  formatter.spaceAfterOperandSeparator = true;
  formatter.hexPrefix = "0x";
  formatter.hexSuffix = "";
  formatter.uppercaseHex = false;
  formatter.usePseudoOps = false;
  formatter.ripRelativeAddresses = false;
  formatter.branchLeadingZeros = false;
  formatter.memorySizeOptions = MemorySizeOptions.Always;
  return formatter;
}

/** Names that iced writes otherwise; conditions follow. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  sal: "shl",
  retn: "ret",
  icebp: "int1",
  fwait: "wait",
  xlat: "xlatb",
  loopz: "loope",
  loopnz: "loopne",
};
const OTHER_CONDITIONS: Readonly<Record<string, string>> = {
  c: "b",
  nae: "b",
  nb: "ae",
  nc: "ae",
  z: "e",
  nz: "ne",
  na: "be",
  nbe: "a",
  pe: "p",
  po: "np",
  nge: "l",
  nl: "ge",
  ng: "le",
  nle: "g",
};
/** Names whose size letter iced leaves out where the size is the default one, or writes as a prefix. */
const SIZE_LETTER = /^(popa|pusha|popf|pushf|iret|retf|sysret|sysexit)[wdq]$/;
/** Two instructions: FWAIT and the one named. */
const WAITING = ["fstcw", "fstsw", "fclex", "finit", "fstenv", "fsave"];
/** iced gives a selector's register the width of the operand size. */
const OTHER_OPERANDS = ["lar", "lsl"];

/** A line without what is a matter of taste: width keywords, synonyms, ST(0) where it goes without saying. */
function canonical(line: string): string {
  const [, name, rest] = /^(?:o\d\d )?(\w+) ?(.*)$/.exec(line)!;
  const selector = /^(mov [d-gs]s, )e(..)$/.exec(line);
  if (selector) return canonical(selector[1] + selector[2]);
  const condition = /^(j|set|cmov)(\w+)$/.exec(name);
  const known = OTHER_NAMES[name] ??
    (condition && OTHER_CONDITIONS[condition[2]]
      ? condition[1] + OTHER_CONDITIONS[condition[2]]
      : name);
  const operands = rest.split(", ").map((text) =>
    text.replace(/\b(?:byte|word|dword|qword|tword|oword|short|near)\b/g, "").replace(/\s+/g, "")
      .replace("0x8:", "8:")
  );
  if (name.startsWith("f")) return `${known} ${operands.filter((o) => o !== "st0").join()}`;
  // Both orders are the same exchange.
  if (name === "xchg" || name === "test") operands.sort();
  return `${SIZE_LETTER.test(known) ? known.slice(0, -1) : known} ${operands.join()}`;
}

/** Lines that mean something in `bits`-bit code. */
function linesFor(bits: Bits): string[] {
  const lines = [...mnemonics()].flatMap(([name, spellings]) => {
    const widest = name === "jrcxz" && bits !== 64;
    const narrowest = name === "jcxz" && bits === 64;
    const missing = bits === 64 && (name === "pushfd" || name === "popfd");
    return widest || narrowest || missing ? [] : spellings.flatMap((s) => linesOf(s, bits));
  });
  // AH, BH, CH and DH do not go with REX.W.
  return [...new Set(lines)].filter((line) => !(/ r[a-d]x, .h$/.test(line)));
}

for (const bits of [16, 32, 64] as const) {
  Deno.test(`iced reads back what the assembler writes in ${bits}-bit code, form by form`, () => {
    const formatter = nasmFormatter();
    const lines = linesFor(bits);
    const wrong: string[] = [];
    for (const line of lines) {
      const name = line.split(" ")[0];
      if (WAITING.includes(name)) continue;
      const { bytes } = assemble(line, { bits });
      const back = (readBack(bytes, bits, formatter) ?? "(bad)").replace(/ to (st\d)/, " $1, st0");
      const isSame = canonical(back) === canonical(line.replace(/ st0, 1$/, ""));
      // XCHG has two right answers, and iced does not write the width of a 64-bit far pointer.
      const isOneWay = name === "xchg" || line.includes("far qword");
      const same = OTHER_OPERANDS.includes(name)
        ? back.split(" ")[0] === name
        : isSame && (isOneWay || assemble(back, { bits }).bytes.join() === bytes.join());
      if (!same) wrong.push(`${line} (${bytes}) is read back as ${back}`);
    }
    assertEquals(wrong, []);
    formatter.free();
    assertEquals(lines.length > 2500, true);
  });
}

/** Relative addresses depend on the lengths before them, and XCHG has two right answers. */
const MANY_ANSWERS = /^(?:j|loop|call|xchg)|\[rel/;
/** NASM takes these names for labels, and drops a REX.W that changes nothing. */
const OTHER_IN_NASM = /^(?:fnsetpm|sysretq|sysexitq)|^(?:mov|sldt|str) (?:rbx|r9)(?:, 0x12|, .s)?$/;

/** What NASM makes of `lines`, and the lines that it took. */
async function nasm(folder: string, lines: string[], bits: Bits): Promise<[Uint8Array, string[]]> {
  await Deno.writeTextFile(`${folder}/lines.asm`, [`bits ${bits}`, ...lines].join("\n"));
  const { success, stderr } = await new Deno.Command("nasm", {
    args: ["-f", "bin", "-w-all", "-o", `${folder}/lines.bin`, `${folder}/lines.asm`],
  }).output();
  if (success) return [await Deno.readFile(`${folder}/lines.bin`), lines];
  const messages = new TextDecoder().decode(stderr);
  const refused = new Set(
    [...messages.matchAll(/lines\.asm:(\d+): error/g)].map((m) => Number(m[1])),
  );
  if (refused.size === 0) throw new Error(messages);
  return await nasm(folder, lines.filter((_, i) => !refused.has(i + 2)), bits);
}

Deno.test("NASM means the same by the same line", async (t) => {
  const installed = await new Deno.Command("nasm", { args: ["-v"] }).output().catch(() => null);
  if (!installed?.success) {
    if (Deno.env.has("CI")) throw new Error("nasm is not installed; expected it under CI");
    return void await t.step({ name: "nasm is not installed", ignore: true, fn() {} });
  }
  const folder = await Deno.makeTempDir();
  for (const bits of [16, 32, 64] as const) {
    const lines = linesFor(bits).filter((line) =>
      !MANY_ANSWERS.test(line) && !OTHER_IN_NASM.test(line)
    );
    const [bytes, taken] = await nasm(folder, lines, bits);
    // NASM lacks a few names, and wants x87 operands written or left out.
    assertEquals(
      taken.length > lines.length * 0.9,
      true,
      `${taken.length} of ${lines.length} taken`,
    );
    const source = [`bits ${bits}`, ...taken].join("\n");
    assertEquals(listing(assemble(source).bytes, bits), listing(bytes, bits));
  }
  await Deno.remove(folder, { recursive: true });
});

/** All instructions of `bytes` as text. */
function listing(bytes: Uint8Array, bits: Bits): string[] {
  const formatter = nasmFormatter();
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const texts: string[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    texts.push(canonical(formatter.format(instruction)));
    instruction.free();
  }
  decoder.free();
  formatter.free();
  return texts;
}
