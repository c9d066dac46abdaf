/**
 * A guest that means harm: random bytes as code, in a mode of the caller's choice, with descriptor tables, page
 * tables and handlers within reach of its own stores, and pointers to whatever the machine has.
 */

import { assemble } from "../../core/x86/assembler/mod.ts";
import { physical } from "../../core/lib/brand.ts";
import { Attribute, Cr0, Cr4, Efer } from "../../core/x86/state/bits.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import { GENERAL_REGISTERS, offsetOf, SEGMENT_REGISTERS } from "../../core/x86/state/layout.ts";
import { stateReplaced } from "../../core/x86/system/mod.ts";
import type { PcMachine } from "../../testbed/machine/machine.ts";
import type { Random } from "./softfloat_operands.ts";

/** In which state code starts. */
export const HOSTILE_MODES = ["real", "protected", "paged", "user", "long", "long user"] as const;
export type HostileMode = (typeof HOSTILE_MODES)[number];

/** RAM of the machines under attack. */
export const HOSTILE_RAM_BYTES = 8 * 1024 * 1024;

const At = {
  code: 0x1_0000,
  codeBytes: 0x1_0000,
  pml4: 0x10_0000,
  pdpt: 0x10_1000,
  directory: 0x10_2000,
  table: 0x10_3000,
  legacyDirectory: 0x10_4000,
  legacyTable: 0x10_5000,
  idt: 0x10_6000,
  gdt: 0x10_7000,
  tss: 0x10_8000,
} as const;

/** GDT: null, code and data for 32 bits, 64-bit code, the same for ring 3, a task state segment. */
const GDT: readonly (readonly [low: number, high: number])[] = [
  [0, 0],
  [0xffff, 0xcf9b00],
  [0xffff, 0xcf9300],
  [0xffff, 0xaf9b00],
  [0xffff, 0xcffb00],
  [0xffff, 0xcff300],
  [0xffff, 0xaffb00],
  [(At.tss << 16 | 0x2068) >>> 0, 0x8b00 | (At.tss >>> 16)],
  [0, 0],
];

/** Where pointers lead: code, tables, stack, devices, edges of RAM and of the address space. */
const PLACES = [
  At.code,
  At.code + 0x8000,
  At.pml4,
  At.table,
  At.legacyTable,
  At.idt,
  At.gdt,
  At.tss,
]
  .concat([0, 0x400, 0x7ff0, 0xa_0000, 0xb_8000, 0xe_0000, HOSTILE_RAM_BYTES - 8])
  .concat([0xfec0_0010, 0xfed0_0000, 0xfee0_0300, 0xfee0_00b0, 0xffff_fff8, 0x8000_0000]);
const PORTS = [0x20, 0x21, 0x40, 0x43, 0x60, 0x64, 0x70, 0x71, 0x80, 0x92, 0xa1, 0xcf8, 0xcfc]
  .concat([0x1f0, 0x1f6, 0x1f7, 0x3c0, 0x3d4, 0x3d5, 0x3f8, 0x3fb, 0x4d0, 0x604, 0xc000, 0xc002]);

/** Instructions that matter and that random bytes rarely make. */
const SPICE: readonly string[] = [
  "mov cr0, eax",
  "mov cr3, eax",
  "mov cr4, eax",
  "mov dr7, eax",
  "mov dr0, edi",
  "invlpg [edi]",
  "wbinvd",
  "wrmsr",
  "rdmsr",
  "lidt [edi]",
  "lgdt [edi]",
  "lldt ax",
  "ltr ax",
  "popfd",
  "sti",
  "hlt",
  "mov ss, ax",
  "mov fs, ax",
  "iretd",
  "retf",
  "rep movsb",
  "rep movsd",
  "rep stosd",
  "rep insb",
  "rep outsb",
  "out dx, eax",
  "out dx, al",
  "in eax, dx",
  "lock cmpxchg8b [edi]",
  "fxsave [edi]",
  "fxrstor [edi]",
  "fnsave [edi]",
  "frstor [edi]",
  "syscall",
  "sysenter",
  "sysexit",
  "int 0x20",
  "mov [edi], eax",
  "add [esi], eax",
  "cpuid",
  "monitor",
  "mwait",
  "enter 32, 5",
  "leave",
];

let spice: Uint8Array[] | null = null;

/** Random bytes with spice. */
function fillCode(random: Random, bytes: Uint8Array): void {
  spice ??= SPICE.map((line) => assemble(line, { bits: 32 }).bytes);
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.next();
  for (let at = 0; at < bytes.length - 16; at += 8 + random.below(24)) {
    bytes.set(random.pick(spice), at);
  }
}

/** Puts a new attack into `machine`: code, tables and the state of all its CPUs. */
export function plantAttack(machine: PcMachine, mode: HostileMode, random: Random): void {
  const memory = machine.machineMemory;
  const put = (address: number, bytes: Uint8Array) => memory.writeBytes(physical(address), bytes);
  const word = (address: number, low: number, high: number) => {
    memory.write(address, 4, low >>> 0);
    memory.write(address + 4, 4, high >>> 0);
  };
  const code = new Uint8Array(At.codeBytes);
  fillCode(random, code);
  put(At.code, code);
  put(HOSTILE_RAM_BYTES - 4096, code.subarray(0, 4096));
  GDT.forEach(([low, high], i) => word(At.gdt + 8 * i, low, high));
  put(At.tss, new Uint8Array(0x2100));
  plantTaskState(word, mode.startsWith("long"));
  const handler = () => At.code + random.below(At.codeBytes);
  for (let vector = 0; vector < 256; vector++) {
    if (mode.startsWith("long")) {
      const offset = handler();
      const ist = random.below(8) === 0 ? random.below(8) : 0;
      word(
        At.idt + 16 * vector,
        0x18_0000 | (offset & 0xffff),
        (offset & 0xffff0000) | 0xee00 | ist,
      );
      word(At.idt + 16 * vector + 8, 0, 0);
    } else {
      const offset = handler();
      word(At.idt + 8 * vector, 0x8_0000 | (offset & 0xffff), (offset & 0xffff0000) | 0xee00);
    }
    memory.write(4 * vector, 4, 0x1000_0000 | random.below(0x1_0000));
  }
  plantPageTables(word, random);
  for (const cpu of machine.processors.cpus) enter(cpu, mode, random);
  machine.processors.engine.invalidate();
}

/** A task state segment with stacks for ring 0 and, in long mode, for the interrupt stack table. */
function plantTaskState(
  word: (address: number, low: number, high: number) => void,
  long: boolean,
): void {
  word(At.tss + 4, At.code - 16, long ? 0 : 0x10);
  for (let ist = 1; long && ist < 8; ist++) word(At.tss + 0x1c + 8 * ist, At.code - 512 * ist, 0);
}

function plantPageTables(
  word: (address: number, low: number, high: number) => void,
  random: Random,
): void {
  word(At.pml4, At.pdpt | 7, 0);
  word(At.pdpt, At.directory | 7, 0);
  word(At.pdpt + 24, 0xc000_0087, 0);
  word(At.directory, At.table | 7, 0);
  for (let i = 1; i < 512; i++) word(At.directory + 8 * i, (i * 0x20_0000) | 0x87, 0);
  for (let i = 0; i < 512; i++) {
    // Now and then a page elsewhere, absent, read-only or with a reserved bit.
    const frame = random.below(32) === 0 ? random.below(2048) : i;
    const bits = random.below(32) === 0 ? random.below(0x200) : 7;
    word(At.table + 8 * i, frame * 4096 | bits, random.below(256) === 0 ? 0x100 : 0);
  }
  for (let i = 0; i < 1024; i += 2) {
    const legacy = (entry: number) => entry * 0x40_0000 | 0x87;
    word(At.legacyDirectory + 4 * i, i === 0 ? At.legacyTable | 7 : legacy(i), legacy(i + 1));
    word(At.legacyTable + 4 * i, i * 4096 | 7, (i + 1) * 4096 | 7);
  }
}

function enter(cpu: Cpu, mode: HostileMode, random: Random): void {
  const { state } = cpu;
  state.activity =
    state.inhibit =
    state.signals =
    state.debugPending =
    state.nmiBlocked =
      0;
  state.dr7 = 0x400;
  const user = mode.endsWith("user");
  const long = mode.startsWith("long");
  const real = mode === "real";
  const paging = !real && mode !== "protected";
  state.cpl = user ? 3 : 0;
  state.cr0 = (real ? 0 : Cr0.PE) | (paging ? Cr0.PG : 0) | Cr0.ET | Cr0.NE;
  state.cr4 = (long ? Cr4.PAE : Cr4.PSE) | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
  state.efer = long ? Efer.LMA | Efer.LME | Efer.SCE : Efer.SCE;
  state.cr3 = BigInt(long ? At.pml4 : At.legacyDirectory);
  state.flags = 2 | random.below(2) * 0x200 | (user ? random.below(2) * 0x3000 : 0) |
    (random.below(16) === 0 ? 0x100 : 0);
  for (const name of GENERAL_REGISTERS) {
    const kind = random.below(4);
    state[name] = BigInt(
      kind === 0 ? random.next() : kind === 1 ? random.below(64) : random.pick(PLACES),
    );
  }
  state.rdx = BigInt(random.pick(PORTS));
  state.rsp = BigInt(real ? 0x7000 : At.code - 64);
  state.rip = BigInt((real ? 0 : At.code) + random.below(At.codeBytes));
  state.idtrBase = BigInt(real ? 0 : At.idt);
  state.idtrLimit = real ? 0x3ff : 0xfff;
  state.gdtrBase = BigInt(At.gdt);
  state.gdtrLimit = GDT.length * 8 - 1;
  enterSegments(cpu, real, long, user);
  stateReplaced(cpu);
}

function enterSegments(cpu: Cpu, real: boolean, long: boolean, user: boolean): void {
  const { u32 } = cpu.state;
  const base = user ? 0x23 : 8;
  for (const name of SEGMENT_REGISTERS) {
    const isCode = name === "cs";
    const put = (part: string, value: number) =>
      u32[offsetOf(`${name}${part}` as "csBase") >> 2] = value;
    const big = real ? 0 : Attribute.big;
    const limit = real ? 0xffff : 0xffff_ffff;
    const wide = isCode && long;
    put("Selector", real ? (isCode ? 0x1000 : 0) : isCode ? base + (long ? 16 : 0) : base + 8);
    put("Attributes", (isCode ? 0x9b : 0x93) | (user ? 0x60 : 0) | (wide ? Attribute.long : big));
    put("Base", real && isCode ? At.code : 0);
    put("First", 0);
    put("Last", limit);
    put("Limit", limit);
    put("Access", 7);
  }
  const task = { Selector: 0x38, Attributes: 0x8b, Base: At.tss, Last: 0x2068, Limit: 0x2068 };
  for (const [part, value] of Object.entries(task)) {
    u32[offsetOf(`tr${part}` as "trBase") >> 2] = value;
  }
}

/** Where code ends with RAM: starts the first CPU so near the end that its code runs off. */
export function startAtEndOfRam(machine: PcMachine, random: Random): void {
  const [{ state }] = machine.processors.cpus;
  state.rip = BigInt(HOSTILE_RAM_BYTES - 1 - random.below(64));
}
