/**
 * The local APIC's timer: one-shot, periodic and TSC-deadline. The current count is computed from
 * the clock, so nothing happens between two expirations; a masked timer arms nothing.
 *
 * Source: Intel SDM vol. 3, "APIC Timer", "TSC-Deadline Mode".
 */

import type { Clock, Cycle, Timer } from "../../clock/clock.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";

/** The modes of LVT timer bits 18 and 17; the fourth value is reserved, and nothing runs in it. */
export type ApicTimerMode = "one-shot" | "periodic" | "tsc-deadline" | "reserved";

/** The modes in the order of their encoding. */
export const APIC_TIMER_MODES: readonly ApicTimerMode[] = [
  "one-shot",
  "periodic",
  "tsc-deadline",
  "reserved",
];

/** What a timer needs from its local APIC. */
export interface ApicTimerOptions {
  readonly clock: Clock;
  /** The timer's name in the machine, for example `cpu0.apic.timer`. */
  readonly name: string;
  /** Ticks per second before the divider. */
  readonly frequencyHz: number;
  /** The first cycle at which this CPU's TSC is at least `tsc`. */
  readonly cycleOfTsc: (tsc: number) => Cycle;
  /** Called at each expiration. */
  readonly fire: () => void;
}

/** The divisor that the divide configuration register says (bits 3, 1 and 0; bit 2 is zero). */
export function divisorOf(divide: number): number {
  const code = ((divide >> 1) & 4) | (divide & 3);
  return code === 7 ? 1 : 2 << code;
}

/** One local APIC's timer. Counts are 32 bits, unsigned. */
export class ApicTimer {
  readonly #clock: Clock;
  readonly #hz: number;
  readonly #cycleOfTsc: (tsc: number) => Cycle;
  readonly #fire: () => void;
  readonly #timer: Timer;
  #mode: ApicTimerMode = "one-shot";
  #masked = true;
  #divisor = 2;
  #initialCount = 0;
  /** The count at `#startTick`; 0 when the counter stands still. */
  #startCount = 0;
  /** Ticks since power-on, before the divider. */
  #startTick = 0;
  #deadlineLow = 0;
  #deadlineHigh = 0;

  constructor(options: ApicTimerOptions) {
    this.#clock = options.clock;
    this.#hz = options.frequencyHz;
    this.#cycleOfTsc = options.cycleOfTsc;
    this.#fire = options.fire;
    this.#timer = options.clock.createTimer(options.name, () => this.#expire());
  }

  get mode(): ApicTimerMode {
    return this.#mode;
  }

  get initialCount(): number {
    return this.#initialCount;
  }

  /** The low half of IA32_TSC_DEADLINE: 0 when no deadline is armed. */
  get deadlineLow(): number {
    return this.#deadlineLow;
  }

  /** The high half of IA32_TSC_DEADLINE. */
  get deadlineHigh(): number {
    return this.#deadlineHigh;
  }

  /** What the current-count register reads. */
  get currentCount(): number {
    if (this.#startCount === 0) return 0;
    const elapsed = Math.floor((this.#now - this.#startTick) / this.#divisor);
    if (elapsed < this.#startCount) return this.#startCount - elapsed;
    if (this.#mode !== "periodic") return 0;
    return this.#initialCount - ((elapsed - this.#startCount) % this.#initialCount);
  }

  /** Takes mode and mask from the LVT. Going into or out of TSC-deadline mode disarms the timer. */
  configure(mode: ApicTimerMode, masked: boolean): void {
    if (mode === this.#mode && masked === this.#masked) return;
    this.#settle();
    if ((mode === "tsc-deadline") !== (this.#mode === "tsc-deadline")) this.#stop();
    // Between the counting modes the count goes on from where it is.
    if (mode !== this.#mode) this.#rebase();
    this.#mode = mode;
    this.#masked = masked;
    this.#arm();
  }

  /** Takes the divide configuration register; a running count goes on at the new rate. */
  setDivide(divide: number): void {
    this.#settle();
    this.#rebase();
    this.#divisor = divisorOf(divide);
    this.#arm();
  }

  /** Starts the count from `count`, or stops it with 0; ignored in TSC-deadline mode. */
  writeInitialCount(count: number): void {
    if (this.#mode === "tsc-deadline") return;
    this.#settle();
    this.#initialCount = count;
    this.#startCount = count;
    this.#startTick = this.#now;
    this.#arm();
  }

  /** Writes IA32_TSC_DEADLINE; ignored outside TSC-deadline mode. 0 disarms, the past fires at once. */
  writeDeadline(low: number, high: number): void {
    if (this.#mode !== "tsc-deadline") return;
    this.#settle();
    this.#deadlineLow = low;
    this.#deadlineHigh = high;
    this.#arm();
  }

  /** To be called when the relation of the TSC to the clock has changed. */
  tscChanged(): void {
    if (this.#mode === "tsc-deadline") this.#arm();
  }

  reset(): void {
    this.#mode = "one-shot";
    this.#masked = true;
    this.#divisor = 2;
    this.#stop();
    this.#arm();
  }

  save(): { readonly [field: string]: SnapshotValue } {
    return {
      mode: this.#mode,
      masked: this.#masked,
      divisor: this.#divisor,
      initialCount: this.#initialCount,
      startCount: this.#startCount,
      startTick: this.#startTick,
      deadlineLow: this.#deadlineLow,
      deadlineHigh: this.#deadlineHigh,
    };
  }

  /** Replaces the state; what is armed is the clock's to restore. */
  restore(state: { readonly [field: string]: SnapshotValue }): void {
    this.#mode = state.mode as ApicTimerMode;
    this.#masked = state.masked as boolean;
    this.#divisor = state.divisor as number;
    this.#initialCount = state.initialCount as number;
    this.#startCount = state.startCount as number;
    this.#startTick = state.startTick as number;
    this.#deadlineLow = state.deadlineLow as number;
    this.#deadlineHigh = state.deadlineHigh as number;
  }

  get #now(): number {
    return this.#clock.ticks(this.#hz);
  }

  /** Lets an expiration that is due, but not yet fired by the clock, happen under the old settings. */
  #settle(): void {
    const { deadline } = this.#timer;
    if (deadline === null || deadline > this.#clock.now) return;
    this.#timer.disarm();
    this.#expire();
  }

  #expire(): void {
    if (this.#mode === "tsc-deadline") this.#deadlineLow = this.#deadlineHigh = 0;
    this.#arm();
    if (!this.#masked) this.#fire();
  }

  #stop(): void {
    this.#initialCount = this.#startCount = this.#startTick = 0;
    this.#deadlineLow = this.#deadlineHigh = 0;
  }

  /** Makes the current count the start of what follows. */
  #rebase(): void {
    const count = this.currentCount;
    this.#startCount = count;
    this.#startTick = this.#now;
  }

  #arm(): void {
    const at = this.#nextExpiry();
    if (at === null) this.#timer.disarm();
    else this.#timer.armAt(at);
  }

  /** The first expiration after now that matters, or `null`. */
  #nextExpiry(): Cycle | null {
    switch (this.#mode) {
      case "tsc-deadline": {
        const deadline = this.#deadlineHigh * 2 ** 32 + this.#deadlineLow;
        const at = deadline === 0 ? Infinity : this.#cycleOfTsc(deadline);
        return Number.isSafeInteger(at) ? at as Cycle : null;
      }
      case "one-shot":
      case "periodic": {
        if (this.#startCount === 0 || this.#masked) return null;
        const tick = this.#nextExpiryTick();
        return tick === null ? null : this.#clock.cycleOfTick(tick, this.#hz);
      }
      case "reserved":
        return null;
    }
  }

  #nextExpiryTick(): number | null {
    const elapsed = this.#now - this.#startTick;
    const first = this.#startCount * this.#divisor;
    if (elapsed < first) return this.#startTick + first;
    if (this.#mode === "one-shot") return null;
    // Periods that passed unseen (masked, or within one slice of the machine) are one interrupt at most.
    const period = this.#initialCount * this.#divisor;
    const passed = Math.floor((elapsed - first) / period) + 1;
    return this.#startTick + first + passed * period;
  }
}
