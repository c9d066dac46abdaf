/**
 * The network of a modelled kernel: sockets as descriptors, the protocol stack behind them, and what both cost.
 *
 * A driver ({@link NetDriver}) is attached to it; packets to the system's own address never reach one.
 */

import {
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments } from "../kernel/action.ts";
import type { Descriptors, FileKind, OpenFile, Readiness } from "../kernel/descriptors.ts";
import { ERRNO } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { BLOCKED, type CallContext, type KernelModule, type Outcome } from "../kernel/module.ts";
import { NetStack } from "./net_stack.ts";
import { MASKED, NET_WORK } from "./net_work.ts";
import { FLAG, type HostAddress, hostAddress, type Packet, PROTOCOL } from "./packet.ts";
import { endedOf, readableOf, roomOf, type TcpBlock, type TcpOptions } from "./tcp_block.ts";

/** Sends packets; pays for what it does itself. */
export interface NetDriver {
  send(packet: Packet): void;
}

/** What a system's network is like. */
export interface NetworkOptions {
  readonly address: HostAddress;
  /** Largest IP packet, in bytes. */
  readonly mtu?: number;
  /** `SO_SNDBUF` and `SO_RCVBUF` of sockets that ask for nothing else. */
  readonly bufferBytes?: number;
}

/** A socket: plain data. */
interface Socket {
  readonly id: number;
  readonly kind: "stream" | "listening" | "datagram";
  /** The connection's number, or 0; the port of a listening or a datagram socket. */
  readonly connection: number;
  readonly port: number;
  /** Wait queues. */
  readonly readQueue: string;
  readonly writeQueue: string;
  /** What ended the connection before the user did; 0: nothing. */
  error: number;
}

const STREAM = "socket";
const TIMER = "network";
const DEFAULT_MTU = 1500;
/** IP's and TCP's headers, TCP's with a timestamp. */
const HEADERS_BYTES = 52;
/** `net.core.wmem_default` and `rmem_default` of 2.4. */
const DEFAULT_BUFFER_BYTES = 65_535;

/** See the module comment. */
export class Network implements KernelModule {
  readonly name = "network";
  readonly stack: NetStack;
  readonly calls = {
    /** `{ port, backlog?, bufferBytes? }`: returns a descriptor that {@link accept} takes; `EBUSY` if the port is taken. */
    listen: (context: CallContext, args: Arguments) => this.#listen(context, args),
    /** `{ fd }`: sleeps for a connection; returns its descriptor. */
    accept: (context: CallContext, args: Arguments) => this.#accept(context, args),
    /** `{ address, port, bufferBytes? }`: returns a descriptor, or `ECONNREFUSED`. */
    connect: (context: CallContext, args: Arguments) => this.#connect(context, args),
    /** `{ fd, bytes }`: as `read`, but returns `{ bytes, says, from?, fromPort? }`: what was said in those bytes, too. */
    recv: (context: CallContext, args: Arguments) => this.#recv(context, args),
    /** `{ port }`: returns a descriptor for datagrams. */
    bind: (context: CallContext, args: Arguments) => this.#bind(context, args),
    /** `{ fd, to, port, bytes, says? }`. */
    sendto: (context: CallContext, args: Arguments) => this.#sendTo(context, args),
  };
  readonly timers = { [TIMER]: () => this.#onAlarm() };
  readonly #options: Required<NetworkOptions>;
  readonly #sockets = new Map<number, Socket>();
  readonly #byConnection = new Map<number, Socket>();
  readonly #byPort = new Map<number, Socket>();
  readonly #loopback: Packet[] = [];
  #isLooping = false;
  #driver: NetDriver | null = null;
  #nextId = 1;

  constructor(
    private readonly kernel: Kernel,
    private readonly descriptors: Descriptors,
    options: NetworkOptions,
  ) {
    this.#options = { mtu: DEFAULT_MTU, bufferBytes: DEFAULT_BUFFER_BYTES, ...options };
    const cyclesPerNs = kernel.frequencyHz / 1e9;
    this.stack = new NetStack(options.address, {
      now: () => kernel.now / cyclesPerNs,
      send: (packet) => this.#send(packet),
      notify: (tcb, event) => this.#notify(tcb, event),
      notifyDatagram: (port) => this.#wakeReaders(this.#byPort.get(port)),
      // Nanoseconds are no whole cycles: at the tick that follows, the instant has passed for certain.
      alarm: (at) => kernel.setTimer(TIMER, 0, Math.floor(at * cyclesPerNs) + 1),
    });
    descriptors.addKind(this.#kind());
  }

  /** Packets go out by `driver` from now on. */
  attach(driver: NetDriver): void {
    this.#driver = driver;
  }

  /** A driver has taken a packet from its device: the protocols' part of receiving it. */
  receive(packet: Packet): void {
    const { kernel } = this;
    kernel.work(NET_WORK.packetReceive);
    kernel.charge("calls", 8);
    kernel.charge("locked", 6);
    kernel.charge("masked", MASKED.receive);
    if (packet.protocol === PROTOCOL.UDP) kernel.work(NET_WORK.datagramReceive);
    else {
      if (packet.payloadBytes > 0) kernel.work(NET_WORK.dataReceive);
      else kernel.work(NET_WORK.acknowledgmentReceive);
      if (packet.flags & FLAG.SYN) kernel.work(NET_WORK.connectionMake);
      if (packet.flags & FLAG.FIN) kernel.work(NET_WORK.connectionEnd);
    }
    this.stack.receive(packet);
    this.#drainLoopback();
  }

  save(): SnapshotRecord {
    const sockets = [...this.#sockets.values()].map((socket) => ({ ...socket }));
    const state = { nextId: this.#nextId, sockets, stack: { ...this.stack.save() } };
    return { kind: "network", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "network", 1);
    for (const map of [this.#sockets, this.#byConnection, this.#byPort]) map.clear();
    this.#nextId = state.nextId as number;
    for (const socket of state.sockets as unknown as readonly Socket[]) this.#add({ ...socket });
    this.stack.restore(state.stack as unknown as SnapshotRecord);
  }

  #listen({ kernel, process }: CallContext, args: Arguments): Outcome {
    kernel.work(NET_WORK.socket);
    const port = Number(args.port);
    if (this.#byPort.has(port)) return ERRNO.EBUSY;
    this.stack.listen(port, Number(args.backlog ?? 128), this.#tcpOptions(args));
    return this.#open(process, "listening", 0, port);
  }

  #accept({ kernel, process }: CallContext, { fd }: Arguments): Outcome {
    const socket = this.#socketOf(process, Number(fd));
    if (socket?.kind !== "listening") return ERRNO.EBADF;
    const tcb = this.stack.accept(socket.port);
    if (!tcb) {
      kernel.charge("locked", 3);
      kernel.sleepOn(process, socket.readQueue);
      return BLOCKED;
    }
    kernel.work(NET_WORK.accept);
    kernel.charge("calls", 6);
    kernel.charge("locked", 8);
    return this.#open(process, "stream", tcb.id, 0);
  }

  #connect({ kernel, process, entries, state }: CallContext, args: Arguments): Outcome {
    if (entries === 0) {
      kernel.work(NET_WORK.socket + NET_WORK.connect);
      const address = hostAddress(Number(args.address));
      const tcb = this.stack.connect(address, Number(args.port), this.#tcpOptions(args));
      state.fd = this.#open(process, "stream", tcb.id, 0);
      this.#drainLoopback();
    }
    const socket = this.#socketOf(process, Number(state.fd));
    if (!socket || Number(state.fd) < 0) return ERRNO.EMFILE;
    const tcb = this.stack.connection(socket.connection);
    if (tcb?.state !== "synSent") return tcb ? state.fd : ERRNO.ECONNREFUSED;
    kernel.sleepOn(process, socket.writeQueue);
    return BLOCKED;
  }

  #recv(context: CallContext, args: Arguments): Outcome {
    const socket = this.#socketOf(context.process, Number(args.fd));
    if (!socket || socket.kind === "listening") return ERRNO.EBADF;
    if (socket.kind === "datagram") return this.#receiveDatagram(context, socket);
    const says: SnapshotValue[] = [];
    const bytes = this.#readStream(context, socket, Number(args.bytes), says);
    return typeof bytes === "number" && bytes >= 0 ? { bytes, says } : bytes;
  }

  #bind({ kernel, process }: CallContext, args: Arguments): Outcome {
    kernel.work(NET_WORK.socket);
    const port = Number(args.port);
    if (this.#byPort.has(port)) return ERRNO.EBUSY;
    this.stack.bindDatagrams(port);
    return this.#open(process, "datagram", 0, port);
  }

  #sendTo({ kernel, process }: CallContext, args: Arguments): Outcome {
    const socket = this.#socketOf(process, Number(args.fd));
    if (socket?.kind !== "datagram") return ERRNO.EBADF;
    const bytes = Number(args.bytes);
    kernel.work(NET_WORK.datagramSend);
    this.#copied(bytes);
    this.stack.sendDatagram(
      socket.port,
      hostAddress(Number(args.to)),
      Number(args.port),
      bytes,
      args.says,
    );
    this.#drainLoopback();
    return bytes;
  }

  #receiveDatagram({ kernel, process }: CallContext, socket: Socket): Outcome {
    const packet = this.stack.receiveDatagram(socket.port);
    if (!packet) {
      kernel.sleepOn(process, socket.readQueue);
      return BLOCKED;
    }
    kernel.work(NET_WORK.datagramRead);
    this.#copied(packet.payloadBytes);
    return {
      bytes: packet.payloadBytes,
      says: packet.marks.map(({ says }) => says),
      from: packet.from as number,
      fromPort: packet.fromPort,
    };
  }

  #kind(): FileKind {
    return {
      name: STREAM,
      read: (context, file, args) => {
        const socket = this.#sockets.get(file.object)!;
        if (socket.kind !== "stream") return ERRNO.EINVAL;
        return this.#readStream(context, socket, Number(args.bytes), []);
      },
      write: (context, file, args) => this.#writeStream(context, file, args),
      close: (_kernel, file) => this.#close(file),
      poll: (file) => this.#poll(file),
      queues: (file) => {
        const { readQueue, writeQueue } = this.#sockets.get(file.object)!;
        return [readQueue, writeQueue];
      },
    };
  }

  #readStream(
    { kernel, process, entries }: CallContext,
    socket: Socket,
    bytes: number,
    says: SnapshotValue[],
  ): number | typeof BLOCKED {
    if (entries === 0) kernel.work(NET_WORK.receiveCall);
    kernel.charge("locked", 4);
    const tcb = this.stack.connection(socket.connection);
    if (!tcb) return socket.error;
    if (readableOf(tcb) <= 0) {
      if (endedOf(tcb)) return 0;
      kernel.sleepOn(process, socket.readQueue);
      return BLOCKED;
    }
    const taken = this.stack.read(tcb, bytes, says);
    kernel.work(NET_WORK.segmentRead * taken / tcb.mss);
    kernel.charge("locked", Math.ceil(taken / tcb.mss));
    this.#copied(taken, taken / tcb.mss);
    this.#drainLoopback();
    return taken;
  }

  /** Takes `args.bytes`, sleeping for room; what `args.says` is said at their end. */
  #writeStream(context: CallContext, file: OpenFile, args: Arguments): Outcome {
    const { kernel, process, entries, state } = context;
    const socket = this.#sockets.get(file.object)!;
    const tcb = this.stack.connection(socket.connection);
    if (!tcb || tcb.state === "closed") return ERRNO.EPIPE;
    if (entries === 0) kernel.work(NET_WORK.sendCall);
    kernel.charge("locked", 4);
    const done = state.done as number ?? 0;
    const bytes = Number(args.bytes);
    const taken = this.stack.write(tcb, bytes - done, args.says);
    kernel.work(NET_WORK.segmentMake * taken / tcb.mss);
    this.#copied(taken, taken / tcb.mss);
    this.#drainLoopback();
    if (done + taken >= bytes) return bytes;
    state.done = done + taken;
    kernel.sleepOn(process, socket.writeQueue);
    return BLOCKED;
  }

  #close({ object }: OpenFile): void {
    const socket = this.#sockets.get(object)!;
    this.#sockets.delete(object);
    this.#byPort.delete(socket.port);
    const tcb = this.stack.connection(socket.connection);
    this.#byConnection.delete(socket.connection);
    if (socket.kind === "listening") this.stack.closeListener(socket.port);
    else if (socket.kind === "datagram") this.stack.unbindDatagrams(socket.port);
    if (!tcb) return;
    this.kernel.work(NET_WORK.connectionEnd);
    this.stack.close(tcb);
    this.#drainLoopback();
  }

  #poll({ object }: OpenFile): Readiness {
    const socket = this.#sockets.get(object)!;
    if (socket.kind === "listening") {
      return { readable: this.stack.waitingAt(socket.port) > 0, writable: false };
    }
    if (socket.kind === "datagram") {
      return { readable: this.stack.datagramsAt(socket.port) > 0, writable: true };
    }
    const tcb = this.stack.connection(socket.connection);
    if (!tcb) return { readable: true, writable: true };
    const writable = tcb.state !== "synSent" && roomOf(tcb) * 3 >= tcb.sendBufferBytes;
    return { readable: readableOf(tcb) > 0 || endedOf(tcb), writable };
  }

  #notify(
    tcb: TcpBlock,
    event: "accepted" | "connected" | "readable" | "writable" | "closed",
  ): void {
    if (event === "accepted") return this.#wakeReaders(this.#byPort.get(tcb.listener), 1);
    const socket = this.#byConnection.get(tcb.id);
    if (!socket) return;
    if (event === "closed") {
      socket.error = tcb.expected > tcb.finAt ? 0 : ERRNO.ECONNRESET;
    }
    if (event === "readable" || event === "closed") this.#wakeReaders(socket);
    if (event !== "readable") this.#wake(socket.writeQueue, Infinity);
  }

  #wakeReaders(socket: Socket | undefined, limit = Infinity): void {
    if (socket) this.#wake(socket.readQueue, limit);
  }

  #wake(queue: string, limit: number): void {
    const woken = this.kernel.wakeQueue(queue, limit);
    if (woken > 0) this.kernel.work(NET_WORK.wake * woken);
  }

  #send(packet: Packet): void {
    const { kernel } = this;
    const isBare = packet.payloadBytes === 0;
    kernel.work(isBare ? NET_WORK.acknowledgmentSend : NET_WORK.segmentSend);
    kernel.charge("calls", 8);
    kernel.charge("locked", 6);
    kernel.charge("masked", MASKED.send);
    if (packet.to === this.#options.address) this.#loopback.push(packet);
    else this.#driver?.send(packet);
  }

  /** What the system sent to itself arrives, before whoever sent it goes on. */
  #drainLoopback(): void {
    if (this.#isLooping) return;
    this.#isLooping = true;
    for (let packet = this.#loopback.shift(); packet; packet = this.#loopback.shift()) {
      this.receive(packet);
    }
    this.#isLooping = false;
  }

  #onAlarm(): void {
    this.kernel.work(NET_WORK.wake);
    this.stack.onAlarm();
    this.#drainLoopback();
  }

  /** Each segment is copied by itself. */
  #copied(bytes: number, segments = 1): void {
    this.kernel.charge("userCopies", segments);
    this.kernel.charge("copiedBytes", bytes);
  }

  #tcpOptions(args: Arguments): TcpOptions {
    const bufferBytes = Number(args.bufferBytes ?? this.#options.bufferBytes);
    return {
      mss: this.#options.mtu - HEADERS_BYTES,
      sendBufferBytes: bufferBytes,
      receiveBufferBytes: bufferBytes,
      nagle: args.noDelay !== true,
    };
  }

  #socketOf(process: CallContext["process"], fd: number): Socket | null {
    const file = this.descriptors.get(process, fd);
    return file?.kind === STREAM ? this.#sockets.get(file.object) ?? null : null;
  }

  #open(
    process: CallContext["process"],
    kind: Socket["kind"],
    connection: number,
    port: number,
  ): number {
    const id = this.#nextId++;
    const [readQueue, writeQueue] = [`socket ${id} read`, `socket ${id} write`];
    this.#add({ id, kind, connection, port, readQueue, writeQueue, error: 0 });
    return this.descriptors.open(process, STREAM, id);
  }

  #add(socket: Socket): void {
    this.#sockets.set(socket.id, socket);
    if (socket.kind === "stream") this.#byConnection.set(socket.connection, socket);
    else this.#byPort.set(socket.port, socket);
  }
}
