/** Rings at work: SYSCALL and SYSRET, a page fault that is handled, a forbidden instruction, APIC timer ticks. */

import { APIC_SOURCE, TIMER_VECTOR } from "./apic_source.ts";
import { idtSource, outputSource } from "./common_source.ts";
import { ENTER_RING_3, LONG_MODE, userPages } from "./long_mode_source.ts";
import { tinyGuest } from "./tiny_guest.ts";

const SOURCE = `${LONG_MODE}
main:   mov ax, 0x30
        ltr ax
        call serial_init
        mov rsi, started
        call puts

        mov ecx, 0xc0000081   ; IA32_STAR: SYSCALL to 08 and 10, SYSRET to 28 and 20
        xor eax, eax
        mov edx, 0x00180008
        wrmsr
        inc ecx               ; IA32_LSTAR
        mov eax, system_call
        xor edx, edx
        wrmsr
        mov ecx, 0xc0000084   ; IA32_FMASK: clears IF, DF, TF
        mov eax, 0x700
        wrmsr
        mov ecx, 0xc0000102   ; IA32_KERNEL_GS_BASE: what SWAPGS brings in
        mov eax, per_cpu
        wrmsr

        call apic_init
        mov eax, 1
        mov ebx, 0x20000      ; periodic
        call apic_timer
${ENTER_RING_3}
system_call:                  ; SDM vol. 2, SYSCALL: RIP is in RCX, RFLAGS in R11, RSP is still the task's
        swapgs
        mov [gs:8], rsp
        mov rsp, [gs:0]
        push rcx
        push r11
        cmp rax, 1
        je .write
        cmp rax, 2
        je .sleep
        cmp rax, 3
        je exit
        jmp fail
.write: call puts             ; RSI
        jmp .back
.sleep: mov ecx, [ticks]      ; RDI ticks
        add ecx, edi
.wait:  sti
        hlt
        cli
        cmp [ticks], ecx
        jl .wait
.back:  pop r11
        pop rcx
        mov rsp, [gs:8]
        swapgs
        sysretq

timer:  push rax
        inc dword [ticks]
        call apic_eoi
        pop rax
        iretq

protection:                   ; #GP: the task tried CLI, which IOPL 0 forbids it
        cmp qword [rsp], 0    ; error code
        jne fail
        mov rsi, forbidden
        call puts
        add rsp, 8
        inc qword [rsp]       ; goes on behind the one byte of CLI
        iretq

page_fault:                   ; #PF: the task touched a page that is not there; now it is
        push rax
        mov rax, cr2
        cmp rax, USER + 0x10000
        jne fail
        cmp qword [rsp + 8], 6 ; error code: write, by user, not present
        jne fail
        mov rsi, faulted
        call puts
        mov qword [pt_user + 0x10 * 8], spare + 7
        invlpg [rax]
        pop rax
        add rsp, 8
        iretq
${outputSource(64)}${APIC_SOURCE}
started: db "rings64: long mode, SYSCALL and APIC timer are set up", 10, 0
forbidden: db "rings64: #GP, ring 3 may not CLI", 10, 0
faulted: db "rings64: #PF on a write by ring 3, page mapped", 10, 0
ticks:  dd 0
        align 8, 0
per_cpu: dq system_stack, 0   ; the stack of system calls, and where RSP is kept meanwhile
${
  idtSource(64, [
    { vector: 13, handler: "protection" },
    { vector: 14, handler: "page_fault" },
    { vector: TIMER_VECTOR, handler: "timer" },
  ])
}
        resb 4096
system_stack:
        align 4096, 0
spare:  resb 4096
${
  userPages(`
        mov eax, 1
        lea rsi, [rel .hello]
        syscall
        mov eax, USER + 0x10000
        mov dword [rax], 42   ; faults, and is tried again
        cmp dword [rax], 42
        jne .wrong
        mov eax, 1
        lea rsi, [rel .stored]
        syscall
        cli                   ; faults, and is passed over
        mov eax, 2
        mov edi, 10
        syscall
        mov eax, 1
        lea rsi, [rel .slept]
        syscall
        mov eax, 3
        syscall
.wrong: ud2
.hello: db "rings64: ring 3 says hello through SYSCALL", 10, 0
.stored: db "rings64: ring 3 finds its value in the new page", 10, 0
.slept: db "rings64: ring 3 slept for 10 timer ticks", 10, 0`)
}`;

/** SYSCALL/SYSRET, #PF, #GP, local APIC timer. */
export const rings64 = tinyGuest({
  name: "rings64",
  summary: "64-bit: SYSCALL and SYSRET, a page fault handled, a forbidden CLI, APIC timer ticks",
  protocol: "pvh",
  source: SOURCE,
  expectedOutput: `rings64: long mode, SYSCALL and APIC timer are set up
rings64: ring 3 says hello through SYSCALL
rings64: #PF on a write by ring 3, page mapped
rings64: ring 3 finds its value in the new page
rings64: #GP, ring 3 may not CLI
rings64: ring 3 slept for 10 timer ticks
`,
});
