/**
 * Packets of modelled systems: an IPv4 packet's headers as fields, its payload as a reference.
 *
 * Sequence numbers count from 0 (the SYN) and do not wrap: a stream is shorter than 2^53 bytes. What a program sends is a
 * number of bytes; where it says something that its peer acts upon, a {@link Mark} stands at the last byte of it. A
 * retransmission carries the same marks, as it would carry the same bytes.
 */

import type { Brand } from "../../../core/lib/brand.ts";
import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

/** An IPv4 address as a number, below 2^32. */
export type HostAddress = Brand<number, "HostAddress">;

/** Marks `value` as an IPv4 address. */
export function hostAddress(value: number): HostAddress {
  return value as HostAddress;
}

/** Bits of a TCP header's flags (RFC 9293, section 3.1, "Header Format"). */
export const FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

/** The transport protocols, with IANA's numbers. */
export const PROTOCOL = { TCP: 6, UDP: 17 } as const;

/** Bytes around a payload, options included: Linux 2.4 sends a timestamp with each segment. */
export const HEADER_BYTES = { ETHERNET: 14, IP: 20, TCP: 32, UDP: 8 } as const;

/** Something that is said in a stream or a datagram, complete when the byte before `end` has arrived. */
export interface Mark {
  /** Sequence number after its last byte. */
  readonly end: number;
  readonly says: SnapshotValue;
}

/** One packet; never changed once it is sent. */
export interface Packet {
  readonly from: HostAddress;
  readonly to: HostAddress;
  readonly protocol: typeof PROTOCOL.TCP | typeof PROTOCOL.UDP;
  readonly fromPort: number;
  readonly toPort: number;
  /** Bits of {@link FLAG}; 0 in a datagram. */
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** What the sender takes, in bytes, window scaling applied. */
  readonly window: number;
  readonly payloadBytes: number;
  readonly marks: readonly Mark[];
  /** From the Ethernet destination address to the end of the payload. */
  readonly frameBytes: number;
}

/** No marks; shared, since most packets have none. */
export const NO_MARKS: readonly Mark[] = [];
