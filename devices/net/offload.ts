/**
 * What a network card does for a stack that leaves work to it: the TCP or UDP checksum, and cutting a
 * long TCP packet into segments. Here the packet itself says where its headers are.
 */

import { foldSum, internetChecksum, onesComplementSum } from "./checksum.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE, etherTypeOf, IP_PROTOCOL } from "./packets.ts";
import { segment } from "./segmentation.ts";

/** Where the headers of a frame are, in bytes from its start. */
interface Headers {
  readonly ipv4: boolean;
  readonly ip: number;
  readonly transport: number;
  readonly protocol: number;
  /** End of the IP packet; the frame may be padded behind it. */
  readonly end: number;
}

/** Where the checksum is in a transport header. */
const CHECKSUM_AT = new Map<number, number>([[IP_PROTOCOL.TCP, 16], [IP_PROTOCOL.UDP, 6]]);
const IPV6_HEADER_BYTES = 40;

/** Computes and stores the TCP or UDP checksum of `frame`; false if it holds neither. */
export function finishChecksum(frame: Uint8Array): boolean {
  const headers = headersOf(frame);
  const at = headers ? CHECKSUM_AT.get(headers.protocol) : undefined;
  if (!headers || at === undefined || headers.transport + at + 2 > headers.end) return false;
  const place = headers.transport + at;
  put16(frame, place, 0);
  const pseudo = pseudoSum(frame, headers, headers.end - headers.transport);
  const sum = internetChecksum(
    frame.subarray(0, headers.end),
    headers.transport,
    headers.end,
    pseudo,
  );
  put16(frame, place, headers.protocol === IP_PROTOCOL.UDP && sum === 0 ? 0xffff : sum);
  return true;
}

/** Cuts a TCP packet into frames of at most `mss` bytes of payload; none if it is no such packet. */
export function segmentTcp(frame: Uint8Array, mss: number): Uint8Array<ArrayBuffer>[] {
  const headers = headersOf(frame);
  if (headers?.protocol !== IP_PROTOCOL.TCP || headers.transport + 20 > headers.end) return [];
  const { ipv4, ip, transport, end } = headers;
  const hdrlen = transport + (frame[transport + 12] >>> 4) * 4;
  const packet = frame.slice(0, end);
  if (ipv4) put16(packet, ip + 10, 0);
  // A segment's own length is added to the pseudo-header's sum by whoever cuts.
  put16(packet, transport + 16, pseudoSum(frame, headers, 0));
  return segment(packet, {
    ipcss: ip,
    ipcso: ip + 10,
    ipcse: ipv4 ? transport - 1 : 0,
    tucss: transport,
    tucso: transport + 16,
    tucse: 0,
    tcp: true,
    ipv4,
    hdrlen,
    mss,
  }, { ixsm: ipv4, txsm: true });
}

function headersOf(frame: Uint8Array): Headers | null {
  const ip = ETHERNET_HEADER_BYTES;
  const etherType = etherTypeOf(frame);
  if (etherType === ETHERTYPE.IPV4 && frame.length >= ip + 20) {
    const headerBytes = (frame[ip] & 0x0f) * 4;
    const end = ip + get16(frame, ip + 2);
    const fits = headerBytes >= 20 && ip + headerBytes <= end && end <= frame.length;
    const whole = (get16(frame, ip + 6) & 0x3fff) === 0;
    if (frame[ip] >>> 4 !== 4 || !fits || !whole) return null;
    return { ipv4: true, ip, transport: ip + headerBytes, protocol: frame[ip + 9], end };
  }
  if (etherType === ETHERTYPE.IPV6 && frame.length >= ip + IPV6_HEADER_BYTES) {
    const transport = ip + IPV6_HEADER_BYTES;
    const end = transport + get16(frame, ip + 4);
    return end > frame.length ? null : { ipv4: false, ip, transport, protocol: frame[ip + 6], end };
  }
  return null;
}

/** The sum over the pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1). */
function pseudoSum(
  frame: Uint8Array,
  { ipv4, ip, protocol }: Headers,
  lengthBytes: number,
): number {
  const [from, to] = ipv4 ? [ip + 12, ip + 20] : [ip + 8, ip + 40];
  return foldSum(onesComplementSum(frame, from, to) + protocol + lengthBytes);
}

function get16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}
