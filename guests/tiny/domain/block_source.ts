/**
 * The tiny domain's disk: a front end with one request at a time, of one sector.
 *
 * Source: Xen 4.17's `io/blkif.h`, `io/ring.h`.
 */

import {
  BLKIF_OP,
  BLKIF_REQUEST,
  BLKIF_RESPONSE,
  BLKIF_SECTOR_BYTES,
  BLKIF_SEGMENT,
} from "../../../core/abi/io/blkif.ts";
import { ringEntries, SRING } from "../../../core/abi/io/ring.ts";
import { XENBUS_STATE } from "../../../core/abi/io/xenbus.ts";
import { frontRecord } from "./front_source.ts";
import { PORTS } from "./start_source.ts";

const GREF = { RING: 10, PAGE: 11 } as const;
const MODEL = "lp64";
const ENTRY_BYTES = BLKIF_REQUEST.sizeBytes(MODEL);
const MASK = ringEntries(ENTRY_BYTES) - 1;
const request = (field: keyof typeof BLKIF_REQUEST.fields) =>
  SRING.ring + BLKIF_REQUEST.offsetOf(field, MODEL);
const segment = (field: keyof typeof BLKIF_SEGMENT.fields) =>
  request("seg") + BLKIF_SEGMENT.offsetOf(field);
const STATUS = SRING.ring + BLKIF_RESPONSE.offsetOf("status", MODEL);

export const BLOCK_SOURCE = `
BLOCK_READ equ ${BLKIF_OP.READ}
BLOCK_WRITE equ ${BLKIF_OP.WRITE}
BLOCK_FLUSH equ ${BLKIF_OP.FLUSH_DISKCACHE}

block_front_offer:            ; RBX: the back end waits for a ring
        mov edi, block_ring
        call fresh_ring
        mov dword [block_prod], 0
        mov eax, block_ring
        mov edi, ${GREF.RING}
        call grant
        mov eax, block_page
        mov edi, ${GREF.PAGE}
        call grant
        mov r12d, ${GREF.RING}
        call front_write
        db "ring-ref", 0
        mov r12d, [rbx + FRONT_PORT]
        call front_write
        db "event-channel", 0
        mov r12d, ${XENBUS_STATE.Initialised}
        jmp front_state

block_front_up:
        call back_read
        db "sectors", 0
        call number
        mov [sectors], rax
        mov r12d, ${XENBUS_STATE.Connected}
        call front_state
        call say
        db "tiny: a disk of ", 0
        mov rax, [sectors]
        call say_number
        call say
        db " sectors", 10, 0
        ret

block_front_gone:
        mov edi, ${GREF.RING}
        mov ecx, 2
        call revoke
        call say
        db "tiny: the disk is gone", 10, 0
        ret

transfer:                     ; operation EAX, with sector R12 and block_page; CF: it failed
        push rbx
        push rax
        mov ebx, block_front
.disk:  cmp dword [rbx + FRONT_STATE], FRONT_NONE
        je .gone
        cmp dword [rbx + FRONT_STATE], FRONT_CONNECTED
        je .submit
        mov qword [deadline], 0
        call nap              ; the disk is on its way
        call turn
        jmp .disk
.submit:
        mov eax, [rsp]
        mov ecx, [block_prod]
        and ecx, ${MASK}
        imul ecx, ecx, ${ENTRY_BYTES}
        add ecx, block_ring
        mov [rcx + ${request("operation")}], al
        cmp eax, BLOCK_FLUSH
        setne al              ; segments
        mov [rcx + ${request("nr_segments")}], al
        mov word [rcx + ${request("handle")}], 0
        mov eax, [block_prod]
        mov [rcx + ${request("id")}], rax
        mov [rcx + ${request("sector_number")}], r12
        mov dword [rcx + ${segment("gref")}], ${GREF.PAGE}
        mov word [rcx + ${segment("first_sect")}], 0 ; and the last one
        mov [request], rcx
        inc dword [block_prod]
        mov eax, [block_prod]
        mov esi, block_ring
        mov [rsi + ${SRING.rspEvent}], eax
        call offer_requests
        mov qword [deadline], 0
.wait:  call turn             ; it may turn out that the disk is gone, or another one that knows of no request
        cmp dword [rbx + FRONT_STATE], FRONT_CONNECTED
        jne .disk
        mov eax, [block_prod]
        test eax, eax
        jz .disk
        cmp eax, [block_ring + ${SRING.rspProd}]
        je .done
        call nap
        jmp .wait
.done:  pop rax
        pop rbx
        mov rcx, [request]
        cmp word [rcx + ${STATUS}], 0
        jne .failed
        clc
        ret
.gone:  pop rax
        pop rbx
.failed:
        stc
        ret

fill_sector:                  ; block_page with what belongs to sector R12
        mov edi, block_page
        mov ecx, ${BLKIF_SECTOR_BYTES / 4}
        lea eax, [r12 + 1]
        imul eax, eax, 0x9e3779b1
        rep stosd
        ret

is_filled:                    ; CF: block_page is not what belongs to sector R12
        mov edi, block_page
        mov ecx, ${BLKIF_SECTOR_BYTES / 4}
        lea eax, [r12 + 1]
        imul eax, eax, 0x9e3779b1
        repe scasd
        je .same
        stc
        ret
.same:  clc
        ret
${frontRecord("block_front", "vbd", 4 * PORTS.block)}
sectors: dq 0
request: dq 0
block_prod: dd 0
`;
