/**
 * The tiny domain's console: text out, lines in; and texts and numbers in memory.
 *
 * Source: Xen 4.17's `io/console.h`.
 */

import { XENCONS_INTERFACE } from "../../../core/abi/io/console.ts";
import { PORTS } from "./start_source.ts";

const at = (field: keyof typeof XENCONS_INTERFACE.fields) => XENCONS_INTERFACE.offsetOf(field);
const OUT_BYTES = 2048;
const IN_BYTES = 1024;
/** The longest line that is taken. */
export const LINE_BYTES = 128;

export const CONSOLE_SOURCE = `
say:                          ; the text behind the call, up to a 0
        pop rsi
        call say_text
        push rsi
        ret

say_text:                     ; RSI; leaves it behind the 0
        lodsb
        test al, al
        jz show
        call put_character
        jmp say_text

show:                         ; the console hears that there is text
        push rsi
        mov eax, [ports + ${4 * PORTS.console}]
        call notify
        pop rsi
        ret

say_number:                   ; RAX, decimal
        mov edi, number_text
        call decimal
        mov byte [rdi], 0
        mov esi, number_text
        jmp say_text

say_address:                  ; EAX: an IPv4 address as it lies in packets
        push r12
        push r13
        mov r12d, eax
        mov r13d, 4
.octet: movzx eax, r12b
        call say_number
        shr r12d, 8
        dec r13d
        jz .end
        mov al, '.'
        call put_character
        jmp .octet
.end:   pop r13
        pop r12
        jmp show

put_character:                ; AL; keeps RSI and RDI
        mov rdx, [console]
.room:  mov ecx, [rdx + ${at("out_prod")}]
        mov r8d, ecx
        sub r8d, [rdx + ${at("out_cons")}]
        cmp r8d, ${OUT_BYTES}
        jae .full
        and ecx, ${OUT_BYTES - 1}
        mov [rdx + rcx + ${at("out")}], al
        inc dword [rdx + ${at("out_prod")}]
        ret
.full:  push rax
        push rsi
        push rdi
        call show
        call skip_events
        mov rdx, [console]
        mov ecx, [rdx + ${at("out_prod")}]
        sub ecx, [rdx + ${at("out_cons")}]
        cmp ecx, ${OUT_BYTES}
        jb .some
        call nap
.some:  pop rdi
        pop rsi
        pop rax
        jmp put_character

get_line:                     ; CF: a line is complete, with a 0 behind it
        mov rdx, [console]
        mov ecx, [rdx + ${at("in_cons")}]
        cmp ecx, [rdx + ${at("in_prod")}]
        je .none
        and ecx, ${IN_BYTES - 1}
        mov al, [rdx + rcx + ${at("in")}]
        inc dword [rdx + ${at("in_cons")}]
        cmp al, 13
        je .end
        cmp al, 10
        je .end
        mov ecx, [line_length]
        cmp al, 127           ; a terminal's key to erase
        je .erase
        cmp ecx, ${LINE_BYTES - 1}
        jae get_line
        mov [line + rcx], al
        inc dword [line_length]
        mov byte [echoed], 1
        call put_character
        jmp get_line
.erase: test ecx, ecx
        jz get_line
        dec dword [line_length]
        call say
        db 8, " ", 8, 0
        jmp get_line
.end:   mov ecx, [line_length]
        mov byte [line + rcx], 0
        mov dword [line_length], 0
        mov al, 10
        call put_character
        call show
        stc
        ret
.none:  cmp byte [echoed], 0
        je .quiet
        mov byte [echoed], 0
        call show
.quiet: clc
        ret

append:                       ; the text behind the call to RDI
        pop rsi
        call copy_text
        push rsi
        ret

copy_text:                    ; RSI to RDI, without its 0; leaves RSI behind that
        lodsb
        test al, al
        jz .end
        stosb
        jmp copy_text
.end:   ret

decimal:                      ; RAX to RDI; keeps RSI
        xor edx, edx
        mov ecx, 10
        div rcx
        push rdx
        test rax, rax
        jz .digit
        call decimal
.digit: pop rax
        add al, '0'
        stosb
        ret

number:                       ; RAX: the decimal number at RSI; leaves RSI behind it; CF: there is none
        xor eax, eax
        xor edx, edx          ; digits
.next:  movzx ecx, byte [rsi]
        sub ecx, '0'
        cmp ecx, 9
        ja .end
        imul rax, rax, 10
        add rax, rcx
        inc rsi
        inc edx
        jmp .next
.end:   cmp edx, 1            ; CF if there was no digit
        ret

        align 8, 0
console: dq 0
line_length: dd 0
echoed: db 0
number_text: resb 24
line:   resb ${LINE_BYTES}
`;
