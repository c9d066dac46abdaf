/**
 * The few protocols that a scripted host speaks, as types: Ethernet II, ARP (RFC 826), IPv4 (RFC 791),
 * ICMP echo (RFC 792), UDP (RFC 768).
 *
 * Parsers answer `null` to what is malformed, truncated or not theirs, and never throw.
 */

import { type Ipv4Address, type MacAddress, macAt, macBytes } from "./addresses.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";

/** EtherTypes. */
export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;
/** IPv4 protocol numbers. */
export const IP_PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;
/** Bytes before an Ethernet payload. */
export const ETHERNET_HEADER_BYTES = 14;

/** ARP for Ethernet and IPv4. */
export interface Arp {
  readonly operation: "request" | "reply";
  readonly senderMac: MacAddress;
  readonly senderAddress: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly targetAddress: Ipv4Address;
}

/** An unfragmented IPv4 packet. */
export interface Ipv4Packet {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** An ICMP echo request or reply. */
export interface IcmpEcho {
  readonly kind: "request" | "reply";
  readonly identifier: number;
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** A UDP datagram. */
export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** An Ethernet frame, padded to the 60 bytes that a wire wants. */
export function ethernetFrame(
  destination: MacAddress,
  source: MacAddress,
  etherType: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(Math.max(60, ETHERNET_HEADER_BYTES + payload.length));
  frame.set(macBytes(destination), 0);
  frame.set(macBytes(source), 6);
  viewOf(frame).setUint16(12, etherType);
  frame.set(payload, ETHERNET_HEADER_BYTES);
  return frame;
}

/** The EtherType of a frame, or 0 if it is too short to have one. */
export function etherTypeOf(frame: Uint8Array): number {
  return frame.length < ETHERNET_HEADER_BYTES ? 0 : viewOf(frame).getUint16(12);
}

/** The payload of an ARP packet. */
export function arpBytes(arp: Arp): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(28);
  const view = viewOf(bytes);
  view.setUint16(0, 1); // Ethernet
  view.setUint16(2, ETHERTYPE.IPV4);
  bytes[4] = 6;
  bytes[5] = 4;
  view.setUint16(6, arp.operation === "request" ? 1 : 2);
  bytes.set(macBytes(arp.senderMac), 8);
  view.setUint32(14, arp.senderAddress);
  bytes.set(macBytes(arp.targetMac), 18);
  view.setUint32(24, arp.targetAddress);
  return bytes;
}

/** Reads an ARP frame. */
export function parseArp(frame: Uint8Array): Arp | null {
  if (etherTypeOf(frame) !== ETHERTYPE.ARP || frame.length < ETHERNET_HEADER_BYTES + 28) {
    return null;
  }
  const bytes = frame.subarray(ETHERNET_HEADER_BYTES);
  const view = viewOf(bytes);
  const operation = view.getUint16(6);
  const known = view.getUint32(0) === 0x00010800 && view.getUint16(4) === 0x0604;
  if (!known || operation < 1 || operation > 2) return null;
  return {
    operation: operation === 1 ? "request" : "reply",
    senderMac: macAt(bytes, 8),
    senderAddress: view.getUint32(14) as Ipv4Address,
    targetMac: macAt(bytes, 18),
    targetAddress: view.getUint32(24) as Ipv4Address,
  };
}

/** An IPv4 packet with a 20-byte header, not to be fragmented. */
export function ipv4Bytes(packet: Ipv4Packet, identification = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(20 + packet.payload.length);
  const view = viewOf(bytes);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  view.setUint16(4, identification & 0xffff);
  view.setUint16(6, 0x4000);
  bytes[8] = 64;
  bytes[9] = packet.protocol;
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.destination);
  view.setUint16(10, internetChecksum(bytes, 0, 20));
  bytes.set(packet.payload, 20);
  return bytes;
}

/** Reads an IPv4 frame whose header checksum is right; fragments are not reassembled (`null`). */
export function parseIpv4(frame: Uint8Array): Ipv4Packet | null {
  if (etherTypeOf(frame) !== ETHERTYPE.IPV4 || frame.length < ETHERNET_HEADER_BYTES + 20) {
    return null;
  }
  const bytes = frame.subarray(ETHERNET_HEADER_BYTES);
  const view = viewOf(bytes);
  const headerBytes = (bytes[0] & 0x0f) * 4;
  const totalBytes = view.getUint16(2);
  const fits = headerBytes >= 20 && headerBytes <= totalBytes && totalBytes <= bytes.length;
  if (bytes[0] >> 4 !== 4 || !fits || view.getUint16(6) & 0x3fff) return null;
  if (internetChecksum(bytes, 0, headerBytes) !== 0) return null;
  return {
    source: view.getUint32(12) as Ipv4Address,
    destination: view.getUint32(16) as Ipv4Address,
    protocol: bytes[9],
    payload: bytes.subarray(headerBytes, totalBytes),
  };
}

/** The payload of an ICMP echo. */
export function icmpEchoBytes(echo: IcmpEcho): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + echo.data.length);
  const view = viewOf(bytes);
  bytes[0] = echo.kind === "request" ? 8 : 0;
  view.setUint16(4, echo.identifier);
  view.setUint16(6, echo.sequence);
  bytes.set(echo.data, 8);
  view.setUint16(2, internetChecksum(bytes, 0, bytes.length));
  return bytes;
}

/** Reads an ICMP echo whose checksum is right. */
export function parseIcmpEcho(packet: Ipv4Packet): IcmpEcho | null {
  const { payload } = packet;
  if (packet.protocol !== IP_PROTOCOL.ICMP || payload.length < 8) return null;
  const isEcho = (payload[0] === 8 || payload[0] === 0) && payload[1] === 0;
  if (!isEcho || internetChecksum(payload, 0, payload.length) !== 0) return null;
  const view = viewOf(payload);
  return {
    kind: payload[0] === 8 ? "request" : "reply",
    identifier: view.getUint16(4),
    sequence: view.getUint16(6),
    data: payload.subarray(8),
  };
}

/** The payload of a UDP datagram between two addresses. */
export function udpBytes(
  datagram: UdpDatagram,
  source: Ipv4Address,
  destination: Ipv4Address,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + datagram.payload.length);
  const view = viewOf(bytes);
  view.setUint16(0, datagram.sourcePort);
  view.setUint16(2, datagram.destinationPort);
  view.setUint16(4, bytes.length);
  bytes.set(datagram.payload, 8);
  const pseudo = pseudoHeaderSum(source, destination, IP_PROTOCOL.UDP, bytes.length);
  view.setUint16(6, internetChecksum(bytes, 0, bytes.length, pseudo) || 0xffff);
  return bytes;
}

/** Reads a UDP datagram whose checksum is right or left out. */
export function parseUdp(packet: Ipv4Packet): UdpDatagram | null {
  const { payload } = packet;
  if (packet.protocol !== IP_PROTOCOL.UDP || payload.length < 8) return null;
  const view = viewOf(payload);
  const length = view.getUint16(4);
  if (length < 8 || length > payload.length) return null;
  const pseudo = pseudoHeaderSum(packet.source, packet.destination, IP_PROTOCOL.UDP, length);
  if (view.getUint16(6) !== 0 && internetChecksum(payload, 0, length, pseudo) !== 0) return null;
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    payload: payload.subarray(8, length),
  };
}
