/**
 * Branded numbers: values of one run-time type that must not be mixed up.
 *
 * A brand exists for the compiler only; at run time a branded number is a plain number.
 */

declare const brand: unique symbol;

/** `Base` marked with `Name`, so that two brands of one base do not assign to each other. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A guest-physical address in bytes, below 2^52. */
export type PhysicalAddress = Brand<number, "PhysicalAddress">;

/** A number of a 4 KiB frame of guest-physical memory. */
export type FrameNumber = Brand<number, "FrameNumber">;

/** An offset into the machine's linear memory (the WebAssembly memory), in bytes. */
export type LinearOffset = Brand<number, "LinearOffset">;

/** Marks `value` as a guest-physical address. */
export function physical(value: number): PhysicalAddress {
  return value as PhysicalAddress;
}

/** A domain's number (`domid_t` of `xen.h`); 0 is the control domain, 0x7ff0 and above are reserved. */
export type DomainId = Brand<number, "DomainId">;

/** A virtual CPU's number within its domain. */
export type VcpuId = Brand<number, "VcpuId">;

/** The number of a physical CPU of the machine. */
export type PhysicalCpuId = Brand<number, "PhysicalCpuId">;
