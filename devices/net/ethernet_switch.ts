/**
 * A learning Ethernet switch in simulated time.
 *
 * Wiring: `const lan = new EthernetSwitch({ name: "lan0", clock })`, `const port = lan.attach("web1")`; the
 * card sends into `port`, and `port.connect(card)` lets it hear. Each port transmits one frame after
 * the other at the port's speed; a frame arrives after that and the switch's latency. Source of the
 * learning rules: IEEE 802.1D-2004, sections 7.8 "The Learning Process" and 7.9 "The Filtering Database".
 */

import { type Clock, type Cycle, type Nanoseconds, nanoseconds } from "../../core/clock/clock.ts";
import type { Timer } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { isGroup, type MacAddress, macAt } from "./addresses.ts";
import { FRAME_LIMITS, type NetPort, UNPLUGGED } from "./net_port.ts";

/** What a switch is made of. */
export interface EthernetSwitchOptions {
  /** Names the timers (`NAME.PORT`); unique in the machine room. */
  readonly name: string;
  readonly clock: Clock;
  /** From the end of a frame's reception to the start of its transmission; default 5 us. */
  readonly latencyNs?: Nanoseconds;
  /** Speed of each port in bits per second; default 1 Gb/s. */
  readonly bitsPerSecond?: number;
  /** Frames that wait at a port before further ones are dropped; default 512. */
  readonly queueFrames?: number;
  /** After this time without a frame an address is forgotten; default 300 s (802.1D's). */
  readonly agingNs?: Nanoseconds;
  /** Addresses that are remembered at most; default 4096. */
  readonly tableEntries?: number;
}

/** What went through a port, from the switch's side. */
export interface PortCounters {
  /** From the card. */
  receivedFrames: number;
  receivedBytes: number;
  /** To the card. */
  sentFrames: number;
  sentBytes: number;
  /** Queue full, cable down, or a frame of an impossible length. */
  droppedFrames: number;
}

const NOTHING_COUNTED: PortCounters = {
  receivedFrames: 0,
  receivedBytes: 0,
  sentFrames: 0,
  sentBytes: 0,
  droppedFrames: 0,
};

/** Which way a captured frame went: `in` from the card to the switch, `out` to the card. */
export type TapDirection = "in" | "out";
/** Sees each frame that passes a port at the instant at which it passes. */
export type Tap = (frame: Uint8Array, at: Nanoseconds, direction: TapDirection) => void;

interface QueuedFrame {
  readonly frame: Uint8Array;
  readonly at: Cycle;
}

interface TableEntry {
  port: number;
  seenNs: number;
}

/** Preamble, start delimiter, frame check sequence and interframe gap, in bytes. */
const FRAME_OVERHEAD_BYTES = 24;
/** A frame on the wire has at least 60 bytes before its check sequence. */
const LEAST_WIRE_BYTES = 60;

/** A socket of the switch: send into it what the card transmits. */
export class SwitchPort implements NetPort {
  readonly counters: PortCounters = { ...NOTHING_COUNTED };
  /** Set to capture what passes. */
  tap: Tap | null = null;
  /** Whether a card is plugged in; see {@link EthernetSwitch.detach}. */
  attached = true;
  /** A pulled cable: frames are dropped in both directions. */
  linkUp = true;
  /** Used by the switch: what waits to be delivered, and until when the wire is busy. */
  readonly queue: QueuedFrame[] = [];
  busyUntil = 0;
  #receiver: NetPort = UNPLUGGED;

  constructor(
    readonly name: string,
    /** Its place among the switch's ports. */
    public index: number,
    private readonly lan: EthernetSwitch,
    readonly timer: Timer,
  ) {}

  /** Plugs the card in that hears what arrives here. */
  connect(receiver: NetPort): void {
    this.#receiver = receiver;
  }

  /** A frame from the card. */
  send(frame: Uint8Array): void {
    this.lan.receive(this, frame);
  }

  /** Whether nobody outside is told what passes; see {@link EthernetSwitch.muted}. */
  get muted(): boolean {
    return this.lan.muted;
  }

  /** Used by the switch: a frame passes. */
  passes(frame: Uint8Array, at: Nanoseconds, direction: TapDirection): void {
    if (!this.muted) this.tap?.(frame, at, direction);
  }

  /** A frame to the card. */
  deliver(frame: Uint8Array): void {
    this.#receiver.send(frame);
  }
}

/** The switch; see the module comment. */
export class EthernetSwitch implements Snapshot {
  readonly name: string;
  readonly ports: SwitchPort[] = [];
  /** Whether taps, and scripts with a host here, are told nothing: what happens has happened before. */
  muted = false;
  readonly #clock: Clock;
  readonly #latencyNs: number;
  readonly #bitsPerSecond: number;
  readonly #queueFrames: number;
  readonly #agingNs: number;
  readonly #tableEntries: number;
  /** In order of the last frame seen, oldest first. */
  readonly #table = new Map<MacAddress, TableEntry>();

  constructor(options: EthernetSwitchOptions) {
    this.name = options.name;
    this.#clock = options.clock;
    this.#latencyNs = options.latencyNs ?? 5_000;
    this.#bitsPerSecond = options.bitsPerSecond ?? 1_000_000_000;
    this.#queueFrames = options.queueFrames ?? 512;
    this.#agingNs = options.agingNs ?? 300e9;
    this.#tableEntries = options.tableEntries ?? 4096;
    if (!(this.#bitsPerSecond > 0)) {
      throw new RangeError(`a port's speed must be above 0 bits/s, found ${this.#bitsPerSecond}`);
    }
  }

  /** Adds a port, or takes a detached one of that name; throws `RangeError` if it is in use. */
  attach(name: string): SwitchPort {
    const known = this.ports.find((port) => port.name === name);
    if (known?.attached) {
      throw new RangeError(`switch ${this.name} has a port ${name} already`);
    }
    if (known) {
      known.attached = known.linkUp = true;
      return known;
    }
    const timer = this.#clock.createTimer(`${this.name}.${name}`, () => this.#transmit(port));
    const port: SwitchPort = new SwitchPort(name, this.ports.length, this, timer);
    this.ports.push(port);
    return port;
  }

  /** Takes a port out of use: what is learned about it and what waits at it are forgotten. */
  detach(port: SwitchPort): void {
    port.attached = port.linkUp = false;
    Object.assign(port.counters, NOTHING_COUNTED);
    port.queue.length = 0;
    port.timer.disarm();
    port.connect(UNPLUGGED);
    for (const [mac, entry] of this.#table) if (entry.port === port.index) this.#table.delete(mac);
  }

  /** It is gone: nobody is plugged in, and the names of its timers are free again. */
  dispose(): void {
    for (const port of this.ports.splice(0)) {
      this.detach(port);
      port.timer.release();
    }
  }

  /** The port behind which `mac` was last seen, or `null` if it is unknown or has aged out. */
  lookUp(mac: MacAddress): SwitchPort | null {
    const entry = this.#table.get(mac);
    if (!entry || this.#clock.nowNs - entry.seenNs > this.#agingNs) return null;
    return this.ports[entry.port];
  }

  /** A frame arrived at `port` from its card. */
  receive(port: SwitchPort, frame: Uint8Array): void {
    const { counters } = port;
    const tooLong = frame.length > FRAME_LIMITS.mostBytes;
    if (!port.linkUp || frame.length < FRAME_LIMITS.leastBytes || tooLong) {
      counters.droppedFrames++;
      return;
    }
    counters.receivedFrames++;
    counters.receivedBytes += frame.length;
    port.passes(frame, this.#clock.nowNs, "in");
    const source = macAt(frame, 6);
    if (!isGroup(source)) this.#learn(source, port.index);
    this.#forward(frame, port);
  }

  /**
   * A frame from outside, of a sender that has no port: it goes where its destination is, and nothing is learned of its
   * source. Throws `RangeError` for a length that no frame has.
   */
  inject(frame: Uint8Array): void {
    const { leastBytes, mostBytes } = FRAME_LIMITS;
    if (frame.length < leastBytes || frame.length > mostBytes) {
      throw new RangeError(
        `a frame has ${leastBytes} to ${mostBytes} bytes, found ${frame.length}`,
      );
    }
    this.#forward(frame, null);
  }

  #forward(frame: Uint8Array, from: SwitchPort | null): void {
    const destination = macAt(frame, 0);
    const only = isGroup(destination) ? null : this.lookUp(destination);
    if (only) {
      if (only !== from) this.#enqueue(only, frame);
      return;
    }
    for (const other of this.ports) {
      if (other !== from && other.attached) this.#enqueue(other, frame);
    }
  }

  save(): SnapshotRecord {
    const table = [...this.#table].map(([mac, { port, seenNs }]) => ({ mac, port, seenNs }));
    const ports = this.ports.map(({ name, attached, linkUp, busyUntil, counters, queue }) => ({
      name,
      attached,
      linkUp,
      busyUntil,
      counters: { ...counters },
      queue: queue.map(({ frame, at }) => ({ frame: frame.slice(), at: at as number })),
    }));
    return { kind: "switch", version: 2, state: { table, ports } };
  }

  /**
   * Restores the ports of the record, by their names, those that are missing included; ports that only this switch has are
   * put behind them, out of use.
   */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "switch", 2);
    const saved = state.ports as unknown as readonly SavedPort[];
    const known = new Map(this.ports.map((port) => [port.name, port]));
    const kept = saved.map(({ name }) => known.get(name) ?? this.attach(name));
    for (const port of kept) known.delete(port.name);
    for (const port of known.values()) this.detach(port);
    this.ports.splice(0, this.ports.length, ...kept, ...known.values());
    this.ports.forEach((port, index) => port.index = index);
    kept.forEach((port, index) => {
      const one = saved[index];
      port.attached = one.attached;
      port.linkUp = one.linkUp;
      port.busyUntil = one.busyUntil;
      Object.assign(port.counters, one.counters);
      port.queue.length = 0;
      for (const { frame, at } of one.queue) port.queue.push({ frame: frame.slice(), at });
    });
    this.#table.clear();
    for (const { mac, port, seenNs } of state.table as unknown as SavedEntry[]) {
      this.#table.set(mac, { port, seenNs });
    }
  }

  #learn(mac: MacAddress, port: number): void {
    this.#table.delete(mac);
    this.#table.set(mac, { port, seenNs: this.#clock.nowNs });
    if (this.#table.size > this.#tableEntries) {
      this.#table.delete(this.#table.keys().next().value!);
    }
  }

  #enqueue(port: SwitchPort, frame: Uint8Array): void {
    if (!port.linkUp || port.queue.length >= this.#queueFrames) {
      port.counters.droppedFrames++;
      return;
    }
    const now = this.#clock.now;
    const cycles = (ns: number) => Math.ceil((ns * this.#clock.frequencyHz) / 1e9);
    const wireBytes = Math.max(LEAST_WIRE_BYTES, frame.length) + FRAME_OVERHEAD_BYTES;
    const start = Math.max(now + cycles(this.#latencyNs), port.busyUntil);
    const at = (start + cycles(wireBytes * 8e9 / this.#bitsPerSecond)) as Cycle;
    port.busyUntil = at;
    port.queue.push({ frame, at });
    if (port.queue.length === 1) port.timer.armAt(at);
  }

  #transmit(port: SwitchPort): void {
    const head = port.queue.shift();
    if (!head) return;
    if (port.queue.length > 0) port.timer.armAt(port.queue[0].at);
    if (!port.linkUp) {
      port.counters.droppedFrames++;
      return;
    }
    port.counters.sentFrames++;
    port.counters.sentBytes += head.frame.length;
    port.passes(head.frame, nanoseconds(this.#clock.nowNs), "out");
    port.deliver(head.frame);
  }
}

interface SavedEntry {
  readonly mac: MacAddress;
  readonly port: number;
  readonly seenNs: number;
}

interface SavedPort {
  readonly name: string;
  readonly attached: boolean;
  readonly linkUp: boolean;
  readonly busyUntil: number;
  readonly counters: PortCounters;
  readonly queue: readonly QueuedFrame[];
}
