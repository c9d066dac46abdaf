/** The window that a receiver offers (RFC 9293, section 3.8.6.2.2, "Receiver's Algorithm: When to Send a Window Update"). */

import type { TcpBlock } from "./tcp_block.ts";

/** What is offered now, in bytes; the right edge never goes back. */
export function receiveWindow(tcb: TcpBlock): number {
  const edge = tcb.readEnd + tcb.receiveBufferBytes;
  if (edge - tcb.windowEdge >= leastStep(tcb)) tcb.windowEdge = edge;
  return Math.max(0, tcb.windowEdge - tcb.expected);
}

/** Whether what was read since is worth telling a peer who may wait for it: the window has doubled, as in Linux 2.4. */
export function isUpdateDue(tcb: TcpBlock): boolean {
  const edge = tcb.readEnd + tcb.receiveBufferBytes;
  const told = tcb.windowEdge - tcb.expected;
  const step = edge - tcb.windowEdge;
  return step >= leastStep(tcb) && edge - tcb.expected >= 2 * told;
}

/** Steps below a segment, or half of a small buffer, are not offered: no silly windows. */
function leastStep({ mss, receiveBufferBytes }: TcpBlock): number {
  return Math.min(mss, receiveBufferBytes / 2);
}
