/**
 * One end of a TCP connection as plain data (RFC 9293, section 3.3.1, "Key Connection State Variables").
 *
 * Instants are nanoseconds of the stack's clock, `Infinity` when nothing is armed.
 */

import type { HostAddress, Mark } from "./packet.ts";

/** The states of RFC 9293, section 3.3.2; LISTEN and TIME-WAIT are the stack's. */
export type TcpState =
  | "synSent"
  | "synReceived"
  | "established"
  | "finWait1"
  | "finWait2"
  | "closing"
  | "closeWait"
  | "lastAck"
  | "closed";

/** Bytes that arrived before those in front of them. */
export interface Range {
  from: number;
  to: number;
}

/** What a connection is opened with. */
export interface TcpOptions {
  /** Largest payload of a segment, in bytes. */
  readonly mss: number;
  /** Bytes that wait to be sent or acknowledged at most (`SO_SNDBUF`). */
  readonly sendBufferBytes: number;
  /** Bytes that wait to be read at most (`SO_RCVBUF`). */
  readonly receiveBufferBytes: number;
  /** Whether a short segment waits for the acknowledgment of what is on its way (no `TCP_NODELAY`). */
  readonly nagle: boolean;
}

/** See the module comment. */
export interface TcpBlock {
  readonly id: number;
  readonly local: HostAddress;
  readonly remote: HostAddress;
  readonly localPort: number;
  readonly remotePort: number;
  /** The listening port that it came in by, or 0. */
  readonly listener: number;
  readonly mss: number;
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
  readonly nagle: boolean;
  state: TcpState;

  /** First byte that is not acknowledged (SND.UNA). */
  una: number;
  /** Next byte to send (SND.NXT); goes back to `una` when the retransmission timer expires. */
  next: number;
  /** After the last byte that was ever sent. */
  sentEnd: number;
  /** After the last byte that the user wrote. */
  writtenEnd: number;
  /** The user has no more to send; the FIN has the number `writtenEnd`. */
  finWanted: boolean;
  /** This end closed before its peer did, and waits in TIME-WAIT afterwards. */
  closedFirst: boolean;
  /** The peer's window (SND.WND), and the largest that was seen. */
  window: number;
  largestWindow: number;
  sendMarks: Mark[];
  /** The user is to be told when there is room. */
  wantsRoom: boolean;

  /** Congestion window and slow-start threshold, in bytes (RFC 5681). */
  cwnd: number;
  ssthresh: number;
  duplicateAcks: number;
  /** Fast recovery lasts until this is acknowledged (RFC 6582); 0 outside. */
  recoverEnd: number;

  /** Smoothed round trip and its variation, and the time-out that follows (RFC 6298), in nanoseconds. */
  srttNs: number;
  rttvarNs: number;
  rtoNs: number;
  /** The segment whose round trip is measured ends here; 0: none is. */
  timedEnd: number;
  timedSince: number;
  retries: number;

  /** Next byte expected (RCV.NXT). */
  expected: number;
  /** Next byte that the user reads. */
  readEnd: number;
  /** What the last acknowledgment said: RCV.NXT and the right edge of the window. */
  acknowledged: number;
  windowEdge: number;
  /** In order, disjoint. */
  outOfOrder: Range[];
  receiveMarks: Mark[];
  /** Where the peer's FIN stands, `Infinity` before it is known. */
  finAt: number;

  retransmitAt: number;
  delayedAckAt: number;
  /** What the stack's timer queue holds for it. */
  queuedAt: number;
}

/** RFC 6298, section 2: the time-out before a round trip was measured (Linux 2.4's `TCP_TIMEOUT_INIT`). */
export const FIRST_TIMEOUT_NS = 3e9;

/** Linux 2.4 begins with two segments (RFC 2581, section 3.1). */
const FIRST_WINDOW_SEGMENTS = 2;

/** The two ends' addresses and ports. */
export interface Endpoints {
  readonly local: HostAddress;
  readonly remote: HostAddress;
  readonly localPort: number;
  readonly remotePort: number;
}

/** A connection of which nothing was sent yet. */
export function newBlock(
  id: number,
  { local, remote, localPort, remotePort }: Endpoints,
  options: TcpOptions,
  state: "synSent" | "synReceived",
  listener = 0,
): TcpBlock {
  const { mss, sendBufferBytes, receiveBufferBytes, nagle } = options;
  return {
    id,
    local,
    remote,
    localPort,
    remotePort,
    listener,
    mss,
    sendBufferBytes,
    receiveBufferBytes,
    nagle,
    state,
    una: 0,
    next: 0,
    sentEnd: 0,
    writtenEnd: 1,
    finWanted: false,
    closedFirst: false,
    window: 0,
    largestWindow: 0,
    sendMarks: [],
    wantsRoom: false,
    cwnd: FIRST_WINDOW_SEGMENTS * mss,
    ssthresh: Infinity,
    duplicateAcks: 0,
    recoverEnd: 0,
    srttNs: 0,
    rttvarNs: 0,
    rtoNs: FIRST_TIMEOUT_NS,
    timedEnd: 0,
    timedSince: 0,
    retries: 0,
    expected: 0,
    readEnd: 1,
    acknowledged: 0,
    windowEdge: 0,
    outOfOrder: [],
    receiveMarks: [],
    finAt: Infinity,
    retransmitAt: Infinity,
    delayedAckAt: Infinity,
    queuedAt: Infinity,
  };
}

/** Bytes that the user may still write. */
export function roomOf(tcb: TcpBlock): number {
  return Math.max(0, tcb.sendBufferBytes - (tcb.writtenEnd - tcb.una));
}

/** Bytes that the user may read. */
export function readableOf(tcb: TcpBlock): number {
  return Math.min(tcb.expected, tcb.finAt) - tcb.readEnd;
}

/** Whether the user has read all that the peer will ever send. */
export function endedOf(tcb: TcpBlock): boolean {
  return tcb.readEnd >= tcb.finAt || (tcb.state === "closed" && readableOf(tcb) <= 0);
}
