/**
 * The tiny domain asks for an address: DISCOVER, an OFFER, REQUEST, an ACK.
 *
 * Source: RFC 2131, "Protocol Summary" and "Client-server interaction"; RFC 2132.
 */

import { FRAME, PROTOCOL, swapped } from "./packets_source.ts";

const BOOTP = FRAME.UDP_DATA;
/** Offsets in a message. */
const AT = { XID: 4, FLAGS: 10, YIADDR: 16, CHADDR: 28, COOKIE: 236, OPTIONS: 240 } as const;
const OPTION = { PAD: 0, REQUESTED: 50, TYPE: 53, SERVER: 54, END: 255 } as const;
/** Room for the options that are sent: type, address, server, end. */
const OPTION_BYTES = 3 + 6 + 6 + 1;
const FRAME_BYTES = BOOTP + AT.OPTIONS + OPTION_BYTES;
const COOKIE = 0x63538263;
const XID = 0x796e6974;
const BROADCAST = swapped(0x8000);
const PORTS = swapped(68) | swapped(67) << 16;
/** Message types, and what the client waits for. */
export const DHCP = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5 } as const;

export const DHCP_SOURCE = `
send_dhcp:                    ; message type EAX
        push rax
        mov ecx, ${FRAME_BYTES}
        call frame_page
        pop rax
        jc .end
        push rax
        push rdi
        mov ecx, ${FRAME_BYTES}
        xor eax, eax
        rep stosb
        pop rdi
        mov dword [rdi], -1   ; to everybody
        mov word [rdi + 4], -1
        mov byte [rdi + ${FRAME.IP_PROTOCOL}], ${PROTOCOL.UDP}
        mov dword [rdi + ${FRAME.IP_DESTINATION}], -1
        mov ecx, ${FRAME_BYTES}
        call ip_header
        mov dword [rdi + ${FRAME.UDP_SOURCE}], ${PORTS}
        mov word [rdi + ${FRAME.UDP_LENGTH}], ${swapped(FRAME_BYTES - FRAME.PAYLOAD)}
        mov dword [rdi + ${BOOTP}], 0x060101 ; a request, by Ethernet
        mov dword [rdi + ${BOOTP + AT.XID}], ${XID}
        mov word [rdi + ${BOOTP + AT.FLAGS}], ${BROADCAST}
        mov eax, [own_mac]
        mov [rdi + ${BOOTP + AT.CHADDR}], eax
        mov ax, [own_mac + 4]
        mov [rdi + ${BOOTP + AT.CHADDR + 4}], ax
        mov dword [rdi + ${BOOTP + AT.COOKIE}], ${COOKIE}
        pop rax
        push rdi
        add rdi, ${BOOTP + AT.OPTIONS}
        mov word [rdi], ${OPTION.TYPE | 1 << 8}
        mov [rdi + 2], al
        add rdi, 3
        cmp eax, ${DHCP.DISCOVER}
        je .last
        mov word [rdi], ${OPTION.REQUESTED | 4 << 8}
        mov eax, [offered_address]
        mov [rdi + 2], eax
        mov word [rdi + 6], ${OPTION.SERVER | 4 << 8}
        mov eax, [dhcp_server]
        mov [rdi + 8], eax
        add rdi, 12
.last:  mov byte [rdi], ${OPTION.END}
        pop rdi
        mov ecx, ${FRAME_BYTES}
        jmp send_frame
.end:   ret

take_dhcp:                    ; ECX bytes at RSI
        cmp ecx, ${BOOTP + AT.OPTIONS}
        jbe .end
        cmp byte [rsi + ${BOOTP}], 2 ; a reply
        jne .end
        cmp dword [rsi + ${BOOTP + AT.XID}], ${XID}
        jne .end
        mov eax, [own_mac]
        cmp eax, [rsi + ${BOOTP + AT.CHADDR}]
        jne .end
        mov ax, [own_mac + 4]
        cmp ax, [rsi + ${BOOTP + AT.CHADDR + 4}]
        jne .end
        cmp dword [rsi + ${BOOTP + AT.COOKIE}], ${COOKIE}
        jne .end
        lea r8, [rsi + rcx]   ; the end
        lea rdi, [rsi + ${BOOTP + AT.OPTIONS}]
        xor r9d, r9d          ; the message's type
        xor r10d, r10d        ; the server
.option:
        lea rax, [rdi + 2]
        cmp rax, r8
        ja .all
        movzx eax, byte [rdi]
        cmp eax, ${OPTION.END}
        je .all
        inc rdi
        cmp eax, ${OPTION.PAD}
        je .option
        movzx ecx, byte [rdi]
        inc rdi
        lea rdx, [rdi + rcx]
        cmp rdx, r8
        ja .all
        cmp eax, ${OPTION.TYPE}
        jne .server
        movzx r9d, byte [rdi]
.server:
        cmp eax, ${OPTION.SERVER}
        jne .next
        mov r10d, [rdi]
.next:  mov rdi, rdx
        jmp .option
.all:   cmp r9b, [dhcp_awaited]
        jne .end
        mov eax, [rsi + ${BOOTP + AT.YIADDR}]
        mov [offered_address], eax
        mov [dhcp_server], r10d
        mov byte [dhcp_awaited], 0
.end:   ret

        align 8, 0
offered_address: dd 0
dhcp_server: dd 0
dhcp_awaited: db 0
`;
