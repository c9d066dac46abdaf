/** Assembly that several guests share: the serial port, the end, descriptor tables, the 8259 pair. */

import { FAILURE, SUCCESS } from "./tiny_guest.ts";

/** A gate of the interrupt descriptor table. */
export interface Gate {
  readonly vector: number;
  /** Label of the handler. */
  readonly handler: string;
  /** Whether ring 3 may use it by INT. */
  readonly user?: boolean;
}

/**
 * Output through the first serial port, and the end of the guest. `puts` takes a string that ends with 0 in
 * ESI/RSI, `putdec` a number in EAX; `exit` ends with success, `fail` after an unexpected exception.
 */
export function outputSource(bits: 32 | 64): string {
  const r = bits === 64 ? "r" : "e";
  return `
COM1 equ 0x3f8

serial_init:                  ; PC16550D data sheet, "Programmable Baud Generator": 115200 baud, 8N1
        mov dx, COM1 + 3
        mov al, 0x80          ; LCR: divisor latch access
        out dx, al
        mov dx, COM1
        mov al, 1             ; divisor 1
        out dx, al
        inc dx
        mov al, 0
        out dx, al
        mov dx, COM1 + 3
        mov al, 3             ; LCR: 8 data bits, no parity, 1 stop bit
        out dx, al
        dec dx
        mov al, 7             ; FCR: FIFOs on and empty
        out dx, al
        ret

putc:                         ; AL
        push ${r}ax
        push ${r}dx
        mov ah, al
        mov dx, COM1 + 5
.full:  in al, dx             ; LSR: transmitter holding register empty?
        test al, 0x20
        jz .full
        mov dx, COM1
        mov al, ah
        out dx, al
        pop ${r}dx
        pop ${r}ax
        ret

puts:                         ; ${r}si
        lodsb
        test al, al
        jz .end
        call putc
        jmp puts
.end:   ret

putdec:                       ; EAX
        xor edx, edx
        mov ecx, 10
        div ecx
        push ${r}dx
        test eax, eax
        jz .digit
        call putdec
.digit: pop ${r}ax
        add al, '0'
        jmp putc

exit:   mov al, ${SUCCESS}
        out 0xf4, al          ; the debug-exit port
.halt:  cli
        hlt
        jmp .halt

fail:   mov ${r}si, .text
        call puts
        mov al, ${FAILURE}
        out 0xf4, al
        jmp exit.halt
.text:  db "unexpected exception", 10, 0
`;
}

/** The interrupt descriptor table `idt`; vectors below 32 without a gate of their own end the guest. */
export function idtSource(bits: 32 | 64, gates: readonly Gate[]): string {
  const lines = ["        align 8, 0", "idt:"];
  const last = Math.max(31, ...gates.map(({ vector }) => vector));
  for (let vector = 0; vector <= last; vector++) {
    const gate = gates.find((each) => each.vector === vector) ??
      (vector < 32 ? { vector, handler: "fail" } : null);
    lines.push(gate ? gateSource(bits, gate) : bits === 64 ? "        dq 0, 0" : "        dq 0");
  }
  lines.push(
    "idt_pointer:",
    "        dw idt_pointer - idt - 1",
    `        ${bits === 64 ? "dq" : "dd"} idt`,
  );
  return lines.join("\n") + "\n";
}

/** An interrupt gate (SDM vol. 3, "IDT Descriptors" and "64-Bit Mode IDT"); selector 8 is kernel code. */
function gateSource(bits: 32 | 64, { vector, handler, user = false }: Gate): string {
  const type = user ? "0xee00" : "0x8e00";
  const low = `        dw ${handler} & 0xffff, 8, ${type}, ${handler} >> 16`;
  return `${low} ; vector ${vector}${bits === 64 ? "\n        dd 0, 0" : ""}`;
}

/** The task state segment's descriptor (SDM vol. 3, "TSS Descriptor"). */
export function tssDescriptorSource(bits: 32 | 64): string {
  return `        dw 103, tss & 0xffff
        db (tss >> 16) & 0xff, 0x89, 0, tss >> 24${bits === 64 ? "\n        dq 0" : ""}
`;
}

/** `pic_init`: both 8259s answer from vector 32 on and let through what the mask bytes allow. */
export function picSource(masterMask: number): string {
  return `
pic_init:                     ; 8259A data sheet, "Initialization Command Words"
        mov al, 0x11          ; ICW1: edge triggered, cascade, ICW4 follows
        out 0x20, al
        out 0xa0, al
        mov al, 32            ; ICW2: vectors 32-39 and 40-47
        out 0x21, al
        mov al, 40
        out 0xa1, al
        mov al, 4             ; ICW3: the slave is at input 2
        out 0x21, al
        mov al, 2
        out 0xa1, al
        mov al, 1             ; ICW4: 8086 mode
        out 0x21, al
        out 0xa1, al
        mov al, ${masterMask} ; OCW1: what is masked
        out 0x21, al
        mov al, 0xff
        out 0xa1, al
        ret
`;
}
