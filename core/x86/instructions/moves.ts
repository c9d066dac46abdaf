/** Data movement without arithmetic, flag instructions and no-operations (SDM vol. 2, the entries of each mnemonic). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, Width } from "../ir/ir.ts";
import { SEGMENT_REGISTERS, type SegmentRegister } from "../state/layout.ts";
import { Eflags } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  carry,
  complementCarry,
  condition,
  overflow,
  readStatusFlags,
  setCarry,
  writeArithmeticFlags,
} from "./flags.ts";

/** Names of the condition codes by their encodings (SDM vol. 1, appendix B). */
export const CONDITIONS = [
  "O",
  "NO",
  "B",
  "NB",
  "Z",
  "NZ",
  "BE",
  "NBE",
  "S",
  "NS",
  "P",
  "NP",
  "L",
  "NL",
  "LE",
  "NLE",
] as const;

/** Segment registers that an instruction can name, by number; ES to GS. */
export const SEGMENT_NUMBERS = [0, 1, 2, 3, 4, 5] as const;
const LOADABLE_SEGMENTS = SEGMENT_NUMBERS.filter((number) => number !== 1);

/** The segment register that an operand's constant names. */
export function segmentOf(o: Builder, operand: Operand): SegmentRegister {
  const form = o.operandForm(operand);
  return SEGMENT_REGISTERS[form.kind === "constant" ? form.value : 0];
}

/** The selector in the segment register that an operand's constant names. */
export function readSelector(o: Builder, operand: Operand): I64 {
  return o.field(`${segmentOf(o, operand)}Selector`);
}

/** Opcode `base + code` in hexadecimal. */
export function opcode(base: number, code = 0): string {
  return (base + code).toString(16).toUpperCase().padStart(2, "0");
}

/** One definition for each condition code. */
export function perCondition(define: (name: string, code: number) => Definition): Definition[] {
  return CONDITIONS.map(define);
}

/** The bytes of a value in reverse order; of 16 bits as MOVBE does it. */
export function swapBytes(o: Builder, value: I64, width: Width): I64 {
  const swapped = [8, 16, 32].reduce((bits, by) => {
    const every = by === 8 ? 0x00ff00ff00ff00ffn : by === 16 ? 0x0000ffff0000ffffn : 0xffffffffn;
    const count = o.const(by);
    const up = o.shl(o.and(bits, o.const(every)), count);
    return o.or(up, o.and(o.shr(bits, count), o.const(every)));
  }, value);
  return o.shr(swapped, o.const(64 - width));
}

/** A definition that does nothing. */
function nothing(mnemonic: string, encodings: readonly string[], feature?: string): Definition {
  return { mnemonic, encodings, feature, run() {} };
}

/** A definition that copies its second operand to the first. */
function copy(mnemonic: string, encodings: readonly string[]): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination, source) {
      o.write(destination, o.read(source));
    },
  };
}

/** The offset and the selector of a far pointer in memory; the selector follows the offset. */
export function loadFarPointer(o: Builder, pointer: Operand): { offset: I64; selector: I64 } {
  const address = o.address(pointer);
  const offset = o.load("operand", address, o.width);
  const size = o.form.addressWidth as Width;
  const behind = o.zext(o.add(address, o.const(o.width / 8)), size);
  return { offset, selector: o.load("operand", behind, 16) };
}

/** Loads a far pointer into segment register `segment` and a general register. */
function loadFar(mnemonic: string, encoding: string, segment: number): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    depends: ["address"],
    run(o, destination, pointer) {
      const { offset, selector } = loadFarPointer(o, pointer);
      o.system("loadFarSegment", o.const(segment), selector);
      o.write(destination, offset);
    },
  };
}

const PLAIN_MOVES: readonly Definition[] = [
  copy("MOV", [
    "88 /r: Eb,Gb",
    "89 /r: Ev,Gv",
    "8A /r: Gb,Eb",
    "8B /r: Gv,Ev",
    "A0: AL,Ob",
    "A1: rAX,Ov",
    "A2: Ob,AL",
    "A3: Ov,rAX",
    "B0+r: Zb,Ib",
    "B8+r: Zv,Iv",
    "C6 /0: Eb,Ib",
    "C7 /0: Ev,Iz",
  ]),
  {
    mnemonic: "MOV from segment register",
    encodings: SEGMENT_NUMBERS.flatMap((n) => [`8C /${n}: Rv,${n}`, `8C /${n}: Mw,${n}`]),
    run(o, destination, segment) {
      o.write(destination, readSelector(o, segment));
    },
  },
  {
    mnemonic: "MOV to segment register",
    encodings: LOADABLE_SEGMENTS.map((n) => `8E /${n}: ${n},Ew`),
    run(o, segment, source) {
      o.system("loadSegment", o.read(segment), o.read(source));
    },
  },
  loadFar("LES", "C4 /r: Gv,Mp not64", 0),
  loadFar("LDS", "C5 /r: Gv,Mp not64", 3),
  loadFar("LSS", "0F B2 /r: Gv,Mp", 2),
  loadFar("LFS", "0F B4 /r: Gv,Mp", 4),
  loadFar("LGS", "0F B5 /r: Gv,Mp", 5),
  copy("MOVZX", ["0F B6 /r: Gv,Eb", "0F B7 /r: Gv,Ew"]),
  {
    mnemonic: "MOVSX",
    encodings: ["0F BE /r: Gv,Eb", "0F BF /r: Gv,Ew", "63 /r: Gv,Ez only64"],
    run(o, destination, source) {
      const extended = o.sext(o.read(source), o.widthOf(source) as Width);
      o.write(destination, o.zext(extended, o.width));
    },
  },
  {
    mnemonic: "XCHG",
    // NOP stands before it in the table, and takes 90 without REX.B.
    encodings: ["86 /r: Eb,Gb lock", "87 /r: Ev,Gv lock", "90+r: Zv,rAX"],
    run(o, left, right) {
      const a = o.readForWrite(left);
      const b = o.read(right);
      o.write(left, b);
      o.write(right, a);
    },
  },
  {
    mnemonic: "LEA",
    encodings: ["8D /r: Gv,M"],
    run(o, destination, source) {
      o.write(destination, o.zext(o.address(source), o.width));
    },
  },
];

const CONDITIONAL_MOVES: readonly Definition[] = [
  ...perCondition((name, code) => ({
    mnemonic: `CMOV${name}`,
    feature: "CMOV",
    encodings: [`0F ${opcode(0x40, code)} /r: Gv,Ev`],
    run(o, destination, source) {
      const value = o.read(source);
      o.write(destination, o.select(condition(o, code), value, o.read(destination)));
    },
  })),
  ...perCondition((name, code) => ({
    mnemonic: `SET${name}`,
    encodings: [`0F ${opcode(0x90, code)} /r: Eb`],
    run(o, destination) {
      o.write(destination, o.fromBool(condition(o, code)));
    },
  })),
];

const CONVERSIONS: readonly Definition[] = [
  {
    mnemonic: "BSWAP",
    encodings: ["0F C8+r: Zv"],
    run(o, register) {
      // Of 16 bits it is undefined; CPUs clear them.
      if (o.width === 16) o.write(register, o.const(0));
      else o.write(register, swapBytes(o, o.read(register), o.width));
    },
  },
  {
    mnemonic: "MOVBE",
    feature: "MOVBE",
    // F2 is CRC32, F3 nothing.
    encodings: ["NP", "66"].flatMap((p) => [`${p} 0F 38 F0 /r: Gv,Mv`, `${p} 0F 38 F1 /r: Mv,Gv`]),
    run(o, destination, source) {
      o.write(destination, swapBytes(o, o.read(source), o.width));
    },
  },
  {
    mnemonic: "XLAT",
    encodings: ["D7: - b"],
    depends: ["address", "memory"],
    run(o) {
      const size = o.form.addressWidth as Width;
      const offset = o.add(o.register("rbx", size), o.register("rax", 8));
      o.setRegister("rax", 8, o.load("operand", o.zext(offset, size), 8));
    },
  },
  {
    mnemonic: "CBW/CWDE/CDQE",
    encodings: ["98: -"],
    run(o) {
      const half = (o.width / 2) as Width;
      o.setRegister("rax", o.width, o.zext(o.sext(o.register("rax", half), half), o.width));
    },
  },
  {
    mnemonic: "CWD/CDQ/CQO",
    encodings: ["99: -"],
    run(o) {
      const signs = o.sar(o.sext(o.register("rax", o.width), o.width), o.const(63));
      o.setRegister("rdx", o.width, o.zext(signs, o.width));
    },
  },
];

/** A definition that sets or clears bits of the `flags` field. */
function changeFlags(mnemonic: string, encoding: string, bit: number, set: boolean): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o) {
      const flags = o.field("flags");
      o.setField("flags", set ? o.or(flags, o.const(bit)) : o.and(flags, o.const(~bit)));
    },
  };
}

const FLAG_INSTRUCTIONS: readonly Definition[] = [
  {
    mnemonic: "CLC",
    encodings: ["F8: -"],
    run(o) {
      setCarry(o, o.isZero(o.const(1)));
    },
  },
  {
    mnemonic: "STC",
    encodings: ["F9: -"],
    run(o) {
      setCarry(o, o.isZero(o.const(0)));
    },
  },
  {
    mnemonic: "CMC",
    encodings: ["F5: -"],
    run(o) {
      complementCarry(o);
    },
  },
  changeFlags("CLD", "FC: -", Eflags.DF, false),
  changeFlags("STD", "FD: -", Eflags.DF, true),
  {
    mnemonic: "LAHF",
    encodings: ["9F: - not64", "9F: - only64 f=LAHF64"],
    run(o) {
      const image = o.or(o.and(readStatusFlags(o), o.const(0xff)), o.const(2));
      const ax = o.or(o.register("rax", 8), o.shl(image, o.const(8)));
      o.setRegister("rax", 16, ax);
    },
  },
  {
    mnemonic: "SAHF",
    encodings: ["9E: - not64", "9E: - only64 f=LAHF64"],
    run(o) {
      writeArithmeticFlags(o, o.shr(o.register("rax", 16), o.const(8)), overflow(o));
    },
  },
  {
    mnemonic: "SALC",
    encodings: ["D6: - not64 b"],
    run(o) {
      o.setRegister("rax", 8, o.zext(o.neg(o.fromBool(carry(o))), 8));
    },
  },
];

/**
 * What a PAUSE takes, in cycles: Skylake's latency (Intel's optimization manual, "Pause Latency in Skylake Client
 * Microarchitecture"). A loop that waits for another CPU or for a time is thus cheap to simulate.
 */
const PAUSE_CYCLES = 140;

/** Accesses one byte and nothing else: the line's other effects are not visible here. */
function touchLine(mnemonic: string, encoding: string, feature: string): Definition {
  return {
    mnemonic,
    feature,
    encodings: [encoding],
    run(o, line) {
      o.read(line);
    },
  };
}

const NO_OPERATIONS: readonly Definition[] = [
  nothing("NOP", [
    "90: - norexb",
    "0F 0D /r: Ev",
    // Reserved hints: PREFETCHh, MPX, CLDEMOTE, CET (ENDBR64) where the CPU does not have them.
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `0F ${opcode(0x18, n)} /r: Ev`),
  ]),
  {
    mnemonic: "PAUSE",
    encodings: ["F3 90: -"],
    run(o) {
      o.retire(o.const(PAUSE_CYCLES - 1));
    },
  },
  nothing("LFENCE", ["NP 0F AE E8+r: -"], "SSE2"),
  nothing("MFENCE", ["NP 0F AE F0+r: -"], "SSE2"),
  nothing("SFENCE", ["NP 0F AE F8+r: -"], "SSE"),
  touchLine("CLFLUSH", "NP 0F AE /7: Mb", "CLFSH"),
  touchLine("CLFLUSHOPT", "66 0F AE /7: Mb", "CLFLUSHOPT"),
  touchLine("CLWB", "66 0F AE /6: Mb", "CLWB"),
];

/** Moves, conversions, flags, no-operations. */
export const MOVES: InstructionGroup = {
  name: "moves and flags",
  definitions: [
    ...NO_OPERATIONS,
    ...PLAIN_MOVES,
    ...CONDITIONAL_MOVES,
    ...CONVERSIONS,
    ...FLAG_INSTRUCTIONS,
  ],
};
