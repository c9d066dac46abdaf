/** The 32-bit guest of the system behaviour suite: flat segments, 32-bit paging, a recorder behind every vector. */

import {
  caseSource,
  guestOf,
  RECORD_BYTES,
  RECORDS,
  stubs,
  type SystemCase,
} from "./system_case.ts";

/** Vectors that ring 3 may use by INT; 0x30 is not present, 0x31 is for ring 0 only. */
const USER_VECTORS = new Set([3, 4, 0x32]);
const VECTORS = 0x33;

function gates(): string {
  return Array.from({ length: VECTORS }, (_, vector) => {
    const type = vector === 0x30 ? 0x0e00 : USER_VECTORS.has(vector) ? 0xee00 : 0x8e00;
    return `        dw stub${vector} & 0xffff, 8, ${type}, stub${vector} >> 16`;
  }).join("\n");
}

function source(cases: readonly SystemCase[]): string {
  return `
        bits 32
        align 4
        dd 0x1badb002, 0, -0x1badb002
entry:  cli
        cld
        mov esp, kernel_stack
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        jmp 8:.code
.code:  mov eax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov ax, 0x28
        ltr ax
        mov eax, page_directory
        mov cr3, eax
        mov dword [next_record], ${RECORDS}
        call restore
${cases.map((each, number) => caseSource(each, number, 32)).join("\n")}
        mov al, 0x10
        out 0xf4, al
.halt:  cli
        hlt
        jmp .halt

restore:                      ; the state that each case starts from
        pop ebx
        mov eax, 0x690        ; PSE, PGE, OSFXSR, OSXMMEXCPT
        mov cr4, eax
        mov eax, 0x80010031   ; PG, WP, NE, ET, PE
        mov cr0, eax
        mov eax, 0x10
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov esp, kernel_stack
        lidt [idt_pointer]
        xor eax, eax
        mov dr7, eax
        mov dr6, eax
        lldt ax
        fninit
        push 2
        popfd
        jmp ebx

recorder:                     ; vector, error code, EIP, CS, EFLAGS
        mov eax, 0x10
        mov ds, ax
        mov edi, [next_record]
        mov eax, [case_number]
        mov [edi], eax
        pop dword [edi + 4]
        pop dword [edi + 8]
        pop dword [edi + 16]
        pop dword [edi + 24]
        pop dword [edi + 28]
        mov eax, cr2
        mov [edi + 32], eax
        add edi, ${RECORD_BYTES}
        mov [next_record], edi
        mov eax, 0x10
        mov ss, ax
        mov esp, kernel_stack
        jmp dword [resume]
${stubs(VECTORS)}

        align 8, 0
gdt:    dq 0
        dq 0x00cf9a000000ffff ; 08 kernel code
        dq 0x00cf92000000ffff ; 10 kernel data
        dq 0x00cffa000000ffff ; 18 user code
        dq 0x00cff2000000ffff ; 20 user data
        dw 103, tss & 0xffff  ; 28 TSS
        db (tss >> 16) & 0xff, 0x89, 0, tss >> 24
        dq 0x00cf12000000ffff ; 30 data, not present
        dq 0x0040f2000000000f ; 38 data, limit 15
        dq 0x00cff0000000ffff ; 40 data, read-only
        dq 0x00cf98000000ffff ; 48 code, execute-only
        dq 0x00cf1a000000ffff ; 50 code, not present
        dq 0x0040f60000000fff ; 58 data, expand-down, from 4096
        dw gate_target & 0xffff, 8, 0xec00, gate_target >> 16 ; 60 call gate for ring 3
        dw gate_target & 0xffff, 8, 0x8c00, gate_target >> 16 ; 68 call gate for ring 0
        dq 0x00cf9e000000ffff ; 70 conforming code
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt
        align 8, 0
idt:
${gates()}
idt_pointer:
        dw idt_pointer - idt - 1
        dd idt
short_idt:
        dw 9 * 8 - 1          ; up to #DF
        dd idt
gate_target:
        int 0x31
tss:    dd 0
        dd kernel_stack, 0x10
        times 100 - ($ - tss) db 0
        dw 0, 104             ; no I/O permission bitmap
case_number: dd 0
resume: dd 0
next_record: dd 0
alt_idt: dd 0, 0

        align 4096, 0
page_directory:
        dd 0x87               ; 0 to 4 MiB: present, writable, user, 4 MiB page
        dd page_table + 7     ; 4 to 8 MiB
        dd 0x00200087         ; 8 to 12 MiB: bit 21 is reserved
        times 1021 dd 0
page_table:
        dd 0x5000 + 5         ; 400000 user, read-only
        dd 0                  ; 401000 not present
        dd 0x5000 + 3         ; 402000 supervisor, writable
        dd 0x5000 + 7         ; 403000 user, writable
        dd 0x6000 + 7         ; 404000 user, writable
        dd 0                  ; 405000 not present
        dd 0x6000 + 7         ; 406000 user, writable, untouched
        times 1017 dd 0
user_stack_area:
        resb 4096
user_stack:
        resb 4096
kernel_stack:
`;
}

/** The guest's image, and the labels that expectations name. */
export function guest32(cases: readonly SystemCase[]): ReturnType<typeof guestOf> {
  return guestOf(source(cases), 32);
}

/** Continues in ring 3 behind it. */
export const RING_3 = `
        push 0x23
        push user_stack
        push 2
        push 0x1b
        push @user
        mov eax, 0x23
        mov ds, ax
        mov es, ax
        iretd
@user:
`;
