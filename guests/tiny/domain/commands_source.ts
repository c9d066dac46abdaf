/**
 * The tiny domain's commands: from its command line, where `;` stands between them, then from its console.
 *
 * A command that waits lets everything else go on: echoes are answered meanwhile. What each is for stands in `COMMANDS`.
 */

import { start_info } from "../../../core/abi/xen.ts";

/** Commands by name, and what `help` says of them. */
const COMMANDS = {
  ip: "A.B.C.D | dhcp: the network card's address",
  ping: "A.B.C.D [N]: asks N times for an ICMP echo",
  udp: "A.B.C.D [N [BYTES]]: asks N times for a UDP echo of so many bytes",
  read: "SECTOR: the text in a sector of the disk",
  write: "SECTOR TEXT: puts a text there, on the disk itself",
  check: "N: writes the first N sectors, and reads them again",
  wait: "MS: milliseconds",
  help: "these commands",
  off: "ends the domain",
  reboot: "starts it again",
} as const;

const MILLISECOND = 1_000_000;

const table = Object.keys(COMMANDS).map((name) => `        dq .name_${name}, command_${name}`);
const names = Object.keys(COMMANDS).map((name) => `.name_${name}: db "${name}", 0`);
const help = Object.entries(COMMANDS).map(([name, text]) => `        db "  ${name} ${text}", 10`);

export const COMMANDS_SOURCE = `
main:   call watch
        call look_at_devices
.devices:                     ; those that there are come up first
        call turn
        mov eax, [net_front + FRONT_STATE]
        dec eax
        cmp eax, FRONT_CONNECTED - 2
        jbe .soon
        mov eax, [block_front + FRONT_STATE]
        dec eax
        cmp eax, FRONT_CONNECTED - 2
        ja .commands
.soon:  call nap
        jmp .devices
.commands:
        mov rsi, [start]
        add rsi, ${start_info.offsetOf("cmd_line")}
        call run_commands
.prompt:
        call say
        db "tiny> ", 0
.line:  mov qword [deadline], 0
        call turn
        call get_line
        jc .run
        call nap
        jmp .line
.run:   mov esi, line
        call run_commands
        jmp .prompt

run_commands:                 ; those of the text RSI
        call skip_spaces
        cmp byte [rsi], 0
        je .end
        mov ebx, .table
.try:   mov rdi, [rbx]
        mov rdx, rsi
.same:  mov al, [rdi]
        test al, al
        jz .whole
        cmp al, [rdx]
        jne .other
        inc rdi
        inc rdx
        jmp .same
.whole: cmp byte [rdx], '0'   ; a name ends with a blank, a semicolon or 0; neither with a letter nor a digit
        jb .found
        cmp byte [rdx], ';'
        je .found
.other: add ebx, 16
        cmp ebx, .table_end
        jb .try
        push rsi
        call say
        db "unknown; there is help", 10, 0
        pop rsi
        jmp .next
.found: mov [argument], rdx
        call [rbx + 8]
        mov rsi, [argument]
.next:  mov al, [rsi]         ; the next command
        test al, al
        jz .end
        inc rsi
        cmp al, ';'
        jne .next
        jmp run_commands
.end:   ret
        align 8, 0
.table:
${table.join("\n")}
.table_end:
${names.join("\n")}

skip_spaces:                  ; RSI
        cmp byte [rsi], ' '
        jne .end
        inc rsi
        jmp skip_spaces
.end:   ret

take_number:                  ; RAX: the argument's next number; CF: there is none
        mov rsi, [argument]
        call skip_spaces
        call number
        mov [argument], rsi
        ret

take_address:                 ; EAX: the argument's IPv4 address; CF: there is none
        push r12
        push r13
        mov r13d, 4
.octet: call take_number
        jc .end
        cmp rax, 256
        cmc
        jc .end
        shrd r12d, eax, 8
        dec r13d
        jz .good
        mov rsi, [argument]
        cmp byte [rsi], '.'
        stc
        jne .end
        inc rsi
        mov [argument], rsi
        jmp .octet
.good:  mov eax, r12d
        clc
.end:   pop r13
        pop r12
        ret

misused:
        call say
        db "misused; there is help", 10, 0
        stc
        ret

command_wait:
        call take_number
        jc misused
        imul rax, rax, ${MILLISECOND}
        call wait_limit
.wait:  call turn
        call is_late
        jc .end
        call nap
        jmp .wait
.end:   ret

command_help:
        call say
${help.join("\n")}
        db 0
        ret

command_off:
        jmp power_off

command_reboot:
        jmp reboot

        align 8, 0
argument: dq 0
`;
