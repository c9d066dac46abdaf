/** TCP segments as types (RFC 9293, section 3.1). Parsing answers `null` to what is malformed. */

import {
  internetChecksum,
  IP_PROTOCOL,
  type Ipv4Address,
  type Ipv4Packet,
  pseudoHeaderSum,
} from "../net/mod.ts";

/** Bits of the flags byte. */
export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;
/** Bytes of a header without options. */
export const TCP_HEADER_BYTES = 20;
/** What a peer that names no maximum segment size takes (RFC 9293, section 3.7.1). */
export const DEFAULT_MSS = 536;

const OPTION = { END: 0, NOP: 1, MSS: 2 } as const;

/** One segment. */
export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Sequence numbers are below 2^32 and wrap. */
  readonly sequence: number;
  readonly acknowledgment: number;
  /** Bits of {@link TCP_FLAG}. */
  readonly flags: number;
  readonly window: number;
  readonly data: Uint8Array;
  /** The option "maximum segment size", in bytes. */
  readonly mss?: number;
}

/** The payload of an IPv4 packet from `source` to `destination`. */
export function tcpBytes(
  segment: TcpSegment,
  source: Ipv4Address,
  destination: Ipv4Address,
): Uint8Array<ArrayBuffer> {
  const headerBytes = TCP_HEADER_BYTES + (segment.mss === undefined ? 0 : 4);
  const bytes = new Uint8Array(headerBytes + segment.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgment);
  view.setUint16(12, ((headerBytes / 4) << 12) | segment.flags);
  view.setUint16(14, segment.window);
  if (segment.mss !== undefined) view.setUint32(20, (OPTION.MSS << 24) | (4 << 16) | segment.mss);
  bytes.set(segment.data, headerBytes);
  const pseudo = pseudoHeaderSum(source, destination, IP_PROTOCOL.TCP, bytes.length);
  view.setUint16(16, internetChecksum(bytes, 0, bytes.length, pseudo));
  return bytes;
}

/** Reads a segment whose checksum is right. */
export function parseTcp(
  { source, destination, protocol, payload }: Ipv4Packet,
): TcpSegment | null {
  if (protocol !== IP_PROTOCOL.TCP || payload.length < TCP_HEADER_BYTES) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const headerBytes = (payload[12] >>> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > payload.length) return null;
  const pseudo = pseudoHeaderSum(source, destination, IP_PROTOCOL.TCP, payload.length);
  if (internetChecksum(payload, 0, payload.length, pseudo) !== 0) return null;
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    flags: payload[13] & 0x1f,
    window: view.getUint16(14),
    data: payload.subarray(headerBytes),
    mss: mssOption(payload.subarray(TCP_HEADER_BYTES, headerBytes)),
  };
}

function mssOption(options: Uint8Array): number | undefined {
  for (let at = 0; at < options.length && options[at] !== OPTION.END;) {
    if (options[at] === OPTION.NOP) {
      at++;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) return undefined;
    if (options[at] === OPTION.MSS && length === 4) return (options[at + 2] << 8) | options[at + 3];
    at += length;
  }
  return undefined;
}

/** `a + b` among sequence numbers. */
export function sequencePlus(a: number, b: number): number {
  return (a + b) >>> 0;
}

/** How far `a` is after `b` among sequence numbers: negative if it is before. */
export function sequenceDistance(a: number, b: number): number {
  return (a - b) | 0;
}
