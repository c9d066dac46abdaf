/**
 * What a loader hands to the machine: bytes with their places, and the state in which the first CPU
 * starts. A plan is plain data, computed without touching a machine.
 */

import type { PhysicalAddress } from "../../core/lib/brand.ts";

/** Bytes with their place in guest-physical memory. */
export interface LoadSegment {
  /** What it is, for example `kernel` or `initramfs`. */
  readonly name: string;
  readonly address: PhysicalAddress;
  readonly bytes: Uint8Array;
  /** Size in memory; what follows `bytes` up to this size is zero. At least `bytes.length`. */
  readonly sizeBytes: number;
  /** Whether the place is RAM, or a ROM which the board must provide there. */
  readonly memory: "ram" | "rom";
}

/**
 * A segment register with its hidden part. `accessRights` is in the form of the VMCS: bits 7-0 are
 * byte 5 of the descriptor, bits 15-12 are G, D/B, L, AVL (Intel SDM, "Guest Register State").
 */
export interface SegmentState {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly accessRights: number;
}

/** The GDTR: base address and limit in bytes (inclusive). */
export interface DescriptorTableState {
  readonly base: PhysicalAddress;
  readonly limit: number;
}

/** General registers by their 32-bit names; those not named are zero. */
export type EntryRegisters = Partial<
  Record<"eax" | "ebx" | "ecx" | "edx" | "esi" | "edi" | "ebp" | "esp", number>
>;

/** The state after RESET, except for what is named here. */
export interface RealModeEntry {
  readonly kind: "real16";
  readonly code: SegmentState;
  readonly instructionPointer: number;
}

/** What 32-bit and 64-bit entries have in common: flat segments, interrupts off. */
export interface FlatEntry {
  readonly instructionPointer: number;
  readonly registers: EntryRegisters;
  /** The table in the plan's segments that agrees with `code`, `data` and `task`. */
  readonly gdt: DescriptorTableState;
  /** CS. */
  readonly code: SegmentState;
  /** DS, ES, SS, FS and GS. */
  readonly data: SegmentState;
  /** TR. */
  readonly task: SegmentState;
  readonly cr0: number;
  readonly cr4: number;
  readonly eflags: number;
}

/** 32-bit protected mode without paging. */
export interface ProtectedEntry extends FlatEntry {
  readonly kind: "protected32";
}

/** 64-bit mode with the identity-mapped page tables at `cr3`. */
export interface LongModeEntry extends FlatEntry {
  readonly kind: "long64";
  readonly cr3: PhysicalAddress;
  readonly efer: number;
}

/** The state in which the first CPU starts. */
export type EntryState = RealModeEntry | ProtectedEntry | LongModeEntry;

/** The boot protocols that can be planned. */
export const bootProtocols = {
  linux64: "bzImage through its 64-bit entry",
  linux32: "bzImage through its 32-bit entry",
  vmlinux: "ELF Linux kernel entered directly with boot_params",
  pvh: "ELF kernel through its PVH entry note",
  multiboot: "Multiboot 1 kernel",
  rom: "ROM image at the reset vector",
} as const;

/** How a kernel is entered. */
export type BootProtocol = keyof typeof bootProtocols;

/** Everything needed to put a kernel into a machine. */
export interface LoadPlan {
  readonly protocol: BootProtocol;
  readonly segments: readonly LoadSegment[];
  readonly entry: EntryState;
}

/** A module or initramfs of a boot. */
export interface BootModule {
  readonly bytes: Uint8Array;
  /** Its own command line (PVH and Multiboot). */
  readonly commandLine?: string;
}

/** A segment that fills its place exactly, or is followed by zeros up to `sizeBytes`. */
export function ramSegment(
  name: string,
  address: PhysicalAddress,
  bytes: Uint8Array,
  sizeBytes = bytes.length,
): LoadSegment {
  return { name, address, bytes, sizeBytes, memory: "ram" };
}
