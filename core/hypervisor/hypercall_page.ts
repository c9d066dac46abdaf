/** The page of stubs through which a 64-bit guest makes hypercalls (Xen 4.17's `xen-x86_64.h`). */

import { HYPERCALL, HYPERCALL_STUB_BYTES, HYPERCALL_STUBS } from "../abi/hypercalls.ts";

/** `push rcx; push r11; mov eax, number; syscall; pop r11; pop rcx; ret`. */
function stub(number: number): readonly number[] {
  return [
    ...[0x51, 0x41, 0x53],
    ...[0xb8, number & 0xff, number >>> 8, 0, 0],
    ...[0x0f, 0x05],
    ...[0x41, 0x5b, 0x59, 0xc3],
  ];
}

/** `iret` does not return: the frame on the stack gets RCX, R11 and RAX on top, then the call is made. */
const IRET_STUB: readonly number[] = [
  ...[0x51, 0x41, 0x53, 0x50],
  ...[0xb8, HYPERCALL.iret, 0, 0, 0],
  ...[0x0f, 0x05],
];
const INT3 = 0xcc;

/** The contents of a guest's hypercall page. */
export function hypercallPage(): Uint8Array {
  const page = new Uint8Array(HYPERCALL_STUBS * HYPERCALL_STUB_BYTES).fill(INT3);
  for (let number = 0; number < HYPERCALL_STUBS; number++) {
    const code = number === HYPERCALL.iret ? IRET_STUB : stub(number);
    page.set(code, number * HYPERCALL_STUB_BYTES);
  }
  return page;
}
