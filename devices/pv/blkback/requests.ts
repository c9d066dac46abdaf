/** Requests of the block ring as types: bytes of a peer become a request, or a reason to refuse it. */

import {
  BLKIF_MAX,
  BLKIF_OP,
  BLKIF_REQUEST,
  BLKIF_REQUEST_INDIRECT,
  BLKIF_RSP,
  BLKIF_SECTOR_BYTES,
  BLKIF_SEGMENT,
} from "../../../core/abi/io/blkif.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";

/** Part of a granted page: where, and how many bytes. */
export interface Segment {
  readonly ref: GrantReference;
  /** In bytes. */
  readonly offset: number;
  readonly lengthBytes: number;
}

/** What a request asks for. */
export type BlockRequest =
  | {
    readonly kind: "transfer";
    readonly id: bigint;
    readonly operation: number;
    readonly write: boolean;
    readonly sector: number;
    readonly segments: readonly Segment[];
  }
  | {
    readonly kind: "indirect";
    readonly id: bigint;
    readonly operation: number;
    readonly write: boolean;
    readonly sector: number;
    readonly segmentCount: number;
    /** Pages that hold the segments. */
    readonly pages: readonly GrantReference[];
  }
  | { readonly kind: "flush"; readonly id: bigint; readonly operation: number }
  /** `status` answers it. */
  | {
    readonly kind: "refused";
    readonly id: bigint;
    readonly operation: number;
    readonly status: number;
  };

const SECTORS_PER_PAGE = 4096 / BLKIF_SECTOR_BYTES;

/** Reads an entry of the ring. `indirectSegments` is how many the back end announced; 0 is none. */
export function parseRequest(
  bytes: Uint8Array,
  model: DataModel,
  indirectSegments: number,
): BlockRequest {
  const { operation, nr_segments, id, sector_number, seg } = BLKIF_REQUEST.read(bytes, 0, model);
  const refused = (status: number): BlockRequest => ({ kind: "refused", id, operation, status });
  switch (operation) {
    case BLKIF_OP.READ:
    case BLKIF_OP.WRITE:
    case BLKIF_OP.WRITE_BARRIER: {
      if (nr_segments > BLKIF_MAX.segments) return refused(BLKIF_RSP.ERROR);
      const segments = seg.slice(0, nr_segments).map(segmentOf);
      const barrier = operation === BLKIF_OP.WRITE_BARRIER;
      if (barrier && nr_segments === 0) return { kind: "flush", id, operation };
      if (nr_segments === 0 || !allValid(segments)) return refused(BLKIF_RSP.ERROR);
      const write = operation !== BLKIF_OP.READ;
      return { kind: "transfer", id, operation, write, sector: Number(sector_number), segments };
    }
    case BLKIF_OP.FLUSH_DISKCACHE:
      return { kind: "flush", id, operation };
    case BLKIF_OP.INDIRECT:
      return parseIndirect(bytes, model, indirectSegments);
    default:
      return refused(BLKIF_RSP.EOPNOTSUPP);
  }
}

/** The segments of an indirect request, from the bytes of its pages; `null` if one is malformed. */
export function parseSegments(bytes: Uint8Array, count: number): Segment[] | null {
  const size = BLKIF_SEGMENT.sizeBytes();
  const segments = Array.from(
    { length: count },
    (_, index) => segmentOf(BLKIF_SEGMENT.read(bytes, index * size)),
  );
  return allValid(segments) ? segments : null;
}

function parseIndirect(
  bytes: Uint8Array,
  model: DataModel,
  indirectSegments: number,
): BlockRequest {
  const request = BLKIF_REQUEST_INDIRECT.read(bytes, 0, model);
  const { id, indirect_op: operation, nr_segments, sector_number, indirect_grefs } = request;
  if (indirectSegments === 0) {
    return { kind: "refused", id, operation: BLKIF_OP.INDIRECT, status: BLKIF_RSP.EOPNOTSUPP };
  }
  const knows = operation === BLKIF_OP.READ || operation === BLKIF_OP.WRITE;
  if (!knows || nr_segments === 0 || nr_segments > indirectSegments) {
    return { kind: "refused", id, operation, status: BLKIF_RSP.ERROR };
  }
  const pages = indirect_grefs.slice(0, Math.ceil(nr_segments / BLKIF_MAX.segmentsPerPage));
  return {
    kind: "indirect",
    id,
    operation,
    write: operation === BLKIF_OP.WRITE,
    sector: Number(sector_number),
    segmentCount: nr_segments,
    pages: pages as GrantReference[],
  };
}

function segmentOf(
  { gref, first_sect, last_sect }: {
    readonly gref: number;
    readonly first_sect: number;
    readonly last_sect: number;
  },
): Segment | null {
  if (first_sect > last_sect || last_sect >= SECTORS_PER_PAGE) return null;
  return {
    ref: gref as GrantReference,
    offset: first_sect * BLKIF_SECTOR_BYTES,
    lengthBytes: (last_sect - first_sect + 1) * BLKIF_SECTOR_BYTES,
  };
}

function allValid(segments: readonly (Segment | null)[]): segments is Segment[] {
  return segments.every((segment) => segment !== null);
}
