/** The tiny domain's commands of the disk: a sector read, written, and many checked. */

import { BLKIF_SECTOR_BYTES } from "../../../core/abi/io/blkif.ts";

export const BLOCK_COMMANDS_SOURCE = `
command_read:
        call take_sector
        jc .end
        mov eax, BLOCK_READ
        call transfer
        jc failed
        mov byte [block_page + ${BLKIF_SECTOR_BYTES}], 0
        mov esi, block_page
        call say_text
        jmp end_line
.end:   ret

command_write:
        call take_sector
        jc .end
        mov edi, block_page
        mov ecx, ${BLKIF_SECTOR_BYTES / 4}
        xor eax, eax
        rep stosd
        mov rsi, [argument]
        call skip_spaces
        mov edi, block_page
.text:  mov al, [rsi]
        cmp al, ';'
        je .write
        test al, al
        jz .write
        inc rsi
        stosb
        jmp .text
.write: mov [argument], rsi
        mov eax, BLOCK_WRITE
        call transfer
        jc failed
        mov eax, BLOCK_FLUSH
        call transfer
        jc failed
.end:   ret

command_check:
        call take_sector
        jc .end
        mov r13, r12          ; sectors
        xor r12d, r12d
.write: cmp r12, r13
        jae .back
        call fill_sector
        mov eax, BLOCK_WRITE
        call transfer
        jc failed
        inc r12
        jmp .write
.back:  xor r12d, r12d
.read:  cmp r12, r13
        jae .good
        mov byte [block_page], 0
        mov eax, BLOCK_READ
        call transfer
        jc failed
        call is_filled
        jc .differs
        inc r12
        jmp .read
.good:  mov rax, r13
        call say_number
        call say
        db " sectors written and read", 10, 0
.end:   ret
.differs:
        call say
        db "not what was written: sector ", 0
        mov rax, r12
        call say_number
        jmp end_line

take_sector:                  ; R12: the argument's number, not beyond the disk; CF: it was found fault with
        cmp dword [block_front + FRONT_STATE], FRONT_CONNECTED
        jne .none
        call take_number
        jc misused
        mov r12, rax
        cmp [sectors], rax
        jb misused
        clc
        ret
.none:  call say
        db "there is no disk", 10, 0
        stc
        ret

failed: call say
        db "the disk failed", 10, 0
        ret
`;
