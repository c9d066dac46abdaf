/** Kernels about privilege, paging and code that changes. */

import { type Kernel, Place } from "./kernel.ts";

const COLD_BLOCKS = 100_000;
const COLD_BLOCK_BYTES = 16;
const FAULT_PTE = Place.pageTables + 0x4000 + (Place.faultPage >> 12) * 4;

const int80: Kernel = {
  name: "int 0x80, ring 3 to 0 and back",
  unit: "ns",
  rounds: 100_000,
  scales: true,
  bits: [32],
  body: (rounds) => `
    mov [int80_stack], esp
    mov ecx, ${rounds}
    push dword 0x23
    push dword ${Place.userStackTop}
    push dword 2
    push dword 0x1b
    push dword .user
    iret
  .user:
    xor eax, eax
    int 0x80
    dec ecx
    jnz .user
    mov eax, 1
    int 0x80
  .back:`,
  data: () => `
  align 4
  int80_stack: dd 0
  int80_entry:
    test eax, eax
    jnz .leave
    iret
  .leave:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov esp, [int80_stack]
    jmp int80_return`,
};

const pageFault: Kernel = {
  name: "page fault, fix PTE, invlpg",
  unit: "ns",
  rounds: 50_000,
  scales: true,
  bits: [32],
  body: (rounds) => `
    mov ecx, ${rounds}
  .again:
    mov dword [${FAULT_PTE}], 0
    invlpg [${Place.faultPage}]
    mov eax, [${Place.faultPage}]
    dec ecx
    jnz .again`,
  data: () => `
  fault_entry:
    push eax
    mov eax, cr2
    shr eax, 12
    mov dword [eax*4+${Place.pageTables + 0x4000}], ${Place.faultPage + 7}
    invlpg [${Place.faultPage}]
    pop eax
    add esp, 4
    iret`,
};

const cr3Reload: Kernel = {
  name: "CR3 reload, 32 pages",
  unit: "ns",
  rounds: 15_000,
  scales: true,
  bits: [32],
  body: (rounds) => `
    mov ecx, ${rounds}
  .again:
    mov eax, cr3
    mov cr3, eax
    mov esi, ${Place.chase}
    mov edx, 32
  .touch:
    mov eax, [esi]
    add esi, 4096
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

/** Kernels that need ring 0 or write code; 32-bit only. */
export const SYSTEM_KERNELS: readonly Kernel[] = [
  int80,
  pageFault,
  cr3Reload,
  coldOnce,
  coldTwice,
  selfModifying,
];
