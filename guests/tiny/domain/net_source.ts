/**
 * The tiny domain's network card: a front end that copies each packet out of one page and into another.
 *
 * Sixteen pages are for sending; a packet for which none is free is dropped, as by any card. Thirty-two lie ready for what
 * arrives, and each is offered again as soon as its packet has been looked at.
 *
 * Source: Xen 4.17's `io/netif.h`, `io/ring.h`.
 */

import {
  NETIF_ENTRY_BYTES,
  NETIF_RX_REQUEST,
  NETIF_RX_RESPONSE,
  NETIF_TX_REQUEST,
} from "../../../core/abi/io/netif.ts";
import { ringEntries, SRING } from "../../../core/abi/io/ring.ts";
import { XENBUS_STATE } from "../../../core/abi/io/xenbus.ts";
import { frontRecord } from "./front_source.ts";
import { PORTS } from "./start_source.ts";

/** Pages for packets that are sent, and for those that arrive. */
export const TX_PAGES = 16;
export const RX_PAGES = 32;
/** Grant references: of the rings, and from where on those of the pages are. */
const GREF = { TX_RING: 8, RX_RING: 9, TX: 16, RX: 32 } as const;

const TX_MASK = ringEntries(NETIF_ENTRY_BYTES.tx) - 1;
const RX_MASK = ringEntries(NETIF_ENTRY_BYTES.rx) - 1;
const tx = (field: keyof typeof NETIF_TX_REQUEST.fields) =>
  SRING.ring + NETIF_TX_REQUEST.offsetOf(field);
const rx = (field: keyof typeof NETIF_RX_REQUEST.fields) =>
  SRING.ring + NETIF_RX_REQUEST.offsetOf(field);
const received = (field: keyof typeof NETIF_RX_RESPONSE.fields) =>
  SRING.ring + NETIF_RX_RESPONSE.offsetOf(field);

export const NET_SOURCE = `
net_front_offer:              ; RBX: the back end waits for rings
        call front_read
        db "mac", 0
        jc .end
        call read_mac
        mov edi, tx_ring
        call fresh_ring
        mov edi, rx_ring
        call fresh_ring
        mov dword [tx_cons], 0
        mov dword [tx_prod], 0
        mov dword [rx_cons], 0
        mov dword [rx_prod], 0
        mov dword [tx_free], ${2 ** TX_PAGES - 1}
        mov eax, tx_ring
        mov edi, ${GREF.TX_RING}
        call grant
        mov eax, rx_ring
        mov edi, ${GREF.RX_RING}
        call grant
        mov eax, tx_pages
        mov edi, ${GREF.TX}
.page:  push rax
        call grant            ; the pages follow each other, and so do their references
        pop rax
        add eax, 4096
        inc edi
        cmp edi, ${GREF.RX + RX_PAGES}
        jb .page
        xor r12d, r12d
.post:  mov eax, r12d
        call post_page
        inc r12d
        cmp r12d, ${RX_PAGES}
        jb .post
        mov esi, rx_ring
        mov eax, [rx_prod]
        mov [rsi + ${SRING.reqProd}], eax
        mov r12d, ${GREF.TX_RING}
        call front_write
        db "tx-ring-ref", 0
        mov r12d, ${GREF.RX_RING}
        call front_write
        db "rx-ring-ref", 0
        mov r12d, [rbx + FRONT_PORT]
        call front_write
        db "event-channel", 0
        mov r12d, 1
        call front_write
        db "request-rx-copy", 0
        mov r12d, ${XENBUS_STATE.Connected}
        jmp front_state
.end:   ret

net_front_up:
        call say
        db "tiny: a network card", 10, 0
        mov r10d, [own_address]
        test r10d, r10d
        jz .end
        mov ecx, ARP_REQUEST  ; for itself: everybody hears where it is now
        jmp send_arp
.end:   ret

net_front_gone:
        mov edi, ${GREF.TX_RING}
        mov ecx, 2
        call revoke
        mov edi, ${GREF.TX}
        mov ecx, ${TX_PAGES + RX_PAGES}
        call revoke
        call say
        db "tiny: the network card is gone", 10, 0
        ret

read_mac:                     ; the MAC address at RSI, in hexadecimal digits, to own_mac
        mov edi, own_mac
.byte:  call .digit
        mov ecx, eax
        call .digit
        shl ecx, 4
        or eax, ecx
        stosb
        inc rsi               ; a colon
        cmp edi, own_mac + 6
        jb .byte
        ret
.digit: lodsb
        movzx eax, al
        cmp eax, 'a'
        jb .low
        sub eax, 'a' - 10 - '0'
.low:   sub eax, '0'
        ret

post_page:                    ; page EAX may be filled
        mov ecx, [rx_prod]
        inc dword [rx_prod]
        and ecx, ${RX_MASK}
        mov [rx_ring + rcx * 8 + ${rx("id")}], ax
        add eax, ${GREF.RX}
        mov [rx_ring + rcx * 8 + ${rx("gref")}], eax
        ret

net_receive:                  ; looks at all packets that have arrived
        cmp dword [net_front + FRONT_STATE], FRONT_CONNECTED
        jne .end
        push rbx
        push r12
        mov ebx, net_front
        mov r12d, [rx_prod]
.next:  mov eax, [rx_cons]
        cmp eax, [rx_ring + ${SRING.rspProd}]
        je .asleep
        inc dword [rx_cons]
        and eax, ${RX_MASK}
        movzx edx, word [rx_ring + rax * 8 + ${received("id")}]
        and edx, ${RX_PAGES - 1}
        movzx esi, word [rx_ring + rax * 8 + ${received("offset")}]
        movsx ecx, word [rx_ring + rax * 8 + ${received("status")}]
        push rdx
        test ecx, ecx
        jle .post             ; not a packet, but an error
        shl edx, 12
        lea esi, [rsi + rdx + rx_pages]
        call take_frame
.post:  pop rax
        call post_page
        jmp .next
.asleep:
        inc eax
        mov [rx_ring + ${SRING.rspEvent}], eax
        mfence
        dec eax
        cmp eax, [rx_ring + ${SRING.rspProd}]
        jne .next
        mov eax, [rx_prod]
        mov esi, rx_ring
        cmp eax, r12d
        je .done
        call offer_requests
.done:  pop r12
        pop rbx
.end:   ret

frame_page:                   ; RDI: a page for a frame to send; CF: there is none; keeps RSI and RCX
        cmp dword [net_front + FRONT_STATE], FRONT_CONNECTED
        jne .none
.back:  mov eax, [tx_cons]    ; those that have been sent are free again
        cmp eax, [tx_ring + ${SRING.rspProd}]
        je .take
        inc dword [tx_cons]
        and eax, ${TX_MASK}
        imul eax, eax, ${NETIF_ENTRY_BYTES.tx}
        movzx edx, word [tx_ring + rax + ${SRING.ring}] ; id, of a response
        and edx, ${TX_PAGES - 1}
        bts [tx_free], edx
        jmp .back
.take:  bsf edi, [tx_free]
        jz .none
        shl edi, 12
        add edi, tx_pages
        clc
        ret
.none:  stc
        ret

send_frame:                   ; ECX bytes of the page RDI
        push rbx
        mov ebx, net_front
        sub edi, tx_pages
        shr edi, 12
        btr [tx_free], edi
        mov eax, [tx_prod]
        inc dword [tx_prod]
        and eax, ${TX_MASK}
        imul eax, eax, ${NETIF_ENTRY_BYTES.tx}
        lea edx, [rdi + ${GREF.TX}]
        mov [tx_ring + rax + ${tx("gref")}], edx
        mov dword [tx_ring + rax + ${tx("offset")}], 0 ; and no flags
        mov [tx_ring + rax + ${tx("id")}], di
        mov [tx_ring + rax + ${tx("size")}], cx
        mov esi, tx_ring
        mov eax, [tx_prod]
        call offer_requests
        pop rbx
        ret
${frontRecord("net_front", "vif", 4 * PORTS.net)}
tx_cons: dd 0
tx_prod: dd 0
rx_cons: dd 0
rx_prod: dd 0
tx_free: dd 0
own_mac: resb 8
`;
