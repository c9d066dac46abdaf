/**
 * What the tiny domain knows of networks: it answers ARP, ICMP echoes and UDP echoes, and asks them of others.
 *
 * Who is on the wire is remembered by the last octet of the address. There are no routes: everybody is on the wire.
 *
 * Source: RFC 826 (ARP), 791 (IP), 792 (ICMP), 768 (UDP), 862 (echo).
 */

/** Offsets in a frame: Ethernet, ARP, IPv4 without options, and what lies in that. */
export const FRAME = {
  TO: 0,
  FROM: 6,
  TYPE: 12,
  ARP_OPERATION: 20,
  ARP_SENDER_MAC: 22,
  ARP_SENDER: 28,
  ARP_TARGET: 38,
  ARP_END: 42,
  IP: 14,
  IP_LENGTH: 16,
  IP_TTL: 22,
  IP_PROTOCOL: 23,
  IP_CHECKSUM: 24,
  IP_SOURCE: 26,
  IP_DESTINATION: 30,
  PAYLOAD: 34,
  ICMP_TYPE: 34,
  ICMP_CHECKSUM: 36,
  ICMP_ID: 38,
  ICMP_SEQUENCE: 40,
  ICMP_DATA: 42,
  UDP_SOURCE: 34,
  UDP_DESTINATION: 36,
  UDP_LENGTH: 38,
  UDP_CHECKSUM: 40,
  UDP_DATA: 42,
} as const;

/** A 16-bit number as it lies in a packet. */
export const swapped = (value: number): number => (value >> 8) | ((value & 0xff) << 8);

const TYPE = { ARP: swapped(0x0806), IPV4: swapped(0x0800) } as const;
export const PROTOCOL = { ICMP: 1, UDP: 17 } as const;
const ICMP = { ECHO_REPLY: 0, ECHO: 8 } as const;
const ECHO_PORT = swapped(7);
/** From which the domain asks. */
const OWN_PORT = swapped(7007);
const DHCP_CLIENT = swapped(68);
const ICMP_ID = swapped(0x7e11);
const TTL = 64;

export const PACKETS_SOURCE = `
ARP_REQUEST equ ${swapped(1)}

take_frame:                   ; ECX bytes at RSI
        cmp ecx, ${FRAME.ARP_END}
        jb .end               ; the shortest of what is understood
        movzx eax, word [rsi + ${FRAME.TYPE}]
        cmp eax, ${TYPE.ARP}
        je take_arp
        cmp eax, ${TYPE.IPV4}
        jne .end
        cmp byte [rsi + ${FRAME.IP}], 0x45 ; version 4, no options
        jne .end
        movzx eax, word [rsi + ${FRAME.IP_LENGTH}]
        xchg al, ah
        add eax, ${FRAME.IP}
        cmp eax, ecx          ; a short frame was filled up; a cut one is none
        ja .end
        cmp eax, ${FRAME.UDP_DATA}
        jb .end
        mov ecx, eax
        movzx eax, byte [rsi + ${FRAME.IP_PROTOCOL}]
        cmp eax, ${PROTOCOL.UDP}
        jne .to_us
        cmp word [rsi + ${FRAME.UDP_DESTINATION}], ${DHCP_CLIENT}
        je take_dhcp
.to_us: mov edx, [own_address]
        cmp edx, [rsi + ${FRAME.IP_DESTINATION}]
        jne .end
        cmp eax, ${PROTOCOL.ICMP}
        je take_icmp
        cmp eax, ${PROTOCOL.UDP}
        je take_udp
.end:   ret

take_arp:
        mov eax, [rsi + ${FRAME.ARP_SENDER}]
        call neighbour
        mov [rdx], eax
        mov eax, [rsi + ${FRAME.ARP_SENDER_MAC}]
        mov [rdx + 4], eax
        mov ax, [rsi + ${FRAME.ARP_SENDER_MAC + 4}]
        mov [rdx + 8], ax
        cmp word [rsi + ${FRAME.ARP_OPERATION}], ARP_REQUEST
        jne .end
        mov eax, [own_address]
        test eax, eax
        jz .end
        cmp eax, [rsi + ${FRAME.ARP_TARGET}]
        jne .end
        mov r10d, [rsi + ${FRAME.ARP_SENDER}]
        mov ecx, ${swapped(2)}
        jmp send_arp
.end:   ret

neighbour:                    ; RDX: where the MAC address of EAX is kept; keeps all else
        mov edx, eax
        shr edx, 24
        shl edx, 4
        add edx, neighbours
        ret

send_arp:                     ; operation CX about address R10; a request goes to everybody
        call frame_page
        jc .end
        push rdi
        mov eax, -1
        mov edx, -1
        cmp ecx, ARP_REQUEST
        je .to
        mov eax, r10d
        call neighbour
        mov eax, [rdx + 4]
        mov edx, [rdx + 8]
.to:    mov [rdi], eax
        mov [rdi + 4], dx
        push rax
        push rdx
        call put_own_mac
        mov word [rdi + ${FRAME.TYPE}], ${TYPE.ARP}
        mov dword [rdi + 14], ${swapped(1) | TYPE.IPV4 << 16} ; Ethernet, IPv4
        mov word [rdi + 18], 0x0406 ; lengths of addresses
        mov [rdi + ${FRAME.ARP_OPERATION}], cx
        mov eax, [own_mac]
        mov [rdi + ${FRAME.ARP_SENDER_MAC}], eax
        mov ax, [own_mac + 4]
        mov [rdi + ${FRAME.ARP_SENDER_MAC + 4}], ax
        mov eax, [own_address]
        mov [rdi + ${FRAME.ARP_SENDER}], eax
        pop rdx
        pop rax
        mov [rdi + ${FRAME.ARP_TARGET - 6}], eax
        mov [rdi + ${FRAME.ARP_TARGET - 2}], dx
        mov [rdi + ${FRAME.ARP_TARGET}], r10d
        pop rdi
        mov ecx, ${FRAME.ARP_END}
        jmp send_frame
.end:   ret

put_own_mac:                  ; as the sender of the frame RDI
        mov eax, [own_mac]
        mov [rdi + ${FRAME.FROM}], eax
        mov ax, [own_mac + 4]
        mov [rdi + ${FRAME.FROM + 4}], ax
        ret

answer_frame:                 ; RDI: a copy of frame RSI, ECX bytes, that goes back; CF: no page is free
        call frame_page
        jc .end
        push rcx
        push rdi
        rep movsb
        pop rdi
        pop rcx
        mov eax, [rdi + ${FRAME.FROM}]
        mov [rdi], eax
        mov ax, [rdi + ${FRAME.FROM + 4}]
        mov [rdi + 4], ax
        call put_own_mac
        mov eax, [rdi + ${FRAME.IP_SOURCE}]
        xchg eax, [rdi + ${FRAME.IP_DESTINATION}]
        mov [rdi + ${FRAME.IP_SOURCE}], eax
        clc
.end:   ret

take_icmp:
        cmp byte [rsi + ${FRAME.ICMP_TYPE}], ${ICMP.ECHO_REPLY}
        je .reply
        cmp byte [rsi + ${FRAME.ICMP_TYPE}], ${ICMP.ECHO}
        jne .end
        call answer_frame
        jc .end
        mov byte [rdi + ${FRAME.ICMP_TYPE}], ${ICMP.ECHO_REPLY}
        call icmp_checksum
        jmp send_frame
.reply: cmp word [rsi + ${FRAME.ICMP_ID}], ${ICMP_ID}
        jne .end
        movzx eax, word [rsi + ${FRAME.ICMP_SEQUENCE}]
        jmp take_answer
.end:   ret

icmp_checksum:                ; of the frame RDI, ECX bytes; keeps both
        push rcx
        mov word [rdi + ${FRAME.ICMP_CHECKSUM}], 0
        lea rsi, [rdi + ${FRAME.PAYLOAD}]
        sub ecx, ${FRAME.PAYLOAD}
        call checksum
        mov [rdi + ${FRAME.ICMP_CHECKSUM}], ax
        pop rcx
        ret

checksum:                     ; AX: of ECX bytes at RSI; keeps RDI
        xor eax, eax
.pair:  cmp ecx, 2
        jb .last
        movzx edx, word [rsi]
        add eax, edx
        add rsi, 2
        sub ecx, 2
        jmp .pair
.last:  test ecx, ecx
        jz .fold
        movzx edx, byte [rsi]
        add eax, edx
.fold:  mov edx, eax
        shr edx, 16
        movzx eax, ax
        add eax, edx
        test eax, 0xffff0000
        jnz .fold
        not eax
        ret

take_udp:
        cmp word [rsi + ${FRAME.UDP_DESTINATION}], ${OWN_PORT}
        je .reply
        cmp word [rsi + ${FRAME.UDP_DESTINATION}], ${ECHO_PORT}
        jne .end
        cmp word [rsi + ${FRAME.UDP_SOURCE}], ${ECHO_PORT} ; two that echo would never end
        je .end
        call answer_frame
        jc .end
        mov eax, [rdi + ${FRAME.UDP_SOURCE}]
        rol eax, 16           ; the ports change places, and the checksum stays
        mov [rdi + ${FRAME.UDP_SOURCE}], eax
        jmp send_frame
.reply: movzx eax, word [rsi + ${FRAME.UDP_DATA}]
        jmp take_answer
.end:   ret

take_answer:                  ; to what was asked with sequence number AX, in packet RSI
        mov edx, [asked_address]
        cmp edx, [rsi + ${FRAME.IP_SOURCE}]
        jne .end
        cmp ax, [asked]
        jne .end
        mov byte [answered], 1
.end:   ret

ip_frame:                     ; RDI: a frame to asked_address, protocol DL, ECX bytes with all headers; CF: no page is free
        push rdx
        call frame_page
        pop rdx
        jnc .page
        ret
.page:  mov byte [rdi + ${FRAME.IP_PROTOCOL}], dl
        mov eax, [asked_address]
        mov [rdi + ${FRAME.IP_DESTINATION}], eax
        call neighbour
        mov eax, [rdx + 4]
        mov [rdi], eax
        mov ax, [rdx + 8]
        mov [rdi + 4], ax
        mov eax, [own_address]
        mov [rdi + ${FRAME.IP_SOURCE}], eax
ip_header:                    ; the rest of a header
        call put_own_mac
        mov word [rdi + ${FRAME.TYPE}], ${TYPE.IPV4}
        mov dword [rdi + ${FRAME.IP}], 0x45
        lea eax, [rcx - ${FRAME.IP}]
        xchg al, ah
        mov [rdi + ${FRAME.IP_LENGTH}], ax
        mov dword [rdi + 18], 0 ; no identification, no fragment
        mov byte [rdi + ${FRAME.IP_TTL}], ${TTL}
        mov word [rdi + ${FRAME.IP_CHECKSUM}], 0
        push rcx
        lea rsi, [rdi + ${FRAME.IP}]
        mov ecx, ${FRAME.PAYLOAD - FRAME.IP}
        call checksum
        mov [rdi + ${FRAME.IP_CHECKSUM}], ax
        pop rcx
        clc
        ret

send_echo:                    ; an ICMP echo with sequence number [asked], ECX bytes with all headers
        mov dl, ${PROTOCOL.ICMP}
        call ip_frame
        jc .end
        mov dword [rdi + ${FRAME.ICMP_TYPE}], ${ICMP.ECHO}
        mov word [rdi + ${FRAME.ICMP_ID}], ${ICMP_ID}
        mov eax, [asked]
        mov [rdi + ${FRAME.ICMP_SEQUENCE}], ax
        call fill_data
        call icmp_checksum
        jmp send_frame
.end:   ret

send_datagram:                ; to the echo port, with [asked] in front, ECX bytes with all headers
        mov dl, ${PROTOCOL.UDP}
        call ip_frame
        jc .end
        call fill_data
        mov dword [rdi + ${FRAME.UDP_SOURCE}], ${OWN_PORT | ECHO_PORT << 16}
        lea eax, [rcx - ${FRAME.PAYLOAD}]
        xchg al, ah
        mov [rdi + ${FRAME.UDP_LENGTH}], ax
        mov word [rdi + ${FRAME.UDP_CHECKSUM}], 0 ; none
        mov eax, [asked]
        mov [rdi + ${FRAME.UDP_DATA}], ax
        jmp send_frame
.end:   ret

fill_data:                    ; of the frame RDI, ECX bytes, behind an 8-byte header; keeps both
        push rcx
        push rdi
        sub ecx, ${FRAME.ICMP_DATA}
        add rdi, ${FRAME.ICMP_DATA}
        mov al, 'x'
        rep stosb
        pop rdi
        pop rcx
        ret

        align 8, 0
own_address: dd 0
asked_address: dd 0
asked:  dd 0
answered: db 0
`;
