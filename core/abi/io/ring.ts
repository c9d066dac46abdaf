/**
 * Shared rings of requests and responses in one granted page. Source: Xen 4.17's `io/ring.h`.
 *
 * ```
 *   0        4          8         12         16           64
 *   | req_prod | req_event | rsp_prod | rsp_event | reserved | entry 0 | entry 1 | ...
 * ```
 *
 * Producers count up without wrapping; an entry's place is the count modulo the ring's size.
 */

/** Where the counters and the first entry are, in bytes. */
export const SRING = { reqProd: 0, reqEvent: 4, rspProd: 8, rspEvent: 12, ring: 64 } as const;

/** How many entries of `entryBytes` bytes a ring of `pages` pages has: a power of two. */
export function ringEntries(entryBytes: number, pages = 1): number {
  return 2 ** Math.floor(Math.log2((4096 * pages - SRING.ring) / entryBytes));
}
