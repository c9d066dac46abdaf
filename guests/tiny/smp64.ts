/** Several CPUs: INIT and start-up interrupts, other CPUs on their way to long mode, IPIs, a locked counter. */

import { APIC_SOURCE, IPI_VECTOR, TIMER_VECTOR } from "./apic_source.ts";
import { idtSource, outputSource } from "./common_source.ts";
import { LONG_MODE, userPages } from "./long_mode_source.ts";
import { tinyGuest } from "./tiny_guest.ts";

const CPUS = 4;
const COUNTS = 1000;

const SOURCE = `${LONG_MODE}
START   equ 0x8000            ; where other CPUs begin: page 8 of the first MiB
main:   call serial_init
        call apic_init
        mov rsi, started
        call puts
        mov esi, trampoline
        mov edi, START
        mov ecx, trampoline_end - trampoline
        rep movsb

        mov ebp, 1            ; APIC identifiers are counted up until one does not answer
.next:  mov eax, ebp          ; SDM vol. 3, "MP Initialization": INIT, 10 ms, start-up
        shl eax, 24
        mov [APIC + 0x310], eax
        mov dword [APIC + 0x300], 0x4500 ; INIT, level assert
        mov eax, 10
        call sleep
        mov eax, ebp
        shl eax, 12
        add eax, stacks
        mov [stack], rax
        mov dword [APIC + 0x300], 0x4600 + (START >> 12)
        mov eax, 100
        mov ebx, 0            ; one-shot
        mov dword [expired], 0
        call apic_timer
.wait:  cli
        cmp [online], ebp
        je .here
        cmp dword [expired], 0
        jne .counted
        sti
        hlt
        jmp .wait
.here:  inc ebp
        jmp .next

.counted:
        mov dword [go], 1
        mov dword [APIC + 0x300], 0xc4000 + ${IPI_VECTOR} ; to all but this one
        call count
.join:  cli
        cmp [finished], ebp
        je .report
        sti
        hlt
        jmp .join
.report:
        mov rsi, name
        call puts
        mov eax, ebp
        call putdec
        mov rsi, counted
        call puts
        mov eax, [counter]
        call putdec
        mov rsi, together
        call puts
        jmp exit

sleep:                        ; EAX milliseconds
        mov ebx, 0
        mov dword [expired], 0
        call apic_timer
.wait:  cli
        cmp dword [expired], 0
        jne .over
        sti
        hlt
        jmp .wait
.over:  ret

count:  mov ecx, ${COUNTS}
.more:  lock inc dword [counter]
        loop .more
        lock inc dword [finished]
        ret

other:                        ; the other CPUs, in long mode
        mov rsp, [stack]
        mov dword [APIC + 0xf0], 0x1ff
        mov rsi, processor
        call puts
        mov eax, [APIC + 0x20] ; local APIC identifier
        shr eax, 24
        call putdec
        mov rsi, arrived
        call puts
        lock inc dword [online]
        call tell
.wait:  cli
        cmp dword [go], 0
        jne .go
        sti
        hlt
        jmp .wait
.go:    call count
        call tell
.halt:  cli
        hlt
        jmp .halt

tell:   mov dword [APIC + 0x310], 0 ; an interprocessor interrupt to CPU 0
        mov dword [APIC + 0x300], 0x4000 + ${IPI_VECTOR}
        ret

timer:  mov dword [expired], 1
told:   call apic_eoi
        iretq

        bits 16
trampoline:                   ; real mode, CS is START >> 4
        cli
        xor ax, ax
        mov ds, ax
        o32 lgdt [START + (.gdt - trampoline)]
        mov eax, cr0
        or eax, 1             ; PE
        mov cr0, eax
        jmp dword 0x18:START + (.protected - trampoline)
.gdt:   dw gdt_pointer - gdt - 1
        dd gdt
        bits 32
.protected:
        mov eax, 0x10
        mov ds, ax
        mov edi, other
        mov eax, to_long_mode
        jmp eax
trampoline_end:
        bits 64
${outputSource(64)}${APIC_SOURCE}
started: db "smp64: CPU 0 starts the others", 10, 0
processor: db "smp64: CPU ", 0
arrived: db " is in long mode", 10, 0
name:   db "smp64: ", 0
counted: db " CPUs counted to ", 0
together: db " together", 10, 0
        align 8, 0
stack:  dq 0
online: dd 0                  ; how many others have arrived
expired: dd 0
go:     dd 0
counter: dd 0
finished: dd 0
${
  idtSource(64, [
    { vector: TIMER_VECTOR, handler: "timer" },
    { vector: IPI_VECTOR, handler: "told" },
  ])
}
        align 4096, 0
stacks: resb 4096 * 16        ; CPU n's stack ends at stacks + n pages
${userPages("        ud2                   ; this guest has no task")}`;

/** INIT/SIPI, IPIs, LOCK. */
export const smp64 = tinyGuest({
  name: "smp64",
  summary: `64-bit on ${CPUS} CPUs: INIT and start-up interrupts, IPIs, a locked counter`,
  cpus: CPUS,
  protocol: "pvh",
  source: SOURCE,
  expectedOutput: [
    "smp64: CPU 0 starts the others",
    ...Array.from({ length: CPUS - 1 }, (_, i) => `smp64: CPU ${i + 1} is in long mode`),
    `smp64: ${CPUS} CPUs counted to ${CPUS * COUNTS} together\n`,
  ].join("\n"),
});
