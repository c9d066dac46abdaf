/** The page of stubs through which a guest makes hypercalls (Xen 4.17's `xen-x86_64.h`, `xen-x86_32.h`). */

import { HYPERCALL_VECTOR } from "../abi/arch_x86.ts";
import type { DataModel } from "../abi/struct_layout.ts";
import { HYPERCALL, HYPERCALL_STUB_BYTES, HYPERCALL_STUBS } from "../abi/hypercalls.ts";

/** `push rcx; push r11; mov eax, number; syscall; pop r11; pop rcx; ret`. */
function wideStub(number: number): readonly number[] {
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

/** `mov eax, number; int 0x82; ret`. */
function narrowStub(number: number): readonly number[] {
  return [0xb8, number & 0xff, number >>> 8, 0, 0, 0xcd, HYPERCALL_VECTOR, 0xc3];
}

/** `push eax; mov eax, number; int 0x82`. */
const NARROW_IRET_STUB: readonly number[] = [
  ...[0x50, 0xb8, HYPERCALL.iret, 0, 0, 0],
  ...[0xcd, HYPERCALL_VECTOR],
];

/** The stubs by the guest's data model. */
const STUBS = {
  lp64: { stub: wideStub, iret: IRET_STUB },
  ilp32: { stub: narrowStub, iret: NARROW_IRET_STUB },
} as const;

/** The contents of a guest's hypercall page. */
export function hypercallPage(model: DataModel): Uint8Array {
  const { stub, iret } = STUBS[model];
  const page = new Uint8Array(HYPERCALL_STUBS * HYPERCALL_STUB_BYTES).fill(INT3);
  for (let number = 0; number < HYPERCALL_STUBS; number++) {
    const code = number === HYPERCALL.iret ? iret : stub(number);
    page.set(code, number * HYPERCALL_STUB_BYTES);
  }
  return page;
}
