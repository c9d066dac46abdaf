/**
 * The transmit ring as packets: requests that belong together become a description, or a reason to
 * refuse it. Nothing is copied here.
 *
 * ```
 *   request (size of all) [extra ...] [request (own size) ...]
 *   more_data: another request follows      extra_info: an extra takes the next place
 * ```
 *
 * Source: Xen 4.17's `io/netif.h`, "Guest transmit".
 */

import {
  NETIF_EXTRA,
  NETIF_EXTRA_GSO,
  NETIF_EXTRA_INFO,
  NETIF_EXTRA_MORE,
  NETIF_GSO_TYPE,
  NETIF_TX_REQUEST,
  NETTXF,
} from "../../../core/abi/io/netif.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import { FRAME_LIMITS } from "../../net/mod.ts";
import type { BackRing } from "../../rings/back_ring.ts";

/** Part of a packet in a granted page. */
export interface Fragment {
  readonly ref: GrantReference;
  /** In bytes. */
  readonly offset: number;
  readonly lengthBytes: number;
}

/** A packet that the guest sends. */
export interface TransmitPacket {
  readonly fragments: readonly Fragment[];
  readonly lengthBytes: number;
  /** The TCP or UDP checksum is still to be computed. */
  readonly checksumBlank: boolean;
  /** Payload bytes of the segments that a long TCP packet is to be cut into, or 0. */
  readonly segmentBytes: number;
}

/** Entries of the ring that make one packet: how they are answered, and the packet if it is one. */
export interface TransmitChain {
  /** Ids in the ring's order; `null` for an extra. */
  readonly ids: readonly (number | null)[];
  readonly packet: TransmitPacket | null;
}

/** Requests of one packet at most, as Linux's back end allows (`XEN_NETBK_LEGACY_SLOTS_MAX`). */
export const MAX_SLOTS = 18;
/** Extras of one packet at most. */
const MAX_EXTRAS = 4;
/** The longest packet that a front end may leave to be segmented. */
const MAX_PACKET_BYTES = 65535;
const PAGE_BYTES = 4096;

type Request = ReturnType<typeof NETIF_TX_REQUEST.read>;

/** Takes the next packet's entries, of which `waiting` are there (at least one). */
export function takeChain(ring: BackRing, waiting: number): TransmitChain {
  const first = NETIF_TX_REQUEST.read(ring.take());
  const ids: (number | null)[] = [first.id];
  let good = true;
  let segmentBytes = 0;
  for (let more = (first.flags & NETTXF.extra_info) !== 0; more;) {
    if (ids.length >= waiting || ids.length > MAX_EXTRAS) return { ids, packet: null };
    const bytes = ring.take();
    ids.push(null);
    const extra = NETIF_EXTRA_INFO.read(bytes);
    const size = gsoSize(bytes);
    if (extra.type !== NETIF_EXTRA.GSO || size === null) good = false;
    segmentBytes = size ?? 0;
    more = (extra.flags & NETIF_EXTRA_MORE) !== 0;
  }
  const requests: Request[] = [first];
  for (let last = first; last.flags & NETTXF.more_data;) {
    if (ids.length >= waiting || requests.length >= MAX_SLOTS) return { ids, packet: null };
    last = NETIF_TX_REQUEST.read(ring.take());
    requests.push(last);
    ids.push(last.id);
  }
  const packet = good ? describe(requests, segmentBytes) : null;
  return { ids, packet };
}

/** The segment size of an extra of type GSO for TCP, or `null`. */
function gsoSize(bytes: Uint8Array): number | null {
  const { size, gso_type } = NETIF_EXTRA_GSO.read(bytes);
  const known = gso_type === NETIF_GSO_TYPE.TCPV4 || gso_type === NETIF_GSO_TYPE.TCPV6;
  return known && size > 0 ? size : null;
}

/** The packet that the requests make, or `null` if they cannot be right. */
function describe([first, ...others]: readonly Request[], segmentBytes: number) {
  const rest = others.reduce((bytes, { size }) => bytes + size, 0);
  const sizes = [first.size - rest, ...others.map(({ size }) => size)];
  const fragments = [first, ...others].map(({ gref, offset }, index): Fragment => ({
    ref: gref as GrantReference,
    offset,
    lengthBytes: sizes[index],
  }));
  const fits = fragments.every(({ offset, lengthBytes }) =>
    lengthBytes > 0 && offset + lengthBytes <= PAGE_BYTES
  );
  const most = segmentBytes > 0 ? MAX_PACKET_BYTES : FRAME_LIMITS.mostBytes;
  if (!fits || first.size < FRAME_LIMITS.leastBytes || first.size > most) return null;
  return {
    fragments,
    lengthBytes: first.size,
    checksumBlank: (first.flags & NETTXF.csum_blank) !== 0,
    segmentBytes,
  };
}
