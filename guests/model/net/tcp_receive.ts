/**
 * The receiving half of TCP: segments in and out of order, the FIN, and when to acknowledge.
 *
 * Source: RFC 9293, section 3.10.7, "SEGMENT ARRIVES"; RFC 5681, section 4.2, "Generating Acknowledgments".
 */

import { FLAG, type Mark, type Packet } from "./packet.ts";
import type { TcpBlock, TcpState } from "./tcp_block.ts";
import {
  armRetransmission,
  flush,
  sendControl,
  takeAcknowledgment,
  type TcpPorts,
} from "./tcp_transmit.ts";

/** Linux 2.4's `TCP_DELACK_MIN`. */
const DELAYED_ACK_NS = 40e6;
/** Ranges out of order that are kept at most. */
const MAX_RANGES = 64;
const RECEIVING: readonly TcpState[] = ["established", "finWait1", "finWait2"];

/** A segment of this connection has arrived; afterwards the state may be `closed`. */
export function receiveSegment(tcb: TcpBlock, ports: TcpPorts, packet: Packet): void {
  if (tcb.state === "synSent") return receiveInSynSent(tcb, ports, packet);
  const { flags, sequence, payloadBytes } = packet;
  if (flags & FLAG.RST) {
    if (sequence === tcb.expected) close(tcb, ports);
    return;
  }
  if (flags & FLAG.SYN) return sendControl(tcb, ports, FLAG.ACK);
  if (!(flags & FLAG.ACK) || packet.acknowledgment > tcb.sentEnd) return;
  const before = tcb.next;
  const bare = payloadBytes === 0 && !(flags & FLAG.FIN);
  const wasOpening = tcb.state === "synReceived";
  takeAcknowledgment(tcb, ports, packet, bare && !wasOpening);
  if (wasOpening && tcb.una >= 1) {
    tcb.state = "established";
    ports.notify(tcb, "connected");
  }
  if (tcb.una > tcb.writtenEnd) finAcknowledged(tcb, ports);
  const wants = bare ? "nothing" : takePayload(tcb, ports, packet);
  flush(tcb, ports);
  if (wants === "now" && tcb.next === before) sendControl(tcb, ports, FLAG.ACK);
  else if (wants === "later" && tcb.acknowledged < tcb.expected) {
    tcb.delayedAckAt = Math.min(tcb.delayedAckAt, ports.now() + DELAYED_ACK_NS);
  }
}

/** Section 3.10.7.3, "SYN-SENT STATE". */
function receiveInSynSent(tcb: TcpBlock, ports: TcpPorts, packet: Packet): void {
  const { flags } = packet;
  if (!(flags & FLAG.ACK) || packet.acknowledgment !== 1) return;
  if (flags & FLAG.RST) return close(tcb, ports);
  if (!(flags & FLAG.SYN)) return;
  tcb.expected = packet.sequence + 1;
  tcb.state = "established";
  takeAcknowledgment(tcb, ports, packet, false);
  sendControl(tcb, ports, FLAG.ACK);
  ports.notify(tcb, "connected");
  flush(tcb, ports);
}

/** Everything up to our FIN has arrived. */
function finAcknowledged(tcb: TcpBlock, ports: TcpPorts): void {
  if (tcb.state === "finWait1") tcb.state = "finWait2";
  else if (tcb.state === "closing" || tcb.state === "lastAck") close(tcb, ports);
}

type Acknowledge = "nothing" | "later" | "now";

/** Takes data and FIN; when to acknowledge them. */
function takePayload(tcb: TcpBlock, ports: TcpPorts, packet: Packet): Acknowledge {
  const from = packet.sequence;
  const to = from + packet.payloadBytes;
  if (packet.flags & FLAG.FIN) tcb.finAt = to;
  const end = packet.flags & FLAG.FIN ? to + 1 : to;
  const isOld = end <= tcb.expected;
  if (isOld || to > tcb.windowEdge || !RECEIVING.includes(tcb.state)) return "now";
  takeMarks(tcb, packet.marks);
  if (from > tcb.expected) {
    keep(tcb.outOfOrder, from, end);
    return "now";
  }
  const hadGaps = tcb.outOfOrder.length > 0;
  tcb.expected = end;
  closeGaps(tcb);
  if (tcb.expected > tcb.finAt) {
    finArrived(tcb, ports);
    return "now";
  }
  ports.notify(tcb, "readable");
  return hadGaps || tcb.expected - tcb.acknowledged >= 2 * tcb.mss ? "now" : "later";
}

/** Marks are in order of their ends, each once. */
function takeMarks({ receiveMarks, readEnd }: TcpBlock, marks: readonly Mark[]): void {
  for (const mark of marks) {
    if (mark.end <= readEnd) continue;
    let index = receiveMarks.length;
    while (index > 0 && receiveMarks[index - 1].end > mark.end) index--;
    if (receiveMarks[index - 1]?.end !== mark.end) receiveMarks.splice(index, 0, mark);
  }
}

/** Adds a range, joined with those that it meets; dropped if there are too many. */
function keep(ranges: { from: number; to: number }[], from: number, to: number): void {
  let index = 0;
  while (index < ranges.length && ranges[index].to < from) index++;
  if (index < ranges.length && ranges[index].from <= to) {
    const range = ranges[index];
    range.from = Math.min(range.from, from);
    range.to = Math.max(range.to, to);
    while (ranges[index + 1]?.from <= range.to) {
      range.to = Math.max(range.to, ranges[index + 1].to);
      ranges.splice(index + 1, 1);
    }
  } else if (ranges.length < MAX_RANGES) ranges.splice(index, 0, { from, to });
}

function closeGaps(tcb: TcpBlock): void {
  const { outOfOrder } = tcb;
  while (outOfOrder.length > 0 && outOfOrder[0].from <= tcb.expected) {
    tcb.expected = Math.max(tcb.expected, outOfOrder.shift()!.to);
  }
}

/** The peer sends no more. */
function finArrived(tcb: TcpBlock, ports: TcpPorts): void {
  if (tcb.state === "established") tcb.state = "closeWait";
  else if (tcb.state === "finWait1") tcb.state = "closing";
  else if (tcb.state === "finWait2") return close(tcb, ports);
  ports.notify(tcb, "readable");
}

/** Nothing more is sent or taken; the stack keeps what TIME-WAIT needs. */
export function close(tcb: TcpBlock, ports: TcpPorts): void {
  tcb.state = "closed";
  tcb.delayedAckAt = Infinity;
  armRetransmission(tcb, ports);
  ports.notify(tcb, "closed");
}
