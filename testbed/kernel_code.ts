/** The names and the code of a kernel, as far as its image tells them. */

import { BootError, isElf, type KernelCode, readKernelCode } from "../guests/linux/mod.ts";

/** The code of a kernel that is ELF; a compressed one hides its names. */
export function kernelCodeOf(kernel: Uint8Array): KernelCode | null {
  try {
    return isElf(kernel) ? readKernelCode(kernel) : null;
  } catch (error) {
    if (error instanceof BootError) return null;
    throw error;
  }
}
