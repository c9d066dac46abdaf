/** Kernels that compute: registers, branches, memory, tables, calls. They fit 32-bit and 64-bit code. */

import { type Kernel, Place } from "./kernel.ts";

const BOTH = [32, 64] as const;
const CRC_BYTES = 16384;
const SIEVE_LIMIT = 65536;
const NODES = 4096;

const registerLoop: Kernel = {
  name: "register loop",
  unit: "MIPS",
  rounds: 4_000_000,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ecx, ${rounds}
    mov eax, 1
    mov ebx, 2
  .again:
    add eax, ebx
    xor ebx, eax
    rol eax, 5
    lea edx, [$ax+$bx*2]
    sub edx, ecx
    and edx, 0x7fffffff
    or ebx, edx
    mov esi, ebx
    dec ecx
    jnz .again`,
};

const branches: Kernel = {
  name: "branches and flags",
  unit: "MIPS",
  rounds: 2_500_000,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ecx, ${rounds}
    mov eax, 12345
    xor edi, edi
  .again:
    imul eax, eax, 1103515245
    add eax, 12345
    mov edx, eax
    shr edx, 16
    test edx, 1
    jz .even
    inc edi
    jmp .joined
  .even:
    adc edi, 2
  .joined:
    cmp dl, 100
    ja .above
    sub edi, 1
  .above:
    cmp edx, 0x4000
    setl bl
    movzx ebx, bl
    add edi, ebx
    cmovs esi, edi
    dec ecx
    jnz .again`,
};

const copyDwords: Kernel = {
  name: "copy, dwords",
  unit: "MIPS",
  rounds: 2_000,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ebp, ${rounds}
  .again:
    mov ecx, 4096
    mov esi, ${Place.buffer}
    mov edi, ${Place.buffer2}
  .next:
    mov eax, [$si]
    mov [$di], eax
    add esi, 4
    add edi, 4
    dec ecx
    jnz .next
    dec ebp
    jnz .again`,
};

const repMovsd: Kernel = {
  name: "rep movsd",
  unit: "MIPS",
  rounds: 20_000,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ebp, ${rounds}
    cld
  .again:
    mov ecx, 4096
    mov esi, ${Place.buffer}
    mov edi, ${Place.buffer2}
    rep movsd
    dec ebp
    jnz .again`,
};

const sieve: Kernel = {
  name: "sieve",
  unit: "MIPS",
  rounds: 50,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ebp, ${rounds}
  .again:
    mov edi, ${Place.buffer}
    mov ecx, ${SIEVE_LIMIT >> 2}
    mov eax, 0x01010101
    cld
    rep stosd
    mov ebx, 2
  .candidate:
    cmp byte [$bx+${Place.buffer}], 0
    je .composite
    lea edx, [$bx+$bx]
  .strike:
    mov byte [$dx+${Place.buffer}], 0
    add edx, ebx
    cmp edx, ${SIEVE_LIMIT}
    jb .strike
  .composite:
    inc ebx
    cmp ebx, 256
    jb .candidate
    dec ebp
    jnz .again`,
};

const crc32: Kernel = {
  name: "crc32, table",
  unit: "MIPS",
  rounds: 300,
  scales: true,
  bits: BOTH,
  prepare: () => `
    xor ebx, ebx
  .entry:
    mov eax, ebx
    mov ecx, 8
  .bit:
    shr eax, 1
    jnc .even
    xor eax, 0xedb88320
  .even:
    dec ecx
    jnz .bit
    mov [$bx*4+${Place.buffer2}], eax
    inc ebx
    cmp ebx, 256
    jb .entry`,
  body: (rounds) => `
    mov ebp, ${rounds}
  .again:
    mov esi, ${Place.buffer}
    mov ecx, ${CRC_BYTES}
    mov eax, 0xffffffff
  .next:
    movzx edx, byte [$si]
    inc esi
    movzx ebx, al
    xor edx, ebx
    shr eax, 8
    xor eax, [$dx*4+${Place.buffer2}]
    dec ecx
    jnz .next
    dec ebp
    jnz .again`,
};

/** One round of a SHA-256-like compression: the eight words of the state stand in memory and rotate by name. */
function shaRound(round: number): string {
  const at = (word: number) => `[$bp+${4 * ((word + 64 - round) & 7)}]`;
  const [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(at);
  return `
    mov eax, ${e}
    mov edx, eax
    ror edx, 6
    mov ebx, eax
    ror ebx, 11
    xor edx, ebx
    ror ebx, 14
    xor edx, ebx
    mov ebx, ${f}
    xor ebx, ${g}
    and ebx, eax
    xor ebx, ${g}
    add edx, ebx
    add edx, ${h}
    add edx, [$si+${4 * (round & 15)}]
    add edx, 0x${((0x428a2f98 + round * 0x9e3779b) >>> 0).toString(16)}
    add ${d}, edx
    mov eax, ${a}
    mov ebx, eax
    ror ebx, 2
    mov edi, eax
    ror edi, 13
    xor ebx, edi
    ror edi, 9
    xor ebx, edi
    add edx, ebx
    mov ebx, ${b}
    mov edi, ebx
    or ebx, ${c}
    and ebx, eax
    and edi, ${c}
    or ebx, edi
    add edx, ebx
    mov ${h}, edx`;
}

const sha256: Kernel = {
  name: "sha256-like",
  unit: "MIPS",
  rounds: 18_000,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ecx, ${rounds}
    mov ebp, ${Place.buffer2}
    mov esi, ${Place.buffer}
  .again:${Array.from({ length: 64 }, (_, round) => shaRound(round)).join("")}
    dec ecx
    jnz .again`,
};

/** Bytecode: 0 push the counter, 1 add, 2 xor, 3 shift, 4 decrement the counter and loop, 5 duplicate. */
const bytecode: Kernel = {
  name: "bytecode interpreter",
  unit: "MIPS",
  rounds: 800_000,
  scales: true,
  bits: BOTH,
  body: (rounds, { pointerBytes }) => `
    mov ebp, ${rounds}
    mov edi, ${Place.buffer2}
    xor edx, edx
  .restart:
    mov esi, bytecode_program
  .next:
    movzx eax, byte [$si]
    inc $si
    jmp [$ax*${pointerBytes}+.table]
  .push:
    add edi, 4
    mov [$di], ebp
    jmp .next
  .add:
    mov eax, [$di]
    sub edi, 4
    add [$di], eax
    jmp .next
  .xor:
    mov eax, [$di]
    sub edi, 4
    xor [$di], eax
    jmp .next
  .shift:
    shl dword [$di], 1
    jmp .next
  .dup:
    mov eax, [$di]
    add edi, 4
    mov [$di], eax
    jmp .next
  .loop:
    mov edi, ${Place.buffer2}
    dec ebp
    jnz .restart
    jmp .done
  align 8
  .table: ${pointerBytes === 8 ? "dq" : "dd"} .push, .add, .xor, .shift, .loop, .dup
  .done:`,
  data: () => `
  bytecode_program: db 0, 5, 1, 3, 0, 2, 5, 5, 1, 2, 4`,
};

const dhrystone: Kernel = {
  name: "dhrystone-like calls",
  unit: "MIPS",
  rounds: 300_000,
  scales: true,
  bits: BOTH,
  body: (rounds) => `
    mov ebp, ${rounds}
  .again:
    push $bp
    mov esi, dhry_record
    mov edi, ${Place.buffer2}
    call dhry_copy
    mov eax, ebp
    call dhry_arithmetic
    mov esi, dhry_text1
    mov edi, dhry_text2
    call dhry_compare
    mov [${Place.buffer2}+64], eax
    pop $bp
    dec ebp
    jnz .again`,
  data: () => `
  dhry_copy:
    push $bx
    mov ecx, 12
  .next:
    mov ebx, [$si+$cx*4-4]
    mov [$di+$cx*4-4], ebx
    dec ecx
    jnz .next
    pop $bx
    ret
  dhry_arithmetic:
    push $bp
    mov $bp, $sp
    push $bx
    lea ebx, [$ax+7]
    imul eax, ebx
    xor edx, edx
    mov ecx, 13
    div ecx
    add eax, edx
    pop $bx
    leave
    ret
  dhry_compare:
    xor eax, eax
  .next:
    movzx ecx, byte [$si]
    movzx edx, byte [$di]
    cmp ecx, edx
    jne .differ
    test ecx, ecx
    jz .equal
    inc $si
    inc $di
    jmp .next
  .differ:
    sub ecx, edx
    mov eax, ecx
  .equal:
    ret
  align 4
  dhry_record: times 16 dd 0x12345678
  dhry_text1: db "DHRYSTONE-LIKE, 1'ST STRING", 0
  dhry_text2: db "DHRYSTONE-LIKE, 2'ND STRING", 0`,
};

const pointerChase: Kernel = {
  name: "pointer chase, 16 MiB",
  unit: "MIPS",
  rounds: 500_000,
  scales: true,
  bits: BOTH,
  // The next page's number is 1229 x + 977 modulo 4096: a full cycle without locality.
  prepare: () => `
    xor ebx, ebx
    mov ecx, ${NODES}
  .node:
    imul edx, ebx, 1229
    add edx, 977
    and edx, ${NODES - 1}
    mov eax, ebx
    call chase_address
    mov esi, eax
    mov eax, edx
    call chase_address
    mov [$si], $ax
    mov ebx, edx
    dec ecx
    jnz .node`,
  body: (rounds) => `
    mov ecx, ${rounds}
    xor eax, eax
    call chase_address
  .again:
    mov $ax, [$ax]
    mov $ax, [$ax]
    mov $ax, [$ax]
    mov $ax, [$ax]
    dec ecx
    jnz .again`,
  data: () => `
  chase_address:
    mov edi, eax
    and edi, 31
    shl edi, 7
    shl eax, 12
    lea eax, [$ax+$di+${Place.chase}]
    ret`,
};

const wideArithmetic: Kernel = {
  name: "64-bit arithmetic in 32-bit code",
  unit: "MIPS",
  rounds: 2_000_000,
  scales: true,
  bits: [32],
  body: (rounds) => `
    mov ebp, ${rounds}
    mov eax, 0x9e3779b9
    mov edx, 0x7f4a7c15
    mov esi, 1
    xor edi, edi
  .again:
    add esi, eax
    adc edi, edx
    mov ebx, esi
    mov ecx, edi
    shld ecx, ebx, 13
    shl ebx, 13
    xor esi, ebx
    xor edi, ecx
    mov eax, esi
    mul edi
    sub eax, esi
    sbb edx, edi
    neg eax
    adc edx, 0
    dec ebp
    jnz .again`,
};

/** Kernels without floating point or privileges. */
export const COMPUTE_KERNELS: readonly Kernel[] = [
  registerLoop,
  branches,
  copyDwords,
  repMovsd,
  sieve,
  crc32,
  sha256,
  bytecode,
  dhrystone,
  pointerChase,
  wideArithmetic,
];
