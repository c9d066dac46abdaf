/** What a caller asks for when a kernel is to be put into a machine, and what all planners do with it. */

import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { BootError } from "./boot_error.ts";
import type { Elf } from "./elf.ts";
import { type BootModule, type LoadSegment, ramSegment } from "./load_plan.ts";
import type { FreeMemory, MemoryRange } from "./memory_map.ts";

/** A kernel with all that goes with it. */
export interface BootRequest {
  /** bzImage, ELF or Multiboot kernel. */
  readonly kernel: Uint8Array;
  /** The memory map that the kernel is told, and into which everything must fit. */
  readonly memoryMap: readonly MemoryRange[];
  readonly commandLine?: string;
  /** An initramfs (Linux, PVH) or the first Multiboot module. */
  readonly initrd?: Uint8Array;
  /** More modules (PVH and Multiboot only). */
  readonly modules?: readonly BootModule[];
  /** Where the ACPI root pointer is. */
  readonly acpiRsdp?: PhysicalAddress;
  /** Whether the CPU has 64-bit mode; default true. */
  readonly longMode?: boolean;
}

/** Claims the places of all segments of `elf`; throws {@link BootError} if one is outside RAM. */
export function claimElf(memory: FreeMemory, elf: Elf, name: string): LoadSegment[] {
  if (elf.type !== "executable" || elf.segments.length === 0) {
    throw new BootError(
      `ELF ${name} has no loadable segments (an object file or a module?), expected an executable`,
    );
  }
  return elf.segments.map(({ address, bytes, sizeBytes }, index) => {
    const part = `${name} segment ${index}`;
    return ramSegment(part, memory.claim(part, address, sizeBytes), bytes, sizeBytes);
  });
}

/** Puts the initramfs as high as possible below `below` (bytes), or returns `null` if there is none. */
export function placeInitrd(
  memory: FreeMemory,
  request: BootRequest,
  below: number,
): LoadSegment | null {
  const bytes = request.initrd;
  if (!bytes || bytes.length === 0) return null;
  const address = memory.place({
    name: "initramfs",
    sizeBytes: bytes.length,
    from: 0x10_0000,
    below: Math.min(below, 0x1_0000_0000),
    prefer: "highest",
    advice: "give the machine more memory, or use a smaller initramfs",
  });
  return ramSegment("initramfs", address, bytes);
}
