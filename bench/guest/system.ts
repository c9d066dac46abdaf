/** Kernels about privilege, paging and code that changes. */

import { type Dialect, type Kernel, Place } from "./kernel.ts";

const COLD_BLOCKS = 100_000;
const COLD_BLOCK_BYTES = 16;
const PAGE_TABLE = Place.pageTables + 0x4000;

/** Words that differ with the width of what an interrupt pushes. */
const PUSH = { 32: "push dword", 64: "push qword" } as const;
const IRET = { 32: "iret", 64: "iretq" } as const;
const USER_CODE = { 32: 0x1b, 64: 0x2b } as const;

/** Goes to `.user` at CPL 3; the way back is `jmp .leave` of the handler. */
const toUser = ({ bits }: Dialect) => `
    mov [kernel_stack], $sp
    ${PUSH[bits]} 0x23
    ${PUSH[bits]} ${Place.userStackTop}
    ${PUSH[bits]} 2
    ${PUSH[bits]} ${USER_CODE[bits]}
    ${PUSH[bits]} .user
    ${IRET[bits]}`;

/** Ends the kernel from within its handler. */
const LEAVE = `
  .leave:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov $sp, [kernel_stack]
    jmp left_user`;

const int80: Kernel = {
  name: "int 0x80, ring 3 to 0 and back",
  unit: "ns",
  rounds: 100_000,
  scales: true,
  bits: [32, 64],
  body: (rounds, dialect) => `
    mov ecx, ${rounds}
    ${toUser(dialect)}
  .user:
    xor eax, eax
    int 0x80
    dec ecx
    jnz .user
    mov eax, 1
    int 0x80`,
  data: ({ bits, pointer }) => `
  align 8
  kernel_stack: ${pointer} 0
  int80_entry:
    test eax, eax
    jnz .leave
    ${IRET[bits]}
  ${LEAVE}`,
};

const syscall: Kernel = {
  name: "syscall and sysret",
  unit: "ns",
  rounds: 100_000,
  scales: true,
  bits: [64],
  body: (rounds, dialect) => `
    mov ebx, ${rounds}
    ${toUser(dialect)}
  .user:
    xor eax, eax
    syscall
    dec ebx
    jnz .user
    mov eax, 1
    syscall`,
  data: ({ bits }) =>
    bits === 32 ? "" : `
  syscall_entry:
    test eax, eax
    jnz .leave
    sysretq
  ${LEAVE}`,
};

const pageFault: Kernel = {
  name: "page fault, fix PTE, invlpg",
  unit: "ns",
  rounds: 50_000,
  scales: true,
  bits: [32, 64],
  body: (rounds, { pointerBytes }) => `
    mov ecx, ${rounds}
    mov $di, ${PAGE_TABLE + (Place.faultPage >> 12) * pointerBytes}
    mov $si, ${Place.faultPage}
  .again:
    mov dword [$di], 0
    invlpg [$si]
    mov eax, [$si]
    dec ecx
    jnz .again`,
  data: ({ bits, pointerBytes }) => `
  fault_entry:
    push $ax
    mov $ax, cr2
    shr $ax, 12
    mov dword [$ax*${pointerBytes}+${PAGE_TABLE}], ${Place.faultPage + 7}
    invlpg [$si]
    pop $ax
    add $sp, ${pointerBytes}
    ${IRET[bits]}`,
};

const cr3Reload: Kernel = {
  name: "CR3 reload, 32 pages",
  unit: "ns",
  rounds: 15_000,
  scales: true,
  bits: [32, 64],
  body: (rounds) => `
    mov ecx, ${rounds}
  .again:
    mov $ax, cr3
    mov cr3, $ax
    mov $si, ${Place.chase}
    mov edx, 32
  .touch:
    mov eax, [$si]
    add $si, 4096
    dec edx
    jnz .touch
    dec ecx
    jnz .again`,
};

/** Blocks of `mov eax, n; add ebx, eax; test ebx, ebx; jnz next; xor ebx, 1; jmp next`, 16 bytes each. */
const writeCold = (place: number) => `
    mov edi, ${place}
    mov ecx, ${COLD_BLOCKS}
  .block:
    mov byte [edi], 0xb8
    mov [edi+1], ecx
    mov dword [edi+5], 0xdb85c301
    mov dword [edi+9], 0xf3830575
    mov dword [edi+12], 0x00eb01f3
    add edi, ${COLD_BLOCK_BYTES}
    dec ecx
    jnz .block
    mov byte [edi], 0xc3`;

const coldOnce: Kernel = {
  name: "cold code, 100,000 blocks once",
  unit: "MIPS",
  rounds: 1,
  scales: false,
  bits: [32],
  prepare: () => writeCold(Place.coldCode),
  body: () => `
    xor ebx, ebx
    mov edx, ${Place.coldCode}
    call edx`,
};

const coldTwice: Kernel = {
  name: "cold code, 100,000 blocks twice more",
  unit: "MIPS",
  rounds: 2,
  scales: false,
  bits: [32],
  body: () => `
    xor ebx, ebx
    mov edx, ${Place.coldCode}
    call edx
    mov edx, ${Place.coldCode}
    call edx`,
};

const selfModifying: Kernel = {
  name: "self-modifying code, patch and call",
  unit: "ns",
  rounds: 30_000,
  scales: false,
  bits: [32],
  body: (rounds) => `
    mov ecx, ${rounds}
    mov edx, ${Place.buffer}
    mov byte [edx], 0xb8
    mov byte [edx+5], 0x01
    mov byte [edx+6], 0xc3
    mov byte [edx+7], 0xc3
  .again:
    mov [edx+1], ecx
    call edx
    dec ecx
    jnz .again`,
};

/** Kernels that need ring 0 or write code. */
export const SYSTEM_KERNELS: readonly Kernel[] = [
  int80,
  syscall,
  pageFault,
  cr3Reload,
  coldOnce,
  coldTwice,
  selfModifying,
];
