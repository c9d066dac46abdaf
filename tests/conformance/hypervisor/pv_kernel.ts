/** Small paravirtual kernels for tests: an ELF file with Xen's notes around code. */

import { XEN_ELFNOTE } from "../../../core/abi/operations.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { elfImage } from "../../../guests/linux/test_images.ts";

/** Where pseudo-physical address 0 is mapped. */
export const VIRT_BASE = 0x4000_0000;
/** Where code is, and starts. */
export const CODE = VIRT_BASE + 0x1000;

/** A kernel that `source`, in Intel's syntax, is the code of. */
export function pvKernelOf(source: string): Uint8Array<ArrayBuffer> {
  return pvKernel(assemble(source, { bits: 64, origin: CODE }).bytes);
}

/** A kernel of `code`, with zeroed pages behind it. */
export function pvKernel(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const physical = CODE - VIRT_BASE;
  const address = BigInt(CODE);
  return elfImage({
    segments: [
      { address: physical, virtualAddress: address, data: code, memoryBytes: 0xf000 },
      {
        type: 4,
        address: 0,
        data: notes([
          [XEN_ELFNOTE.ENTRY, address],
          [XEN_ELFNOTE.VIRT_BASE, BigInt(VIRT_BASE)],
        ]),
      },
    ],
    entry: address,
  });
}

function notes(values: readonly (readonly [type: number, value: bigint])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(24 * values.length));
  values.forEach(([type, value], i) => {
    const at = 24 * i;
    view.setUint32(at, 4, true);
    view.setUint32(at + 4, 8, true);
    view.setUint32(at + 8, type, true);
    [0x58, 0x65, 0x6e, 0].forEach((byte, n) => view.setUint8(at + 12 + n, byte));
    view.setBigUint64(at + 16, value, true);
  });
  return new Uint8Array(view.buffer);
}
