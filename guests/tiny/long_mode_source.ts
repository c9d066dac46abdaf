/**
 * Assembly that the 64-bit guests share: from the PVH entry to 64-bit code, with page tables that map the
 * first 4 MiB, the local APIC, and a task at 1 GiB.
 */

import { tssDescriptorSource } from "./common_source.ts";

/** Address at which the task's pages appear: `USER`, its stack's end `USER_STACK`. */
export const USER = 0x4000_0000;

/**
 * Starts at `entry` (32-bit code, EBX is the start information) and goes on at `main` in 64-bit code, on
 * `kernel_stack`. Other CPUs join at `to_long_mode` with the address to go on at in EDI.
 */
export const LONG_MODE = `
        bits 32
entry:  cli                   ; Xen, "x86/HVM direct boot ABI": protected mode, flat, paging off
        cld
        mov [start_info], ebx
        mov esp, kernel_stack
        lgdt [gdt_pointer]
        mov edi, main
to_long_mode:                 ; SDM vol. 3, "Initializing IA-32e Mode"
        mov eax, cr4
        or eax, 0x20          ; PAE
        mov cr4, eax
        mov eax, pml4
        mov cr3, eax
        mov ecx, 0xc0000080   ; IA32_EFER
        rdmsr
        or eax, 0x101         ; LME, SCE
        wrmsr
        mov eax, cr0
        or eax, 0x80010000    ; PG, WP
        mov cr0, eax
        jmp 8:.wide
        bits 64
.wide:  mov eax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov edi, edi          ; the upper half is undefined after the change of mode
        lidt [idt_pointer]
        jmp rdi

        align 8, 0
gdt:    dq 0                  ; SDM vol. 3, "Segment Descriptors"; the order is what SYSCALL and SYSRET want
        dq 0x00af9a000000ffff ; 08 kernel code, 64-bit
        dq 0x00cf92000000ffff ; 10 kernel data
        dq 0x00cf9a000000ffff ; 18 kernel code, 32-bit, on the way of other CPUs
        dq 0x00cff2000000ffff ; 20 user data
        dq 0x00affa000000ffff ; 28 user code, 64-bit
${tssDescriptorSource(64)}
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dq gdt
tss:    dd 0
        dq kernel_stack       ; RSP0: the stack for interrupts from ring 3
        times 104 - ($ - tss) db 0
start_info: dq 0

USER    equ ${USER}
USER_STACK equ USER + 0x2000
APIC    equ USER + 0x3fe00000 ; where the local APIC's registers appear: 32-bit displacements reach them

        align 4096, 0
pml4:   dq pdpt + 7           ; SDM vol. 3, "4-Level Paging"; 7 is present, writable, user
        times 511 dq 0
pdpt:   dq pd_low + 3, pd_user + 7
        times 510 dq 0
pd_low: dq 0x83, 0x200083     ; two pages of 2 MiB, ring 0 only
        times 510 dq 0
pd_user: dq pt_user + 7
        times 510 dq 0
        dq 0xfee0009b         ; the page with the local APIC: ring 0 only, not cached
pt_user: dq user + 5, user_stack + 7
        times 510 dq 0
`;

/** The pages of the task, whose code `user` holds (at most a page), and the stacks. */
export function userPages(code: string): string {
  return `
        bits 64
        align 4096, 0
user:
${code}
        align 4096, 0
user_stack:
        resb 4096
        resb 4096
kernel_stack:
`;
}

/** Goes to `USER` in ring 3, with interrupts on: IRETQ takes RIP, CS, RFLAGS, RSP, SS from the stack. */
export const ENTER_RING_3 = `
        push 0x23
        push USER_STACK
        push 0x202
        push 0x2b
        push USER
        iretq
`;
