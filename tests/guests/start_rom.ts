/**
 * A ROM that puts a CPU into the start state of a load plan, instruction by instruction: with it any
 * emulator that runs a BIOS image can run a plan, which proves the plan independently of our own CPU.
 */

import type { LongModeEntry, ProtectedEntry } from "../../guests/linux/mod.ts";

const ROM_BYTES = 0x1_0000;
const ROM_ADDRESS = 0xf_0000;
const RESET_VECTOR = 0xfff0;
const GDT_AT = 0x800;
const OWN_GDTR_AT = 0x900;
const PLAN_GDTR_AT = 0x910;
const PROTECTED_AT = 0x100;
const SPURIOUS = 0xfee0_00f0;
const LINT0 = 0xfee0_0350;
const EXTINT = 0x700;
const EFER = 0xc000_0080;
const EFER_LME = 0x100;

/** Register numbers in instructions. */
const registerNumbers = { eax: 0, ecx: 1, edx: 2, ebx: 3, esp: 4, ebp: 5, esi: 6, edi: 7 } as const;

/** The 64 KiB ROM for `entry`. */
export function startRom(entry: ProtectedEntry | LongModeEntry): Uint8Array<ArrayBuffer> {
  const rom = new Uint8Array(ROM_BYTES);
  // jmp 0xf000:0
  rom.set([0xea, 0, 0, 0x00, 0xf0], RESET_VECTOR);
  // cli; lgdt cs:[OWN_GDTR_AT]; mov eax, cr0; or al, 1; mov cr0, eax; jmp dword 8:PROTECTED_AT
  rom.set([0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, ...le16(OWN_GDTR_AT)], 0);
  rom.set([0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], 8);
  rom.set([0x66, 0xea, ...le32(ROM_ADDRESS + PROTECTED_AT), 8, 0], 16);
  rom.set(protectedCode(entry), PROTECTED_AT);
  // Null, flat 32-bit code (8), nothing, flat data (0x18).
  rom.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0], GDT_AT + 8);
  rom.set([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], GDT_AT + 0x18);
  rom.set([...le16(0x1f), ...le32(ROM_ADDRESS + GDT_AT)], OWN_GDTR_AT);
  rom.set([...le16(entry.gdt.limit), ...le32(entry.gdt.base)], PLAN_GDTR_AT);
  return rom;
}

function protectedCode(entry: ProtectedEntry | LongModeEntry): number[] {
  const code: number[] = [];
  // mov ax, 0x18; mov ds/es/ss/fs/gs, ax
  code.push(0x66, 0xb8, 0x18, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x8e, 0xe0, 0x8e, 0xe8);
  // lgdt [PLAN_GDTR_AT], with the data segments loaded again from it
  code.push(0x0f, 0x01, 0x15, ...le32(ROM_ADDRESS + PLAN_GDTR_AT));
  code.push(0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x8e, 0xe0, 0x8e, 0xe8);
  // What firmware does: interrupts of the 8259 pass through the local APIC ("virtual wire mode").
  for (const [register, value] of [[SPURIOUS, 0x1ff], [LINT0, EXTINT]]) {
    // mov dword [register], value
    code.push(0xc7, 0x05, ...le32(register), ...le32(value));
  }
  // mov cr4, eax
  code.push(0xb8, ...le32(entry.cr4), 0x0f, 0x22, 0xe0);
  if (entry.kind === "long64") {
    // mov cr3, eax; wrmsr
    code.push(0xb8, ...le32(entry.cr3), 0x0f, 0x22, 0xd8);
    code.push(0xb9, ...le32(EFER), 0xb8, ...le32(EFER_LME), 0x31, 0xd2, 0x0f, 0x30);
  }
  // mov cr0, eax
  code.push(0xb8, ...le32(entry.cr0), 0x0f, 0x22, 0xc0);
  for (const [name, number] of Object.entries(registerNumbers)) {
    const value = entry.registers[name as keyof typeof registerNumbers] ?? 0;
    code.push(0xb8 + number, ...le32(value));
  }
  // jmp code selector:entry
  code.push(0xea, ...le32(entry.instructionPointer), ...le16(entry.code.selector));
  return code;
}

function le16(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff];
}

function le32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
