/** A kernel for tests of input: it adds up what it reads from the serial port and echoes it. */

import { assemble } from "../../core/x86/assembler/mod.ts";
import { writeElf } from "../../guests/tiny/mod.ts";

const ADDRESS = 0x10_0000;

/** Where it keeps the sum of what it has read, 4 bytes. */
export const SUM_ADDRESS = 0x20_0000;

const SOURCE = `
        bits 32
MAGIC   equ 0x1badb002
        align 4
        dd MAGIC, 0, -MAGIC
entry:  mov edx, 0x3fb        ; line control: 115,200 baud, 8 bits
        mov al, 0x80
        out dx, al
        mov edx, 0x3f8
        mov al, 1
        out dx, al
        inc edx
        mov al, 0
        out dx, al
        mov edx, 0x3fb
        mov al, 3
        out dx, al
        xor ebx, ebx
.wait:  inc edi
        mov edx, 0x3fd        ; line status: bit 0, data ready
        in al, dx
        test al, 1
        jz .wait
        mov edx, 0x3f8
        in al, dx
        movzx ecx, al
        add ebx, ecx
        mov [${SUM_ADDRESS}], ebx
        cmp al, 'r'           ; 'r' resets the machine, 'q' ends it
        je .reset
        cmp al, 'q'
        je .end
        out dx, al
        jmp .wait
.reset: mov al, 0xfe
        out 0x64, al
        jmp .wait
.end:   mov al, 0x10
        out 0xf4, al
        jmp .wait
`;

/** Its ELF image, for Multiboot. */
export function echoGuest(): Uint8Array<ArrayBuffer> {
  const { bytes, labels } = assemble(SOURCE, { bits: 32, origin: ADDRESS });
  return writeElf({ bits: 32, address: ADDRESS, entry: Number(labels.entry), bytes });
}
