/**
 * A Gigabit network card as modelled systems see it: rings of descriptors, and interrupts that are held back until several
 * frames have passed.
 *
 * Rings and coalescing are those of the Tigon 3 (BCM5700) as Linux 2.4's driver programs it (`drivers/net/tg3.h`); registers
 * and buffer addresses are left out, since frames are references.
 */

import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import type { CableDirection, CableEnd, FrameReference } from "./cable.ts";

/** When a card raises its interrupt. */
export interface Coalescing {
  /** At the latest so long after a frame came, and after so many. */
  readonly receiveNs: number;
  readonly receiveFrames: number;
  /** The same for frames that were sent. */
  readonly transmitNs: number;
  readonly transmitFrames: number;
}

/** Linux 2.4's `tg3.h`: DEFAULT_RXCOL_TICKS, DEFAULT_RXMAX_FRAMES, DEFAULT_TXCOL_TICKS, DEFAULT_TXMAX_FRAMES. */
export const TIGON_3_COALESCING: Coalescing = {
  receiveNs: 72_000,
  receiveFrames: 15,
  transmitNs: 150_000,
  transmitFrames: 53,
};

/** Descriptors of each ring (TG3_RX_RING_SIZE, TG3_TX_RING_SIZE). */
const RING_FRAMES = 512;

/** What a card is made of. */
export interface GigabitNicOptions {
  /** Names its timer; unique in the machine room. */
  readonly name: string;
  readonly clock: Clock;
  readonly coalescing: Coalescing;
  /** Raises its interrupt. */
  readonly raise: () => void;
}

interface Arrival<Frame> {
  readonly frame: Frame;
  readonly at: Cycle;
}

/** What went through a card; names as in Linux's `/proc/net/dev`. */
export interface NicCounters {
  rxPackets: number;
  rxBytes: number;
  rxDropped: number;
  txPackets: number;
  txBytes: number;
  interrupts: number;
}

/** See the module comment. */
export class GigabitNic<Frame extends FrameReference> implements CableEnd<Frame>, Snapshot {
  readonly counters: NicCounters = {
    rxPackets: 0,
    rxBytes: 0,
    rxDropped: 0,
    txPackets: 0,
    txBytes: 0,
    interrupts: 0,
  };
  readonly #options: GigabitNicOptions;
  readonly #timer: Timer;
  readonly #receiveDelay: number;
  readonly #transmitDelay: number;
  #cable: CableDirection<Frame> | null = null;
  /** Frames that came or will come, from `#first` on. */
  #arrivals: Arrival<Frame>[] = [];
  #first = 0;
  /** When the frames in the transmit ring have left, from `#firstSent` on. */
  #departures: Cycle[] = [];
  #firstSent = 0;
  /** The driver looks for itself until it says that it has seen everything. */
  #masked = false;

  constructor(options: GigabitNicOptions) {
    const { clock, coalescing, name } = options;
    this.#options = options;
    this.#receiveDelay = Math.ceil(coalescing.receiveNs * clock.frequencyHz / 1e9);
    this.#transmitDelay = Math.ceil(coalescing.transmitNs * clock.frequencyHz / 1e9);
    this.#timer = clock.createTimer(name, () => {
      this.#masked = true;
      this.counters.interrupts++;
      options.raise();
    });
  }

  /** Plugs in the direction in which it sends. */
  connect(cable: CableDirection<Frame>): void {
    this.#cable = cable;
  }

  /** Descriptors of the transmit ring that are free, once the driver has reaped those that were sent. */
  get transmitRoom(): number {
    return RING_FRAMES - (this.#departures.length - this.#firstSent);
  }

  /** Puts a frame into the transmit ring; whether there was room. A cable that leads nowhere takes everything. */
  transmit(frame: Frame): boolean {
    if (this.transmitRoom <= 0) return false;
    this.counters.txPackets++;
    this.counters.txBytes += frame.frameBytes;
    if (!this.#cable) return true;
    this.#departures.push(this.#cable.send(frame));
    if (!this.#masked) this.#arm();
    return true;
  }

  arrive(frame: Frame, at: Cycle): void {
    if (this.#arrivals.length - this.#first >= RING_FRAMES) {
      this.counters.rxDropped++;
      return;
    }
    this.#arrivals.push({ frame, at });
    if (!this.#masked) this.#arm();
  }

  /** Takes the frame that came first out of the receive ring, or `null`. */
  take(): Frame | null {
    const arrival = this.#arrivals[this.#first];
    if (!arrival || arrival.at > this.#options.clock.now) return null;
    this.#first++;
    if (this.#first >= RING_FRAMES) {
      this.#arrivals = this.#arrivals.slice(this.#first);
      this.#first = 0;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += arrival.frame.frameBytes;
    return arrival.frame;
  }

  /** Frees the descriptors of frames that have left; how many. */
  reap(): number {
    const { now } = this.#options.clock;
    const before = this.#firstSent;
    while (this.#departures[this.#firstSent] <= now) this.#firstSent++;
    const reaped = this.#firstSent - before;
    if (this.#firstSent >= RING_FRAMES) {
      this.#departures = this.#departures.slice(this.#firstSent);
      this.#firstSent = 0;
    }
    return reaped;
  }

  /** The driver has seen what there is, and wants interrupts again. */
  unmask(): void {
    this.#masked = false;
    this.#arm();
  }

  save(): SnapshotRecord {
    const arrivals = this.#arrivals.slice(this.#first) as unknown as readonly SnapshotValue[];
    const state = {
      arrivals: arrivals.map((each) => ({ ...each as { [name: string]: SnapshotValue } })),
      departures: this.#departures.slice(this.#firstSent),
      masked: this.#masked,
      busyUntil: this.#cable?.busyUntil ?? 0,
      counters: { ...this.counters },
    };
    return { kind: "gigabitNic", version: 1, state };
  }

  /** The clock is restored by its own record. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "gigabitNic", 1);
    this.#arrivals = [...state.arrivals as unknown as readonly Arrival<Frame>[]];
    this.#departures = [...state.departures as readonly number[]] as Cycle[];
    this.#first = this.#firstSent = 0;
    this.#masked = state.masked as boolean;
    if (this.#cable) this.#cable.busyUntil = state.busyUntil as Cycle;
    Object.assign(this.counters, state.counters);
  }

  /** The interrupt comes with the frame that is enough, or when the first one has waited long enough. */
  #arm(): void {
    const { receiveFrames, transmitFrames } = this.#options.coalescing;
    const received = this.#arrivals[this.#first + receiveFrames - 1]?.at ?? Infinity;
    const sent = this.#departures[this.#firstSent + transmitFrames - 1] ?? Infinity;
    const firstReceived = this.#arrivals[this.#first]?.at ?? Infinity;
    const firstSent = this.#departures[this.#firstSent] ?? Infinity;
    const latest = Math.min(firstReceived + this.#receiveDelay, firstSent + this.#transmitDelay);
    const at = Math.min(received, sent, latest);
    if (at === Infinity || at === this.#timer.deadline) return;
    this.#timer.armAt(at as Cycle);
  }
}
