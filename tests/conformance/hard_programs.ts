/** Programs that are hard to translate: code that changes, lies across pages, jumps into itself, faults, or is a great deal. */

/** A program, and for how many cycles it is watched; it ends earlier, with its own time in EDX:EAX. */
export interface Program {
  readonly claim: string;
  readonly source: string;
  readonly cycles: number;
}

/** Each in 64-bit mode on a small machine (small_machine.ts). */
export const PROGRAMS: readonly Program[] = [
  {
    claim: "jumps that lead where control goes anyway",
    source: `
      mov ecx, 200
    again:
      times 60 db 0x74, 0
      times 60 db 0xeb, 0
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 40_000,
  },
  {
    claim: "a loop that patches itself at each iteration",
    source: `
      mov ecx, 600
    again:
      add ebx, 1
      inc byte [again + 2]
      imul ebx, ebx, 77
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "a loop that patches the instruction behind the store",
    source: `
      mov ecx, 600
    again:
      mov [patched + 1], ecx
    patched:
      mov eax, 0
      add ebx, eax
      rol ebx, 3
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "code whose neighbour is patched",
    source: `
      mov ebp, 100
    round:
      mov [patched + 1], ebp
      mov ecx, 50
    again:
      lea ebx, [rbx * 4 + rcx]
      dec ecx
      jnz again
    patched:
      add ebx, 0x12345678
      dec ebp
      jnz round
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "an instruction across the end of a page, patched in either page",
    source: `
      mov edi, 0x100ffe
      mov dword [rdi], 0x5678c381
      mov dword [rdi + 4], 0xc3901234
      mov ecx, 300
    again:
      call rdi
      test ecx, 3
      jnz same
      add byte [rdi + 5], 1
      test ecx, 15
      jnz same
      xor byte [rdi + 1], 0x28
    same:
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "an instruction whose second page is mapped to and fro, and then not at all",
    source: `
      mov edi, 0x180ffe
      mov word [rdi], 0xc381
      mov dword [0x120000], 0x12345678
      mov byte [0x120004], 0xc3
      mov dword [0x121000], 0x9abcdef0
      mov byte [0x121004], 0xc3
      mov qword [0x7000 + 8 * 0x181], 0x120003
      invlpg [0x181000]
      mov ecx, 200
    again:
      call rdi
      xor dword [0x7000 + 8 * 0x181], 0x1000
      invlpg [0x181000]
      dec ecx
      jnz again
      mov eax, fault
      mov dword [0x20e0], 0x80000
      mov word [0x20e0], ax
      mov dword [0x20e4], 0x18e00
      mov dword [0x7000 + 8 * 0x181], 0
      invlpg [0x181000]
      call rdi
    fault:
      pop rax
      mov rbx, cr2
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "repeated, locked and jumping instructions across the end of a page",
    source: `
      mov esi, 0x120000
      mov ebp, 100
    round:
      mov edi, 0x130000
      mov ecx, 40
      mov edx, 0x100fff
      mov dword [rdx], 0xc3a5f3
      call rdx
      mov edx, 0x101ffe
      mov dword [rdx], 0x020683f0
      mov byte [rdx + 4], 0xc3
      call rdx
      mov edx, 0x102ffd
      mov dword [rdx], 0x05e9
      mov dword [rdx + 4], 0x90909000
      mov dword [rdx + 8], 0x90909090
      mov dword [rdx + 12], 0xc3c3c3c3
      call rdx
      dec ebp
      jnz round
      rdtsc
      hlt`,
    cycles: 40_000,
  },
  {
    claim: "jumps into the middle of instructions",
    source: `
      mov ecx, 2000
    again:
      test ecx, 1
      jz middle
      db 0xb8
    middle:
      add ebx, 0xc3ff9090
      jmp inside + 1
    inside:
      mov eax, 0x90c3ff40
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "a loop across the end of a page, which an instruction spans",
    source: `
      mov ecx, 2000
      jmp again
      align 4096
      times 4096 - 9 nop
    again:
      add ebx, ecx
      rol ebx, 5
      mov eax, 0x12345678
      xor ebx, eax
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "a loop that ends with the last byte of a page",
    source: `
      mov ecx, 2000
      jmp again
      align 4096
      times 4096 - 9 nop
    again:
      add ebx, ecx
      rol ebx, 5
      dec ecx
      jnz again
      rdtsc
      hlt`,
    cycles: 20_000,
  },
  {
    claim: "code at two virtual addresses, patched through each",
    source: `
      mov qword [0x7000 + 8 * 0x180], 0x10003
      mov qword [0x7000 + 8 * 0x181], 0x10007
      mov ebp, 300
    round:
      mov eax, shared
      call rax
      lea eax, [shared + 0x170000]
      call rax
      lea eax, [shared + 0x171000]
      call rax
      mov [shared + 0x170000 + 1], ebp
      mov eax, ebp
      imul eax, eax, 0x01010101
      mov [shared + 0x171000 + 6], eax
      dec ebp
      jnz round
      rdtsc
      hlt
      align 16
    shared:
      mov eax, 0
      mov edx, 0
      db 0x8d, 0x35, 0, 0, 0, 0
      add ebx, eax
      xor ebx, edx
      add ebx, esi
      rol ebx, 7
      ret`,
    cycles: 20_000,
  },
  {
    claim: "code on a page that is mapped elsewhere while it runs",
    source: `
      mov qword [0x7000 + 8 * 0x180], 0x11003
      mov ebp, 200
      mov r8, 0x180000
    round:
      mov qword [0x7000 + 8 * 0x180], 0x11003
      invlpg [r8]
      call r8
      mov qword [0x7000 + 8 * 0x180], 0x12003
      mov rax, cr3
      mov cr3, rax
      call r8
      dec ebp
      jnz round
      rdtsc
      hlt
      align 4096
      add ebx, ebp
      ret
      align 4096
      imul ebx, ebx, 9
      ret`,
    cycles: 20_000,
  },
  {
    claim: "accesses of all sizes through one register that walks over pages",
    source: `
      mov qword [0x7000 + 8 * 0x180], 0x33003
      mov qword [0x7000 + 8 * 0x181], 0x32003
      mov qword [0x7000 + 8 * 0x182], 0x31003
      mov edi, 0x180000
      mov ecx, 0x3000 / 4
    fill:
      mov [rdi], ecx
      add edi, 4
      loop fill
      mov ebp, 3
    round:
      mov esi, 0x180000
    next:
      add al, [rsi]
      add ax, [rsi + 1]
      add eax, [rsi + 5]
      add rax, [rsi + 2]
      movdqu xmm0, [rsi]
      paddd xmm1, xmm0
      movdqu [rsi + 3], xmm1
      mov [rsi + 2], eax
      add [rsi], rbx
      add esi, 13
      cmp esi, 0x182fd0
      jb next
      xor qword [0x7000 + 8 * 0x181], 0x6000
      invlpg [0x181000]
      dec ebp
      jnz round
      rdtsc
      hlt`,
    cycles: 60_000,
  },
  {
    claim: "calls, returns and jumps through a table",
    source: `
      mov ecx, 1500
    again:
      mov eax, ecx
      and eax, 3
      jmp [table + rax * 8]
    one:
      call outer
      jmp next
    two:
      push next
      ret
    three:
      call inner
      call inner
    next:
      dec ecx
      jnz again
      rdtsc
      hlt
    outer:
      call inner
      add ebx, 3
      ret
    inner:
      imul ebx, ebx, 5
      add ebx, ecx
      ret
      align 8
    table:
      dq one, two, three, next`,
    cycles: 30_000,
  },
  {
    claim: "faults and system functions in the middle of hot code",
    source: `
      mov ecx, 500
    again:
      inc ebx
      mov eax, [0x3fffeffe]
      in al, 0x80
      pushfq
      popfq
      xor ebx, eax
      pause
      add ebx, ecx
      cpuid
      mov ecx, ebp
      inc ebp
      cmp ebp, 300
      jb again
      rdtsc
      hlt`,
    cycles: 400_000,
  },
  {
    claim: "what follows an instruction that ends a block now and then",
    source: `
      mov ebp, 300
      mov edi, 0x300000
    again:
      pushfq
      popfq
      inc ebx
      lea edi, [rdi + 4096 - 40]
      mov [rdi], ebx
      xor ebx, [rdi - 2]
      pause
      inc ebx
      in al, 0x80
      cld
      sub edi, 4096 - 44
      dec ebp
      jnz again
      rdtsc
      hlt`,
    cycles: 100_000,
  },
  {
    claim: "string instructions of all sizes and directions",
    source: `
      mov ebp, 200
    again:
      mov ecx, ebp
      mov esi, 0x200000
      mov edi, 0x200ff1
      rep movsb
      mov ecx, 9
      std
      rep movsd
      mov ecx, ebp
      mov eax, ebx
      rep stosw
      cld
      mov ecx, 40
      mov edi, 0x200ff0
      repne scasb
      add ebx, ecx
      mov ecx, 40
      mov esi, 0x200000
      repe cmpsw
      add ebx, ecx
      lodsq
      add ebx, eax
      dec ebp
      jnz again
      rdtsc
      hlt`,
    cycles: 200_000,
  },
  {
    claim: "a place whose code grew longer with each of many versions",
    source: `
      mov ebx, 1
    version:
      lea rdi, [patched]
      mov ecx, ebx
      mov al, 0x90
      rep stosb
      mov byte [rdi], 0xc3
      mov ebp, 5
    again:
      call patched
      dec ebp
      jnz again
      inc ebx
      cmp ebx, 40
      jb version
      rdtsc
      hlt
      align 64
    patched:
      times 64 nop
      ret`,
    cycles: 30_000,
  },
];

/** `count` functions of one instruction are made, and called twice each. */
export function manyBlocks(count: number): Program {
  const source = `
      mov ebp, ${count}
      mov edi, 0x100000
    again:
      movzx eax, bpl
      shl eax, 16
      or eax, 0xc300c383
      mov [rdi], eax
      call rdi
      call rdi
      add edi, 4
      cmp edi, 0x3f0000
      jb next
      mov edi, 0x100000
    next:
      dec ebp
      jnz again
      rdtsc
      hlt`;
  return { claim: `${count} distinct blocks`, source, cycles: 16 * count + 100 };
}
