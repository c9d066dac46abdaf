/**
 * One end of a TCP connection, in simulated time (RFC 9293, section 3.10, "Event Processing").
 *
 * @deviation There is no congestion control, no SACK and no window scaling, and segments out of order are dropped;
 * RFC 9293, section 3.8, "Data Communication".
 *
 * It offers no options but the segment size, keeps no segment that arrives out of order, and sends as much as the
 * peer's window takes: the network that it speaks over is a bridge, not the Internet.
 */

import type { SnapshotValue } from "../../core/lib/snapshot.ts";
import {
  DEFAULT_MSS,
  sequenceDistance,
  sequencePlus,
  TCP_FLAG,
  type TcpSegment,
} from "./tcp_segment.ts";

/** States of RFC 9293, section 3.3.2; there is no LISTEN, which is the endpoint's. */
export type TcpState =
  | "synSent"
  | "synReceived"
  | "established"
  | "finWait1"
  | "finWait2"
  | "closing"
  | "timeWait"
  | "closeWait"
  | "lastAck"
  | "closed";

/** What happened to a connection, as whoever uses it is told. */
export type TcpEvent =
  | { readonly what: "connected" }
  | { readonly what: "data"; readonly bytes: Uint8Array }
  /** The peer sends no more. */
  | { readonly what: "ended" }
  | { readonly what: "closed"; readonly why: "done" | "reset" | "timeout" };

/** What a connection needs of its endpoint. */
export interface TcpConnectionPorts {
  /** Nanoseconds since power-on. */
  now(): number;
  /** Sends a segment; ports and addresses are the endpoint's to fill in. */
  emit(segment: Pick<TcpSegment, "sequence" | "acknowledgment" | "flags" | "data" | "mss">): void;
  event(event: TcpEvent): void;
}

/** What the connection offers to receive at once, in bytes. */
export const RECEIVE_WINDOW = 65535;
/** Bytes that wait to be sent or acknowledged at most. */
const SEND_LIMIT = 1 << 24;
const OWN_MSS = 1460;
const FIRST_TIMEOUT_NS = 200e6;
const LONGEST_TIMEOUT_NS = 60e9;
/** Retransmissions without an answer after which the peer is given up. */
const MAX_RETRIES = 8;
const TIME_WAIT_NS = 60e9;
const NO_DATA = new Uint8Array(0);

/** States in which the peer's data is taken. */
const RECEIVING: readonly TcpState[] = ["established", "finWait1", "finWait2"];
/** States in which the user may still send. */
const SENDING: readonly TcpState[] = ["synSent", "synReceived", "established", "closeWait"];

/** One end of a connection; see the module comment. */
export class TcpConnection {
  state: TcpState;
  /** When {@link onTimer} wants to be called, in nanoseconds, or `null`. */
  deadlineNs: number | null = null;
  /** Acknowledged up to, sent up to; the SYN and the FIN count as one each. */
  #una: number;
  #next: number;
  #window = 0;
  /** Next sequence number that the peer sends. */
  #expected = 0;
  #mss = DEFAULT_MSS;
  /** Data from `#una` on. */
  #buffer: Uint8Array = NO_DATA;
  /** The user has no more to send; the FIN went out. */
  #finWanted = false;
  #finSent = false;
  #retries = 0;

  constructor(private readonly ports: TcpConnectionPorts, initialSequence: number) {
    this.state = "closed";
    this.#una = this.#next = initialSequence;
  }

  /** Opens the connection actively. */
  open(): void {
    this.state = "synSent";
    this.#sendSyn();
  }

  /** Answers a SYN. */
  accept(syn: TcpSegment): void {
    this.state = "synReceived";
    this.#takeSyn(syn);
    this.#sendSyn();
  }

  /** Bytes that are not acknowledged yet. */
  get unsentBytes(): number {
    return this.#buffer.length;
  }

  /** Queues data; throws `RangeError` after {@link close} or when 16 MiB wait. */
  write(bytes: Uint8Array): void {
    if (!SENDING.includes(this.state) || this.#finWanted) {
      throw new RangeError(`a connection that is ${this.state} sends no more`);
    }
    if (this.#buffer.length + bytes.length > SEND_LIMIT) {
      throw new RangeError(`${this.#buffer.length} bytes wait for the peer already`);
    }
    const joined = new Uint8Array(this.#buffer.length + bytes.length);
    joined.set(this.#buffer);
    joined.set(bytes, this.#buffer.length);
    this.#buffer = joined;
    this.#flush();
  }

  /** Sends what waits, then ends this side. */
  close(): void {
    this.#finWanted = true;
    this.#flush();
  }

  /** Resets the connection. */
  abort(): void {
    if (this.state === "closed") return;
    this.#emit(TCP_FLAG.RST | TCP_FLAG.ACK);
    this.#end("reset");
  }

  /** A segment of this connection arrived. */
  receive(segment: TcpSegment): void {
    if (this.state === "synSent") return this.#receiveInSynSent(segment);
    const before = this.#next;
    const wantsAck = this.#process(segment);
    this.#flush();
    // Whatever went out carried the acknowledgment.
    if (wantsAck && this.#next === before && this.state !== "closed") this.#emit(TCP_FLAG.ACK);
  }

  /** The deadline has come: sends again what was not acknowledged. */
  onTimer(): void {
    if (this.state === "timeWait") return this.#end("done");
    if (++this.#retries > MAX_RETRIES) return this.#end("timeout");
    this.#resend();
    this.#arm();
  }

  save(): { readonly [field: string]: SnapshotValue } {
    return {
      state: this.state,
      deadlineNs: this.deadlineNs,
      una: this.#una,
      next: this.#next,
      window: this.#window,
      expected: this.#expected,
      mss: this.#mss,
      buffer: this.#buffer.slice(),
      finWanted: this.#finWanted,
      finSent: this.#finSent,
      retries: this.#retries,
    };
  }

  restore(saved: { readonly [field: string]: SnapshotValue }): void {
    this.state = saved.state as TcpState;
    this.deadlineNs = saved.deadlineNs as number | null;
    this.#una = saved.una as number;
    this.#next = saved.next as number;
    this.#window = saved.window as number;
    this.#expected = saved.expected as number;
    this.#mss = saved.mss as number;
    this.#buffer = (saved.buffer as Uint8Array).slice();
    this.#finWanted = saved.finWanted as boolean;
    this.#finSent = saved.finSent as boolean;
    this.#retries = saved.retries as number;
  }

  /** Section 3.10.7.3, "SYN-SENT STATE". */
  #receiveInSynSent(segment: TcpSegment): void {
    const { flags } = segment;
    const acknowledged = (flags & TCP_FLAG.ACK) !== 0;
    if (acknowledged && segment.acknowledgment !== this.#next) return;
    if (flags & TCP_FLAG.RST) return acknowledged ? this.#end("reset") : undefined;
    if (!(flags & TCP_FLAG.SYN)) return;
    this.#takeSyn(segment);
    if (!acknowledged) {
      this.state = "synReceived";
      this.#resend();
      return;
    }
    this.#una = segment.acknowledgment;
    const before = this.#next;
    this.#becomeEstablished();
    this.#flush();
    if (this.#next === before && this.state === "established") this.#emit(TCP_FLAG.ACK);
  }

  /** Section 3.10.7.4, "Other states"; whether the peer is to be told where we are. */
  #process(segment: TcpSegment): boolean {
    const { flags, sequence } = segment;
    const length = segment.data.length + (flags & (TCP_FLAG.SYN | TCP_FLAG.FIN) ? 1 : 0);
    const ahead = sequenceDistance(sequence, this.#expected);
    if (flags & TCP_FLAG.RST) {
      if (ahead === 0) this.#end("reset");
      return false;
    }
    // Old duplicates, gaps and SYNs are answered with where we are.
    const old = ahead < 0 && ahead + length <= 0;
    if (ahead > 0 || (old && length > 0) || flags & TCP_FLAG.SYN) return true;
    if (old) return this.#takeAck(segment) === "ahead";
    if (!(flags & TCP_FLAG.ACK)) return false;
    if (this.#takeAck(segment) === "ahead") return true;
    return this.#takeData(segment, -ahead);
  }

  #takeAck({ acknowledgment, window }: TcpSegment): "taken" | "ahead" {
    const acknowledged = sequenceDistance(acknowledgment, this.#una);
    if (sequenceDistance(acknowledgment, this.#next) > 0) return "ahead";
    this.#window = window;
    if (acknowledged <= 0) return "taken";
    if (this.state === "synReceived") {
      this.#una = sequencePlus(this.#una, 1);
      this.#becomeEstablished();
      this.#dropAcknowledged(acknowledged - 1);
    } else this.#dropAcknowledged(acknowledged);
    this.#una = acknowledgment;
    this.#retries = 0;
    if (this.#finSent && acknowledgment === this.#next) this.#finAcknowledged();
    this.#arm();
    return "taken";
  }

  #dropAcknowledged(bytes: number): void {
    this.#buffer = this.#buffer.slice(Math.min(bytes, this.#buffer.length));
  }

  #finAcknowledged(): void {
    if (this.state === "finWait1") this.state = "finWait2";
    else if (this.state === "closing") this.#waitForTime();
    else if (this.state === "lastAck") this.#end("done");
  }

  /** Takes data and FIN, of which `known` bytes came before; whether to acknowledge. */
  #takeData({ data, flags }: TcpSegment, known: number): boolean {
    if (!RECEIVING.includes(this.state)) return data.length > 0;
    const fresh = data.subarray(known);
    if (fresh.length > 0) {
      this.#expected = sequencePlus(this.#expected, fresh.length);
      this.ports.event({ what: "data", bytes: fresh.slice() });
    }
    if (!(flags & TCP_FLAG.FIN) || !RECEIVING.includes(this.state)) return fresh.length > 0;
    this.#expected = sequencePlus(this.#expected, 1);
    if (this.state === "established") this.state = "closeWait";
    else if (this.state === "finWait1") this.state = "closing";
    else this.#waitForTime();
    this.ports.event({ what: "ended" });
    return true;
  }

  #takeSyn({ sequence, window, mss }: TcpSegment): void {
    this.#expected = sequencePlus(sequence, 1);
    this.#window = window;
    this.#mss = Math.max(1, Math.min(mss ?? DEFAULT_MSS, OWN_MSS));
  }

  #becomeEstablished(): void {
    this.state = "established";
    this.#retries = 0;
    this.deadlineNs = null;
    this.ports.event({ what: "connected" });
  }

  #sendSyn(): void {
    this.#next = sequencePlus(this.#una, 1);
    this.#emitSyn();
    this.#arm();
  }

  #emitSyn(): void {
    const flags = this.state === "synReceived" ? TCP_FLAG.SYN | TCP_FLAG.ACK : TCP_FLAG.SYN;
    this.#emit(flags, NO_DATA, this.#una, OWN_MSS);
  }

  /** Sends what the peer's window takes of what was not sent yet, then the FIN. */
  #flush(): void {
    if (this.state !== "established" && this.state !== "closeWait") return;
    let sent = sequenceDistance(this.#next, this.#una);
    while (sent < this.#buffer.length && sent < this.#window) {
      const length = Math.min(this.#mss, this.#buffer.length - sent, this.#window - sent);
      const sequence = this.#next;
      const data = this.#buffer.slice(sent, sent + length);
      sent += length;
      this.#next = sequencePlus(this.#next, length);
      const push = sent === this.#buffer.length ? TCP_FLAG.PSH : 0;
      this.#emit(TCP_FLAG.ACK | push, data, sequence);
    }
    if (this.#finWanted && !this.#finSent && sent === this.#buffer.length) this.#sendFin();
    if (this.deadlineNs === null) this.#arm();
  }

  #sendFin(): void {
    const sequence = this.#next;
    this.#next = sequencePlus(this.#next, 1);
    this.#finSent = true;
    this.state = this.state === "closeWait" ? "lastAck" : "finWait1";
    this.#emit(TCP_FLAG.FIN | TCP_FLAG.ACK, NO_DATA, sequence);
  }

  /** Sends the first segment that was not acknowledged, or one byte into a closed window. */
  #resend(): void {
    if (this.state === "synSent" || this.state === "synReceived") return this.#emitSyn();
    const length = Math.min(this.#mss, this.#buffer.length);
    if (length === 0) {
      if (this.#finSent) this.#emit(TCP_FLAG.FIN | TCP_FLAG.ACK, NO_DATA, this.#una);
      return;
    }
    const sent = sequenceDistance(this.#next, this.#una);
    const data = this.#buffer.slice(0, sent === 0 ? 1 : length);
    if (sent === 0) this.#next = sequencePlus(this.#next, 1);
    this.#emit(TCP_FLAG.ACK | TCP_FLAG.PSH, data, this.#una);
  }

  #arm(): void {
    if (this.state === "timeWait" || this.state === "closed") return;
    const opening = this.state === "synSent" || this.state === "synReceived";
    const waiting = opening || this.#buffer.length > 0 || this.#next !== this.#una;
    const timeout = Math.min(FIRST_TIMEOUT_NS * 2 ** this.#retries, LONGEST_TIMEOUT_NS);
    this.deadlineNs = waiting ? this.ports.now() + timeout : null;
  }

  #waitForTime(): void {
    this.state = "timeWait";
    this.deadlineNs = this.ports.now() + TIME_WAIT_NS;
  }

  #end(why: "done" | "reset" | "timeout"): void {
    this.state = "closed";
    this.deadlineNs = null;
    this.#buffer = NO_DATA;
    this.ports.event({ what: "closed", why });
  }

  #emit(flags: number, data: Uint8Array = NO_DATA, sequence = this.#next, mss?: number): void {
    const acknowledgment = flags & TCP_FLAG.ACK ? this.#expected : 0;
    this.ports.emit({ sequence, acknowledgment, flags, data, mss });
  }
}
