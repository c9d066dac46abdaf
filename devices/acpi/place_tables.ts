/** Gives firmware tables their addresses, as firmware would, for machines that start without one. */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import type { FirmwareTables, TableBlob } from "../firmware_tables.ts";

/** Bytes that belong at an address. */
export interface PlacedBytes {
  readonly address: PhysicalAddress;
  readonly bytes: Uint8Array;
}

/** Where the tables go. */
export interface TablePlacement {
  /** The tables, at a multiple of 64, below 4 GiB. */
  readonly tables: PhysicalAddress;
  /** The RSDP, at a multiple of 16; within 0xE0000 to 0xFFFFF an operating system finds it by itself. */
  readonly rsdp: PhysicalAddress;
}

/** Placement in the BIOS area: the RSDP first, the tables behind it. */
export const biosAreaPlacement: TablePlacement = {
  rsdp: physical(0xe_0000),
  tables: physical(0xe_0040),
};

/**
 * Links `tables` for `placement`; returns what is to be copied into memory (which must be reserved in the
 * memory map) and where the RSDP is. Throws `RangeError` on a misaligned or unreachable placement.
 */
export function placeTables(
  tables: FirmwareTables,
  placement: TablePlacement = biosAreaPlacement,
): { rsdp: PhysicalAddress; parts: readonly PlacedBytes[] } {
  const { tables: base, rsdp } = placement;
  if (base % 64 !== 0 || rsdp % 16 !== 0) {
    throw new RangeError(
      `ACPI tables need a multiple of 64 and the RSDP one of 16, found ${base} and ${rsdp}`,
    );
  }
  if (base + tables.tables.length > 2 ** 32) {
    throw new RangeError(`ACPI tables must lie below 4 GiB, found ${base}`);
  }
  const blobs: Record<TableBlob, Uint8Array> = {
    tables: tables.tables.slice(),
    rsdp: tables.rsdp.slice(),
  };
  for (const { blob, offset, sizeBytes } of tables.pointers) {
    const { buffer } = blobs[blob];
    const view = new DataView(buffer);
    // The high half of an 8-byte pointer stays zero.
    view.setUint32(offset, view.getUint32(offset, true) + base, true);
    if (sizeBytes === 8) view.setUint32(offset + 4, 0, true);
  }
  for (const { blob, offset, start, length } of tables.checksums) {
    const bytes = blobs[blob];
    bytes[offset] = 0;
    let sum = 0;
    for (let index = start; index < start + length; index++) sum += bytes[index];
    bytes[offset] = -sum & 0xff;
  }
  return {
    rsdp,
    parts: [{ address: rsdp, bytes: blobs.rsdp }, { address: base, bytes: blobs.tables }],
  };
}
