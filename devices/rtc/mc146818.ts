/**
 * Motorola MC146818A real-time clock with 128 bytes of CMOS memory.
 *
 * The chip is pure: each access carries the number of the current pulse of its 32768 Hz crystal, and the
 * time of day is brought up to date from the pulses that have passed. Data sheet: "MC146818A Real-Time Clock
 * plus RAM", sections "Address Map", "Update Cycle", "Registers".
 *
 * @deviation Bit DSE (daylight saving) is stored but changes nothing, as on later PC chips.
 * @deviation Time registers stay readable during the update cycle instead of being undefined.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { dateFromDays, type DateTime, daysFromDate, secondsPerDay, weekday } from "./calendar.ts";

/** The crystal on PC boards. */
export const rtcFrequencyHz = 32_768;
/** Bytes of CMOS memory, clock registers included. */
export const cmosBytes = 128;

/** The clock's registers. Century is a CMOS byte by convention (ACPI FADT, field CENTURY). */
export const RtcRegister = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  dayOfWeek: 0x06,
  dayOfMonth: 0x07,
  month: 0x08,
  year: 0x09,
  a: 0x0a,
  b: 0x0b,
  c: 0x0c,
  d: 0x0d,
  century: 0x32,
} as const;

/** Register A: update in progress, divider select, rate select. */
export const RegisterA = {
  uip: 0x80,
  dividerMask: 0x70,
  dividerMax: 0x20,
  rateMask: 0x0f,
} as const;
/** Register B: update inhibit, interrupt enables, square wave, data mode, 24 hours, daylight saving. */
export const RegisterB = {
  set: 0x80,
  pie: 0x40,
  aie: 0x20,
  uie: 0x10,
  sqwe: 0x08,
  binary: 0x04,
  hours24: 0x02,
  dse: 0x01,
} as const;
/** Register C: interrupt flags, cleared by reading. */
export const RegisterC = { irqf: 0x80, pf: 0x40, af: 0x20, uf: 0x10 } as const;
/** Register D: the battery is good. */
const validRamAndTime = 0x80;

/** UIP rises 244 us before the update cycle of 1984 us: 8 and 65 pulses. */
const updateInProgressPulses = 73;
/** The first update comes half a second after the divider leaves reset. */
const dividerReleasePulses = rtcFrequencyHz / 2;
/** An alarm byte of 11xxxxxx matches everything. */
const dontCare = 0xc0;
const pmBit = 0x80;

/** The chip: 128 addressed bytes and an interrupt pin (as a level, high when it asks). */
export class Mc146818 implements Snapshot {
  readonly #cmos = new Uint8Array(cmosBytes);
  /** The pulse at which the divider chain was at zero. */
  #phase = 0;
  /** Whole seconds and periodic intervals of the chain that were accounted for. */
  #secondsSeen = 0;
  #periodsSeen = 0;

  /** `start` is the date at pulse 0. */
  constructor(start: DateTime) {
    this.#cmos[RtcRegister.a] = 0x26;
    this.#cmos[RtcRegister.b] = RegisterB.hours24;
    this.#cmos[RtcRegister.d] = validRamAndTime;
    const days = daysFromDate(start.year, start.month, start.day);
    this.#store(days, start.hour * 3600 + start.minute * 60 + start.second);
    this.#cmos[RtcRegister.dayOfWeek] = this.#encode(weekday(days));
  }

  /** Reads byte `index` (0 to 127); reading register C clears the interrupt flags. */
  read(index: number, tick: number): number {
    this.#advance(tick);
    if (index === RtcRegister.a) {
      return this.#cmos[index] | (this.#updateInProgress(tick) ? RegisterA.uip : 0);
    }
    if (index !== RtcRegister.c) return this.#cmos[index];
    const flags = this.#cmos[index] | (this.#asks() ? RegisterC.irqf : 0);
    this.#cmos[index] = 0;
    return flags;
  }

  /** Writes byte `index` (0 to 127). */
  write(index: number, value: number, tick: number): void {
    this.#advance(tick);
    switch (index) {
      case RtcRegister.a:
        this.#writeA(value & 0x7f, tick);
        return;
      case RtcRegister.b:
        // Setting SET clears UIE ("Register B", bit SET).
        this.#cmos[index] = (value & RegisterB.set) !== 0 ? value & ~RegisterB.uie : value;
        return;
      case RtcRegister.c:
      case RtcRegister.d:
        return;
      case RtcRegister.seconds:
        this.#cmos[index] = value & 0x7f;
        return;
      default:
        this.#cmos[index] = value;
    }
  }

  /** Changes a CMOS byte as the factory does, outside simulated time. */
  preset(index: number, value: number): void {
    this.#cmos[index] = value;
  }

  /** A CMOS byte without side effects. */
  peek(index: number): number {
    return this.#cmos[index];
  }

  /** The interrupt pin. */
  level(tick: number): boolean {
    this.#advance(tick);
    return this.#asks();
  }

  /** The RESET pin: interrupts are disabled, flags cleared, time and memory kept. */
  reset(tick: number): void {
    this.#advance(tick);
    const { pie, aie, uie, sqwe } = RegisterB;
    this.#cmos[RtcRegister.b] &= ~(pie | aie | uie | sqwe);
    this.#cmos[RtcRegister.c] = 0;
  }

  /** The next pulse at which the interrupt pin rises if nobody touches the chip, or `null`. */
  nextInterrupt(tick: number): number | null {
    this.#advance(tick);
    if (this.#asks() || !this.#running) return null;
    const b = this.#cmos[RtcRegister.b];
    let next = Infinity;
    const period = this.#period;
    if ((b & RegisterB.pie) !== 0 && period !== 0) next = (this.#periodsSeen + 1) * period;
    if ((b & RegisterB.set) === 0) {
      if ((b & RegisterB.uie) !== 0) {
        next = Math.min(next, (this.#secondsSeen + 1) * rtcFrequencyHz);
      }
      const alarm = (b & RegisterB.aie) !== 0 ? this.#secondsToAlarm() : null;
      if (alarm !== null) next = Math.min(next, (this.#secondsSeen + alarm) * rtcFrequencyHz);
    }
    return next === Infinity ? null : this.#phase + next;
  }

  /** The date and time that the registers show. */
  dateTime(tick: number): DateTime {
    this.#advance(tick);
    const { year, month, day } = dateFromDays(this.#days());
    const seconds = this.#timeOfDay();
    return {
      year,
      month,
      day,
      hour: Math.floor(seconds / 3600),
      minute: Math.floor(seconds / 60) % 60,
      second: seconds % 60,
    };
  }

  save(): SnapshotRecord {
    return {
      kind: "mc146818",
      version: 1,
      state: {
        cmos: this.#cmos.slice(),
        phase: this.#phase,
        secondsSeen: this.#secondsSeen,
        periodsSeen: this.#periodsSeen,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "mc146818", 1);
    this.#cmos.set(state.cmos as Uint8Array);
    this.#phase = state.phase as number;
    this.#secondsSeen = state.secondsSeen as number;
    this.#periodsSeen = state.periodsSeen as number;
  }

  /** Divider selects 000 to 010 let the chain run; on a PC its crystal fits 010. */
  get #running(): boolean {
    return (this.#cmos[RtcRegister.a] & RegisterA.dividerMask) <= RegisterA.dividerMax;
  }

  /** Pulses between two periodic interrupts, or 0 for none ("Periodic Interrupt Rate", 32.768 kHz). */
  get #period(): number {
    const rate = this.#cmos[RtcRegister.a] & RegisterA.rateMask;
    if (rate === 0) return 0;
    return 1 << (rate <= 2 ? rate + 6 : rate - 1);
  }

  #asks(): boolean {
    const { pf, af, uf } = RegisterC;
    return (this.#cmos[RtcRegister.c] & this.#cmos[RtcRegister.b] & (pf | af | uf)) !== 0;
  }

  #updateInProgress(tick: number): boolean {
    if (!this.#running || (this.#cmos[RtcRegister.b] & RegisterB.set) !== 0) return false;
    const left = rtcFrequencyHz - ((tick - this.#phase) % rtcFrequencyHz);
    return left <= updateInProgressPulses;
  }

  #writeA(value: number, tick: number): void {
    const ran = this.#running;
    this.#cmos[RtcRegister.a] = value;
    if (this.#running && !ran) {
      this.#phase = tick - dividerReleasePulses;
      this.#secondsSeen = 0;
    }
    const period = this.#period;
    this.#periodsSeen = period === 0 ? 0 : Math.floor((tick - this.#phase) / period);
  }

  #advance(tick: number): void {
    if (!this.#running) return;
    const elapsed = tick - this.#phase;
    const seconds = Math.floor(elapsed / rtcFrequencyHz);
    const passed = seconds - this.#secondsSeen;
    if (passed > 0) {
      if ((this.#cmos[RtcRegister.b] & RegisterB.set) === 0) this.#update(passed);
      this.#secondsSeen = seconds;
    }
    const period = this.#period;
    if (period === 0) return;
    const periods = Math.floor(elapsed / period);
    if (periods > this.#periodsSeen) {
      this.#periodsSeen = periods;
      this.#cmos[RtcRegister.c] |= RegisterC.pf;
    }
  }

  /** `passed` update cycles at once. */
  #update(passed: number): void {
    const alarm = this.#secondsToAlarm();
    if (alarm !== null && alarm <= passed) this.#cmos[RtcRegister.c] |= RegisterC.af;
    this.#cmos[RtcRegister.c] |= RegisterC.uf;
    const total = this.#timeOfDay() + passed;
    const days = Math.floor(total / secondsPerDay);
    const dayOfWeek = this.#decode(this.#cmos[RtcRegister.dayOfWeek]);
    this.#store(this.#days() + days, total % secondsPerDay);
    this.#cmos[RtcRegister.dayOfWeek] = this.#encode(((dayOfWeek + 6 + days) % 7) + 1);
  }

  #store(days: number, seconds: number): void {
    const { year, month, day } = dateFromDays(days);
    const cmos = this.#cmos;
    cmos[RtcRegister.seconds] = this.#encode(seconds % 60);
    cmos[RtcRegister.minutes] = this.#encode(Math.floor(seconds / 60) % 60);
    cmos[RtcRegister.hours] = this.#encodeHour(Math.floor(seconds / 3600));
    cmos[RtcRegister.dayOfMonth] = this.#encode(day);
    cmos[RtcRegister.month] = this.#encode(month);
    cmos[RtcRegister.year] = this.#encode(year % 100);
    cmos[RtcRegister.century] = this.#encode(Math.floor(year / 100) % 100);
  }

  #days(): number {
    const cmos = this.#cmos;
    const year = this.#decode(cmos[RtcRegister.century]) * 100 +
      this.#decode(cmos[RtcRegister.year]);
    const month = Math.min(12, Math.max(1, this.#decode(cmos[RtcRegister.month])));
    return daysFromDate(year, month, this.#decode(cmos[RtcRegister.dayOfMonth]));
  }

  /** Seconds since midnight, as the registers show them. */
  #timeOfDay(): number {
    return this.#decodeHour(this.#cmos[RtcRegister.hours]) * 3600 +
      this.#decode(this.#cmos[RtcRegister.minutes]) * 60 +
      this.#decode(this.#cmos[RtcRegister.seconds]);
  }

  /** Updates until the time of day matches the alarm bytes (1 to 86400), or `null` if it never does. */
  #secondsToAlarm(): number | null {
    const field = (register: number, decode: (value: number) => number) => {
      const value = this.#cmos[register];
      return value >= dontCare ? null : decode(value);
    };
    const hour = field(RtcRegister.hoursAlarm, (value) => this.#decodeHour(value));
    const minute = field(RtcRegister.minutesAlarm, (value) => this.#decode(value));
    const second = field(RtcRegister.secondsAlarm, (value) => this.#decode(value));
    if ((hour ?? 0) > 23 || (minute ?? 0) > 59 || (second ?? 0) > 59) return null;
    const now = this.#timeOfDay() % secondsPerDay;
    const today = firstMatch(now + 1, hour, minute, second);
    if (today !== null) return today - now;
    return firstMatch(0, hour, minute, second)! + secondsPerDay - now;
  }

  #encode(value: number): number {
    if ((this.#cmos[RtcRegister.b] & RegisterB.binary) !== 0) return value;
    return (Math.floor(value / 10) << 4) | (value % 10);
  }

  #decode(value: number): number {
    if ((this.#cmos[RtcRegister.b] & RegisterB.binary) !== 0) return value;
    return (value >> 4) * 10 + (value & 15);
  }

  #encodeHour(hour: number): number {
    if ((this.#cmos[RtcRegister.b] & RegisterB.hours24) !== 0) return this.#encode(hour);
    return this.#encode(((hour + 11) % 12) + 1) | (hour >= 12 ? pmBit : 0);
  }

  #decodeHour(value: number): number {
    if ((this.#cmos[RtcRegister.b] & RegisterB.hours24) !== 0) return this.#decode(value);
    return (this.#decode(value & 0x7f) % 12) + ((value & pmBit) !== 0 ? 12 : 0);
  }
}

/** The first second of the day, from `from` on, that matches; `null` fields match everything. */
function firstMatch(
  from: number,
  hour: number | null,
  minute: number | null,
  second: number | null,
): number | null {
  for (let h = hour ?? 0; h <= (hour ?? 23); h++) {
    if (h * 3600 + 3599 < from) continue;
    for (let m = minute ?? 0; m <= (minute ?? 59); m++) {
      const start = h * 3600 + m * 60;
      const earliest = Math.max(second ?? 0, from - start);
      if (earliest <= (second ?? 59)) return start + earliest;
    }
  }
  return null;
}
