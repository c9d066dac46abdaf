/**
 * Firmware tables before they have an address: two blobs, and what must be patched when they get one.
 *
 * A table builder makes them; whoever knows the addresses (a loader, or firmware through fw_cfg) links them.
 */

/** The two blobs: the root pointer is found by scanning low memory, the tables may lie anywhere. */
export type TableBlob = "rsdp" | "tables";

/** A little-endian pointer that holds an offset into `tables` until that blob's address is added. */
export interface TablePointer {
  readonly blob: TableBlob;
  readonly offset: number;
  readonly sizeBytes: 4 | 8;
}

/** A byte at `offset` that makes bytes `start` to `start + length` sum up to zero. */
export interface TableChecksum {
  readonly blob: TableBlob;
  readonly offset: number;
  readonly start: number;
  readonly length: number;
}

/** Tables ready to be linked. */
export interface FirmwareTables {
  readonly rsdp: Uint8Array;
  readonly tables: Uint8Array;
  readonly pointers: readonly TablePointer[];
  /** To be computed in this order, after the pointers. */
  readonly checksums: readonly TableChecksum[];
}
