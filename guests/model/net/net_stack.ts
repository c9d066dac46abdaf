/**
 * TCP and UDP of one modelled system: connections by their addresses and ports, listening ports, datagrams, timers.
 *
 * It costs nothing: whoever owns it (a modelled kernel, or a client outside the box) prices what it does by what goes
 * through its ports. Linux's limits and habits are named where they apply.
 */

import {
  copyOfValue,
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import { FLAG, HEADER_BYTES, type HostAddress, NO_MARKS, type Packet, PROTOCOL } from "./packet.ts";
import { DeadlineQueue } from "./deadline_queue.ts";
import { newBlock, readableOf, roomOf, type TcpBlock, type TcpOptions } from "./tcp_block.ts";
import { PeerMap } from "./peer_map.ts";
import { close as closeBlock, receiveSegment } from "./tcp_receive.ts";
import {
  flush,
  retransmissionTimeout,
  sendControl,
  sendSyn,
  type TcpEvent,
  type TcpPorts,
} from "./tcp_transmit.ts";
import { isUpdateDue } from "./tcp_window.ts";
import { type TimeWait, TimeWaits } from "./time_waits.ts";

/** What a stack needs of its owner. */
export interface NetStackPorts {
  /** Nanoseconds since power-on. */
  now(): number;
  send(packet: Packet): void;
  /** A connection's user may go on; `accepted`: a new one waits at the port that it came in by. */
  notify(tcb: TcpBlock, event: TcpEvent | "accepted"): void;
  /** A datagram waits at `port`. */
  notifyDatagram(port: number): void;
  /** {@link NetStack.onAlarm} is wanted at this instant, in nanoseconds, instead of any that was named before. */
  alarm(atNs: number): void;
}

/** A listening port. */
interface Listener {
  readonly port: number;
  /** Connections that wait to be accepted at most. */
  readonly backlog: number;
  readonly options: TcpOptions;
  /** Connections that wait to be accepted. */
  readonly accepted: number[];
}

/** A bound datagram port. */
interface DatagramPort {
  readonly port: number;
  readonly queue: Packet[];
}

/** Ports that are given to connections without one (`ip_local_port_range`). */
const EPHEMERAL = { first: 1024, last: 65535 } as const;
/** Datagrams that wait at a port before further ones are dropped. */
const DATAGRAM_QUEUE = 128;

/** What arrived for nobody, or found no room; names as in Linux's `/proc/net/snmp` and `/proc/net/netstat`. */
export interface NetCounters {
  InSegs: number;
  OutSegs: number;
  RetransSegs: number;
  EstabResets: number;
  ListenOverflows: number;
  InDatagrams: number;
  OutDatagrams: number;
  NoPorts: number;
  RcvbufErrors: number;
}

/** See the module comment. */
export class NetStack implements Snapshot {
  readonly counters: NetCounters = {
    InSegs: 0,
    OutSegs: 0,
    RetransSegs: 0,
    EstabResets: 0,
    ListenOverflows: 0,
    InDatagrams: 0,
    OutDatagrams: 0,
    NoPorts: 0,
    RcvbufErrors: 0,
  };
  readonly #blocks = new Map<number, TcpBlock>();
  readonly #byPeers = new PeerMap<TcpBlock>();
  readonly #listeners = new Map<number, Listener>();
  readonly #datagramPorts = new Map<number, DatagramPort>();
  readonly #timeWaits = new TimeWaits();
  readonly #deadlines = new DeadlineQueue();
  readonly #ports: TcpPorts;
  #lastId = 0;
  #lastPort = EPHEMERAL.first - 1;
  #alarmAt = Infinity;

  constructor(readonly address: HostAddress, private readonly owner: NetStackPorts) {
    this.#ports = {
      now: () => owner.now(),
      send: (packet) => this.#send(packet),
      notify: (tcb, event) => this.#notify(tcb, event),
    };
  }

  /** Opens a connection; `connected` or `closed` is told later. Throws `RangeError` when no port is left. */
  connect(remote: HostAddress, remotePort: number, options: TcpOptions): TcpBlock {
    const localPort = this.#freePort(remote, remotePort);
    const ends = { local: this.address, remote, localPort, remotePort };
    const tcb = newBlock(++this.#lastId, ends, options, "synSent");
    this.#add(tcb);
    sendSyn(tcb, this.#ports);
    this.#armFirst(tcb);
    return tcb;
  }

  /** Listens at a port. Throws `RangeError` if somebody does already. */
  listen(port: number, backlog: number, options: TcpOptions): void {
    if (this.#listeners.has(port)) throw new RangeError(`port ${port} is listened at already`);
    this.#listeners.set(port, { port, backlog, options, accepted: [] });
  }

  /** Nobody listens at a port any more; connections that wait there are reset. */
  closeListener(port: number): void {
    const waiting = this.#listeners.get(port)?.accepted ?? [];
    this.#listeners.delete(port);
    for (const id of waiting) {
      const tcb = this.#blocks.get(id);
      if (tcb) this.abort(tcb);
    }
  }

  /** The connection that has waited longest at a listening port, or `null`. */
  accept(port: number): TcpBlock | null {
    const id = this.#listeners.get(port)?.accepted.shift();
    return id === undefined ? null : this.#blocks.get(id) ?? null;
  }

  /** Connections that wait to be accepted at a port. */
  waitingAt(port: number): number {
    return this.#listeners.get(port)?.accepted.length ?? 0;
  }

  /** The connection of that number, if it is still there. */
  connection(id: number): TcpBlock | undefined {
    return this.#blocks.get(id);
  }

  /** Connections that are not closed. */
  get connections(): number {
    return this.#blocks.size;
  }

  /**
   * Writes as much of `bytes` as there is room for, and says `says` at the end of what is taken if that is all; how many
   * bytes were taken. 0 after {@link close}, or when the peer is gone.
   */
  write(tcb: TcpBlock, bytes: number, says?: SnapshotValue): number {
    if (tcb.finWanted || tcb.state === "closed") return 0;
    const taken = Math.min(bytes, roomOf(tcb));
    tcb.writtenEnd += taken;
    if (taken === bytes && says !== undefined) {
      tcb.sendMarks.push({ end: tcb.writtenEnd, says });
    }
    if (taken < bytes) tcb.wantsRoom = true;
    flush(tcb, this.#ports);
    this.#schedule(tcb);
    return taken;
  }

  /** Reads up to `bytes`; what was said in them is appended to `says`. */
  read(tcb: TcpBlock, bytes: number, says: SnapshotValue[]): number {
    const taken = Math.max(0, Math.min(bytes, readableOf(tcb)));
    if (taken === 0) return 0;
    tcb.readEnd += taken;
    const { receiveMarks } = tcb;
    while (receiveMarks.length > 0 && receiveMarks[0].end <= tcb.readEnd) {
      says.push(receiveMarks.shift()!.says);
    }
    if (tcb.state !== "closed" && tcb.finAt === Infinity && isUpdateDue(tcb)) {
      sendControl(tcb, this.#ports, FLAG.ACK);
    }
    return taken;
  }

  /** This side has no more to send; what is written still goes out. */
  close(tcb: TcpBlock): void {
    if (tcb.finWanted || tcb.state === "closed") return;
    tcb.finWanted = true;
    if (tcb.state === "closeWait") tcb.state = "lastAck";
    else if (tcb.state === "synSent") return closeBlock(tcb, this.#ports);
    else {
      tcb.state = "finWait1";
      tcb.closedFirst = true;
    }
    flush(tcb, this.#ports);
    this.#schedule(tcb);
  }

  /** Resets a connection. */
  abort(tcb: TcpBlock): void {
    if (tcb.state === "closed") return;
    sendControl(tcb, this.#ports, FLAG.RST | FLAG.ACK);
    closeBlock(tcb, this.#ports);
  }

  /** Takes datagrams for a port. Throws `RangeError` if somebody does already. */
  bindDatagrams(port: number): void {
    if (this.#datagramPorts.has(port)) throw new RangeError(`port ${port} is bound already`);
    this.#datagramPorts.set(port, { port, queue: [] });
  }

  /** Nobody takes datagrams for a port any more. */
  unbindDatagrams(port: number): void {
    this.#datagramPorts.delete(port);
  }

  /** Datagrams that wait at a port. */
  datagramsAt(port: number): number {
    return this.#datagramPorts.get(port)?.queue.length ?? 0;
  }

  sendDatagram(
    fromPort: number,
    to: HostAddress,
    toPort: number,
    payloadBytes: number,
    says?: SnapshotValue,
  ): void {
    this.counters.OutDatagrams++;
    this.owner.send({
      from: this.address,
      to,
      protocol: PROTOCOL.UDP,
      fromPort,
      toPort,
      flags: 0,
      sequence: 0,
      acknowledgment: 0,
      window: 0,
      payloadBytes,
      marks: says === undefined ? NO_MARKS : [{ end: payloadBytes, says }],
      frameBytes: HEADER_BYTES.ETHERNET + HEADER_BYTES.IP + HEADER_BYTES.UDP + payloadBytes,
    });
  }

  /** The datagram that has waited longest at a port, or `null`. */
  receiveDatagram(port: number): Packet | null {
    return this.#datagramPorts.get(port)?.queue.shift() ?? null;
  }

  /** A packet for this system has arrived. */
  receive(packet: Packet): void {
    if (packet.protocol === PROTOCOL.UDP) return this.#receiveDatagram(packet);
    this.counters.InSegs++;
    const tcb = this.#byPeers.find(packet.toPort, packet.from, packet.fromPort);
    if (!tcb) return this.#receiveForNobody(packet);
    receiveSegment(tcb, this.#ports, packet);
    this.#schedule(tcb);
  }

  /** The instant that {@link NetStackPorts.alarm} named has come. */
  onAlarm(): void {
    const now = this.owner.now();
    this.#alarmAt = Infinity;
    while (this.#deadlines.next <= now) {
      const at = this.#deadlines.next;
      const tcb = this.#blocks.get(this.#deadlines.pop());
      if (!tcb || tcb.queuedAt !== at) continue;
      tcb.queuedAt = Infinity;
      if (tcb.delayedAckAt <= now) sendControl(tcb, this.#ports, FLAG.ACK);
      if (tcb.retransmitAt <= now) {
        this.counters.RetransSegs++;
        if (!retransmissionTimeout(tcb, this.#ports)) closeBlock(tcb, this.#ports);
      }
      this.#schedule(tcb);
    }
    this.#setAlarm();
  }

  save(): SnapshotRecord {
    const blocks = [...this.#blocks.values()].map((tcb) => copyOf(tcb));
    const listeners = [...this.#listeners.values()].map((each) => copyOf(each));
    const datagramPorts = [...this.#datagramPorts.values()].map((each) => copyOf(each));
    const state = {
      blocks,
      listeners,
      datagramPorts,
      timeWaits: this.#timeWaits.save(),
      counters: { ...this.counters },
      deadlines: this.#deadlines.save(),
      lastId: this.#lastId,
      lastPort: this.#lastPort,
      alarmAt: this.#alarmAt,
    };
    return { kind: "netStack", version: 1, state };
  }

  /** The owner's timer is restored by its owner. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "netStack", 1) as unknown as SavedStack;
    this.#blocks.clear();
    this.#byPeers.clear();
    this.#listeners.clear();
    this.#datagramPorts.clear();
    for (const tcb of state.blocks) this.#add(copyOf(tcb));
    for (const each of state.listeners) this.#listeners.set(each.port, copyOf(each));
    for (const each of state.datagramPorts) {
      this.#datagramPorts.set(each.port, copyOf(each));
    }
    this.#timeWaits.restore(state.timeWaits);
    Object.assign(this.counters, state.counters);
    this.#deadlines.restore(state.deadlines);
    this.#lastId = state.lastId;
    this.#lastPort = state.lastPort;
    this.#alarmAt = state.alarmAt;
  }

  #receiveForNobody(packet: Packet): void {
    const { flags } = packet;
    const listener = this.#listeners.get(packet.toPort);
    if (listener && (flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) === FLAG.SYN) {
      return this.#receiveSyn(listener, packet);
    }
    if (flags & FLAG.RST) return;
    const wait = this.#timeWaits.find(packet.toPort, packet.from, packet.fromPort);
    this.counters.EstabResets += wait ? 0 : 1;
    // A peer that lost our last acknowledgment is told again; all others that there is no such connection.
    if (wait && !(flags & FLAG.FIN)) return;
    this.#answer(packet, wait ? FLAG.ACK : FLAG.RST, wait);
  }

  #receiveSyn(listener: Listener, packet: Packet): void {
    if (listener.accepted.length >= listener.backlog) {
      this.counters.ListenOverflows++;
      return;
    }
    const ends = {
      local: this.address,
      remote: packet.from,
      localPort: packet.toPort,
      remotePort: packet.fromPort,
    };
    const tcb = newBlock(++this.#lastId, ends, listener.options, "synReceived", listener.port);
    tcb.expected = packet.sequence + 1;
    tcb.window = tcb.largestWindow = packet.window;
    this.#timeWaits.delete(tcb);
    this.#add(tcb);
    sendSyn(tcb, this.#ports);
    this.#armFirst(tcb);
  }

  #receiveDatagram(packet: Packet): void {
    const port = this.#datagramPorts.get(packet.toPort);
    if (!port) this.counters.NoPorts++;
    else if (port.queue.length >= DATAGRAM_QUEUE) this.counters.RcvbufErrors++;
    else {
      this.counters.InDatagrams++;
      port.queue.push(packet);
      this.owner.notifyDatagram(packet.toPort);
    }
  }

  /** A segment of no connection. */
  #answer(to: Packet, flags: number, wait?: TimeWait): void {
    const end = to.sequence + to.payloadBytes + (to.flags & (FLAG.SYN | FLAG.FIN) ? 1 : 0);
    this.#send({
      from: this.address,
      to: to.from,
      protocol: PROTOCOL.TCP,
      fromPort: to.toPort,
      toPort: to.fromPort,
      flags: flags | FLAG.ACK,
      sequence: wait ? wait.next : to.acknowledgment,
      acknowledgment: wait ? wait.expected : end,
      window: 0,
      payloadBytes: 0,
      marks: NO_MARKS,
      frameBytes: HEADER_BYTES.ETHERNET + HEADER_BYTES.IP + HEADER_BYTES.TCP,
    });
  }

  #send(packet: Packet): void {
    this.counters.OutSegs++;
    this.owner.send(packet);
  }

  #notify(tcb: TcpBlock, event: TcpEvent): void {
    if (event === "closed") this.#remove(tcb);
    if (event !== "connected" || tcb.listener === 0) return this.owner.notify(tcb, event);
    const listener = this.#listeners.get(tcb.listener);
    if (!listener) return;
    listener.accepted.push(tcb.id);
    this.owner.notify(tcb, "accepted");
  }

  #add(tcb: TcpBlock): void {
    this.#blocks.set(tcb.id, tcb);
    this.#byPeers.set(tcb, tcb);
  }

  /** A closed connection is forgotten; who closed it first keeps its addresses for a while. */
  #remove(tcb: TcpBlock): void {
    this.#blocks.delete(tcb.id);
    this.#byPeers.delete(tcb);
    const listener = this.#listeners.get(tcb.listener);
    const index = listener?.accepted.indexOf(tcb.id) ?? -1;
    if (index >= 0 && readableOf(tcb) <= 0) listener!.accepted.splice(index, 1);
    const { next, expected } = tcb;
    // Both ends said that they have no more, and the peer knows it: nothing was reset.
    const isDone = tcb.finWanted && tcb.una > tcb.writtenEnd && expected > tcb.finAt;
    if (isDone && tcb.closedFirst) this.#timeWaits.add(tcb, this.owner.now(), next, expected);
  }

  #freePort(remote: HostAddress, remotePort: number): number {
    this.#timeWaits.expire(this.owner.now());
    const { first, last } = EPHEMERAL;
    for (let tries = first; tries <= last; tries++) {
      this.#lastPort = this.#lastPort >= last ? first : this.#lastPort + 1;
      const port = this.#lastPort;
      const isUsed = this.#byPeers.find(port, remote, remotePort) ??
        this.#timeWaits.find(port, remote, remotePort);
      if (!isUsed) return port;
    }
    throw new RangeError(`no port is left for a connection to port ${remotePort}`);
  }

  #armFirst(tcb: TcpBlock): void {
    tcb.retransmitAt = this.owner.now() + tcb.rtoNs;
    this.#schedule(tcb);
  }

  /** Has the connection looked at when its first deadline comes. */
  #schedule(tcb: TcpBlock): void {
    const at = Math.min(tcb.retransmitAt, tcb.delayedAckAt);
    if (at >= tcb.queuedAt) return;
    tcb.queuedAt = at;
    this.#deadlines.push(at, tcb.id);
    this.#setAlarm();
  }

  #setAlarm(): void {
    const { next } = this.#deadlines;
    if (next === Infinity || next === this.#alarmAt) return;
    this.#alarmAt = next;
    this.owner.alarm(next);
  }
}

/** A deep copy of plain data that has a type of its own. */
function copyOf<T extends object>(value: T): T & { readonly [field: string]: SnapshotValue } {
  return copyOfValue(value as unknown as SnapshotValue) as unknown as ReturnType<typeof copyOf<T>>;
}

interface SavedStack {
  readonly blocks: readonly TcpBlock[];
  readonly listeners: readonly Listener[];
  readonly datagramPorts: readonly DatagramPort[];
  readonly timeWaits: SnapshotValue;
  readonly counters: NetCounters;
  readonly deadlines: SnapshotValue;
  readonly lastId: number;
  readonly lastPort: number;
  readonly alarmAt: number;
}
