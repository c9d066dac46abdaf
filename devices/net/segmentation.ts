/**
 * Checksum offload and TCP segmentation on transmit: pure functions from a packet and a context to the
 * frames that go out (8254x manual, sections 3.3.6, 3.5 "TCP Segmentation" and 3.5.9 "IP and TCP/UDP Headers").
 */

import { foldSum, onesComplementSum } from "./checksum.ts";

/** What a context descriptor told (section 3.3.6, "TCP/IP Context Descriptor Layout"). */
export interface TransmitContext {
  /** IP checksum: where it starts, where it is stored, its last byte (0: to the end). */
  readonly ipcss: number;
  readonly ipcso: number;
  readonly ipcse: number;
  /** TCP or UDP checksum, likewise. */
  readonly tucss: number;
  readonly tucso: number;
  readonly tucse: number;
  /** TUCMD: TCP rather than UDP, IPv4 rather than IPv6. */
  readonly tcp: boolean;
  readonly ipv4: boolean;
  /** Bytes of the header that each segment repeats. */
  readonly hdrlen: number;
  /** Most payload bytes per segment. */
  readonly mss: number;
}

/** What the first data descriptor of a packet asked for. */
export interface PacketOptions {
  /** POPTS.IXSM: insert the IP checksum. */
  readonly ixsm: boolean;
  /** POPTS.TXSM: insert the TCP or UDP checksum. */
  readonly txsm: boolean;
}

/** A context in which nothing is set. */
export const EMPTY_CONTEXT: TransmitContext = {
  ipcss: 0,
  ipcso: 0,
  ipcse: 0,
  tucss: 0,
  tucso: 0,
  tucse: 0,
  tcp: false,
  ipv4: false,
  hdrlen: 0,
  mss: 0,
};

/** TCP flags that only the last segment keeps: FIN and PSH. */
const LAST_SEGMENT_FLAGS = 0x09;

/**
 * Sums `frame` from `start` to `last` (inclusive; 0 is the end of the frame) and stores the checksum at
 * `at`. Nothing happens if the range or the place is outside the frame. With `neverZero` a result of
 * zero is stored as FFFFh, as UDP wants.
 */
export function insertChecksum(
  frame: Uint8Array,
  start: number,
  at: number,
  last: number,
  neverZero = false,
): void {
  const end = last === 0 ? frame.length : Math.min(last + 1, frame.length);
  if (at + 2 > frame.length || start >= end) return;
  const sum = ~onesComplementSum(frame, start, end) & 0xffff;
  put16(frame, at, neverZero && sum === 0 ? 0xffff : sum);
}

/** Inserts the checksums of a packet that is sent as it is. */
export function insertChecksums(
  frame: Uint8Array,
  context: TransmitContext,
  options: PacketOptions,
): void {
  if (options.ixsm) insertChecksum(frame, context.ipcss, context.ipcso, context.ipcse);
  if (options.txsm) {
    insertChecksum(frame, context.tucss, context.tucso, context.tucse, !context.tcp);
  }
}

/**
 * Splits `packet` (header and payload) into segments. Returns none when the context cannot be right:
 * no MSS, or a header that does not hold what it should.
 */
export function segment(
  packet: Uint8Array,
  context: TransmitContext,
  options: PacketOptions,
): Uint8Array<ArrayBuffer>[] {
  const { hdrlen, mss, ipcss, tucss, ipv4, tcp } = context;
  const needed = Math.max(ipcss + (ipv4 ? 20 : 40), tucss + (tcp ? 20 : 8));
  if (mss === 0 || hdrlen < needed || packet.length < hdrlen) return [];
  const payloadBytes = packet.length - hdrlen;
  const frames: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  do {
    const length = Math.min(mss, payloadBytes - offset);
    const frame = new Uint8Array(hdrlen + length);
    frame.set(packet.subarray(0, hdrlen));
    frame.set(packet.subarray(hdrlen + offset, hdrlen + offset + length), hdrlen);
    const last = offset + length >= payloadBytes;
    updateHeaders(frame, context, { index: frames.length, offset, last });
    finishSegmentChecksums(frame, context, options);
    frames.push(frame);
    offset += length;
  } while (offset < payloadBytes);
  return frames;
}

interface SegmentPlace {
  readonly index: number;
  /** Payload bytes before this segment. */
  readonly offset: number;
  readonly last: boolean;
}

function updateHeaders(frame: Uint8Array, context: TransmitContext, place: SegmentPlace): void {
  const { ipcss, tucss, ipv4, tcp } = context;
  if (ipv4) {
    put16(frame, ipcss + 2, frame.length - ipcss);
    put16(frame, ipcss + 4, get16(frame, ipcss + 4) + place.index);
  } else put16(frame, ipcss + 4, frame.length - ipcss - 40);
  if (!tcp) return put16(frame, tucss + 4, frame.length - tucss);
  const sequence = get16(frame, tucss + 4) * 0x10000 + get16(frame, tucss + 6) + place.offset;
  put16(frame, tucss + 4, Math.floor(sequence / 0x10000) & 0xffff);
  put16(frame, tucss + 6, sequence % 0x10000);
  if (!place.last) frame[tucss + 13] &= ~LAST_SEGMENT_FLAGS;
}

/** The driver left the pseudo-header's sum without the length in the checksum field. */
function finishSegmentChecksums(
  frame: Uint8Array,
  context: TransmitContext,
  options: PacketOptions,
): void {
  const { tucss, tucso } = context;
  if (options.txsm && tucso + 2 <= frame.length) {
    put16(frame, tucso, foldSum(get16(frame, tucso) + frame.length - tucss));
  }
  insertChecksums(frame, context, options);
}

function get16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}
