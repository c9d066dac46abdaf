/**
 * Names of instructions: which encodings a mnemonic stands for.
 *
 * Definitions are named for what they mean, so that one may serve several mnemonics (MOVAPS, MOVAPD and
 * MOVDQA are one move); this table gives each encoding the names that the manual gives it.
 */

import type { Encoding } from "../decode/encoding.ts";
import { ENCODINGS } from "../instructions/table.ts";

/** One way to write an encoding. */
export interface Spelling {
  readonly name: string;
  readonly encoding: Encoding;
  /** The operand size that the name demands, in bits, or 0. */
  readonly sizeBits: number;
  /** The address size that the name demands, in bits, or 0. */
  readonly addressBits: number;
  /** ModRM.reg that the name demands where the encoding leaves it open, or -1. */
  readonly digit: number;
  /** FWAIT stands before it. */
  readonly wait: boolean;
}

/** A name with what it demands. */
interface Name {
  readonly name: string;
  readonly sizeBits?: number;
  readonly addressBits?: number;
  readonly digit?: number;
  readonly wait?: boolean;
}

/** Condition codes that have several names (SDM vol. 1, appendix B). */
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  B: ["B", "C", "NAE"],
  NB: ["NB", "NC", "AE"],
  Z: ["Z", "E"],
  NZ: ["NZ", "NE"],
  BE: ["BE", "NA"],
  NBE: ["NBE", "A"],
  P: ["P", "PE"],
  NP: ["NP", "PO"],
  L: ["L", "NGE"],
  NL: ["NL", "GE"],
  LE: ["LE", "NG"],
  NLE: ["NLE", "G"],
};

/** Names that go with operand sizes: "W16 D32 Q64" is the suffix and the size; a bare word is any size. */
const SIZED: Readonly<Record<string, string>> = {
  "CBW/CWDE/CDQE": "CBW:16 CWDE:32 CDQE:64",
  "CWD/CDQ/CQO": "CWD:16 CDQ:32 CQO:64",
  "CMPXCHG8B/CMPXCHG16B": "CMPXCHG8B CMPXCHG16B:64",
  PUSHA: "PUSHA PUSHAW:16 PUSHAD:32",
  POPA: "POPA POPAW:16 POPAD:32",
  PUSHF: "PUSHF PUSHFW:16 PUSHFD:32 PUSHFQ:64",
  POPF: "POPF POPFW:16 POPFD:32 POPFQ:64",
  IRET: "IRET IRETW:16 IRETD:32 IRETQ:64",
  "RET far": "RETF RETFW:16 RETFD:32 RETFQ:64",
  "JMP far": "JMP",
  "CALL far": "CALL",
  RET: "RET RETN",
  SYSRET: "SYSRET SYSRETQ:64",
  SYSEXIT: "SYSEXIT SYSEXITQ:64",
  FXSAVE: "FXSAVE FXSAVE64:64",
  FXRSTOR: "FXRSTOR FXRSTOR64:64",
  XSAVE: "XSAVE XSAVE64:64",
  XRSTOR: "XRSTOR XRSTOR64:64",
  XSAVEOPT: "XSAVEOPT XSAVEOPT64:64",
  LOOPE: "LOOPE LOOPZ",
  LOOPNE: "LOOPNE LOOPNZ",
  XLAT: "XLAT XLATB",
  SHL: "SHL SAL",
  FWAIT: "FWAIT WAIT",
  INT1: "INT1 ICEBP",
  "MOV from segment register": "MOV",
  "MOV to segment register": "MOV",
  "PUSH segment register": "PUSH",
  "POP segment register": "POP",
  "MOV from control register": "MOV",
  "MOV to control register": "MOV",
  "MOV from debug register": "MOV",
  "MOV to debug register": "MOV",
};

/** Names by definition and encoding, where one definition serves several instructions. */
const BY_ENCODING: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  NOP: {
    "90": "NOP",
    "0F 1F": "NOP/0",
    "0F 18": "PREFETCHNTA/0 PREFETCHT0/1 PREFETCHT1/2 PREFETCHT2/3",
    "0F 0D": "PREFETCHW/1",
    "0F 19": "",
    "0F 1A": "",
    "0F 1B": "",
    "0F 1C": "",
    "0F 1D": "",
    "0F 1E": "",
  },
  MOVSX: { "63": "MOVSXD" },
  MOVAPS: {
    "NP 0F 2B": "MOVNTPS",
    "66 0F 28": "MOVAPD",
    "66 0F 29": "MOVAPD",
    "66 0F 2B": "MOVNTPD",
    "66 0F 6F": "MOVDQA",
    "66 0F 7F": "MOVDQA",
    "66 0F E7": "MOVNTDQ",
    "66 0F 38 2A": "MOVNTDQA",
  },
  MOVUPS: {
    "66 0F 10": "MOVUPD",
    "66 0F 11": "MOVUPD",
    "F3 0F 6F": "MOVDQU",
    "F3 0F 7F": "MOVDQU",
    "F2 0F F0": "LDDQU",
  },
  MOVLPS: { "66 0F 12": "MOVLPD", "66 0F 13": "MOVLPD" },
  MOVHPS: { "66 0F 16": "MOVHPD", "66 0F 17": "MOVHPD" },
  MOVQ: { "NP 0F E7": "MOVNTQ" },
  MOVD: {
    "NP 0F 6E": "MOVD:32 MOVQ:64",
    "NP 0F 7E": "MOVD:32 MOVQ:64",
    "66 0F 6E": "MOVD:32 MOVQ:64",
    "66 0F 7E": "MOVD:32 MOVQ:64",
  },
  PINSRD: { "66 0F 3A 22": "PINSRD:32 PINSRQ:64" },
  PEXTRD: { "66 0F 3A 16": "PEXTRD:32 PEXTRQ:64" },
  MASKMOVDQU: { "NP 0F F7": "MASKMOVQ" },
  PAND: { "NP 0F 54": "ANDPS", "66 0F 54": "ANDPD" },
  POR: { "NP 0F 56": "ORPS", "66 0F 56": "ORPD" },
  PXOR: { "NP 0F 57": "XORPS", "66 0F 57": "XORPD" },
  PANDN: { "NP 0F 55": "ANDNPS", "66 0F 55": "ANDNPD" },
  PUNPCKLDQ: { "NP 0F 14": "UNPCKLPS" },
  PUNPCKHDQ: { "NP 0F 15": "UNPCKHPS" },
  PUNPCKLQDQ: { "66 0F 14": "UNPCKLPD" },
  PUNPCKHQDQ: { "66 0F 15": "UNPCKHPD" },
  FNENI: { "DB E1": "FNDISI", "DB E4": "FNSETPM" },
};

/** x87 control instructions whose names without N wait for pending exceptions first. */
const WAITING: Readonly<Record<string, string>> = {
  FNSTCW: "FSTCW",
  FNSTSW: "FSTSW",
  FNCLEX: "FCLEX",
  FNINIT: "FINIT",
  FNSTENV: "FSTENV",
  FNSAVE: "FSAVE",
};

/** String instructions are named for the size of their elements. */
const STRINGS = ["MOVS", "STOS", "LODS", "CMPS", "SCAS", "INS", "OUTS"];

let table: ReadonlyMap<string, readonly Spelling[]> | undefined;

/** Every mnemonic (lower case) with its encodings; built at the first use. */
export function mnemonics(): ReadonlyMap<string, readonly Spelling[]> {
  if (table) return table;
  const built = new Map<string, Spelling[]>();
  for (const encoding of ENCODINGS) {
    for (
      const { name, sizeBits = 0, addressBits = 0, digit = -1, wait = false } of names(encoding)
    ) {
      const key = name.toLowerCase();
      const spelling = { name: key, encoding, sizeBits, addressBits, digit, wait };
      built.get(key)?.push(spelling) ?? built.set(key, [spelling]);
    }
  }
  return table = built;
}

function names(encoding: Encoding): Name[] {
  const { mnemonic } = encoding.definition;
  const byEncoding = BY_ENCODING[mnemonic];
  if (byEncoding) {
    const opcode = encoding.text.split(/[:/]/)[0].trim();
    const listed = byEncoding[opcode];
    if (listed !== undefined) return parseNames(listed);
  }
  const sized = SIZED[mnemonic];
  if (sized) return parseNames(sized);
  if (STRINGS.includes(mnemonic)) return stringNames(mnemonic, encoding);
  if (mnemonic === "JCXZ/JECXZ/JRCXZ") {
    return [16, 32, 64].map((addressBits, i) => ({
      name: ["JCXZ", "JECXZ", "JRCXZ"][i],
      addressBits,
    }));
  }
  const waiting = WAITING[mnemonic];
  if (waiting) return [{ name: mnemonic }, { name: waiting, wait: true }];
  const condition = /^(J|SET|CMOV)([A-Z]+)$/.exec(mnemonic);
  const synonyms = condition && CONDITIONS[condition[2]];
  if (synonyms) return synonyms.map((code) => ({ name: condition[1] + code }));
  return [{ name: mnemonic }];
}

/** Reads `NAME NAME:size NAME/digit`. */
function parseNames(text: string): Name[] {
  return text.split(" ").filter(Boolean).map((word) => {
    const [, name, kind, number] = /^(\w+)(?:([:/])(\d+))?$/.exec(word)!;
    if (kind === undefined) return { name };
    return kind === ":" ? { name, sizeBits: Number(number) } : { name, digit: Number(number) };
  });
}

function stringNames(mnemonic: string, encoding: Encoding): Name[] {
  if (encoding.byte) return [{ name: `${mnemonic}B` }];
  const sizes = encoding.attributes.has("max32") ? [16, 32] : [16, 32, 64];
  return sizes.map((sizeBits, i) => ({ name: mnemonic + "WDQ"[i], sizeBits }));
}
