/**
 * SPECweb99's clients: connections that ask one thing after the other, each over a line of 400 kb/s, on machines outside the box.
 *
 * A connection conforms if it got at least 320 kb/s over the whole measurement. Its line's speed is kept by reading no faster:
 * then the server waits for the client's window, as it would for a modem's. Connections begin as they would be found at a random
 * instant, in the middle of a connection and of an answer: if all began with a new one, large files would be rare for as long
 * as they take over the line, which is up to 18 seconds.
 */

import { Random } from "../../../../core/lib/random.ts";
import { expectRecord, type SnapshotRecord } from "../../../../core/lib/snapshot.ts";
import type { OutsideMachine, OutsideProgram } from "../../net/outside_machine.ts";
import { hostAddress } from "../../net/packet.ts";
import type { TcpBlock, TcpOptions } from "../../net/tcp_block.ts";
import type { TcpEvent } from "../../net/tcp_transmit.ts";
import { directoriesFor, FileChooser } from "./file_set.ts";
import {
  answerBytes,
  drawRequest,
  drawRequestFound,
  requestBytes,
  requestsOfConnection,
  requestsOfConnectionFound,
} from "./requests.ts";

/** What the clients are told. */
export interface SpecWebOptions {
  /** Servers: address and port; connections are shared out evenly among them. */
  readonly servers: readonly { readonly address: number; readonly port: number }[];
  /** Simultaneous connections, over all servers. */
  readonly connections: number;
  readonly seed: number;
  /** Connections begin after this time, in nanoseconds; default 0. */
  readonly startNs?: number;
  /** They begin within this time, at random instants, in nanoseconds. */
  readonly rampNs: number;
}

/** What one simultaneous connection got while it was measured. */
export interface ConnectionResult {
  readonly server: number;
  readonly requests: number;
  readonly bytes: number;
  /** From each request to the end of its answer, over the line, in nanoseconds. */
  readonly ns: number;
  /** Connections that were reset or refused. */
  readonly errors: number;
}

/** A line's speed, and what a connection must get of it to conform, in bits per second. */
export const LINE_BITS_PER_SECOND = 400_000;
export const CONFORMING_BITS_PER_SECOND = 320_000;
/** Bytes that a client reads at a time from a long answer. */
const READ_BYTES = 16_384;
const NS_PER_BYTE = 8e9 / LINE_BITS_PER_SECOND;
/** A connection that failed is tried again after this time. */
const RETRY_NS = 100e6;
/** The clients' sockets: a window of 32 KiB is more than the line needs. */
const SOCKETS: TcpOptions = {
  mss: 1448,
  sendBufferBytes: 16_384,
  receiveBufferBytes: 32_768,
  nagle: false,
};

/** One simultaneous connection. */
interface Seat {
  readonly server: number;
  /** It has asked for nothing yet. */
  isNew: boolean;
  /** Its present connection, or 0. */
  tcb: number;
  /** Requests that this connection still has, the present one included. */
  left: number;
  /** The present request: when it began, the answer's bytes, those that were read. */
  since: number;
  expected: number;
  received: number;
  /** It reads no more before its timer has run out. */
  isPaused: boolean;
  requests: number;
  bytes: number;
  ns: number;
  errors: number;
}

/** See the module comment. */
export class SpecWebClients implements OutsideProgram {
  readonly #seats: Seat[];
  /** Which seat a connection is. */
  readonly #seatOf = new Map<number, number>();
  readonly #random: Random;
  readonly #files: readonly FileChooser[];
  #machine: OutsideMachine | null = null;

  constructor(private readonly options: SpecWebOptions) {
    const { servers, connections, seed } = options;
    this.#random = new Random(seed);
    const share = connections / servers.length;
    // Each server has a data set of its own, sized by the load that it gets; equal loads share the table.
    const files = new FileChooser(directoriesFor(share));
    this.#files = servers.map(() => files);
    this.#seats = Array.from({ length: connections }, (_, index) => ({
      server: index % servers.length,
      isNew: true,
      tcb: 0,
      left: 0,
      since: 0,
      expected: 0,
      received: 0,
      isPaused: false,
      requests: 0,
      bytes: 0,
      ns: 0,
      errors: 0,
    }));
  }

  begin(machine: OutsideMachine): void {
    this.#machine = machine;
    const { startNs = 0, rampNs } = this.options;
    this.#seats.forEach((_, index) => {
      machine.setTimer(machine.now + startNs + this.#random.unit() * rampNs, index);
    });
  }

  /** What was measured so far is forgotten: the warm-up is over. Of an answer on its way, the rest counts. */
  reset(): void {
    const now = this.#machine?.now ?? 0;
    for (const seat of this.#seats) {
      seat.requests = seat.errors = 0;
      seat.bytes = -overLine(seat, now);
      seat.ns = seat.since - now;
    }
  }

  /** What each connection got since; of an answer on its way, what has come. */
  get results(): readonly ConnectionResult[] {
    const now = this.#machine?.now ?? 0;
    return this.#seats.map((seat) => ({
      server: seat.server,
      requests: seat.requests,
      bytes: seat.bytes + overLine(seat, now),
      ns: seat.ns + now - seat.since,
      errors: seat.errors,
    }));
  }

  onEvent(tcb: TcpBlock, event: TcpEvent | "accepted"): void {
    const index = this.#seatOf.get(tcb.id);
    if (index === undefined) return;
    const seat = this.#seats[index];
    switch (event) {
      case "connected":
        return this.#ask(seat, tcb);
      case "readable":
        return this.#read(index, tcb);
      case "closed":
        this.#seatOf.delete(tcb.id);
        seat.tcb = 0;
        seat.errors++;
        return this.#machine!.setTimer(this.#machine!.now + RETRY_NS, index);
      case "writable":
      case "accepted":
    }
  }

  /** A seat's turn: it begins, its line has caught up, or its answer is complete. */
  onTimer(index: number): void {
    const seat = this.#seats[index];
    const tcb = this.#machine!.stack.connection(seat.tcb);
    if (!tcb) return this.#connect(index);
    if (seat.received >= seat.expected) return this.#completed(index, tcb);
    seat.isPaused = false;
    this.#read(index, tcb);
  }

  onDatagram(): void {}

  save(): SnapshotRecord {
    const seats = this.#seats.map((seat) => ({ ...seat }));
    const state = { seats, random: { ...this.#random.save() } };
    return { kind: "specWebClients", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "specWebClients", 1);
    const seats = state.seats as unknown as readonly Seat[];
    this.#seats.splice(0, this.#seats.length, ...seats.map((seat) => ({ ...seat })));
    this.#seatOf.clear();
    this.#seats.forEach(({ tcb }, index) => {
      if (tcb > 0) this.#seatOf.set(tcb, index);
    });
    this.#random.restore(state.random as unknown as SnapshotRecord);
  }

  #connect(index: number): void {
    const { stack, now } = this.#machine!;
    const seat = this.#seats[index];
    const { address, port } = this.options.servers[seat.server];
    seat.left = (seat.isNew ? requestsOfConnectionFound : requestsOfConnection)(this.#random);
    seat.since = now;
    seat.expected = seat.received = 0;
    seat.isPaused = false;
    const tcb = stack.connect(hostAddress(address), port, SOCKETS);
    seat.tcb = tcb.id;
    this.#seatOf.set(tcb.id, index);
  }

  #ask(seat: Seat, tcb: TcpBlock): void {
    const draw = seat.isNew ? drawRequestFound : drawRequest;
    const request = draw(this.#random, this.#files[seat.server], seat.left > 1);
    seat.isNew = false;
    seat.expected = answerBytes(request);
    seat.received = 0;
    this.#machine!.stack.write(tcb, requestBytes(request), { ...request });
  }

  /** Takes what has come, as far as the line has caught up. */
  #read(index: number, tcb: TcpBlock): void {
    const seat = this.#seats[index];
    const { stack, now } = this.#machine!;
    while (!seat.isPaused && seat.expected > 0) {
      const bytes = stack.read(tcb, Math.min(READ_BYTES, seat.expected - seat.received), []);
      if (bytes === 0) break;
      seat.received += bytes;
      const lineAt = seat.since + seat.received * NS_PER_BYTE;
      if (seat.received < seat.expected && lineAt <= now) continue;
      seat.isPaused = true;
      this.#machine!.setTimer(Math.max(lineAt, now), index);
    }
    const isCutShort = tcb.finAt <= tcb.expected && seat.received < seat.expected;
    if (isCutShort && !seat.isPaused) stack.abort(tcb);
  }

  /** The answer is complete and would have come over the line by now. */
  #completed(index: number, tcb: TcpBlock): void {
    const seat = this.#seats[index];
    const { stack, now } = this.#machine!;
    seat.requests++;
    seat.bytes += seat.received;
    seat.ns += now - seat.since;
    seat.isPaused = false;
    seat.left--;
    if (seat.left > 0) {
      seat.since = now;
      return this.#ask(seat, tcb);
    }
    this.#seatOf.delete(tcb.id);
    seat.tcb = 0;
    stack.close(tcb);
    this.#connect(index);
  }
}

/** Bytes of the present answer that have come over the line: it may have been read ahead of it. */
function overLine({ received, since }: Seat, now: number): number {
  return Math.min(received, (now - since) / NS_PER_BYTE);
}

/** How many of `results` conform, for each server. */
export function conforming(results: readonly ConnectionResult[], servers: number): number[] {
  const counts = Array<number>(servers).fill(0);
  for (const { server, bytes, ns } of results) {
    if (ns > 0 && bytes * 8e9 / ns >= CONFORMING_BITS_PER_SECOND) counts[server]++;
  }
  return counts;
}
