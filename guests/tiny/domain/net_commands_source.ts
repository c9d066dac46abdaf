/**
 * The tiny domain's commands of the network: an address, and echoes of others.
 *
 * A command waits with a limit, and everything else goes on meanwhile.
 */

import { DHCP } from "./dhcp_source.ts";
import { FRAME } from "./packets_source.ts";

/** How long an answer is waited for, in nanoseconds, and how often it is asked for. */
const PATIENCE = 1_000_000_000;
const TRIES = 4;
/** How long, in nanoseconds, and how often for a neighbour: one that starts at the same time comes up soon. */
const NEIGHBOUR_PATIENCE = 50_000_000;
const NEIGHBOUR_TRIES = 20;
/** Bytes behind an echo's header. */
const MOST_DATA = 1500 - (FRAME.UDP_DATA - FRAME.IP);
const LEAST_DATA = 8;
const DEFAULT_DATA = 56;

export const NET_COMMANDS_SOURCE = `
command_ip:
        cmp dword [net_front + FRONT_STATE], FRONT_CONNECTED
        jne no_card
        mov rsi, [argument]
        call skip_spaces
        cmp byte [rsi], 'd'
        je .dhcp
        call take_address
        jc misused
        mov [own_address], eax
        jmp .say
.dhcp:  mov r12d, ${DHCP.DISCOVER}
        mov r13d, ${DHCP.OFFER}
        call ask_dhcp
        jc .none
        mov r12d, ${DHCP.REQUEST}
        mov r13d, ${DHCP.ACK}
        call ask_dhcp
        jc .none
        mov eax, [offered_address]
        mov [own_address], eax
.say:   call say
        db "ip: ", 0
        mov eax, [own_address]
        call say_address
        jmp end_line
.none:  call say
        db "ip: nobody offers an address", 10, 0
        ret

ask_dhcp:                     ; message R12, until R13 is the answer; CF: it does not come
        mov r14d, ${TRIES}
.again: mov [dhcp_awaited], r13b
        mov eax, r12d
        call send_dhcp
        mov eax, ${PATIENCE}
        call wait_limit
.wait:  call turn
        cmp byte [dhcp_awaited], 0
        je .end
        call is_late
        jc .late
        call nap
        jmp .wait
.late:  dec r14d
        jnz .again
        mov byte [dhcp_awaited], 0
        stc
        ret
.end:   clc
        ret

command_ping:
        call take_peer
        jc .end
        mov ebp, send_echo
        mov r15d, ${FRAME.ICMP_DATA + DEFAULT_DATA}
        call ask
.end:   ret

command_udp:
        call take_peer
        jc .end
        call take_number
        jnc .bytes
        mov eax, ${DEFAULT_DATA}
.bytes: cmp rax, ${LEAST_DATA}
        jb misused
        cmp rax, ${MOST_DATA}
        ja misused
        mov ebp, send_datagram
        lea r15d, [rax + ${FRAME.UDP_DATA}]
        call ask
.end:   ret

take_peer:                    ; of the argument: the address that is asked, and R14, how often; CF: it was found fault with
        cmp dword [net_front + FRONT_STATE], FRONT_CONNECTED
        jne no_card
        cmp dword [own_address], 0
        je .no_address
        call take_address
        jc misused
        mov [asked_address], eax
        call take_number
        jnc .often
        mov eax, 1
.often: mov r14, rax
        clc
        ret
.no_address:
        call say
        db "there is no address: ip gives one", 10, 0
        stc
        ret

no_card:
        call say
        db "there is no network card", 10, 0
        stc
        ret

ask:                          ; R14 times by routine RBP, with frames of R15 bytes; says how many answers came
        call find_neighbour
        jc .nobody
        call system_time
        push rax
        xor r12d, r12d        ; asked
        xor r13d, r13d        ; answered
.next:  cmp r12, r14
        jae .all
.card:  cmp dword [net_front + FRONT_STATE], FRONT_CONNECTED
        je .ask
        cmp dword [net_front + FRONT_STATE], FRONT_NONE
        je .all
        mov qword [deadline], 0
        call nap              ; the card is on its way
        call turn
        jmp .card
.ask:   inc r12
        mov [asked], r12w
        mov byte [answered], 0
        mov ecx, r15d
        call rbp
        mov eax, ${PATIENCE}
        call wait_limit
.wait:  call turn
        cmp byte [answered], 0
        jne .answered
        cmp dword [net_front + FRONT_STATE], FRONT_NONE
        je .all               ; nobody will answer any more
        call is_late
        jc .next
        call nap
        jmp .wait
.answered:
        inc r13
        jmp .next
.all:   mov rax, r13
        call say_number
        call say
        db " of ", 0
        mov rax, r12
        call say_number
        call say
        db " answers from ", 0
        mov eax, [asked_address]
        call say_address
        call say
        db " in ", 0
        call system_time
        pop rdx
        sub rax, rdx
        xor edx, edx
        mov ecx, 1000
        div rcx
        call say_number
        call say
        db " us", 10, 0
        ret
.nobody:
        call say
        db "nobody has the address ", 0
        mov eax, [asked_address]
        call say_address
end_line:
        call say
        db 10, 0
        ret

find_neighbour:               ; whose address is asked_address; CF: nobody's
        mov r13d, ${NEIGHBOUR_TRIES}
.again: mov eax, [asked_address]
        call neighbour
        cmp eax, [rdx]
        je .known
        mov r10d, eax
        mov ecx, ARP_REQUEST
        call send_arp
        mov eax, ${NEIGHBOUR_PATIENCE}
        call wait_limit
.wait:  call turn
        mov eax, [asked_address]
        call neighbour
        cmp eax, [rdx]
        je .known
        call is_late
        jc .late
        call nap
        jmp .wait
.late:  dec r13d
        jnz .again
        stc
        ret
.known: clc
        ret

        align 8, 0
neighbours: resb 16 * 256     ; by last octet: the address, its MAC address
`;
