/**
 * The kernels of {@link AbiGuest}, one for each data model: a loop that takes calls from a page, makes them, and stores
 * the results; a handler of traps, which keeps the frame that it found; and one of events.
 */

import { HYPERCALL } from "../../../core/abi/hypercalls.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { CODE, VIRT_BASE } from "./pv_kernel.ts";

/** Where calls are listed, linear; and words that kernel and test share. */
export const CALLS = VIRT_BASE + 0x4000;
export const FLAG = VIRT_BASE + 0x3000;
/** One call: number, five arguments, result, padding; each has eight bytes. */
export const CALL_BYTES = 64;
/** Numbers that mean: the list ends; run the code at the first argument. */
export const END = -1;
export const SNIPPET = -2;
/** Where the handler puts the frame that it found on its stack. */
export const FRAME = FLAG + 0x100;
/** Where the kernel keeps the address of its start information. */
export const START = FLAG + 0x200;
const FRAME_WORDS = 10;
/** Words at {@link FLAG}: the list is worked off; traps; events; where the stack was. */
export const TRAPS = 8;
export const EVENTS = 24;
const STACK = 40;
/** The flat data segment of a 32-bit kernel. */
const KERNEL_DS = 0xe021;

const SOURCES: Readonly<Record<DataModel, string>> = {
  lp64: `
entry:  mov [${START}], rsi   ; start_info
again:  mov rbx, ${CALLS}
next:   mov rax, [rbx]
        cmp rax, ${END}
        je done
        cmp rax, ${SNIPPET}
        je snippet
        mov rdi, [rbx + 8]
        mov rsi, [rbx + 16]
        mov rdx, [rbx + 24]
        mov r10, [rbx + 32]
        mov r8, [rbx + 40]
        syscall
behind: mov [rbx + 48], rax
        add rbx, ${CALL_BYTES}
        jmp next
snippet:
        mov [${FLAG + STACK}], rsp
        call [rbx + 8]
        jmp behind
done:   mov qword [${FLAG}], 1
wait:   mov eax, ${HYPERCALL.sched_op}
        xor edi, edi
        xor esi, esi
        syscall
        cmp qword [${FLAG}], 0
        jne wait
        jmp again
handler:                      ; of traps and callbacks: keeps the frame, and goes on behind the snippet
        inc qword [${FLAG + TRAPS}]
        mov rsi, rsp
        mov edi, ${FRAME}
        mov ecx, ${FRAME_WORDS}
        rep movsq
        mov rsp, [${FLAG + STACK}]
        jmp behind
event:                        ; ends the list
        inc qword [${FLAG + EVENTS}]
        jmp done
`,
  ilp32: `
entry:  mov [${START}], esi   ; start_info
again:  mov ebp, ${CALLS}
next:   mov eax, [ebp]
        cmp eax, ${END}
        je done
        cmp eax, ${SNIPPET}
        je snippet
        mov ebx, [ebp + 8]
        mov ecx, [ebp + 16]
        mov edx, [ebp + 24]
        mov esi, [ebp + 32]
        mov edi, [ebp + 40]
        int 0x82
behind: mov [ebp + 48], eax
        add ebp, ${CALL_BYTES}
        jmp next
snippet:
        mov [${FLAG + STACK}], esp
        call [ebp + 8]
        jmp behind
done:   mov dword [${FLAG}], 1
wait:   mov eax, ${HYPERCALL.sched_op}
        xor ebx, ebx
        xor ecx, ecx
        int 0x82
        cmp dword [${FLAG}], 0
        jne wait
        jmp again
handler:
        mov eax, ${KERNEL_DS} ; a program's selectors are no kernel's
        mov ds, ax
        mov es, ax
        inc dword [${FLAG + TRAPS}]
        mov esi, esp
        mov edi, ${FRAME}
        mov ecx, ${FRAME_WORDS}
        rep movsd
        mov esp, [${FLAG + STACK}]
        jmp behind
event:
        mov eax, ${KERNEL_DS}
        mov ds, ax
        mov es, ax
        inc dword [${FLAG + EVENTS}]
        jmp done
`,
};

/** The kernels' code, and where its labels are. */
export const ABI_KERNELS = {
  lp64: assemble(SOURCES.lp64, { bits: 64, origin: CODE }),
  ilp32: assemble(SOURCES.ilp32, { bits: 32, origin: CODE }),
} as const;
