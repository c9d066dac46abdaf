/**
 * The front ends' half of XenBus in the tiny domain: a device appears, its back end makes an offer, both connect; the back
 * end goes, and the front end closes. One card and one disk, plugged in at any time.
 *
 * Source: Xen 4.17's `io/xenbus.h`.
 */

import { XENBUS_STATE } from "../../../core/abi/io/xenbus.ts";
import { XS } from "../../../core/abi/io/xs_wire.ts";

/** What a front end's record holds, by offset. The rows of STATE below say what the kernel waits for. */
const FRONT = {
  /** The directory of such devices. */
  KIND: 0,
  /** Routines: make the offer's answer; both halves are connected; the device is gone. */
  OFFER: 8,
  UP: 16,
  GONE: 24,
  /** Where its channel is among the ports, in bytes. */
  PORT_AT: 32,
  STATE: 36,
  DOMAIN: 40,
  PORT: 44,
  PATH: 48,
  BACK: 80,
} as const;
const FRONT_BYTES = 144;
const BACK_BYTES = 63;

/** No device; the back end's offer is awaited; its connection is awaited; connected. */
const STATE = { NONE: 0, KNOWN: 1, ANSWERED: 2, CONNECTED: 3 } as const;

export const FRONT_SOURCE = `
FRONT_DOMAIN equ ${FRONT.DOMAIN}
FRONT_PORT equ ${FRONT.PORT}
FRONT_STATE equ ${FRONT.STATE}
FRONT_NONE equ ${STATE.NONE}
FRONT_CONNECTED equ ${STATE.CONNECTED}

look_at_devices:
        push rbx
        push r12
        mov ebx, net_front
        call look_at_front
        mov ebx, block_front
        call look_at_front
        pop r12
        pop rbx
        ret

look_at_front:                ; RBX: goes on from the state that it is in
        cmp dword [rbx + ${FRONT.STATE}], ${STATE.NONE}
        jne .known
        call find_device
        jc .end
.known: call back_state
        cmp eax, ${XENBUS_STATE.Closing}
        jae close_front
        test eax, eax         ; Unknown
        jz close_front
        cmp dword [rbx + ${FRONT.STATE}], ${STATE.KNOWN}
        je .offer
        cmp dword [rbx + ${FRONT.STATE}], ${STATE.ANSWERED}
        jne .end
        cmp eax, ${XENBUS_STATE.Connected}
        jne .end
        mov dword [rbx + ${FRONT.STATE}], ${STATE.CONNECTED}
        jmp [rbx + ${FRONT.UP}]
.offer: cmp eax, ${XENBUS_STATE.InitWait}
        jne .end
        mov eax, [rbx + ${FRONT.DOMAIN}]
        call alloc_unbound
        mov [rbx + ${FRONT.PORT}], eax
        mov ecx, [rbx + ${FRONT.PORT_AT}]
        mov [ports + rcx], eax
        mov dword [rbx + ${FRONT.STATE}], ${STATE.ANSWERED}
        jmp [rbx + ${FRONT.OFFER}]
.end:   ret

find_device:                  ; CF: there is no device of RBX's kind that begins
        mov al, ${XS.DIRECTORY}
        call store_begin
        mov rsi, [rbx + ${FRONT.KIND}]
        call copy_text
        call store_read
        jc .none
        cmp byte [rsi], 0
        je .none
        mov r8, rsi           ; the first device's name
        lea rdi, [rbx + ${FRONT.PATH}]
        mov rsi, [rbx + ${FRONT.KIND}]
        call copy_text        ; a number fits behind it
        mov al, '/'
        stosb
        mov rsi, r8
        call copy_text
        mov byte [rdi], 0
        call front_read
        db "state", 0
        jc .none
        cmp byte [rsi], '0' + ${XENBUS_STATE.Initialising}
        jne .none
        call front_read
        db "backend-id", 0
        jc .none
        call number
        mov [rbx + ${FRONT.DOMAIN}], eax
        mov dword [rbx + ${FRONT.PORT}], 0
        call front_read
        db "backend", 0
        jc .none
        lea rdi, [rbx + ${FRONT.BACK}]
        mov ecx, ${BACK_BYTES}
.back:  lodsb
        stosb
        test al, al
        jz .watch
        dec ecx
        jnz .back
        jmp .none
.watch: mov dword [rbx + ${FRONT.STATE}], ${STATE.KNOWN}
        mov al, ${XS.WATCH}
        call store_begin
        lea rsi, [rbx + ${FRONT.BACK}]
        call copy_text
        call append
        db "/state", 0
        call end_watch
        clc
        ret
.none:  stc
        ret

close_front:                  ; the back end of RBX goes
        cmp dword [rbx + ${FRONT.STATE}], ${STATE.NONE}
        je .end
        mov dword [rbx + ${FRONT.STATE}], ${STATE.NONE}
        mov eax, [rbx + ${FRONT.PORT}]
        call close_port
        mov eax, [ports]      ; the store's stands in for it
        mov ecx, [rbx + ${FRONT.PORT_AT}]
        mov [ports + rcx], eax
        mov r12d, ${XENBUS_STATE.Closed}
        call front_state
        mov al, ${XS.UNWATCH}
        call store_begin
        lea rsi, [rbx + ${FRONT.BACK}]
        call copy_text
        call append
        db "/state", 0
        call end_watch
        jmp [rbx + ${FRONT.GONE}]
.end:   ret

back_state:                   ; EAX: the back end's XenbusState; Unknown if it has none
        call back_read
        db "state", 0
        jc .none
        call number
        ret
.none:  xor eax, eax
        ret

back_read:                    ; as store_call: the back end's node behind the call
        mov al, ${XS.READ}
        call store_begin
        lea rsi, [rbx + ${FRONT.BACK}]
        jmp node_read
front_read:                   ; as store_call: the front end's node behind the call
        mov al, ${XS.READ}
        call store_begin
        lea rsi, [rbx + ${FRONT.PATH}]
node_read:
        call copy_text
        mov al, '/'
        stosb
        pop rsi
        call copy_text
        push rsi
        jmp store_read

front_state:                  ; R12: the front end's state
        call front_write
        db "state", 0
        ret

front_write:                  ; R12, decimal, to the front end's node behind the call
        mov al, ${XS.WRITE}
        call store_begin
        lea rsi, [rbx + ${FRONT.PATH}]
        call copy_text
        mov al, '/'
        stosb
        pop rsi
        call copy_text
        push rsi
        xor eax, eax
        stosb
        mov rax, r12
        call decimal
        jmp store_call

offer_requests:               ; ring RSI has EAX requests; the back end of RBX hears of it if it wants to
        mov ecx, [rsi]
        mov [rsi], eax        ; req_prod
        mov edx, eax
        sub edx, ecx
        sub eax, [rsi + 4]    ; req_event
        cmp eax, edx
        jae .quiet
        mov eax, [rbx + ${FRONT.PORT}]
        jmp notify
.quiet: ret

fresh_ring:                   ; RDI: a page
        xor eax, eax
        mov ecx, 1024
        rep stosd
        inc eax
        mov [rdi - 4096 + 4], eax  ; req_event
        mov [rdi - 4096 + 12], eax ; rsp_event
        ret

        align 8, 0
`;

/** A record of a front end: the label, the directory, its routines and its place among the ports. */
export function frontRecord(label: string, kind: "vif" | "vbd", portAt: number): string {
  return `
${label}: dq ${label}_kind, ${label}_offer, ${label}_up, ${label}_gone
        dd ${portAt}, ${STATE.NONE}, 0, 0
        resb ${FRONT_BYTES - FRONT.PATH}
${label}_kind: db "device/${kind}", 0
        align 8, 0
`;
}
