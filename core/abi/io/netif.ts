/** The network interface's rings. Source: Xen 4.17's `io/netif.h`. */

import { array, defineStruct } from "../struct_layout.ts";

/** A piece of a packet that the guest sends: the first has the whole packet's size, the others their own. */
export const NETIF_TX_REQUEST = defineStruct("netif_tx_request", 12, {
  gref: "u32",
  offset: "u16",
  flags: "u16",
  id: "u16",
  size: "u16",
});

/** The answer to a piece that was sent. */
export const NETIF_TX_RESPONSE = defineStruct("netif_tx_response", 4, { id: "u16", status: "s16" });

/** A page for a packet to come. */
export const NETIF_RX_REQUEST = defineStruct("netif_rx_request", 8, {
  id: "u16",
  pad: "u16",
  gref: "u32",
});

/** A piece of a packet that arrived: `status` is its size in bytes, or negative. */
export const NETIF_RX_RESPONSE = defineStruct("netif_rx_response", 8, {
  id: "u16",
  offset: "u16",
  flags: "u16",
  status: "s16",
});

/** What takes a request's or response's place behind one with the flag `extra_info`; `u` as its type says. */
export const NETIF_EXTRA_INFO = defineStruct("netif_extra_info", 8, {
  type: "u8",
  flags: "u8",
  u: array("u8", 6),
});

/** An extra of type GSO: the size of a segment's payload, and the protocol. */
export const NETIF_EXTRA_GSO = defineStruct("netif_extra_info.gso", 8, {
  type: "u8",
  flags: "u8",
  size: "u16",
  gso_type: "u8",
  pad: "u8",
  features: "u16",
});

/** Bytes of an entry of the transmit and of the receive ring. */
export const NETIF_ENTRY_BYTES = { tx: 12, rx: 8 } as const;

/** Flags of {@link NETIF_TX_REQUEST}. */
export const NETTXF = {
  csum_blank: 1 << 0,
  data_validated: 1 << 1,
  more_data: 1 << 2,
  extra_info: 1 << 3,
} as const;

/** Flags of {@link NETIF_RX_RESPONSE}. */
export const NETRXF = {
  data_validated: 1 << 0,
  csum_blank: 1 << 1,
  more_data: 1 << 2,
  extra_info: 1 << 3,
  gso_prefix: 1 << 4,
} as const;

/** Types of extras. */
export const NETIF_EXTRA = { NONE: 0, GSO: 1, MCAST_ADD: 2, MCAST_DEL: 3, HASH: 4 } as const;
/** Flag of an extra: another one follows. */
export const NETIF_EXTRA_MORE = 1;
/** Protocols of segmentation. */
export const NETIF_GSO_TYPE = { NONE: 0, TCPV4: 1, TCPV6: 2 } as const;

/** Statuses of responses. */
export const NETIF_RSP = { DROPPED: -2, ERROR: -1, OKAY: 0, NULL: 1 } as const;
