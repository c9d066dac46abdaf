/** Kernels of a few lines, for tests that run them on a whole machine. */

import { assemble } from "../../core/x86/assembler/mod.ts";
import { writeElf } from "../../guests/tiny/mod.ts";

const LOAD_ADDRESS = 0x10_0000;

/** A Multiboot kernel of 32-bit code, loaded at `address`, where it starts. */
export function kernelOf(source: string, address = LOAD_ADDRESS): Uint8Array {
  const { bytes } = assemble(source, { bits: 32, origin: address });
  return writeElf({ bits: 32, address, entry: address, bytes });
}
