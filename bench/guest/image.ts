/**
 * The guest image: starts in 32-bit protected mode at 1 MiB, maps 64 MiB in pages of 4 KiB, runs each
 * kernel in turn and marks its start and end.
 *
 * Marks are bytes written to port 0xF4 (a debug exit, where the machine has one that can be continued)
 * and to port 0xE9 (a debug console). The flat image has a Multiboot header; {@link romImage} puts it behind a reset
 * vector, so that an emulator without boot protocols runs it without any firmware.
 */

import { assemble } from "../../core/x86/assembler/mod.ts";
import { COMPUTE_KERNELS } from "./compute.ts";
import { FLOATING_KERNELS } from "./floating.ts";
import { type Dialect, type Kernel, Place } from "./kernel.ts";
import { SYSTEM_KERNELS } from "./system.ts";

/** All kernels, in the order of the table. */
export const KERNELS: readonly Kernel[] = [
  ...COMPUTE_KERNELS,
  ...FLOATING_KERNELS,
  ...SYSTEM_KERNELS,
];

/** Marks: `START + i` as kernel i begins, END as it ends, FINISHED after the last. */
export const Mark = { start: 0x20, end: 0x7e, finished: 0x7d } as const;

const ROM_BYTES = 0x2_0000;
const RESET_CODE = 0x1_f000;
const PAGE_TABLES = 16;

/** An image and what it runs. */
export interface GuestImage {
  readonly bits: 32 | 64;
  readonly kernels: readonly Kernel[];
  /** By how much the rounds of kernels that scale were multiplied. */
  readonly scale: number;
  /** With a Multiboot header; runs at {@link Place.image}. */
  readonly flat: Uint8Array<ArrayBuffer>;
}

/** Rounds of a kernel in an image. */
export function roundsOf(kernel: Kernel, scale: number): number {
  return kernel.scales ? kernel.rounds * scale : kernel.rounds;
}

/** Assembles the image of `kernels`; those that do not fit `bits` are left out. */
export function guestImage(kernels: readonly Kernel[], bits: 32 | 64, scale: number): GuestImage {
  const fitting = kernels.filter((kernel) => kernel.bits.includes(bits));
  const dialect: Dialect = bits === 32
    ? { bits, pointer: "dd", pointerBytes: 4 }
    : { bits, pointer: "dq", pointerBytes: 8 };
  const text = source(fitting, dialect, scale);
  const { bytes } = assemble(text, { bits: 32, origin: Place.image });
  if (bytes.length > RESET_CODE) throw new RangeError(`guest image of ${bytes.length} bytes`);
  return { bits, kernels: fitting, scale, flat: bytes };
}

function source(kernels: readonly Kernel[], dialect: Dialect, scale: number): string {
  const wide = (text: string) =>
    text.replace(/\$(ax|bx|cx|dx|si|di|bp|sp)\b/g, dialect.bits === 32 ? "e$1" : "r$1");
  // Data belongs to no kernel of the image alone: floating-point kernels share theirs.
  const data = new Set(KERNELS.map((kernel) => kernel.data?.(dialect) ?? ""));
  return wide(`
  ${header}
  entry:
    cli
    mov esp, ${Place.stackTop}
    ${dialect.bits === 32 ? paging32 : paging64}
  ${kernels.map((kernel, i) => run(kernel, i, dialect, roundsOf(kernel, scale))).join("")}
    mov al, ${Mark.finished}
    call mark
  stopped:
    hlt
    jmp stopped
  mark:
    out 0xf4, al
    out 0xe9, al
    ret
  left_user:
    ret
  ${[...data].join("")}
  ${dialect.bits === 32 ? tables32 : tables64}
  image_end:`);
}

/** Multiboot 1 with the address fields (flag bit 16). */
const header = `
  header:
    dd 0x1badb002, 0x10000, (-(0x1badb002 + 0x10000)) & 0xffffffff
    dd header, header, image_end, 0, entry`;

/** Each kernel is a subroutine, so that what it leaves on the stack cannot reach the next. */
function run(kernel: Kernel, index: number, dialect: Dialect, rounds: number): string {
  return `
  kernel${index}_start:
    ${kernel.prepare ? `call prepare${index}` : ""}
    mov al, ${Mark.start + index}
    call mark
    call kernel${index}
    mov al, ${Mark.end}
    call mark
    jmp kernel${index}_end
  ${kernel.prepare ? `prepare${index}:${kernel.prepare(dialect)}\n    ret` : ""}
  kernel${index}:${kernel.body(rounds, dialect)}
    ret
  kernel${index}_end:`;
}

/** Page tables from pageTables + 0x4000 on, a directory before them; SSE and x87 enabled. */
const fillTables32 = `
    mov edi, ${Place.pageTables + 0x4000}
    mov eax, 7
    mov ecx, ${PAGE_TABLES * 1024}
  .entry:
    mov [edi], eax
    add edi, 4
    add eax, 4096
    dec ecx
    jnz .entry
    mov edi, ${Place.pageTables}
    mov eax, ${Place.pageTables + 0x4000 + 7}
    mov ecx, ${PAGE_TABLES}
  .table:
    mov [edi], eax
    add edi, 4
    add eax, 4096
    dec ecx
    jnz .table`;

const ENABLE_SSE = `
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax`;

/** Writes the gate at EDI for the handler at EAX with the attributes in DX. */
const SET_GATE = `
  set_gate:
    mov [$di], ax
    mov word [$di+2], 8
    mov [$di+4], dx
    shr eax, 16
    mov [$di+6], ax
    ret`;

const paging32 = `${fillTables32}${ENABLE_SSE}
    mov eax, ${Place.pageTables}
    mov cr3, eax
    mov eax, cr0
    and eax, 0x9ffffff3
    or eax, 0x80010020
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 8:.flat
  .flat:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, tss
    mov [gdt + 0x28 + 2], ax
    shr eax, 16
    mov [gdt + 0x28 + 4], al
    mov ax, 0x28
    ltr ax
    mov eax, fault_entry
    mov edi, idt + 14 * 8
    mov edx, 0x8e00
    call set_gate
    mov eax, int80_entry
    mov edi, idt + 0x80 * 8
    mov edx, 0xee00
    call set_gate
    lidt [idt_pointer]
    jmp started
  ${SET_GATE}
  started:`;

const tables32 = `
  align 8
  gdt:
    dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff, 0x00cff2000000ffff
    dq 0x0000890000000067
  gdt_pointer:
    dw 47
    dd gdt
  idt_pointer:
    dw 0x80 * 8 + 7
    dd idt
  align 8
  tss:
    dd 0, ${Place.stackTop - 0x1000}, 0x10
    times 22 dd 0
    dd 0x680000
  align 8
  idt: times 129 dq 0`;

const paging64 = `
    mov edi, ${Place.pageTables}
    xor eax, eax
    mov ecx, 4096
    cld
    rep stosd
    mov dword [${Place.pageTables}], ${Place.pageTables + 0x1007}
    mov dword [${Place.pageTables + 0x1000}], ${Place.pageTables + 0x2007}
    mov edi, ${Place.pageTables + 0x2000}
    mov eax, ${Place.pageTables + 0x4007}
    mov ecx, ${2 * PAGE_TABLES}
  .table:
    mov [edi], eax
    add edi, 8
    add eax, 4096
    dec ecx
    jnz .table
    mov edi, ${Place.pageTables + 0x4000}
    mov eax, 7
    mov ecx, ${PAGE_TABLES * 1024}
  .entry:
    mov [edi], eax
    mov dword [edi+4], 0
    add edi, 8
    add eax, 4096
    dec ecx
    jnz .entry
    mov eax, cr4
    or eax, 0x620
    mov cr4, eax
    mov eax, ${Place.pageTables}
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x101
    wrmsr
    mov eax, cr0
    and eax, 0x9ffffff3
    or eax, 0x80010020
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 8:long_start
  bits 64
  long_start:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, ${Place.stackTop}
    mov eax, tss
    mov [gdt + 0x30 + 2], ax
    shr eax, 16
    mov [gdt + 0x30 + 4], al
    mov ax, 0x30
    ltr ax
    mov eax, fault_entry
    mov edi, idt + 14 * 16
    mov edx, 0x8e00
    call set_gate
    mov eax, int80_entry
    mov edi, idt + 0x80 * 16
    mov edx, 0xee00
    call set_gate
    lidt [idt_pointer]
    ; IA32_STAR, IA32_LSTAR, IA32_FMASK.
    mov ecx, 0xc0000081
    xor eax, eax
    mov edx, 0x00180008
    wrmsr
    inc ecx
    mov eax, syscall_entry
    xor edx, edx
    wrmsr
    mov ecx, 0xc0000084
    xor eax, eax
    wrmsr
    jmp started
  ${SET_GATE}
  started:`;

const tables64 = `
  align 8
  gdt:
    dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
    dq 0x00affb000000ffff, 0x0000890000000067, 0
  gdt_pointer:
    dw 63
    dd gdt
  align 8
  idt_pointer:
    dw 0x80 * 16 + 15
    dq idt
  align 8
  tss:
    dd 0
    dq ${Place.stackTop - 0x1000}
    times 22 dd 0
    dd 0x680000
  align 16
  idt: times 258 dq 0`;

/** The image as a ROM of 128 KiB below 4 GiB: reset code copies it to its place and enters it. */
export function romImage(image: GuestImage): Uint8Array<ArrayBuffer> {
  const { bytes } = assemble(resetCode(image.flat.length), { bits: 16, origin: 0xf000 });
  const rom = new Uint8Array(ROM_BYTES);
  rom.set(image.flat);
  rom.set(bytes, RESET_CODE);
  return rom;
}

function resetCode(imageBytes: number): string {
  return `
  begin:
    cli
    in al, 0x92
    or al, 2
    and al, 0xfe
    out 0x92, al
    lgdt [cs:pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 8:0xf0000 + protected
  align 8
  table: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
  pointer:
    dw 23
    dd 0xf0000 + table
  bits 32
  protected:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esi, 0xe0000
    mov edi, ${Place.image}
    mov ecx, ${(imageBytes + 3) >> 2}
    cld
    rep movsd
    mov eax, [${Place.image + 28}]
    jmp eax
    times 0xff0 - ($ - begin) db 0xf4
  bits 16
    jmp 0xf000:0xf000
    times 0x1000 - ($ - begin) db 0`;
}
