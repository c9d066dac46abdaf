/** Assembly for the local APIC (SDM vol. 3, "Advanced Programmable Interrupt Controller"). */

/** Vectors that the guests use. */
export const TIMER_VECTOR = 0x40;
export const IPI_VECTOR = 0x41;

/** `apic_init`, `apic_timer` (EAX milliseconds, EBX LVT mode bits) and `apic_eoi`. */
export const APIC_SOURCE = `
apic_init:
        mov al, 0xff          ; the 8259s stay silent
        out 0x21, al
        out 0xa1, al
        mov dword [APIC + 0xf0], 0x1ff ; spurious-interrupt vector: software enable, vector 0xff
        ret

TICKS_PER_MS equ 62500        ; 1 GHz divided by 16
apic_timer:
        mov dword [APIC + 0x3e0], 3 ; divide configuration: by 16
        or ebx, ${TIMER_VECTOR}
        mov [APIC + 0x320], ebx     ; LVT timer
        imul eax, TICKS_PER_MS
        mov [APIC + 0x380], eax     ; initial count
        ret

apic_eoi:
        mov dword [APIC + 0xb0], 0
        ret
`;
