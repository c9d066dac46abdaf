/**
 * Where devices attach: I/O ports, memory-mapped ranges, interrupt lines and DMA.
 *
 * `core` defines these seams; `devices` plugs into them. None of them knows what is on the other side.
 */

import type { PhysicalAddress } from "../lib/brand.ts";

/** The width of one access to an I/O port, in bytes. */
export type PortSize = 1 | 2 | 4;
/** The width of one access to a memory-mapped register, in bytes; eight arrives as two of four. */
export type MmioSize = 1 | 2 | 4;

/** A device's side of a range of I/O ports. Values are unsigned; `port` is the absolute port number. */
export interface PortDevice {
  readPort(port: number, size: PortSize): number;
  writePort(port: number, size: PortSize, value: number): void;
}

/** A device's side of a memory-mapped range. Values are unsigned; `offset` counts from its start. */
export interface MmioDevice {
  readMmio(offset: number, size: MmioSize): number;
  writeMmio(offset: number, size: MmioSize, value: number): void;
}

/** The I/O port space of a machine. */
export interface PortBus {
  /** Claims ports `first` to `last` (inclusive) for `device`; throws `RangeError` on an overlap. */
  attachPorts(first: number, last: number, name: string, device: PortDevice): void;
  /** Releases what `attachPorts` claimed at `first`. */
  detachPorts(first: number): void;
}

/** The memory-mapped part of the guest-physical address space. */
export interface MmioBus {
  /** Claims `sizeBytes` bytes from `base`, both multiples of 4096; MMIO covers RAM where they overlap. */
  attachMmio(base: PhysicalAddress, sizeBytes: number, name: string, device: MmioDevice): void;
  /** Releases what `attachMmio` claimed at `base`. */
  detachMmio(base: PhysicalAddress): void;
}

/** One interrupt wire: the device drives its level, the other side decides what that means. */
export interface IrqLine {
  setLevel(high: boolean): void;
}

/** Message-signalled interrupts: a write of `data` to `address` as a device would put it on the bus. */
export interface MessageBus {
  sendMessage(address: PhysicalAddress, data: number): void;
}

/**
 * Memory as a bus master sees it. An IOMMU may stand behind it: an access that it refuses reads
 * all-ones, and writes nothing.
 */
export interface DmaBus {
  readDma(address: PhysicalAddress, into: Uint8Array): void;
  writeDma(address: PhysicalAddress, bytes: Uint8Array): void;
}
