/**
 * The decoder against iced-x86: which bytes are instructions, how long they are, and what their memory operand is,
 * over all opcodes with all ModRM bytes and over random bytes.
 */

import { assertEquals } from "@std/assert";
import {
  Code,
  CpuidFeature,
  Decoder as IcedDecoder,
  DecoderOptions,
  type Instruction as IcedInstruction,
  Register,
} from "iced-x86";
import { Decoder } from "../../core/x86/decode/decoder.ts";
import type { Instruction } from "../../core/x86/ir/instruction.ts";
import { MODES } from "../../core/x86/instructions/testing/harness.ts";
import { ENCODINGS } from "../../core/x86/instructions/table.ts";
import { Random } from "../fuzz/softfloat_operands.ts";

type Bits = 16 | 32 | 64;

/** CPUID features of instructions that iced knows and this CPU does not have, with the reason. */
const ABSENT: Readonly<Record<string, readonly string[]>> = {
  "VEX, EVEX and XOP need more than 128-bit vectors": [
    "AVX*",
    "XOP",
    "FMA*",
    "BMI1",
    "BMI2",
    "TBM",
    "LWP",
    "F16C",
    "AMX*",
    "KNC*",
    "MVEX",
    "SM3",
    "SM4",
    "VAES",
    "VPCLMULQDQ",
    "CMPCCXADD",
  ],
  "never on CPUs of the modelled vendors and kinds": [
    "PADLOCK*",
    "D3NOW*",
    "CYRIX*",
    "GEODE*",
    "SSE4A",
  ],
  "cryptography and arithmetic that the CPU models do not advertise": [
    "ADX",
    "AES*",
    "GFNI",
    "PCLMULQDQ",
    "SHA*",
    "RDRAND",
    "RDSEED",
    "RAO_INT",
    "KL",
    "WIDE_KL",
  ],
  "virtualization, enclaves, control-flow enforcement: #UD while not enabled": [
    "VMX*",
    "SVM*",
    "SKINIT*",
    "SEV_*",
    "TDX",
    "SGX1",
    "OSS",
    "PCONFIG",
    "CET_SS",
    "SMX",
    "FRED",
    "UINTR",
    "TSE",
  ],
  "RSM outside system-management mode is #UD": ["SMM"],
  "other features that the CPU models do not advertise": [
    "CLZERO",
    "ENQCMD",
    "HLE*",
    "HRESET",
    "INVLPGB",
    "INVPCID",
    "LKGS",
    "MCOMMIT",
    "MONITORX",
    "MOVDIR*",
    "MSRLIST",
    "PKU",
    "PREFETCHI*",
    "PTWRITE",
    "RDPRU",
    "RTM",
    "SERIALIZE",
    "TSXLDTRK",
    "WAITPKG",
    "WRMSRNS",
    "XSAVEC",
    "XSAVES",
  ],
};

const ABSENT_PATTERNS = Object.values(ABSENT).flat();

function isAbsent(feature: string): boolean {
  return ABSENT_PATTERNS.some((pattern) =>
    pattern.endsWith("*") ? feature.startsWith(pattern.slice(0, -1)) : feature === pattern
  );
}

const decoder = new Decoder(ENCODINGS, () => true, () => ({ endsBlock: true }));

const REGISTERS_64 = Array.from({ length: 16 }, (_, i) => Register.RAX + i);
const REGISTERS_32 = Array.from({ length: 16 }, (_, i) => Register.EAX + i);
const REGISTERS_16 = Array.from({ length: 16 }, (_, i) => Register.AX + i);

/** A segment; in 64-bit mode those without a base are one, and prefixes that name them are ignored. */
function segmentName(number: number, long: boolean): string {
  return long && number < 4 ? "flat" : Register[Register.ES + number];
}

/** The memory operand as iced writes it. */
function memoryOfOurs({ addressing, segment }: Instruction, long: boolean): string {
  const { scale, displacement, width, ripRelative } = addressing!;
  // SI or DI alone is an index here and a base there.
  const alone = width === 16 && addressing!.base < 0;
  const base = alone ? addressing!.index : addressing!.base;
  const index = alone ? -1 : addressing!.index;
  const names = width === 64 ? REGISTERS_64 : width === 32 ? REGISTERS_32 : REGISTERS_16;
  const name = (number: number) => number < 0 ? "-" : Register[names[number]];
  const scaling = index < 0 ? 0 : scale;
  const offset = ripRelative ? "rip" : BigInt.asUintN(width, displacement).toString(16);
  return `${segmentName(segment, long)}:${name(base)}+${name(index)}<<${scaling}+${offset}`;
}

function memoryOfIced(iced: IcedInstruction, { addressing }: Instruction, long: boolean): string {
  const name = (register: number) => register === Register.None ? "-" : Register[register];
  const index = iced.memoryIndex;
  const scaling = index === Register.None ? 0 : Math.log2(iced.memoryIndexScale);
  const relative = iced.memoryBase === Register.RIP || iced.memoryBase === Register.EIP;
  const displacement = BigInt.asUintN(addressing!.width, iced.memoryDisplacement);
  const offset = relative ? "rip" : displacement.toString(16);
  const base = relative ? "-" : name(iced.memoryBase);
  const segment = segmentName(iced.memorySegment - Register.ES, long);
  return `${segment}:${base}+${name(index)}<<${scaling}+${offset}`;
}

/** Describes a difference, or returns null. */
function difference(bits: Bits, bytes: Uint8Array): string | null {
  const theirs = new IcedDecoder(bits, bytes, DecoderOptions.None);
  const iced = theirs.decode();
  try {
    const ours = decoder.decode(bytes, 0, bytes.length, MODES[bits]);
    if (iced.isInvalid) {
      return typeof ours === "string" ? null : `valid here: ${ours.bound.definition.mnemonic}`;
    }
    if (typeof ours === "string") {
      const features = [...iced.cpuidFeatures()].map((feature) => CpuidFeature[feature]);
      return features.some(isAbsent) ? null : `${ours} here: ${Code[iced.code]} (${features})`;
    }
    if (ours.length !== iced.length) {
      return `${Code[iced.code]} has ${iced.length} bytes, here ${ours.length}`;
    }
    if (ours.addressing === null) return null;
    const [found, expected] = [
      memoryOfOurs(ours, bits === 64),
      memoryOfIced(iced, ours, bits === 64),
    ];
    return found === expected ? null : `${Code[iced.code]}: ${expected}, here ${found}`;
  } finally {
    iced.free();
    theirs.free();
  }
}

const PREFIXES: Readonly<Record<Bits, readonly (readonly number[])[]>> = {
  16: [[], [0x66], [0x67], [0xf3], [0xf2], [0xf0]],
  32: [[], [0x66], [0x67], [0xf3], [0xf2], [0xf0]],
  64: [[], [0x66], [0x67, 0x41], [0xf3], [0xf2, 0x66], [0xf0, 0x48], [0x66, 0x4d]],
};
const MAPS = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const LENGTH = 15;

/** Every opcode of every map with every ModRM byte, one prefix combination each in turn. */
function* systematic(bits: Bits, random: Random): Generator<Uint8Array> {
  let turn = 0;
  for (const map of MAPS) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let modrm = 0; modrm < 256; modrm++) {
        const prefixes = PREFIXES[bits][turn++ % PREFIXES[bits].length];
        const bytes = randomBytes(random);
        bytes.set([...prefixes, ...map, opcode, modrm]);
        yield bytes;
      }
    }
  }
}

function randomBytes(random: Random): Uint8Array {
  return Uint8Array.from({ length: LENGTH }, () => random.below(256));
}

/** Differences by kind, with one example each. */
function differences(bits: Bits, source: Iterable<Uint8Array>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const bytes of source) {
    const text = difference(bits, bytes);
    if (text !== null) {
      found[text] ??= [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    }
  }
  return found;
}

for (const bits of [16, 32, 64] as const) {
  Deno.test(`${bits}-bit code is decoded as iced-x86 decodes it`, () => {
    const random = new Random(bits);
    assertEquals(differences(bits, systematic(bits, random)), {});
    const many = Array.from({ length: 30_000 }, () => randomBytes(random));
    assertEquals(differences(bits, many), {});
  });
}

Deno.test("CMPXCHG16B needs CX16, and CMPXCHG8B does not", () => {
  const without = new Decoder(
    ENCODINGS,
    (feature) => feature !== "CX16",
    () => ({ endsBlock: true }),
  );
  const decoded = (by: Decoder, ...bytes: number[]) => {
    const result = by.decode(Uint8Array.of(...bytes), 0, bytes.length, MODES[64]);
    return typeof result === "string" ? result : result.bound.form.width;
  };
  const narrow = [0x0f, 0xc7, 0x0e];
  assertEquals([decoded(decoder, ...narrow), decoded(decoder, 0x48, ...narrow)], [32, 64]);
  assertEquals(
    [decoded(without, ...narrow), decoded(without, 0x48, ...narrow)],
    [32, "undefined"],
  );
});
