/**
 * Simulated time: cycles, nanoseconds, and timers that fire at exact cycles.
 *
 * Nothing below `testbed/` knows any other time. Timers are wired once, by name, when a machine is
 * composed; what is pending is plain data (name, deadline, sequence), so it can be saved.
 */

import type { Brand } from "../lib/brand.ts";
import { invariant } from "../lib/assert.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../lib/snapshot.ts";

/** An instant: machine cycles since power-on. Exact up to 2^53. */
export type Cycle = Brand<number, "Cycle">;
/** A duration in machine cycles. */
export type Cycles = Brand<number, "Cycles">;
/** A duration, or an instant since power-on, in nanoseconds. */
export type Nanoseconds = Brand<number, "Nanoseconds">;

/** Marks `value` as nanoseconds. */
export function nanoseconds(value: number): Nanoseconds {
  return value as Nanoseconds;
}

/** A named timer that a device or a CPU arms for one instant. */
export interface Timer {
  readonly name: string;
  /** The armed instant, or `null`. */
  readonly deadline: Cycle | null;
  /** Arms (or re-arms) the timer; an instant that has passed fires at the next opportunity. */
  armAt(at: Cycle): void;
  /** Arms the timer `delayNs` nanoseconds from now, rounded up to a cycle. */
  armIn(delayNs: Nanoseconds): void;
  disarm(): void;
  /** Disarms the timer for good; its name is free again. */
  release(): void;
}

/** What a device sees of time. */
export interface Clock {
  /** The current instant; never goes back. */
  readonly now: Cycle;
  /** `now` in nanoseconds since power-on (a whole number, rounded down). */
  readonly nowNs: Nanoseconds;
  /** Cycles per second. */
  readonly frequencyHz: number;
  /** How many ticks of a `hz` oscillator have passed since power-on (whole, rounded down, exact). */
  ticks(hz: number): number;
  /** The first cycle at which `ticks(hz)` is at least `tick`. */
  cycleOfTick(tick: number, hz: number): Cycle;
  /**
   * Registers a timer. `name` is unique in the machine (for example `pit.channel0`). Among timers due
   * at one cycle the lower `priority` fires first, then the one armed first.
   */
  createTimer(name: string, fire: () => void, priority?: number): Timer;
}

/** Exact `floor(value * multiplier / divisor)` for whole numbers whose result is below 2^53. */
export function mulDivFloor(value: number, multiplier: number, divisor: number): number {
  const product = value * multiplier;
  if (product <= Number.MAX_SAFE_INTEGER) return Math.floor(product / divisor);
  const quotient = Math.floor(value / divisor);
  const remainder = value - quotient * divisor;
  const rest = remainder * multiplier;
  if (rest <= Number.MAX_SAFE_INTEGER) return quotient * multiplier + Math.floor(rest / divisor);
  return Number((BigInt(value) * BigInt(multiplier)) / BigInt(divisor));
}

class MachineTimer implements Timer {
  armed: Cycle | null = null;
  sequence = 0;

  constructor(
    readonly name: string,
    readonly fire: () => void,
    readonly priority: number,
    private readonly owner: MachineClock,
  ) {}

  get deadline(): Cycle | null {
    return this.armed;
  }

  armAt(at: Cycle): void {
    this.owner.arm(this, at);
  }

  armIn(delayNs: Nanoseconds): void {
    const cycles = Math.ceil((delayNs * this.owner.frequencyHz) / 1e9);
    this.owner.arm(this, (this.owner.now + cycles) as Cycle);
  }

  disarm(): void {
    this.owner.disarm(this);
  }

  release(): void {
    this.owner.release(this);
  }
}

/**
 * The clock of one machine, and the queue of its armed timers, ordered by (deadline, priority, order
 * of arming). The machine's run loop owns it: it advances `now` and calls {@link runDue}.
 */
export class MachineClock implements Clock, Snapshot {
  #now = 0 as Cycle;
  #sequence = 0;
  readonly #timers = new Map<string, MachineTimer>();
  /** Sorted, next to fire last. Few timers are armed at once, so a sorted array is the simple choice. */
  readonly #armed: MachineTimer[] = [];
  /** Called when the earliest deadline may have moved forward, so that a running CPU stops in time. */
  onEarlierDeadline: (at: Cycle) => void = () => {};

  /** The cycle of whatever runs at present; time follows it, but never back. */
  source: () => number = () => 0;

  constructor(readonly frequencyHz: number = 1_000_000_000) {
    if (!Number.isSafeInteger(frequencyHz) || frequencyHz < 1) {
      throw new RangeError(`clock frequency must be a whole number of hertz, found ${frequencyHz}`);
    }
  }

  get now(): Cycle {
    const running = this.source();
    if (running > this.#now) this.#now = running as Cycle;
    return this.#now;
  }

  /** `now` for who only looks: reading it is no access that time follows. */
  get reached(): Cycle {
    return Math.max(this.#now, this.source()) as Cycle;
  }

  get nowNs(): Nanoseconds {
    return nanoseconds(this.ticks(1_000_000_000));
  }

  ticks(hz: number): number {
    return hz === this.frequencyHz ? this.now : mulDivFloor(this.now, hz, this.frequencyHz);
  }

  cycleOfTick(tick: number, hz: number): Cycle {
    if (hz === this.frequencyHz) return tick as Cycle;
    const floor = mulDivFloor(tick, this.frequencyHz, hz);
    return (mulDivFloor(floor, hz, this.frequencyHz) >= tick ? floor : floor + 1) as Cycle;
  }

  createTimer(name: string, fire: () => void, priority = 0): Timer {
    invariant(!this.#timers.has(name), `two timers named ${name}`);
    const timer = new MachineTimer(name, fire, priority, this);
    this.#timers.set(name, timer);
    return timer;
  }

  /** The instant of the next armed timer, or `Infinity`. */
  get nextDeadline(): number {
    return this.#armed.length === 0 ? Infinity : this.#armed[this.#armed.length - 1].armed!;
  }

  /** Moves time forward to `to`; an earlier instant leaves it where it is. */
  advanceTo(to: Cycle): void {
    if (to > this.#now) this.#now = to;
  }

  /** Fires each timer whose deadline is at or before `now`, in order. */
  runDue(): void {
    while (this.nextDeadline <= this.#now) {
      const timer = this.#armed.pop()!;
      timer.armed = null;
      timer.fire();
    }
  }

  arm(timer: MachineTimer, at: Cycle): void {
    if (timer.armed !== null) this.#remove(timer);
    timer.armed = at;
    timer.sequence = this.#sequence++;
    this.#insert(timer);
    if (this.#armed[this.#armed.length - 1] === timer) this.onEarlierDeadline(at);
  }

  disarm(timer: MachineTimer): void {
    if (timer.armed === null) return;
    this.#remove(timer);
    timer.armed = null;
  }

  release(timer: MachineTimer): void {
    this.disarm(timer);
    this.#timers.delete(timer.name);
  }

  save(): SnapshotRecord {
    const armed = this.#armed.map(({ name, armed, sequence }) => ({
      name,
      deadline: armed as number,
      sequence,
    }));
    return {
      kind: "clock",
      version: 1,
      state: { now: this.#now, sequence: this.#sequence, frequencyHz: this.frequencyHz, armed },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "clock", 1);
    for (const timer of this.#armed) timer.armed = null;
    this.#armed.length = 0;
    this.#now = state.now as Cycle;
    this.#sequence = state.sequence as number;
    for (const entry of state.armed as { name: string; deadline: number; sequence: number }[]) {
      const timer = this.#timers.get(entry.name);
      invariant(timer, `snapshot arms the unknown timer ${entry.name}`);
      timer.armed = entry.deadline as Cycle;
      timer.sequence = entry.sequence;
      this.#insert(timer);
    }
  }

  #insert(timer: MachineTimer): void {
    let index = this.#armed.length;
    while (index > 0 && firesBefore(this.#armed[index - 1], timer)) index--;
    this.#armed.splice(index, 0, timer);
  }

  #remove(timer: MachineTimer): void {
    const index = this.#armed.indexOf(timer);
    invariant(index >= 0, `timer ${timer.name} is armed but not queued`);
    this.#armed.splice(index, 1);
  }
}

/** Whether `a` fires before `b`. */
function firesBefore(a: MachineTimer, b: MachineTimer): boolean {
  if (a.armed !== b.armed) return a.armed! < b.armed!;
  if (a.priority !== b.priority) return a.priority < b.priority;
  return a.sequence < b.sequence;
}
