/**
 * The registers that GDB knows, as tables, and the target description that is made of them.
 *
 * Source: "Debugging with GDB", "Target Descriptions", "i386 Features". Control registers are a feature of our own.
 */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import {
  type FieldName,
  fprOffset,
  offsetOf,
  SEGMENT_REGISTERS,
  xmmOffset,
} from "../../core/x86/state/layout.ts";
import { readFlags } from "../../core/x86/system/mod.ts";

/** One register of a description. */
export interface GdbRegister {
  readonly name: string;
  readonly bits: 32 | 64 | 80 | 128;
  readonly type: string;
  readonly group?: string;
  /** What it is called when it is set; left out of those that cannot be. */
  readonly field?: string;
  /** Its value, as many bytes as `bits` says. */
  read(cpu: CpuLook): Uint8Array;
}

/** A feature of a description. */
interface Feature {
  readonly name: string;
  /** Types that its registers use. */
  readonly types?: string;
  readonly registers: readonly GdbRegister[];
}

/** A machine's registers for GDB. */
export interface GdbArchitecture {
  readonly name: "i386" | "i386:x86-64";
  readonly features: readonly Feature[];
  /** All registers, in the order of their numbers. */
  readonly registers: readonly GdbRegister[];
}

/** Bits of EFLAGS by name, for GDB to print. */
const FLAG_NAMES: readonly (readonly [name: string, bit: number])[] = [
  ["CF", 0],
  ["PF", 2],
  ["AF", 4],
  ["ZF", 6],
  ["SF", 7],
  ["TF", 8],
  ["IF", 9],
  ["DF", 10],
  ["OF", 11],
  ["NT", 14],
  ["RF", 16],
  ["VM", 17],
  ["AC", 18],
  ["ID", 21],
];

const FLAG_TYPE = `<flags id="i386_eflags" size="4">${
  FLAG_NAMES.map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`).join("")
}</flags>`;

const VECTOR_TYPE = `<vector id="v4f" type="ieee_single" count="4"/>` +
  `<vector id="v2d" type="ieee_double" count="2"/><vector id="v16i8" type="int8" count="16"/>` +
  `<vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/>` +
  `<vector id="v2i64" type="int64" count="2"/><union id="vec128">` +
  `<field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>` +
  `<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>` +
  `<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>` +
  `<field name="uint128" type="uint128"/></union>`;

const X87_REGISTERS = 8;

/** A number of 32 or 64 bits. */
function number(
  name: string,
  bits: 32 | 64,
  type: string,
  value: (cpu: CpuLook) => bigint,
  group?: string,
): GdbRegister {
  return { name, bits, type, group, read: (cpu) => littleEndian(value(cpu), bits / 8) };
}

function littleEndian(value: bigint, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** A field of the CPU state. */
function wide({ state }: CpuLook, name: FieldName): bigint {
  const offset = offsetOf(name);
  return (BigInt(state.high(offset) >>> 0) << 32n) | BigInt(state.low(offset) >>> 0);
}

function narrow({ state }: CpuLook, name: FieldName): bigint {
  return BigInt(state.low(offsetOf(name)) >>> 0);
}

function core(bits: 32 | 64): GdbRegister[] {
  const general = bits === 64
    ? ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"] as const
    : ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] as const;
  const more = bits === 64
    ? ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const
    : [] as const;
  const nameOf = (field: string) => bits === 64 ? field : `e${field.slice(1)}`;
  const typeOf = (field: string) =>
    field === "rsp" || field === "rbp" ? "data_ptr" : bits === 64 ? "int64" : "int32";
  return [
    ...[...general, ...more].map((field) => ({
      ...number(nameOf(field), bits, typeOf(field), (cpu) => wide(cpu, field)),
      field,
    })),
    { ...number(nameOf("rip"), bits, "code_ptr", (cpu) => wide(cpu, "rip")), field: "rip" },
    {
      ...number("eflags", 32, "i386_eflags", ({ state }) => BigInt(readFlags(state) >>> 0)),
      field: "rflags",
    },
    ...(["cs", "ss", "ds", "es", "fs", "gs"] as const).map((name) =>
      number(name, 32, "int32", (cpu) => narrow(cpu, `${name}Selector`))
    ),
    ...Array.from({ length: X87_REGISTERS }, (_, i): GdbRegister => ({
      name: `st${i}`,
      bits: 80,
      type: "i387_ext",
      read: ({ state }) => {
        const at = fprOffset((state.fpuTop + i) % X87_REGISTERS);
        return state.u8.slice(at, at + 10);
      },
    })),
    ...([
      ["fctrl", (cpu: CpuLook) => narrow(cpu, "fpuControl")],
      ["fstat", ({ state }: CpuLook) => BigInt(state.fpuStatus | (state.fpuTop << 11))],
      ["ftag", tagWord],
      ["fiseg", (cpu: CpuLook) => narrow(cpu, "fpuCs")],
      ["fioff", (cpu: CpuLook) => narrow(cpu, "fpuIp")],
      ["foseg", (cpu: CpuLook) => narrow(cpu, "fpuDs")],
      ["fooff", (cpu: CpuLook) => narrow(cpu, "fpuDp")],
      ["fop", (cpu: CpuLook) => narrow(cpu, "fpuOpcode")],
    ] as const).map(([name, value]) => number(name, 32, "int", value, "float")),
  ];
}

/** The x87 tag word: two bits for each physical register. SDM vol. 1, "x87 FPU Tag Word". */
function tagWord({ state }: CpuLook): bigint {
  let tags = 0;
  for (let i = 0; i < X87_REGISTERS; i++) tags |= tagOf(state, i) << (2 * i);
  return BigInt(tags);
}

function tagOf(state: CpuLook["state"], register: number): number {
  if (((state.fpuTags >> register) & 1) !== 0) return 3;
  const at = fprOffset(register);
  const exponent = state.low(at + 8) & 0x7fff;
  const [low, high] = [state.low(at), state.high(at)];
  if (exponent === 0 && (low | high) === 0) return 1;
  const isOrdinary = exponent !== 0 && exponent !== 0x7fff && high < 0;
  return isOrdinary ? 0 : 2;
}

function sse(count: number): GdbRegister[] {
  return [
    ...Array.from({ length: count }, (_, i): GdbRegister => ({
      name: `xmm${i}`,
      bits: 128,
      type: "vec128",
      read: ({ state }) => state.u8.slice(xmmOffset(i), xmmOffset(i) + 16),
    })),
    number("mxcsr", 32, "int", (cpu) => narrow(cpu, "mxcsr"), "vector"),
  ];
}

function system(bits: 32 | 64): GdbRegister[] {
  return [
    ...(["cr0", "cr4", "efer"] as const).map((name) =>
      number(name, 32, "int", (cpu) => narrow(cpu, name), "system")
    ),
    ...(["cr2", "cr3"] as const).map((name) =>
      number(name, bits, bits === 64 ? "int64" : "int32", (cpu) => wide(cpu, name), "system")
    ),
    ...SEGMENT_REGISTERS.slice(0, 6).filter((name) => bits === 32 || !["fs", "gs"].includes(name))
      .map((name) =>
        number(
          `${name}_base`,
          bits,
          bits === 64 ? "int64" : "int32",
          (cpu) => wide(cpu, `${name}Base` as FieldName),
          "system",
        )
      ),
  ];
}

function architecture(name: GdbArchitecture["name"], bits: 32 | 64): GdbArchitecture {
  const segments = (["fs", "gs"] as const).map((each) =>
    number(`${each}_base`, 64, "int", (cpu) => wide(cpu, `${each}Base`))
  );
  const features: Feature[] = [
    { name: "org.gnu.gdb.i386.core", types: FLAG_TYPE, registers: core(bits) },
    {
      name: "org.gnu.gdb.i386.sse",
      types: VECTOR_TYPE,
      registers: sse(bits === 64 ? 16 : 8),
    },
    ...bits === 64 ? [{ name: "org.gnu.gdb.i386.segments", registers: segments }] : [],
    { name: "org.xenarium.system", registers: system(bits) },
  ];
  return { name, features, registers: features.flatMap(({ registers }) => registers) };
}

/** What GDB is told of 32-bit machines, and of 64-bit ones. */
export const ARCHITECTURES: Readonly<Record<32 | 64, GdbArchitecture>> = {
  32: architecture("i386", 32),
  64: architecture("i386:x86-64", 64),
};

/** The description that `qXfer:features:read:target.xml` gives. */
export function targetXml({ name, features }: GdbArchitecture): string {
  const feature = (each: Feature) => {
    const registers = each.registers.map(({ name, bits, type, group }) =>
      `<reg name="${name}" bitsize="${bits}" type="${type}"${group ? ` group="${group}"` : ""}/>`
    );
    return `<feature name="${each.name}">${each.types ?? ""}${registers.join("")}</feature>`;
  };
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">` +
    `<target version="1.0"><architecture>${name}</architecture>` +
    `${features.map(feature).join("")}</target>`;
}
