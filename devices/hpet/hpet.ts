/**
 * High precision event timers: a 64-bit main counter and three comparators.
 *
 * The chip is pure: each access carries the number of the current tick of its oscillator, and matches are
 * found by arithmetic on the ticks that have passed. Counter values are `bigint`: the guest may set all 64 bits.
 * Source: Intel "IA-PC HPET Specification" 1.0a, section 2.3 "Register Definitions".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";

/** The main counter's rate: a period of 10,000,000 femtoseconds. */
export const hpetFrequencyHz = 100_000_000;
const periodFs = 1e15 / hpetFrequencyHz;

/** How many comparators there are. */
export const comparatorCount = 3;

/** General registers, by byte offset. */
export const HpetRegister = {
  capabilities: 0x000,
  configuration: 0x010,
  interruptStatus: 0x020,
  mainCounter: 0x0f0,
  firstTimer: 0x100,
  timerStride: 0x20,
} as const;

/** A timer's registers, from its base. */
const TimerRegister = { configuration: 0x00, comparator: 0x08, fsbRoute: 0x10 } as const;

/** General capabilities, low half: revision 1, three timers, 64 bits, legacy replacement, vendor 8086. */
export const hpetCapabilities = 0x8086_0000 + (1 << 15) + (1 << 13) + ((comparatorCount - 1) << 8) +
  1;

/** General configuration. */
const GeneralConfig = { enable: 1 << 0, legacyRoute: 1 << 1 } as const;

/** Timer configuration and capability, low half. */
const TimerConfig = {
  level: 1 << 1,
  enable: 1 << 2,
  periodic: 1 << 3,
  periodicCapable: 1 << 4,
  size64: 1 << 5,
  setValue: 1 << 6,
  mode32: 1 << 8,
  routeShift: 9,
  /** Interrupt type, enable, type, 32-bit mode, route. */
  writable: 0x3f0e,
} as const;

/** One comparator. */
class Comparator {
  config = TimerConfig.periodicCapable | TimerConfig.size64;
  comparator = (1n << 64n) - 1n;
  period = 0n;
  /** The interrupt output: a held status in level mode, high from a match on in edge mode. */
  out = false;
  /** The tick at which a low half was written under Tn_VAL_SET_CNF; its high half still belongs to it. */
  valueSetAt = -1;

  get bits(): 32 | 64 {
    return (this.config & TimerConfig.mode32) !== 0 ? 32 : 64;
  }

  has(bit: number): boolean {
    return (this.config & bit) !== 0;
  }

  /** Counts from `counter` to the next match, 1 to 2^bits. */
  distance(counter: bigint): bigint {
    return BigInt.asUintN(this.bits, this.comparator - counter - 1n) + 1n;
  }
}

/** What the chip reports: comparator `timer` matched. */
export type MatchHandler = (timer: number) => void;

/** The chip; offsets are from its base, accesses are 4 bytes at a multiple of 4. */
export class Hpet implements Snapshot {
  readonly #timers: readonly Comparator[] = Array.from(
    { length: comparatorCount },
    () => new Comparator(),
  );
  #config = 0;
  /** The main counter at tick `#since`, or at any time while it is halted. */
  #counter = 0n;
  #since = 0;

  /** `routes` is the bit mask of interrupt inputs that each timer can be routed to. */
  constructor(private readonly routes: number, private readonly onMatch: MatchHandler = () => {}) {}

  get enabled(): boolean {
    return (this.#config & GeneralConfig.enable) !== 0;
  }

  /** Whether timers 0 and 1 replace the 8254 and the RTC. */
  get legacyRouting(): boolean {
    return (this.#config & GeneralConfig.legacyRoute) !== 0;
  }

  /** The main counter. */
  counter(tick: number): bigint {
    this.advance(tick);
    return this.#counter;
  }

  /** The interrupt output of `timer`, as far as it is enabled. */
  level(timer: number): boolean {
    const { out, config } = this.#timers[timer];
    return out && this.enabled && (config & TimerConfig.enable) !== 0;
  }

  /** Whether `timer` is edge triggered. */
  edgeTriggered(timer: number): boolean {
    return !this.#timers[timer].has(TimerConfig.level);
  }

  /** The interrupt input that `timer` is routed to when legacy routing does not apply. */
  route(timer: number): number {
    return (this.#timers[timer].config >> TimerConfig.routeShift) & 0x1f;
  }

  /** Reads the 32 bits at `offset`. */
  read(offset: number, tick: number): number {
    this.advance(tick);
    const high = (offset & 4) !== 0;
    switch (offset & ~7) {
      case HpetRegister.capabilities:
        return high ? periodFs : hpetCapabilities;
      case HpetRegister.configuration:
        return high ? 0 : this.#config;
      case HpetRegister.interruptStatus:
        return high ? 0 : this.#status();
      case HpetRegister.mainCounter:
        return half(this.#counter, high);
      default:
        return this.#readTimer(offset, high);
    }
  }

  /** Writes the 32 bits at `offset`. */
  write(offset: number, value: number, tick: number): void {
    this.advance(tick);
    const high = (offset & 4) !== 0;
    switch (offset & ~7) {
      case HpetRegister.configuration:
        if (!high) this.#writeConfig(value, tick);
        return;
      case HpetRegister.interruptStatus:
        if (!high) this.#clearStatus(value);
        return;
      case HpetRegister.mainCounter:
        // The counter may be written only while it is halted ("Main Counter Value Register").
        if (!this.enabled) this.#counter = withHalf(this.#counter, high, value);
        return;
      default:
        this.#writeTimer(offset, high, value, tick);
    }
  }

  /** Brings counter, comparators and status up to `tick`; reports each comparator that matched once. */
  advance(tick: number): void {
    const passed = tick - this.#since;
    this.#since = tick;
    if (!this.enabled || passed <= 0) return;
    const ticks = BigInt(passed);
    const before = this.#counter;
    this.#counter = BigInt.asUintN(64, before + ticks);
    this.#timers.forEach((timer, index) => {
      const distance = timer.distance(before);
      if (distance > ticks) return;
      if (timer.has(TimerConfig.periodic) && timer.period !== 0n) {
        const periods = (ticks - distance) / timer.period + 1n;
        timer.comparator = BigInt.asUintN(timer.bits, timer.comparator + periods * timer.period);
      }
      timer.out = true;
      this.onMatch(index);
    });
  }

  /** The tick of the next match that makes an interrupt, or `null`. */
  nextMatch(tick: number): number | null {
    this.advance(tick);
    if (!this.enabled) return null;
    let next = Infinity;
    for (const timer of this.#timers) {
      if (!timer.has(TimerConfig.enable)) continue;
      // A level that is held high has nothing new to say until software clears it.
      if (timer.has(TimerConfig.level) && timer.out) continue;
      next = Math.min(next, Number(timer.distance(this.#counter)));
    }
    return next > Number.MAX_SAFE_INTEGER - tick ? null : tick + next;
  }

  /** Power-on state. */
  reset(tick: number): void {
    this.#config = 0;
    this.#counter = 0n;
    this.#since = tick;
    for (const timer of this.#timers) Object.assign(timer, new Comparator());
  }

  save(): SnapshotRecord {
    const timers = this.#timers.map((timer) => ({ ...timer }));
    return {
      kind: "hpet",
      version: 1,
      state: { config: this.#config, counter: this.#counter, since: this.#since, timers },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "hpet", 1);
    this.#config = state.config as number;
    this.#counter = state.counter as bigint;
    this.#since = state.since as number;
    const saved = state.timers as unknown as readonly Comparator[];
    this.#timers.forEach((timer, index) => {
      const { config, comparator, period, out, valueSetAt } = saved[index];
      Object.assign(timer, { config, comparator, period, out, valueSetAt });
    });
  }

  #status(): number {
    return this.#timers.reduce(
      (status, timer, index) =>
        timer.out && timer.has(TimerConfig.level) ? status | (1 << index) : status,
      0,
    );
  }

  #clearStatus(ones: number): void {
    this.#timers.forEach((timer, index) => {
      if ((ones & (1 << index)) !== 0 && timer.has(TimerConfig.level)) timer.out = false;
    });
  }

  #writeConfig(value: number, tick: number): void {
    const wasLegacy = this.legacyRouting;
    this.#config = value & (GeneralConfig.enable | GeneralConfig.legacyRoute);
    this.#since = tick;
    if (this.enabled && this.legacyRouting === wasLegacy) return;
    // A halted or re-routed timer drops its edge; a level status stays until it is cleared.
    for (const timer of this.#timers) if (!timer.has(TimerConfig.level)) timer.out = false;
  }

  #readTimer(offset: number, high: boolean): number {
    const index = (offset - HpetRegister.firstTimer) >> 5;
    const timer = this.#timers[index];
    if (!timer) return 0;
    switch (offset & 0x18) {
      case TimerRegister.configuration:
        return high ? this.routes : timer.config;
      case TimerRegister.comparator:
        return half(timer.comparator, high);
      default:
        return 0;
    }
  }

  #writeTimer(offset: number, high: boolean, value: number, tick: number): void {
    const index = (offset - HpetRegister.firstTimer) >> 5;
    const timer = this.#timers[index];
    if (!timer) return;
    const register = offset & 0x18;
    if (register === TimerRegister.configuration && !high) this.#configureTimer(timer, value);
    else if (register === TimerRegister.comparator) writeComparator(timer, high, value, tick);
  }

  #configureTimer(timer: Comparator, value: number): void {
    const route = (value >> TimerConfig.routeShift) & 0x1f;
    const routable = (this.routes & (1 << route)) !== 0;
    const routeBits = 0x1f << TimerConfig.routeShift;
    let writable: number = TimerConfig.writable;
    // A route that the timer does not support does not stick ("Tn_INT_ROUTE_CNF").
    if (!routable) writable &= ~routeBits;
    const wasLevel = timer.has(TimerConfig.level);
    timer.config = (timer.config & ~(writable | TimerConfig.setValue)) | (value & writable);
    if (timer.has(TimerConfig.periodic)) timer.config |= value & TimerConfig.setValue;
    if (timer.bits === 32) {
      timer.comparator = BigInt.asUintN(32, timer.comparator);
      timer.period = BigInt.asUintN(32, timer.period);
    }
    const isLevel = timer.has(TimerConfig.level);
    if (wasLevel !== isLevel || (!isLevel && !timer.has(TimerConfig.enable))) timer.out = false;
  }
}

/** In periodic mode a write sets the period, and the comparator too while Tn_VAL_SET_CNF allows it. */
function writeComparator(timer: Comparator, high: boolean, value: number, tick: number): void {
  if (high && timer.bits === 32) return;
  const periodic = timer.has(TimerConfig.periodic);
  const direct = timer.has(TimerConfig.setValue) || (high && timer.valueSetAt === tick);
  if (!periodic || direct) timer.comparator = withHalf(timer.comparator, high, value);
  if (periodic) timer.period = withHalf(timer.period, high, value);
  timer.valueSetAt = direct && !high ? tick : -1;
  timer.config &= ~TimerConfig.setValue;
}

function half(value: bigint, high: boolean): number {
  return Number(high ? value >> 32n : BigInt.asUintN(32, value));
}

function withHalf(value: bigint, high: boolean, bits: number): bigint {
  return high
    ? BigInt.asUintN(32, value) | (BigInt(bits) << 32n)
    : ((value >> 32n) << 32n) | BigInt(bits);
}
