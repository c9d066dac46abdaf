/** A 32-bit kernel through Multiboot: segments, two-level paging, PIC and PIT, a task in ring 3. */

import { idtSource, outputSource, picSource, tssDescriptorSource } from "./common_source.ts";
import { tinyGuest } from "./tiny_guest.ts";

const SOURCE = `
        bits 32
MAGIC   equ 0x1badb002
        align 4
        dd MAGIC, 0, -MAGIC   ; Multiboot 0.6.96, 3.1.1 "Multiboot header"

entry:  cli
        cld
        mov esp, kernel_stack
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        jmp 8:.code           ; CS changes by far transfers only
.code:  mov eax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov ax, 0x28
        ltr ax                ; the TSS names the stack of ring 0

        mov eax, cr4          ; SDM vol. 3, "32-Bit Paging": 4 MiB pages need CR4.PSE
        or eax, 0x10
        mov cr4, eax
        mov eax, page_directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000    ; PG, WP
        mov cr0, eax

        call serial_init
        mov esi, started
        call puts
        call pic_init
        mov al, 0x34          ; 8254: channel 0, both bytes, mode 2 (rate generator)
        out 0x43, al
        mov al, 1193 & 0xff   ; 1193182 Hz / 1193: a tick each millisecond
        out 0x40, al
        mov al, 1193 >> 8
        out 0x40, al

        push 0x23             ; IRET to ring 3: SS, ESP, EFLAGS with IF, CS, EIP
        push USER + 0x2000
        push 0x202
        push 0x1b
        push USER
        mov eax, 0x23
        mov ds, ax
        mov es, ax
        iretd

timer:  inc dword [ticks]
        push eax
        mov al, 0x20          ; OCW2: end of interrupt
        out 0x20, al
        pop eax
        iretd

system_call:                  ; EAX: 1 write the string at EBX, 2 sleep EBX ticks, 3 exit
        cmp eax, 1
        je .write
        cmp eax, 2
        je .sleep
        cmp eax, 3
        je exit
        jmp fail
.write: push esi
        mov esi, ebx
        call puts
        pop esi
        iretd
.sleep: mov ecx, [ticks]
        add ecx, ebx
.wait:  sti
        hlt                   ; STI holds interrupts off until HLT has begun
        cli
        cmp [ticks], ecx
        jl .wait
        iretd
${outputSource(32)}${picSource(0xfe)}
started: db "hello32: protected mode with paging", 10, 0
ticks:  dd 0

        align 8, 0
gdt:    dq 0                  ; SDM vol. 3, "Segment Descriptors"
        dq 0x00cf9a000000ffff ; 08 kernel code, flat
        dq 0x00cf92000000ffff ; 10 kernel data
        dq 0x00cffa000000ffff ; 18 user code
        dq 0x00cff2000000ffff ; 20 user data
${tssDescriptorSource(32)}
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt
${
  idtSource(32, [
    { vector: 32, handler: "timer" },
    { vector: 0x80, handler: "system_call", user: true },
  ])
}
tss:    dd 0, kernel_stack, 0x10 ; link, ESP0, SS0
        times 104 - ($ - tss) db 0

USER    equ 0x400000          ; where the task's pages appear

        align 4096, 0
page_directory:
        dd 0x83               ; the first 4 MiB, ring 0 only
        dd user_pages + 7
        times 1022 dd 0
user_pages:
        dd user + 5           ; code: read and execute
        dd user_stack + 7     ; stack: write
        times 1022 dd 0

user:                         ; this page runs in ring 3
        mov eax, 1
        mov ebx, USER + (.hello - user)
        int 0x80
        mov eax, 2
        mov ebx, 5
        int 0x80
        mov eax, 1
        mov ebx, USER + (.slept - user)
        int 0x80
        mov eax, 3
        int 0x80
.hello: db "hello32: ring 3 says hello through int 0x80", 10, 0
.slept: db "hello32: ring 3 slept for 5 timer ticks", 10, 0
        align 4096, 0
user_stack:
        resb 4096
        resb 4096
kernel_stack:
`;

/** Multiboot, protected mode, paging, PIC timer, INT 0x80. */
export const hello32 = tinyGuest({
  name: "hello32",
  summary: "32-bit: Multiboot, segments, paging, PIC timer, a task in ring 3 with int 0x80",
  protocol: "multiboot",
  source: SOURCE,
  expectedOutput: `hello32: protected mode with paging
hello32: ring 3 says hello through int 0x80
hello32: ring 3 slept for 5 timer ticks
`,
});
