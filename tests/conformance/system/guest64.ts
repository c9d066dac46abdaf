/** The 64-bit guest of the system behaviour suite: 4-level paging, NX, a recorder behind every vector. */

import {
  caseSource,
  guestOf,
  RECORD_BYTES,
  RECORDS,
  stubs,
  type SystemCase,
  USER_ALIAS,
} from "./system_case.ts";

/** Vectors that ring 3 may use by INT; 0x30 is not present, 0x31 is for ring 0 only. */
const USER_VECTORS = new Set([3, 4, 0x32]);
const VECTORS = 0x34;
/** Vectors that arrive on the stack of IST 1: one for a case, and #SS. */
const IST_VECTORS = new Set([12, 0x33]);

function gates(): string {
  return Array.from({ length: VECTORS }, (_, vector) => {
    const type = vector === 0x30 ? 0x0e00 : USER_VECTORS.has(vector) ? 0xee00 : 0x8e00;
    const withStack = type | (IST_VECTORS.has(vector) ? 1 : 0);
    return `        dw stub${vector} & 0xffff, 8, ${withStack}, stub${vector} >> 16\n        dd 0, 0`;
  }).join("\n");
}

function source(cases: readonly SystemCase[]): string {
  return `
        bits 32
entry:  cli
        cld
        mov esp, kernel_stack
        lgdt [gdt_pointer]
        mov eax, cr4
        or eax, 0x20
        mov cr4, eax
        mov eax, pml4
        mov cr3, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x901         ; NXE, LME, SCE
        wrmsr
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
        jmp 8:.wide
        bits 64
.wide:  lidt [idt_pointer]
        mov ax, 0x40
        ltr ax
        mov qword [next_record], ${RECORDS}
        call restore
${cases.map((each, number) => caseSource(each, number, 64)).join("\n")}
        mov al, 0x10
        out 0xf4, al
.halt:  cli
        hlt
        jmp .halt

restore:                      ; the state that each case starts from
        pop rbx
        mov eax, 0x6b0        ; PSE, PAE, PGE, OSFXSR, OSXMMEXCPT
        mov cr4, rax
        mov eax, 0x80010033   ; PG, WP, NE, ET, MP, PE
        mov cr0, rax
        mov eax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov rsp, kernel_stack
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x801
        wrmsr
        push 2
        popfq
        jmp rbx

recorder:                     ; vector, error code, RIP, CS, RFLAGS, RSP, SS
        mov [recorder_stack], rsp
        mov rdi, [next_record]
        mov eax, [case_number]
        mov [rdi], eax
        pop rax
        mov [rdi + 4], eax
        pop rax
        mov [rdi + 8], eax
        pop qword [rdi + 16]
        pop rax
        mov [rdi + 24], eax
        pop rax
        mov [rdi + 28], eax
        mov rax, cr2
        mov [rdi + 32], rax
        add rdi, ${RECORD_BYTES}
        mov [next_record], rdi
        mov rsp, kernel_stack
        jmp qword [resume]
${stubs(VECTORS)}

        align 8, 0
gdt:    dq 0
        dq 0x00af9a000000ffff ; 08 kernel code, 64-bit
        dq 0x00cf92000000ffff ; 10 kernel data
        dq 0x00cf9a000000ffff ; 18 kernel code, 32-bit
        dq 0x00cff2000000ffff ; 20 user data
        dq 0x00affa000000ffff ; 28 user code, 64-bit
        dq 0x00cf12000000ffff ; 30 data, not present
        dq 0x00ef9a000000ffff ; 38 code with L and D
        dw 103, tss & 0xffff  ; 40 TSS
        db (tss >> 16) & 0xff, 0x89, 0, tss >> 24
        dq 0
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dq gdt
        align 8, 0
idt:
${gates()}
idt_pointer:
        dw idt_pointer - idt - 1
        dq idt
tss:    dd 0
        dq kernel_stack, 0, 0
        dq 0
        dq ist_stack
        times 102 - ($ - tss) db 0
        dw 104                ; no I/O permission bitmap
case_number: dd 0
        align 8, 0
resume: dq 0
next_record: dq 0
recorder_stack: dq 0

        align 4096, 0
pml4:   dq pdpt + 7
        times 511 dq 0
pdpt:   dq pd + 7
        times 511 dq 0
pd:     dq 0x83               ; 0 to 2 MiB: present, writable, supervisor, 2 MiB page
        dq 0x87               ; 2 to 4 MiB: the same memory for ring 3
        dq page_table + 7     ; 4 to 6 MiB
        dq 0x202087           ; 6 to 8 MiB: bit 13 is reserved
        times 508 dq 0
page_table:
        dq 0x5000 + 5         ; 400000 user, read-only
        dq 0                  ; 401000 not present
        dq 0x5000 + 3         ; 402000 supervisor, writable
        dq 0x8000000000005007 ; 403000 user, writable, no execution
        dq 0x6000 + 7         ; 404000 user, writable
        dq 0                  ; 405000 not present
        dq 0x0010000000006007 ; 406000 bit 52 is ignored
        dq 0x0008000000006007 ; 407000 bit 51 is reserved
        times 504 dq 0
user_stack_area:
        resb 4096
user_stack:
        resb 4096
kernel_stack:
        resb 4096
ist_stack:
`;
}

/** The guest's image, and the labels that expectations name. */
export function guest64(cases: readonly SystemCase[]): ReturnType<typeof guestOf> {
  return guestOf(source(cases), 64);
}

/** Continues in ring 3 behind it. */
export const LONG_RING_3 = `
        push 0x23
        push user_stack + ${USER_ALIAS}
        push 2
        push 0x2b
        push @user + ${USER_ALIAS}
        iretq
@user:
`;
