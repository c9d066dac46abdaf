/** Copies to and from grants, for guests (`GNTTABOP_copy`) and for back ends that hold the bytes. */

import { GNTCOPY, GNTST, type GrantStatus } from "../../abi/grant_table.ts";
import {
  type DomainId,
  DOMID,
  type GrantReference,
  type GuestFrame,
  type MachineFrame,
} from "../../abi/ids.ts";
import { pinGrant, unpinGrant } from "./pins.ts";
import type { GrantPorts } from "./ports.ts";
import type { GrantTable } from "./table.ts";

const FRAME_BYTES = 4096;

/** One side of a copy. */
export interface CopySide {
  readonly dom: DomainId;
  /** A grant reference or a frame number, as the request's flags say. */
  readonly refOrFrame: number;
  /** In bytes. */
  readonly offset: number;
}

/** What `GNTTABOP_copy` asks for. */
export interface CopyRequest {
  readonly source: CopySide;
  readonly dest: CopySide;
  readonly lengthBytes: number;
  /** Bits of `GNTCOPY`. */
  readonly flags: number;
}

/** Bytes of a granted frame. */
export interface GrantBytes {
  readonly ref: GrantReference;
  /** In bytes. */
  readonly offset: number;
}

/** Finds the table of a domain, or `undefined`. */
export type TableLookUp = (dom: DomainId) => GrantTable | undefined;

/** `GNTTABOP_copy`. */
export function copy(
  lookUp: TableLookUp,
  ports: GrantPorts,
  caller: DomainId,
  request: CopyRequest,
): GrantStatus {
  const { source, dest, lengthBytes, flags } = request;
  const sourceIsGrant = (flags & GNTCOPY.source_gref) !== 0;
  const destIsGrant = (flags & GNTCOPY.dest_gref) !== 0;
  const foreignFrame = (side: CopySide, isGrant: boolean) => !isGrant && side.dom !== DOMID.SELF;
  if (foreignFrame(source, sourceIsGrant) || foreignFrame(dest, destIsGrant)) {
    return GNTST.permission_denied;
  }
  const from = lookUp(source.dom);
  const to = lookUp(dest.dom);
  if (!from || !to) return GNTST.bad_domain;
  const allowed = [from, to].every(({ domain }) =>
    ports.allows?.({ what: "copy", by: caller, of: domain.id }) ?? true
  );
  if (!allowed) return GNTST.permission_denied;
  const outside = [source, dest].some(({ offset }) => offset + lengthBytes > FRAME_BYTES);
  if (outside) return GNTST.bad_copy_arg;
  const reading = claim(from, ports, caller, {
    ...source,
    isGrant: sourceIsGrant,
    writable: false,
  });
  if (!(reading instanceof Claim)) return reading;
  const writing = claim(to, ports, caller, { ...dest, isGrant: destIsGrant, writable: true });
  if (writing instanceof Claim) {
    const bytes = new Uint8Array(lengthBytes);
    ports.memory.readBytes(reading.frame, source.offset, bytes);
    ports.memory.writeBytes(writing.frame, dest.offset, bytes);
    writing.release();
  }
  reading.release();
  return writing instanceof Claim ? GNTST.okay : writing;
}

/** Moves bytes between a grant of `dom` and a back end's buffer. */
export function transferBytes(
  lookUp: TableLookUp,
  ports: GrantPorts,
  caller: DomainId,
  dom: DomainId,
  { ref, offset }: GrantBytes,
  bytes: Uint8Array,
  direction: "read" | "write",
): GrantStatus {
  const table = lookUp(dom);
  if (!table) return GNTST.bad_domain;
  if (ports.allows?.({ what: "copy", by: caller, of: dom }) === false) {
    return GNTST.permission_denied;
  }
  if (offset < 0 || offset + bytes.length > FRAME_BYTES) return GNTST.bad_copy_arg;
  const writable = direction === "write";
  const held = claim(table, ports, caller, { refOrFrame: ref, isGrant: true, writable });
  if (!(held instanceof Claim)) return held;
  if (writable) ports.memory.writeBytes(held.frame, offset, bytes);
  else ports.memory.readBytes(held.frame, offset, bytes);
  held.release();
  return GNTST.okay;
}

/** A frame that is held during a copy. */
class Claim {
  constructor(readonly frame: MachineFrame, readonly release: () => void) {}
}

function claim(
  table: GrantTable,
  ports: GrantPorts,
  caller: DomainId,
  { refOrFrame, isGrant, writable }: { refOrFrame: number; isGrant: boolean; writable: boolean },
): Claim | GrantStatus {
  if (isGrant) {
    const ref = refOrFrame as GrantReference;
    const pinned = pinGrant(table, ports, { ref, by: caller, writable, use: "copy" });
    return typeof pinned === "object"
      ? new Claim(pinned.frame, () => unpinGrant(table, ports, { ref, writable }))
      : pinned;
  }
  const owner = table.domain.id;
  const frame = ports.resolveFrame(owner, refOrFrame as GuestFrame);
  if (frame === null || !ports.takeFrame(owner, frame, writable)) return GNTST.bad_page;
  return new Claim(frame, () => ports.dropFrame(owner, frame, writable));
}
