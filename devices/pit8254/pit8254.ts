/**
 * Intel 8254 Programmable Interval Timer: three counters behind four registers.
 *
 * The chip is pure: each access carries the number of the current CLK pulse.
 * Source: Intel 8254 data sheet, "Programming the 8254", "Read Operations".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { Counter, type CounterMode, type CounterState } from "./counter.ts";

/** Which bytes of a count an access moves (control word bits 5 and 4). */
const AccessMode = { latch: 0, low: 1, high: 2, lowThenHigh: 3 } as const;

/** The read-back command: counter select 3. Bits 5 and 4 are active low. */
const ReadBack = { select: 3, skipCount: 1 << 5, skipStatus: 1 << 4 } as const;

const StatusBit = { out: 1 << 7, nullCount: 1 << 6 } as const;

/** The number of the control word register. */
const controlRegister = 3;

/** A counter with the byte-wise access logic around it. */
class Channel {
  readonly counter: Counter;
  access: number = AccessMode.lowThenHigh;
  /** The low byte of a count whose high byte is awaited, or `null`. */
  writtenLow: number | null = null;
  readsHighNext = false;
  latchedCount: number | null = null;
  latchedStatus: number | null = null;

  constructor(gate: boolean) {
    this.counter = new Counter(gate);
  }

  control(word: number, tick: number): void {
    const mode = (word >> 1) & 7;
    this.access = (word >> 4) & 3;
    this.writtenLow = null;
    this.readsHighNext = false;
    this.latchedCount = null;
    this.latchedStatus = null;
    // Modes 6 and 7 are modes 2 and 3: bit 2 is then "don't care".
    this.counter.setMode((mode > 5 ? mode - 4 : mode) as CounterMode, (word & 1) !== 0, tick);
  }

  latchCount(tick: number): void {
    this.latchedCount ??= this.#registerOf(tick);
  }

  latchStatus(tick: number): void {
    const { counter } = this;
    this.latchedStatus ??= (counter.out(tick) ? StatusBit.out : 0) |
      (counter.nullCount(tick) ? StatusBit.nullCount : 0) |
      (this.access << 4) | (counter.mode << 1) | (counter.bcd ? 1 : 0);
  }

  read(tick: number): number {
    if (this.latchedStatus !== null) {
      const status = this.latchedStatus;
      this.latchedStatus = null;
      return status;
    }
    const value = this.latchedCount ?? this.#registerOf(tick);
    const high = this.access === AccessMode.high || this.readsHighNext;
    if (this.access === AccessMode.lowThenHigh) this.readsHighNext = !this.readsHighNext;
    if (!this.readsHighNext) this.latchedCount = null;
    return high ? value >> 8 : value & 0xff;
  }

  write(value: number, tick: number): void {
    if (this.access === AccessMode.low) {
      this.#load(value, tick);
    } else if (this.access === AccessMode.high) {
      this.#load(value << 8, tick);
    } else if (this.writtenLow === null) {
      this.writtenLow = value;
      this.counter.writeFirstByte(tick);
    } else {
      const low = this.writtenLow;
      this.writtenLow = null;
      this.#load((value << 8) | low, tick);
    }
  }

  save(): { [field: string]: number | boolean } {
    return {
      ...this.counter.save(),
      access: this.access,
      writtenLow: this.writtenLow ?? -1,
      readsHighNext: this.readsHighNext,
      latchedCount: this.latchedCount ?? -1,
      latchedStatus: this.latchedStatus ?? -1,
    };
  }

  restore(state: ChannelState): void {
    this.counter.restore(state);
    this.access = state.access;
    this.writtenLow = nullable(state.writtenLow);
    this.readsHighNext = state.readsHighNext;
    this.latchedCount = nullable(state.latchedCount);
    this.latchedStatus = nullable(state.latchedStatus);
  }

  #load(register: number, tick: number): void {
    const count = this.counter.bcd ? fromBcd(register) || 10000 : register || 65536;
    this.counter.writeCount(count, tick);
  }

  #registerOf(tick: number): number {
    const count = this.counter.count(tick);
    return this.counter.bcd ? toBcd(count) : count;
  }
}

interface ChannelState extends CounterState {
  readonly access: number;
  readonly writtenLow: number;
  readonly readsHighNext: boolean;
  readonly latchedCount: number;
  readonly latchedStatus: number;
}

/** The chip. Registers 0 to 2 are the counters, 3 takes control words. */
export class Pit8254 implements Snapshot {
  /** The gates of counters 0 and 1 are tied high on a PC; that of counter 2 starts low. */
  readonly #channels: readonly [Channel, Channel, Channel] = [
    new Channel(true),
    new Channel(true),
    new Channel(false),
  ];

  /** Reads a counter's next byte; the control register has no read function and floats. */
  read(register: number, tick: number): number {
    return register === controlRegister ? 0xff : this.#channels[register].read(tick);
  }

  /** Writes a count byte (0 to 2) or a control word (3). */
  write(register: number, value: number, tick: number): void {
    if (register !== controlRegister) {
      this.#channels[register].write(value, tick);
      return;
    }
    const select = value >> 6;
    if (select === ReadBack.select) this.#readBack(value, tick);
    else if (((value >> 4) & 3) === AccessMode.latch) this.#channels[select].latchCount(tick);
    else this.#channels[select].control(value, tick);
  }

  /** Drives the GATE pin of counter `channel`. */
  setGate(channel: number, high: boolean, tick: number): void {
    this.#channels[channel].counter.setGate(high, tick);
  }

  /** The OUT pin of counter `channel`. */
  out(channel: number, tick: number): boolean {
    return this.#channels[channel].counter.out(tick);
  }

  /** The next pulse at which OUT of `channel` rises, or `null`. */
  nextRise(channel: number, tick: number): number | null {
    return this.#channels[channel].counter.nextRise(tick);
  }

  /** The mode and the programmed count (1 to 65536, or `null`) of `channel`, for speakers and listings. */
  programmed(channel: number): { mode: CounterMode; count: number | null } {
    const { counter } = this.#channels[channel];
    return { mode: counter.mode, count: counter.programmedCount };
  }

  save(): SnapshotRecord {
    const channels = this.#channels.map((channel) => channel.save());
    return { kind: "pit8254", version: 1, state: { channels } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pit8254", 1);
    const saved = state.channels as unknown as readonly ChannelState[];
    this.#channels.forEach((channel, index) => channel.restore(saved[index]));
  }

  #readBack(command: number, tick: number): void {
    this.#channels.forEach((channel, index) => {
      if ((command & (2 << index)) === 0) return;
      if ((command & ReadBack.skipCount) === 0) channel.latchCount(tick);
      if ((command & ReadBack.skipStatus) === 0) channel.latchStatus(tick);
    });
  }
}

function nullable(value: number): number | null {
  return value < 0 ? null : value;
}

/** Four packed decimal digits to binary; a digit above nine counts as what it is worth. */
function fromBcd(register: number): number {
  return (register >> 12) * 1000 + ((register >> 8) & 15) * 100 + ((register >> 4) & 15) * 10 +
    (register & 15);
}

function toBcd(count: number): number {
  return (Math.floor(count / 1000) % 10 << 12) | (Math.floor(count / 100) % 10 << 8) |
    (Math.floor(count / 10) % 10 << 4) | (count % 10);
}
