/**
 * Captures as pcap files, stamped with simulated time.
 *
 * Layout (pcap savefile format, nanosecond variant, little-endian): a header of 24 bytes, then for each
 * frame seconds, nanoseconds, captured length, original length, and the bytes.
 */

import type { Nanoseconds } from "../../core/clock/clock.ts";

const MAGIC_NANOSECONDS = 0xa1b23c4d;
const LINKTYPE_ETHERNET = 1;
const DEFAULT_SNAP_BYTES = 65535;

/** The header of a pcap file of Ethernet frames. */
export function pcapHeader(snapBytes = DEFAULT_SNAP_BYTES): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint32(0, MAGIC_NANOSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, snapBytes, true);
  view.setUint32(20, LINKTYPE_ETHERNET, true);
  return new Uint8Array(view.buffer);
}

/** One frame of a pcap file, seen at `at`; cut to `snapBytes`. */
export function pcapRecord(
  frame: Uint8Array,
  at: Nanoseconds,
  snapBytes = DEFAULT_SNAP_BYTES,
): Uint8Array<ArrayBuffer> {
  const captured = Math.min(frame.length, snapBytes);
  const bytes = new Uint8Array(16 + captured);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(at / 1e9), true);
  view.setUint32(4, at % 1e9, true);
  view.setUint32(8, captured, true);
  view.setUint32(12, frame.length, true);
  bytes.set(frame.subarray(0, captured), 16);
  return bytes;
}

/** Turns frames into the bytes of a pcap file, piece by piece: the header first, then a record for each frame. */
export class PcapWriter {
  /** `write` takes the pieces in order. */
  constructor(readonly write: (bytes: Uint8Array) => void) {
    write(pcapHeader());
  }

  /** A tap for a switch port. */
  readonly tap = (frame: Uint8Array, at: Nanoseconds): void => this.write(pcapRecord(frame, at));
}
