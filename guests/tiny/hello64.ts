/** The smallest 64-bit kernel: PVH entry, long mode, a task in ring 3 that speaks through INT 0x80. */

import { idtSource, outputSource } from "./common_source.ts";
import { ENTER_RING_3, LONG_MODE, userPages } from "./long_mode_source.ts";
import { tinyGuest } from "./tiny_guest.ts";

const SOURCE = `${LONG_MODE}
main:   mov ax, 0x30
        ltr ax
        call serial_init
        mov rsi, started
        call puts
        mov rax, [start_info]
        cmp dword [rax], 0x336ec578 ; struct hvm_start_info: magic
        jne fail
        mov rsi, informed
        call puts
${ENTER_RING_3}
system_call:                  ; RAX: 1 write the string at RSI, 2 exit
        cmp rax, 2
        je exit
        cmp rax, 1
        jne fail
        call puts
        iretq
${outputSource(64)}
started: db "hello64: long mode with 4-level paging", 10, 0
informed: db "hello64: PVH start information found", 10, 0
${idtSource(64, [{ vector: 0x80, handler: "system_call", user: true }])}${
  userPages(`
        mov eax, 1
        lea rsi, [rel .hello]
        int 0x80
        mov eax, 2
        int 0x80
.hello: db "hello64: ring 3 says hello through int 0x80", 10, 0`)
}`;

/** PVH, long mode, INT 0x80. */
export const hello64 = tinyGuest({
  name: "hello64",
  summary: "64-bit: PVH entry, long mode, a task in ring 3 with int 0x80",
  protocol: "pvh",
  source: SOURCE,
  expectedOutput: `hello64: long mode with 4-level paging
hello64: PVH start information found
hello64: ring 3 says hello through int 0x80
`,
});
