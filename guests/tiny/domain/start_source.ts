/**
 * How the tiny domain comes to life, and what all its parts use: pages, grants, event channels, time.
 *
 * Conventions of all its code: RBX, RBP and R12 to R15 are kept by every routine, all else may be lost; RDI is where text
 * is being put together. Interrupts do not exist: events stay masked, and the kernel polls its channels when it has nothing
 * to do. A routine that waits polls too, and says in `again` that events of other parts may have been passed over.
 *
 * Source: Xen 4.17's `xen.h`, "Start-of-day memory layout"; `grant_table.h`; `event_channel.h`; `sched.h`.
 */

import { EVTCHN_STRUCTS, EVTCHNOP, TWO_LEVEL } from "../../../core/abi/event_channel.ts";
import { GNTTABOP, GTF } from "../../../core/abi/grant_table.ts";
import { HYPERCALL } from "../../../core/abi/hypercalls.ts";
import { DOMID } from "../../../core/abi/ids.ts";
import { sched_poll, SCHEDOP, SHUTDOWN } from "../../../core/abi/operations.ts";
import {
  HYPERVISOR_VIRT_START,
  SHARED_INFO,
  start_info,
  UVMF,
  VCPU_INFO,
  vcpu_time_info,
} from "../../../core/abi/xen.ts";

/** Channels that are waited for: the store's, the console's, the card's, the disk's. */
export const PORTS = { store: 0, console: 1, net: 2, block: 3 } as const;

const at = (field: keyof typeof start_info.fields) => start_info.offsetOf(field);
const time = (field: keyof typeof vcpu_time_info.fields) => vcpu_time_info.offsetOf(field);
/** Where `arch_shared_info` names the list of frames: the table that maps it, its linear address. */
const P2M = { CR3: SHARED_INFO.lp64.max_pfn + 24, VADDR: SHARED_INFO.lp64.max_pfn + 32 } as const;
/** Present, writable, for ring 3: where the kernel runs too. */
const PAGE_FLAGS = 7;

export const START_SOURCE = `
entry:  mov [start], rsi      ; start_info
        call connect
        call say
        db "tiny: a domain of ", 0
        mov rsi, [start]
        mov rax, [rsi + ${at("nr_pages")}]
        call say_number
        call say
        db " pages", 10, 0
        jmp main

connect:                      ; to what the start information names
        mov rsi, [start]
        mov rsi, [rsi + ${at("shared_info")}]
        mov edi, shared_info
        call map_page
        mov eax, ${HYPERCALL.grant_table_op}
        mov edi, ${GNTTABOP.setup_table}
        mov esi, setup_table
        mov edx, 1
        syscall
        mov rsi, [grant_frame]
        shl rsi, 12
        mov edi, grant_table
        call map_page
        mov rsi, [start]
        mov eax, [rsi + ${at("store_evtchn")}]
        mov ecx, ${Object.keys(PORTS).length - 1}
.port:  mov [ports + rcx * 4], eax ; a channel that is not there yet is the store's
        dec ecx
        jns .port
        mov eax, [rsi + ${at("console_evtchn")}]
        mov [ports + ${4 * PORTS.console}], eax
        mov rax, [rsi + ${at("store_mfn")}]
        call frame_address
        mov [store], rax
        mov rsi, [start]
        mov rax, [rsi + ${at("console_mfn")}]
        call frame_address
        mov [console], rax
        mov rsi, [start]      ; where tools find the list of frames
        mov rax, [rsi + ${at("nr_pages")}]
        mov [shared_info + ${SHARED_INFO.lp64.max_pfn}], rax
        mov rax, [rsi + ${at("mfn_list")}]
        mov [shared_info + ${P2M.VADDR}], rax
        mov rax, [rsi + ${at("pt_base")}]
        call frame_at
        shl rax, 12
        mov [shared_info + ${P2M.CR3}], rax
        ret

suspend:                      ; until tools have the domain go on, here or elsewhere, with new devices
        cmp qword [deadline], 0
        je .alone
        call system_time
        sub [deadline], rax
.alone: mov dword [net_front + FRONT_STATE], FRONT_NONE
        mov dword [block_front + FRONT_STATE], FRONT_NONE
        mov edi, shared_info
        xor esi, esi
        call set_page
        mov edi, grant_table
        xor esi, esi
        call set_page
        mov rax, [store]      ; pages that are made known anew, by their pseudo-physical numbers
        shr rax, 12
        mov rsi, [start]
        mov [rsi + ${at("store_mfn")}], rax
        mov rax, [console]
        shr rax, 12
        mov [rsi + ${at("console_mfn")}], rax
        mov rax, rsi
        call frame_at
        mov rdx, rax
        mov dword [event_op], ${SHUTDOWN.suspend}
        mov eax, ${HYPERCALL.sched_op}
        mov edi, ${SCHEDOP.shutdown}
        mov esi, event_op
        syscall
        call connect
        cmp qword [deadline], 0
        je .awake
        call system_time
        add [deadline], rax
.awake: mov rdx, [store]      ; what was told before means nothing now
        mov eax, [rdx + RESPONSES_MADE]
        mov [rdx + RESPONSES_TAKEN], eax
        mov dword [store_got], 0
        jmp watch

map_page:                     ; RSI, a machine address, is seen at RDI from now on
        or rsi, ${PAGE_FLAGS}
set_page:
        mov edx, ${UVMF.INVLPG}
        mov eax, ${HYPERCALL.update_va_mapping}
        syscall
        ret

frame_address:                ; RAX: a machine frame of ours; its linear address
        mov rdx, ${BigInt.asUintN(64, BigInt(HYPERVISOR_VIRT_START))}
        mov rax, [rdx + rax * 8]
        shl rax, 12
        ret

frame_at:                     ; RAX: a linear address; its machine frame; keeps all but RDX
        shr rax, 12
        mov rdx, [start]
        mov rdx, [rdx + ${at("mfn_list")}]
        mov rax, [rdx + rax * 8]
        ret

grant:                        ; the back end of RBX may use the page RAX by reference EDI
        call frame_at
        mov [grant_table + rdi * 8 + 4], eax
        mov eax, [rbx + FRONT_DOMAIN]
        mov [grant_table + rdi * 8 + 2], ax
        mov word [grant_table + rdi * 8], ${GTF.permit_access}
        ret

revoke:                       ; ECX references from EDI on
        mov word [grant_table + rdi * 8], ${GTF.invalid}
        inc edi
        dec ecx
        jnz revoke
        ret

notify:                       ; the other end of channel EAX
        mov [event_op], eax
        mov edi, ${EVTCHNOP.send}
event_call:
        mov eax, ${HYPERCALL.event_channel_op}
        mov esi, event_op
        syscall
        ret

alloc_unbound:                ; EAX: a channel that domain EAX may bind to
        mov word [event_op], ${DOMID.SELF}
        mov [event_op + ${EVTCHN_STRUCTS.alloc_unbound.offsetOf("remote_dom")}], ax
        mov edi, ${EVTCHNOP.alloc_unbound}
        call event_call
        mov eax, [event_op + ${EVTCHN_STRUCTS.alloc_unbound.offsetOf("port")}]
        ret

close_port:                   ; EAX
        mov [event_op], eax
        mov edi, ${EVTCHNOP.close}
        jmp event_call

skip_events:                  ; as clear_events, in a routine that looks at one part only
        mov byte [again], 1
clear_events:                 ; what is found done from now on needs no event; keeps all but RAX and RCX
        mov ecx, ${Object.keys(PORTS).length - 1}
.port:  mov eax, [ports + rcx * 4]
        lock btr [shared_info + ${TWO_LEVEL.lp64.evtchnPending}], eax
        dec ecx
        jns .port
        ret

nap:                          ; until an event comes, or the instant [deadline], if that is not 0
        mov rax, [deadline]
        mov [poll + ${sched_poll.offsetOf("timeout")}], rax
        mov eax, ${HYPERCALL.sched_op}
        mov edi, ${SCHEDOP.poll}
        mov esi, poll
        syscall
        ret

turn:                         ; each part does what there is to do
        mov byte [again], 0
        call clear_events
        call store_events
        call net_receive
        cmp byte [again], 0
        jne turn
        ret

shut_down:                    ; EAX: the reason; does not return
        mov [event_op], eax
        mov eax, ${HYPERCALL.sched_op}
        mov edi, ${SCHEDOP.shutdown}
        mov esi, event_op
        syscall
        jmp shut_down

system_time:                  ; RAX: nanoseconds since the host started
        mov esi, shared_info + ${VCPU_INFO.lp64.time}
.again: mov r8d, [rsi + ${time("version")}]
        test r8b, 1           ; it is being written
        jnz .again
        rdtsc
        shl rdx, 32
        or rax, rdx
        sub rax, [rsi + ${time("tsc_timestamp")}]
        movsx ecx, byte [rsi + ${time("tsc_shift")}]
        test ecx, ecx
        jns .left
        neg ecx
        shr rax, cl
        jmp .scale
.left:  shl rax, cl
.scale: mov edx, [rsi + ${time("tsc_to_system_mul")}]
        mul rdx
        shrd rax, rdx, 32
        add rax, [rsi + ${time("system_time")}]
        cmp r8d, [rsi + ${time("version")}]
        jne .again
        ret

wait_limit:                   ; what is waited for from now on takes RAX nanoseconds at most
        push rax
        call system_time
        pop rdx
        add rax, rdx
        mov [deadline], rax
        ret

is_late:                      ; CF: the limit has passed
        call system_time
        cmp [deadline], rax
        ret

        align 8, 0
start:  dq 0
deadline: dq 0
event_op: dq 0, 0
setup_table:
        dw ${DOMID.SELF}, 0
        dd 1, 0, 0
        dq grant_frame
grant_frame: dq 0
poll:   dq ports
        dd ${Object.keys(PORTS).length}, 0
        dq 0
ports:  times ${Object.keys(PORTS).length} dd 0
again:  db 0
`;
