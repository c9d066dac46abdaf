/**
 * Resource descriptors: what a device decodes and which interrupt it uses.
 *
 * Source: ACPI Specification 6.4, section 6.4 "Resource Data Types for ACPI".
 */

import { type Aml, buffer, littleEndian } from "./aml.ts";

const Tag = {
  irqNoFlags: 0x22,
  io: 0x47,
  end: 0x79,
  memory32Fixed: 0x86,
  dwordAddress: 0x87,
  wordAddress: 0x88,
  extendedInterrupt: 0x89,
} as const;

const AddressType = { memory: 0, io: 1, bus: 2 } as const;

/** General flags of an address descriptor: minimum and maximum fixed, positive decode, producer. */
const fixedRange = (1 << 2) | (1 << 3);
/** Type flags: memory is non-cacheable and read-write; I/O is the entire range. */
const memoryReadWrite = 1;
const ioEntireRange = 3;

/** ResourceTemplate { items }, closed by an end tag without checksum. */
export function resourceTemplate(...items: readonly Aml[]): Aml {
  return buffer([...items.flat(), Tag.end, 0]);
}

/** IO(Decode16, first, first, 1, count): fixed ports. */
export function ioPorts(first: number, count: number): Aml {
  return [Tag.io, 1, ...littleEndian(first, 2), ...littleEndian(first, 2), 1, count];
}

/** IRQNoFlags() {irq}: an edge-triggered, active-high ISA interrupt. */
export function irqNoFlags(irq: number): Aml {
  return [Tag.irqNoFlags, ...littleEndian(1 << irq, 2)];
}

/** Interrupt(ResourceConsumer, Level, ActiveHigh, Shared) {gsi}. */
export function levelInterrupt(gsi: number): Aml {
  const consumer = 1 << 0;
  const shared = 1 << 3;
  return [Tag.extendedInterrupt, 6, 0, consumer | shared, 1, ...littleEndian(gsi, 4)];
}

/** Memory32Fixed(ReadOnly or ReadWrite, base, sizeBytes). */
export function memory32Fixed(base: number, sizeBytes: number, writable: boolean): Aml {
  return [
    Tag.memory32Fixed,
    9,
    0,
    writable ? 1 : 0,
    ...littleEndian(base, 4),
    ...littleEndian(sizeBytes, 4),
  ];
}

/** WordBusNumber: the buses behind a bridge, `first` to `last`. */
export function busNumbers(first: number, last: number): Aml {
  return wordAddress(AddressType.bus, 0, first, last);
}

/** WordIO: the ports that a bridge passes on, `first` to `last`. */
export function ioWindow(first: number, last: number): Aml {
  return wordAddress(AddressType.io, ioEntireRange, first, last);
}

/** DWordMemory: the memory that a bridge passes on, `first` to `last`. */
export function memoryWindow(first: number, last: number): Aml {
  const words = [0, first, last, 0, last - first + 1];
  return [
    Tag.dwordAddress,
    23,
    0,
    AddressType.memory,
    fixedRange,
    memoryReadWrite,
    ...words.flatMap((word) => littleEndian(word, 4)),
  ];
}

/** Granularity, minimum, maximum, translation, length. */
function wordAddress(type: number, typeFlags: number, first: number, last: number): Aml {
  const words = [0, first, last, 0, last - first + 1];
  return [
    Tag.wordAddress,
    13,
    0,
    type,
    fixedRange,
    typeFlags,
    ...words.flatMap((word) => littleEndian(word, 2)),
  ];
}
