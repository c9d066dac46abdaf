/**
 * The sending half of TCP: what may go out, the FIN, retransmission, the congestion window.
 *
 * Sources: RFC 9293, sections 3.8.1 "Retransmission Timeout", 3.8.6 "Managing the Window"; RFC 5681, "TCP Congestion
 * Control"; RFC 6582, "The NewReno Modification"; RFC 6298, "Computing TCP's Retransmission Timer".
 */

import { FLAG, HEADER_BYTES, type Mark, NO_MARKS, type Packet, PROTOCOL } from "./packet.ts";
import type { TcpBlock } from "./tcp_block.ts";
import { receiveWindow } from "./tcp_window.ts";

/** What a connection needs of its stack. */
export interface TcpPorts {
  /** Nanoseconds since power-on. */
  now(): number;
  send(packet: Packet): void;
  /** Something that the connection's user may wait for has happened. */
  notify(tcb: TcpBlock, event: TcpEvent): void;
}

/** What a user waits for. */
export type TcpEvent = "connected" | "readable" | "writable" | "closed";

/** Linux 2.4's `TCP_RTO_MIN` and `TCP_RTO_MAX`. */
const TIMEOUT_LIMITS_NS = { least: 200e6, most: 120e9 } as const;
/** Retransmissions after which the peer is given up (`tcp_retries2`), and of a SYN (`tcp_syn_retries`). */
const MAX_RETRIES = 15;
const MAX_SYN_RETRIES = 5;
/** RFC 5681, section 3.2: how many duplicate acknowledgments say that a segment was lost. */
const DUPLICATES = 3;

/** Sends a segment without data; `sequence` is the next one unless it is given. */
export function sendControl(tcb: TcpBlock, ports: TcpPorts, flags: number, sequence = tcb.next) {
  send(tcb, ports, flags, sequence, 0);
}

/** Sends what both windows take of what was written, then the FIN. */
export function flush(tcb: TcpBlock, ports: TcpPorts): void {
  if (tcb.una === 0) return;
  const edge = tcb.una + Math.min(tcb.window, tcb.cwnd);
  while (tcb.next < tcb.writtenEnd) {
    const left = tcb.writtenEnd - tcb.next;
    const length = Math.min(tcb.mss, left, edge - tcb.next);
    if (length <= 0 || (length < tcb.mss && isWorthWaiting(tcb, length, left))) break;
    const push = length === left ? FLAG.PSH : 0;
    sendData(tcb, ports, tcb.next, length, push);
    tcb.next += length;
  }
  if (tcb.finWanted && tcb.next === tcb.writtenEnd) {
    sendControl(tcb, ports, FLAG.FIN | FLAG.ACK, tcb.next++);
  }
  tcb.sentEnd = Math.max(tcb.sentEnd, tcb.next);
  if (tcb.retransmitAt === Infinity) armRetransmission(tcb, ports);
}

/** Nagle's algorithm and the sender's avoidance of silly windows (RFC 9293, section 3.8.6.2.1). */
function isWorthWaiting(tcb: TcpBlock, length: number, left: number): boolean {
  const nothingOnItsWay = tcb.next === tcb.una;
  if (length === left) return tcb.nagle && !nothingOnItsWay;
  return !nothingOnItsWay || length < tcb.largestWindow / 2;
}

/** Takes an acknowledgment that is not from the future; `bare`: its segment brought nothing else. */
export function takeAcknowledgment(
  tcb: TcpBlock,
  ports: TcpPorts,
  { acknowledgment, window }: Packet,
  bare: boolean,
): void {
  const isSame = window === tcb.window;
  if (acknowledgment >= tcb.una) {
    tcb.window = window;
    tcb.largestWindow = Math.max(tcb.largestWindow, window);
  }
  if (acknowledgment > tcb.una) advance(tcb, ports, acknowledgment);
  else if (bare && isSame && acknowledgment === tcb.una && tcb.next > tcb.una) {
    duplicate(tcb, ports);
  }
}

/** The peer has all before `acknowledgment`. */
function advance(tcb: TcpBlock, ports: TcpPorts, acknowledgment: number): void {
  const bytes = acknowledgment - tcb.una;
  const wasLimited = tcb.next - tcb.una + tcb.mss > tcb.cwnd;
  if (tcb.timedEnd > 0 && acknowledgment >= tcb.timedEnd) {
    measured(tcb, ports.now() - tcb.timedSince);
    tcb.timedEnd = 0;
  }
  tcb.una = acknowledgment;
  tcb.next = Math.max(tcb.next, acknowledgment);
  tcb.retries = 0;
  dropMarks(tcb);
  if (tcb.recoverEnd > 0) recover(tcb, ports, bytes);
  else {
    tcb.duplicateAcks = 0;
    if (wasLimited) open(tcb);
  }
  armRetransmission(tcb, ports);
  const room = tcb.sendBufferBytes - (tcb.writtenEnd - tcb.una);
  if (tcb.wantsRoom && room * 3 >= tcb.sendBufferBytes) {
    tcb.wantsRoom = false;
    ports.notify(tcb, "writable");
  }
}

/** RFC 5681, section 3.1: slow start, then congestion avoidance. */
function open(tcb: TcpBlock): void {
  tcb.cwnd += tcb.cwnd < tcb.ssthresh ? tcb.mss : Math.max(1, tcb.mss * tcb.mss / tcb.cwnd);
}

/** RFC 5681, section 3.2, "Fast Retransmit/Fast Recovery". */
function duplicate(tcb: TcpBlock, ports: TcpPorts): void {
  tcb.duplicateAcks++;
  if (tcb.recoverEnd > 0) tcb.cwnd += tcb.mss;
  else if (tcb.duplicateAcks === DUPLICATES) {
    tcb.ssthresh = halfOfFlight(tcb);
    tcb.recoverEnd = tcb.sentEnd;
    tcb.cwnd = tcb.ssthresh + DUPLICATES * tcb.mss;
    resendFirst(tcb, ports);
  }
}

/** RFC 6582, section 3.2, steps 3: a full acknowledgment ends the recovery, a partial one asks for the next segment. */
function recover(tcb: TcpBlock, ports: TcpPorts, bytes: number): void {
  if (tcb.una >= tcb.recoverEnd) {
    tcb.cwnd = tcb.ssthresh;
    tcb.recoverEnd = tcb.duplicateAcks = 0;
    return;
  }
  tcb.cwnd = Math.max(tcb.mss, tcb.cwnd - bytes + tcb.mss);
  resendFirst(tcb, ports);
}

function halfOfFlight(tcb: TcpBlock): number {
  return Math.max((tcb.sentEnd - tcb.una) / 2, 2 * tcb.mss);
}

/** RFC 6298, section 2. */
function measured(tcb: TcpBlock, roundTripNs: number): void {
  if (tcb.srttNs === 0) {
    tcb.srttNs = roundTripNs;
    tcb.rttvarNs = roundTripNs / 2;
  } else {
    tcb.rttvarNs += (Math.abs(tcb.srttNs - roundTripNs) - tcb.rttvarNs) / 4;
    tcb.srttNs += (roundTripNs - tcb.srttNs) / 8;
  }
  const timeout = tcb.srttNs + Math.max(TIMEOUT_LIMITS_NS.least, 4 * tcb.rttvarNs);
  tcb.rtoNs = Math.min(timeout, TIMEOUT_LIMITS_NS.most);
}

/** (Re)starts the timer while something is on its way, or waits for a window that is shut. */
export function armRetransmission(tcb: TcpBlock, ports: TcpPorts): void {
  const isWaiting = tcb.una < tcb.sentEnd || tcb.next < tcb.writtenEnd;
  const timeout = Math.min(tcb.rtoNs * 2 ** tcb.retries, TIMEOUT_LIMITS_NS.most);
  tcb.retransmitAt = isWaiting && tcb.state !== "closed" ? ports.now() + timeout : Infinity;
}

/** The retransmission timer has expired; whether the peer is still hoped for. */
export function retransmissionTimeout(tcb: TcpBlock, ports: TcpPorts): boolean {
  const isOpening = tcb.una === 0;
  if (++tcb.retries > (isOpening ? MAX_SYN_RETRIES : MAX_RETRIES)) return false;
  tcb.timedEnd = 0;
  if (isOpening) sendSyn(tcb, ports);
  else if (tcb.una === tcb.sentEnd) sendProbe(tcb, ports);
  else {
    tcb.ssthresh = halfOfFlight(tcb);
    tcb.cwnd = tcb.mss;
    tcb.recoverEnd = tcb.duplicateAcks = 0;
    resendFirst(tcb, ports);
    tcb.next = Math.min(tcb.sentEnd, Math.max(tcb.una + 1, endOfFirst(tcb)));
  }
  armRetransmission(tcb, ports);
  return true;
}

/** Sends the SYN, or the SYN that answers one. */
export function sendSyn(tcb: TcpBlock, ports: TcpPorts): void {
  tcb.next = tcb.sentEnd = 1;
  const flags = tcb.state === "synReceived" ? FLAG.SYN | FLAG.ACK : FLAG.SYN;
  if (tcb.retries === 0) time(tcb, ports, 1);
  sendControl(tcb, ports, flags, 0);
}

/**
 * What a small window takes; if it is shut, a byte that the peer has, which it answers with its window (RFC 9293, section
 * 3.8.6.1, "Zero-Window Probing").
 */
function sendProbe(tcb: TcpBlock, ports: TcpPorts): void {
  if (tcb.window === 0) return sendData(tcb, ports, tcb.una - 1, 1, 0);
  const length = Math.min(tcb.window, endOfFirst(tcb) - tcb.una);
  sendData(tcb, ports, tcb.una, length, FLAG.PSH);
  tcb.next = tcb.sentEnd = tcb.una + length;
}

function endOfFirst(tcb: TcpBlock): number {
  return Math.min(tcb.una + tcb.mss, tcb.writtenEnd);
}

/** Sends the first segment again that was not acknowledged; the FIN, if nothing else is missing. */
function resendFirst(tcb: TcpBlock, ports: TcpPorts): void {
  tcb.timedEnd = 0;
  const length = endOfFirst(tcb) - tcb.una;
  if (length > 0) sendData(tcb, ports, tcb.una, length, 0);
  else sendControl(tcb, ports, FLAG.FIN | FLAG.ACK, tcb.una);
}

function sendData(
  tcb: TcpBlock,
  ports: TcpPorts,
  sequence: number,
  length: number,
  push: number,
): void {
  // Karn's algorithm: what is sent again is not measured.
  if (tcb.timedEnd === 0 && sequence >= tcb.sentEnd) time(tcb, ports, sequence + length);
  send(tcb, ports, FLAG.ACK | push, sequence, length);
}

function time(tcb: TcpBlock, ports: TcpPorts, end: number): void {
  tcb.timedEnd = end;
  tcb.timedSince = ports.now();
}

function send(
  tcb: TcpBlock,
  ports: TcpPorts,
  flags: number,
  sequence: number,
  payloadBytes: number,
): void {
  const window = receiveWindow(tcb);
  if (flags & FLAG.ACK) {
    tcb.acknowledged = tcb.expected;
    tcb.delayedAckAt = Infinity;
  }
  ports.send({
    from: tcb.local,
    to: tcb.remote,
    protocol: PROTOCOL.TCP,
    fromPort: tcb.localPort,
    toPort: tcb.remotePort,
    flags,
    sequence,
    acknowledgment: flags & FLAG.ACK ? tcb.expected : 0,
    window,
    payloadBytes,
    marks: payloadBytes === 0 ? NO_MARKS : marksWithin(tcb, sequence, sequence + payloadBytes),
    frameBytes: HEADER_BYTES.ETHERNET + HEADER_BYTES.IP + HEADER_BYTES.TCP + payloadBytes,
  });
}

function marksWithin(tcb: TcpBlock, from: number, to: number): readonly Mark[] {
  const { sendMarks } = tcb;
  if (sendMarks.length === 0 || sendMarks[0].end > to) return NO_MARKS;
  return sendMarks.filter(({ end }) => end > from && end <= to);
}

function dropMarks({ sendMarks, una }: TcpBlock): void {
  let dropped = 0;
  while (dropped < sendMarks.length && sendMarks[dropped].end <= una) dropped++;
  if (dropped > 0) sendMarks.splice(0, dropped);
}
