/**
 * The tiny domain's client of XenStore: one request at a time, and watches, which say only that something changed.
 *
 * A message is far shorter than the ring, and the ring is empty when one is sent: the last one was answered.
 *
 * Source: Xen 4.17's `io/xs_wire.h`; `docs/misc/xenstore.txt`.
 */

import { XENSTORE_DOMAIN_INTERFACE, XS, XSD_SOCKMSG } from "../../../core/abi/io/xs_wire.ts";
import { SHUTDOWN } from "../../../core/abi/operations.ts";
import { PORTS } from "./start_source.ts";

const at = (field: keyof typeof XENSTORE_DOMAIN_INTERFACE.fields) =>
  XENSTORE_DOMAIN_INTERFACE.offsetOf(field);
const RING_BYTES = 1024;
const HEADER_BYTES = XSD_SOCKMSG.sizeBytes();
const LENGTH = XSD_SOCKMSG.offsetOf("len");

export const STORE_SOURCE = `
RESPONSES_TAKEN equ ${at("rsp_cons")}
RESPONSES_MADE equ ${at("rsp_prod")}

store_begin:                  ; a request of type AL; RDI: where its payload goes
        movzx eax, al
        mov [store_message], eax
        mov edi, store_message + ${HEADER_BYTES}
        ret

store_read:                   ; as store_call, of a request that ends with the path at RDI
        xor eax, eax
        stosb
store_call:                   ; RDI: the end of the payload. RSI: the answer, with a 0 behind it; CF: it is an error
        lea ecx, [rdi - store_message]
        lea eax, [rcx - ${HEADER_BYTES}]
        mov [store_message + ${LENGTH}], eax
        mov esi, store_message
        mov rdx, [store]
.byte:  lodsb
        mov r8d, [rdx + ${at("req_prod")}]
        and r8d, ${RING_BYTES - 1}
        mov [rdx + r8 + ${at("req")}], al
        inc dword [rdx + ${at("req_prod")}]
        dec ecx
        jnz .byte
        mov eax, [ports + ${4 * PORTS.store}]
        call notify
.wait:  call skip_events
        call store_pull
        jc .got
        call nap
        jmp .wait
.got:   call note_event
        jc .wait
        mov esi, store_input + ${HEADER_BYTES}
        cmp dword [store_input], ${XS.ERROR}
        je .error
        clc
        ret
.error: stc
        ret

store_pull:                   ; CF: a message is complete in store_input, with a 0 behind it
        mov rdx, [store]
        mov r9d, [rdx + ${at("rsp_prod")}]
        sub r9d, [rdx + ${at("rsp_cons")}]
.byte:  mov eax, [rdx + ${at("rsp_cons")}]
        cmp eax, [rdx + ${at("rsp_prod")}]
        je .part
        and eax, ${RING_BYTES - 1}
        mov al, [rdx + rax + ${at("rsp")}]
        mov ecx, [store_got]
        mov [store_input + rcx], al
        inc ecx
        mov [store_got], ecx
        inc dword [rdx + ${at("rsp_cons")}]
        cmp ecx, ${HEADER_BYTES}
        jb .byte
        mov eax, [store_input + ${LENGTH}]
        add eax, ${HEADER_BYTES}
        cmp ecx, eax
        jb .byte
        mov byte [store_input + rcx], 0
        mov dword [store_got], 0
        call .room
        stc
        ret
.part:  call .room
        clc
        ret
.room:  cmp r9d, ${RING_BYTES} ; the ring was full: the store may go on
        jb .end
        mov eax, [ports + ${4 * PORTS.store}]
        jmp notify
.end:   ret

note_event:                   ; CF: the message in store_input says that a watch fired
        cmp dword [store_input], ${XS.WATCH_EVENT}
        jne .no
        mov byte [changed], 1
        stc
        ret
.no:    clc
        ret

store_events:                 ; if something that is watched has changed, looks at everything
        call store_pull
        jnc .all
        call note_event
        jmp store_events
.all:   cmp byte [changed], 0
        je .end
        mov byte [changed], 0
        call look_at_control
        call look_at_devices
        jmp store_events
.end:   ret

store_watch:                  ; of the path behind the call
        mov al, ${XS.WATCH}
        call store_begin
        pop rsi
        call copy_text
        push rsi
end_watch:                    ; the token of all watches is the same
        mov eax, 't' << 8
        stosw
        jmp store_read

watch:                        ; all that tools may want to tell
        call store_watch
        db "control/shutdown", 0
        call store_watch
        db "device", 0
        ret

look_at_control:              ; what tools ask the domain to do
        mov al, ${XS.READ}
        call store_begin
        call append
        db "control/shutdown", 0
        call store_read
        jc .end
        mov al, [rsi]
        test al, al
        jz .end
        push rax
        mov al, ${XS.WRITE}   ; seen
        call store_begin
        call append
        db "control/shutdown", 0
        call store_read
        pop rax
        cmp al, 'p'           ; poweroff
        je power_off
        cmp al, 'h'           ; halt
        je power_off
        cmp al, 'r'           ; reboot
        je reboot
        cmp al, 's'           ; suspend
        je suspend
.end:   ret
power_off:
        mov eax, ${SHUTDOWN.poweroff}
        jmp shut_down
reboot: mov eax, ${SHUTDOWN.reboot}
        jmp shut_down

        align 8, 0
store:  dq 0
store_got: dd 0
changed: db 0
        align 8, 0
store_message: resb 512
`;
