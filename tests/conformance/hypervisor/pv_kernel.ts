/** Small paravirtual kernels for tests: an ELF file with Xen's notes around code. */

import { XEN_ELFNOTE } from "../../../core/abi/operations.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { concatBytes } from "../../../guests/linux/layout.ts";
import { elfImage, elfNote } from "../../../guests/linux/test_images.ts";

/** Where pseudo-physical address 0 is mapped. */
export const VIRT_BASE = 0x4000_0000;
/** Where code is, and starts. */
export const CODE = VIRT_BASE + 0x1000;

/** A 64-bit kernel that `source`, in Intel's syntax, is the code of. */
export function pvKernelOf(source: string): Uint8Array<ArrayBuffer> {
  return pvKernel(assemble(source, { bits: 64, origin: CODE }).bytes);
}

/** A kernel of `code`, with zeroed pages behind it. */
export function pvKernel(code: Uint8Array, model: DataModel = "lp64"): Uint8Array<ArrayBuffer> {
  const physical = CODE - VIRT_BASE;
  const address = BigInt(CODE);
  const bits = model === "lp64" ? 64 : 32;
  const number = (value: number) => {
    const bytes = new Uint8Array(bits / 8);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return bytes;
  };
  const notes = [
    elfNote("Xen", XEN_ELFNOTE.ENTRY, number(CODE)),
    elfNote("Xen", XEN_ELFNOTE.VIRT_BASE, number(VIRT_BASE)),
    elfNote("Xen", XEN_ELFNOTE.PAE_MODE, new TextEncoder().encode("yes\0")),
  ];
  return elfImage({
    bits,
    segments: [
      { address: physical, virtualAddress: address, data: code, memoryBytes: 0xf000 },
      { type: 4, address: 0, data: concatBytes(notes) },
    ],
    entry: address,
  });
}
