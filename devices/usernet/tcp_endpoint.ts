/**
 * Many TCP connections of one host, and the services and clients that use them.
 *
 * What a service does lives in named objects of callbacks; what it remembers of a connection lives in
 * the stream's `locals`, plain data, so that a snapshot holds all of it.
 */

import type { Clock, Timer } from "../../core/clock/clock.ts";
import { SnapshotError, type SnapshotValue } from "../../core/lib/snapshot.ts";
import { formatIpv4, type Ipv4Address } from "../net/mod.ts";
import { TcpConnection, type TcpEvent, type TcpState } from "./tcp_connection.ts";
import { RECEIVE_WINDOW } from "./tcp_connection.ts";
import { TCP_FLAG, type TcpSegment } from "./tcp_segment.ts";

/** An address and a port. */
export interface SocketAddress {
  readonly address: Ipv4Address;
  readonly port: number;
}

/** What happens on the connections of a service or of a client. */
export interface TcpService {
  /** Unique in the network; snapshots keep it. */
  readonly name: string;
  connected?(stream: TcpStream): void;
  data?(stream: TcpStream, bytes: Uint8Array): void;
  /** The peer sends no more. Default: this side closes too. */
  ended?(stream: TcpStream): void;
  closed?(stream: TcpStream, why: "done" | "reset" | "timeout"): void;
}

/** A connection, as services see it. */
export interface TcpStream {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly state: TcpState;
  /** What the service remembers of it. */
  readonly locals: { [name: string]: SnapshotValue };
  /** Queues data; throws `RangeError` after {@link close} or when 16 MiB wait. */
  write(bytes: Uint8Array): void;
  /** Sends what waits, then ends this side. */
  close(): void;
  /** Resets the connection. */
  abort(): void;
}

/** What an endpoint is wired to. */
export interface TcpEndpointOptions {
  readonly clock: Clock;
  /** Names its timer; unique in the machine room. */
  readonly name: string;
  send(segment: TcpSegment, from: Ipv4Address, to: Ipv4Address): void;
}

interface Entry {
  readonly key: string;
  readonly service: TcpService;
  readonly stream: TcpStream;
  readonly connection: TcpConnection;
}

/** Connections at once; further ones are refused. */
const CONNECTION_LIMIT = 4096;
const FIRST_EPHEMERAL_PORT = 49152;
const EPHEMERAL_PORTS = 65536 - FIRST_EPHEMERAL_PORT;
/** By how much initial sequence numbers of successive connections differ. */
const SEQUENCE_STEP = 64_000;
const NO_DATA = new Uint8Array(0);

/** See the module comment. */
export class TcpEndpoint {
  readonly #options: TcpEndpointOptions;
  readonly #timer: Timer;
  readonly #services = new Map<string, TcpService>();
  readonly #listeners = new Map<string, string>();
  readonly #connections = new Map<string, Entry>();
  #opened = 0;

  constructor(options: TcpEndpointOptions) {
    this.#options = options;
    this.#timer = options.clock.createTimer(`${options.name}.tcp`, () => this.#expire());
  }

  /** Makes a service known by its name; throws `RangeError` if another one has it. */
  register(service: TcpService): void {
    const known = this.#services.get(service.name);
    if (known && known !== service) {
      throw new RangeError(`there is a service ${service.name} already`);
    }
    this.#services.set(service.name, service);
  }

  /** Lets a service take connections; throws `RangeError` if the port is taken. */
  listen(at: SocketAddress, service: TcpService): void {
    if (this.#listeners.has(socketKey(at))) {
      throw new RangeError(`${shown(at)} has a service already`);
    }
    this.register(service);
    this.#listeners.set(socketKey(at), service.name);
  }

  /** Opens a connection for a client. */
  connect(from: Ipv4Address, to: SocketAddress, client: TcpService): TcpStream {
    this.register(client);
    const local = { address: from, port: this.#freePort(from, to) };
    const entry = this.#create(local, to, client);
    entry.connection.open();
    this.#arm();
    return entry.stream;
  }

  /** A segment arrived for an address of this endpoint. */
  receive(segment: TcpSegment, from: Ipv4Address, to: Ipv4Address): void {
    const local = { address: to, port: segment.destinationPort };
    const remote = { address: from, port: segment.sourcePort };
    const entry = this.#connections.get(pairKey(local, remote));
    if (entry) entry.connection.receive(segment);
    else if (!this.#accept(local, remote, segment)) this.#refuse(local, remote, segment);
    this.#arm();
  }

  /** It is gone: its timer's name is free again. */
  dispose(): void {
    this.#timer.release();
  }

  /** Connections that are open, in order of their creation. */
  get streams(): readonly TcpStream[] {
    return [...this.#connections.values()].map(({ stream }) => stream);
  }

  save(): { readonly [field: string]: SnapshotValue } {
    return {
      opened: this.#opened,
      listeners: [...this.#listeners].map(([at, service]) => [at, service]),
      connections: [...this.#connections.values()].map(({ service, stream, connection }) => ({
        service: service.name,
        local: { ...stream.local },
        remote: { ...stream.remote },
        locals: { ...stream.locals },
        tcp: connection.save(),
      })),
    };
  }

  /** Restores into an endpoint that knows the same services; the clock restores the timer. */
  restore(state: { readonly [field: string]: SnapshotValue }): void {
    this.#opened = state.opened as number;
    this.#listeners.clear();
    for (const [at, name] of state.listeners as unknown as [string, string][]) {
      this.#listeners.set(at, this.#known(name).name);
    }
    this.#connections.clear();
    for (const saved of state.connections as unknown as SavedConnection[]) {
      const entry = this.#insert(saved.local, saved.remote, this.#known(saved.service), 0);
      Object.assign(entry.stream.locals, saved.locals);
      entry.connection.restore(saved.tcp);
    }
  }

  /** A service of a record; code is not in it. */
  #known(name: string): TcpService {
    const service = this.#services.get(name);
    if (service) return service;
    const names = [...this.#services.keys()].join(", ") || "none";
    throw new SnapshotError(`the snapshot has the network service ${name}; known are: ${names}`);
  }

  #accept(local: SocketAddress, remote: SocketAddress, segment: TcpSegment): boolean {
    const name = this.#listeners.get(socketKey(local));
    const onlySyn = (segment.flags & (TCP_FLAG.SYN | TCP_FLAG.ACK | TCP_FLAG.RST)) === TCP_FLAG.SYN;
    if (name === undefined || !onlySyn || this.#connections.size >= CONNECTION_LIMIT) return false;
    this.#create(local, remote, this.#services.get(name)!).connection.accept(segment);
    return true;
  }

  /** Nobody is there: a reset, as section 3.10.7.1 says. */
  #refuse(local: SocketAddress, remote: SocketAddress, segment: TcpSegment): void {
    const { flags, sequence, acknowledgment, data } = segment;
    if (flags & TCP_FLAG.RST) return;
    const length = data.length + (flags & TCP_FLAG.SYN ? 1 : 0) + (flags & TCP_FLAG.FIN ? 1 : 0);
    this.#send(local, remote, {
      ...flags & TCP_FLAG.ACK
        ? { sequence: acknowledgment, acknowledgment: 0, flags: TCP_FLAG.RST }
        : {
          sequence: 0,
          acknowledgment: (sequence + length) >>> 0,
          flags: TCP_FLAG.RST | TCP_FLAG.ACK,
        },
      data: NO_DATA,
    });
  }

  #create(local: SocketAddress, remote: SocketAddress, service: TcpService): Entry {
    this.#opened++;
    return this.#insert(local, remote, service, (this.#opened * SEQUENCE_STEP) >>> 0);
  }

  #insert(
    local: SocketAddress,
    remote: SocketAddress,
    service: TcpService,
    initialSequence: number,
  ): Entry {
    const { clock } = this.#options;
    const connection = new TcpConnection({
      now: () => clock.nowNs,
      emit: (segment) => this.#send(local, remote, segment),
      event: (event) => this.#tell(entry, event),
    }, initialSequence);
    const arm = () => this.#arm();
    const stream: TcpStream = {
      local,
      remote,
      locals: {},
      get state() {
        return connection.state;
      },
      write: (bytes) => (connection.write(bytes), arm()),
      close: () => (connection.close(), arm()),
      abort: () => (connection.abort(), arm()),
    };
    const entry: Entry = { key: pairKey(local, remote), service, stream, connection };
    this.#connections.set(entry.key, entry);
    return entry;
  }

  #tell({ key, service, stream }: Entry, event: TcpEvent): void {
    switch (event.what) {
      case "connected":
        return service.connected?.(stream);
      case "data":
        return service.data?.(stream, event.bytes);
      case "ended":
        return service.ended ? service.ended(stream) : stream.close();
      case "closed":
        this.#connections.delete(key);
        return service.closed?.(stream, event.why);
    }
  }

  #send(
    local: SocketAddress,
    remote: SocketAddress,
    segment: Pick<TcpSegment, "sequence" | "acknowledgment" | "flags" | "data" | "mss">,
  ): void {
    const ports = { sourcePort: local.port, destinationPort: remote.port };
    const whole = { ...segment, ...ports, window: RECEIVE_WINDOW };
    this.#options.send(whole, local.address, remote.address);
  }

  #expire(): void {
    const now = this.#options.clock.nowNs;
    for (const { connection } of [...this.#connections.values()]) {
      if (connection.deadlineNs !== null && connection.deadlineNs <= now) connection.onTimer();
    }
    this.#arm();
  }

  /** The timer follows the first deadline of all connections. */
  #arm(): void {
    let first = Infinity;
    for (const { connection } of this.#connections.values()) {
      first = Math.min(first, connection.deadlineNs ?? Infinity);
    }
    const { clock } = this.#options;
    if (first === Infinity) this.#timer.disarm();
    else this.#timer.armAt(clock.cycleOfTick(first, 1_000_000_000));
  }

  #freePort(from: Ipv4Address, to: SocketAddress): number {
    for (let tried = 0; tried < EPHEMERAL_PORTS; tried++) {
      // Each connection takes the next one: at the other end the last one may still be in TIME-WAIT.
      const port = FIRST_EPHEMERAL_PORT + (this.#opened + tried) % EPHEMERAL_PORTS;
      if (!this.#connections.has(pairKey({ address: from, port }, to))) return port;
    }
    throw new RangeError(`${formatIpv4(from)} has no port left for connections to ${shown(to)}`);
  }
}

interface SavedConnection {
  readonly service: string;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly locals: { readonly [name: string]: SnapshotValue };
  readonly tcp: { readonly [field: string]: SnapshotValue };
}

function shown({ address, port }: SocketAddress): string {
  return `${formatIpv4(address)}:${port}`;
}

function socketKey({ address, port }: SocketAddress): string {
  return `${address}:${port}`;
}

function pairKey(local: SocketAddress, remote: SocketAddress): string {
  return `${socketKey(local)} ${socketKey(remote)}`;
}
