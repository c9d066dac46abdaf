/**
 * A kernel with a bug, for `docs/tutorials/wild_store.md`: its log of 12-byte records lies in a page of its own, which is no
 * whole number of records, right below its page table.
 */

import { tinyGuest } from "./tiny_guest.ts";

const SOURCE = `
DIRECTORY equ 0x120000
LOG       equ 0x121000
TABLE     equ 0x122000
MAILBOX   equ 0x1000

entry:  mov esp, 0x130000
        lgdt [gdtr]
        lidt [idtr]
        mov dword [DIRECTORY], TABLE + 3
        xor ecx, ecx
map:    mov eax, ecx
        shl eax, 12
        or eax, 3
        mov [TABLE + ecx * 4], eax
        inc ecx
        cmp ecx, 1024
        jne map
        mov eax, DIRECTORY
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax

        mov ecx, 100000          ; a long day of work, each piece of which is noted
work:   call note
        dec ecx
        jnz work

        mov eax, cr3             ; then a process is switched to, and looks for its mail
        mov cr3, eax
        mov eax, [MAILBOX]
        mov al, 0x10
        mov dx, 0xf4
        out dx, al

note:   mov edi, [next]          ; a record: what, its square, and that it is not read yet
        mov eax, ecx
        mov [LOG + edi], eax
        imul eax, ecx
        mov [LOG + edi + 4], eax
        mov dword [LOG + edi + 8], 0
        add edi, 12
        cmp edi, 4096
        jb noted
        xor edi, edi
noted:  mov [next], edi
        ret

fault:  mov al, 0x11
        mov dx, 0xf4
        out dx, al

align 8
next:   dd 0
gdtr:   dw 3 * 8 - 1
        dd gdt
idtr:   dw 15 * 8 - 1
        dd idt
align 8
gdt:    dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300
idt:    dd 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        dd 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        dw fault - 0x100000, 8, 0x8e00, 0x10
`;

/** See the module comment. It ends with the exit code of a failure. */
export const wildStore = tinyGuest({
  name: "wild_store",
  summary: "a kernel with a bug that shows long after it happened",
  protocol: "multiboot",
  source: SOURCE,
  expectedOutput: "",
});
