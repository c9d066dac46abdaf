/**
 * The block interface's ring. Source: Xen 4.17's `io/blkif.h`.
 *
 * A front end names the layout of its own data model in the node `protocol` (`io/protocols.h`).
 */

import type { DataModel } from "../struct_layout.ts";
import { array, defineStruct } from "../struct_layout.ts";

/** Values of the node `protocol`. */
export const BLKIF_PROTOCOLS: Readonly<Record<string, DataModel>> = {
  "x86_64-abi": "lp64",
  "x86_32-abi": "ilp32",
};

/** Segments of a request, and pages of an indirect one, at most. */
export const BLKIF_MAX = { segments: 11, indirectPages: 8, segmentsPerPage: 512 } as const;
/** The unit of all sector numbers, in bytes. */
export const BLKIF_SECTOR_BYTES = 512;

/** Operations. */
export const BLKIF_OP = {
  READ: 0,
  WRITE: 1,
  WRITE_BARRIER: 2,
  FLUSH_DISKCACHE: 3,
  DISCARD: 5,
  INDIRECT: 6,
} as const;

/** Statuses of responses. */
export const BLKIF_RSP = { EOPNOTSUPP: -2, ERROR: -1, OKAY: 0 } as const;

/** A part of a granted page, in sectors, both ends included. */
export const BLKIF_SEGMENT = defineStruct("blkif_request_segment", 8, {
  gref: "u32",
  first_sect: "u8",
  last_sect: "u8",
});

/** A request to read, write or flush. */
export const BLKIF_REQUEST = defineStruct("blkif_request", { lp64: 112, ilp32: 108 }, {
  operation: "u8",
  nr_segments: "u8",
  handle: "u16",
  id: "u64",
  sector_number: "u64",
  seg: array(BLKIF_SEGMENT, BLKIF_MAX.segments),
});

/** A request whose segments are in pages of their own. On i386 the structure is padded to 64 bytes. */
export const BLKIF_REQUEST_INDIRECT = defineStruct(
  "blkif_request_indirect",
  { lp64: 64, ilp32: 56 },
  {
    operation: "u8",
    indirect_op: "u8",
    nr_segments: "u16",
    id: "u64",
    sector_number: "u64",
    handle: "u16",
    indirect_grefs: array("u32", BLKIF_MAX.indirectPages),
  },
);

/** A request to forget sectors. */
export const BLKIF_REQUEST_DISCARD = defineStruct(
  "blkif_request_discard",
  { lp64: 32, ilp32: 28 },
  {
    operation: "u8",
    flag: "u8",
    handle: "u16",
    id: "u64",
    sector_number: "u64",
    nr_sectors: "u64",
  },
);

/** The answer to a request. */
export const BLKIF_RESPONSE = defineStruct("blkif_response", { lp64: 16, ilp32: 12 }, {
  id: "u64",
  operation: "u8",
  status: "s16",
});
