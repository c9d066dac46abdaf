/**
 * One counter of an Intel 8254: its count and its OUT pin, computed from elapsed CLK pulses.
 *
 * Nothing here is ticked. A counter remembers at which pulse its counting element was loaded and with
 * what, and every question ("the count now", "the next rise of OUT") is arithmetic on that. Every method
 * takes the number of the current CLK pulse, which never goes back.
 *
 * Source: Intel 8254 Programmable Interval Timer data sheet, "Mode Definitions", "Operation Common to All Modes".
 */

/** Mode 0 interrupt on terminal count, 1 one-shot, 2 rate generator, 3 square wave, 4 and 5 strobes. */
export type CounterMode = 0 | 1 | 2 | 3 | 4 | 5;

/** A run of the counting element: it held `count` at pulse `start`. */
interface Sequence {
  readonly count: number;
  readonly start: number;
}

/** A count that waits to be loaded at pulse `loadAt`; `Infinity` waits for a trigger. */
interface Pending {
  readonly count: number;
  readonly loadAt: number;
}

/** The state of a counter as plain data. */
export interface CounterState {
  readonly mode: number;
  readonly bcd: boolean;
  readonly gate: boolean;
  /** The last count written, or 0 when none was since the control word. */
  readonly countRegister: number;
  readonly sequenceCount: number;
  readonly sequenceStart: number;
  readonly pendingCount: number;
  readonly pendingAt: number;
  readonly held: number;
  readonly idleCount: number;
}

/** A counting element with its count register and gate. */
export class Counter {
  #mode: CounterMode = 0;
  #bcd = false;
  #gate: boolean;
  #countRegister: number | null = null;
  #sequence: Sequence | null = null;
  #pending: Pending | null = null;
  /** Pulses counted when a low gate froze the sequence, or `null` while it runs. */
  #held: number | null = null;
  /** What the counting element holds while no sequence runs. */
  #idleCount = 0;

  constructor(gate: boolean) {
    this.#gate = gate;
  }

  get mode(): CounterMode {
    return this.#mode;
  }

  get bcd(): boolean {
    return this.#bcd;
  }

  get gate(): boolean {
    return this.#gate;
  }

  /** The count that was programmed last (1 to 65536), or `null` after a control word. */
  get programmedCount(): number | null {
    return this.#countRegister;
  }

  /** A control word: OUT goes to its initial level and the counter waits for a count. */
  setMode(mode: CounterMode, bcd: boolean, tick: number): void {
    this.#idleCount = this.count(tick);
    this.#mode = mode;
    this.#bcd = bcd;
    this.#countRegister = null;
    this.#sequence = null;
    this.#pending = null;
    this.#held = null;
  }

  /** The first byte of a two-byte count: it stops mode 0, and has no effect in other modes. */
  writeFirstByte(tick: number): void {
    if (this.#mode !== 0) return;
    this.#idleCount = this.count(tick);
    this.#sequence = null;
    this.#pending = null;
  }

  /** A complete new count, 1 to 65536. */
  writeCount(count: number, tick: number): void {
    this.#advance(tick);
    this.#countRegister = count;
    this.#pending = { count, loadAt: this.#loadTime(tick) };
    if (this.#mode === 0) {
      this.#idleCount = this.#countNow(tick);
      this.#sequence = null;
    }
  }

  /** Drives the GATE pin. */
  setGate(high: boolean, tick: number): void {
    this.#advance(tick);
    if (high === this.#gate) return;
    this.#gate = high;
    if (high) this.#gateRises(tick);
    else this.#gateFalls(tick);
  }

  /** The counting element, 0 to 65535 (0 to 9999 in BCD mode), in binary. */
  count(tick: number): number {
    this.#advance(tick);
    return this.#countNow(tick);
  }

  /** The level of the OUT pin. */
  out(tick: number): boolean {
    this.#advance(tick);
    const sequence = this.#sequence;
    if (sequence === null) return this.#mode !== 0;
    const elapsed = this.#elapsed(sequence, tick);
    switch (this.#mode) {
      case 0:
      case 1:
        return elapsed >= sequence.count;
      case 2:
        return elapsed % sequence.count !== sequence.count - 1;
      case 3:
        return elapsed % sequence.count < highPulses(sequence.count);
      case 4:
      case 5:
        return elapsed !== sequence.count;
    }
  }

  /** The null-count flag of the status byte: a written count has not reached the counting element. */
  nullCount(tick: number): boolean {
    this.#advance(tick);
    return this.#pending !== null || (this.#sequence === null && this.#countRegister === null);
  }

  /** The next pulse after `tick` at which OUT rises if nobody touches the counter, or `null`. */
  nextRise(tick: number): number | null {
    this.#advance(tick);
    const own = this.#sequence && this.#held === null
      ? riseOf(this.#mode, this.#sequence, tick)
      : null;
    const pending = this.#pending;
    if (pending === null || pending.loadAt === Infinity) return own;
    // A load in mode 1 starts a new low pulse; in the others OUT is high after it.
    const beforeLoad = this.#mode === 1 ? pending.loadAt - 1 : pending.loadAt;
    if (own !== null && own <= beforeLoad) return own;
    if (!this.#gate && this.#mode !== 1 && this.#mode !== 5) return null;
    return riseOf(this.#mode, this.#sequenceAfterLoad(pending), pending.loadAt);
  }

  save(): CounterState {
    return {
      mode: this.#mode,
      bcd: this.#bcd,
      gate: this.#gate,
      countRegister: this.#countRegister ?? 0,
      sequenceCount: this.#sequence?.count ?? 0,
      sequenceStart: this.#sequence?.start ?? 0,
      pendingCount: this.#pending?.count ?? 0,
      pendingAt: this.#pending && this.#pending.loadAt !== Infinity ? this.#pending.loadAt : -1,
      held: this.#held ?? -1,
      idleCount: this.#idleCount,
    };
  }

  restore(state: CounterState): void {
    this.#mode = state.mode as CounterMode;
    this.#bcd = state.bcd;
    this.#gate = state.gate;
    this.#countRegister = state.countRegister || null;
    this.#sequence = state.sequenceCount === 0
      ? null
      : { count: state.sequenceCount, start: state.sequenceStart };
    this.#pending = state.pendingCount === 0 ? null : {
      count: state.pendingCount,
      loadAt: state.pendingAt < 0 ? Infinity : state.pendingAt,
    };
    this.#held = state.held < 0 ? null : state.held;
    this.#idleCount = state.idleCount;
  }

  #countNow(tick: number): number {
    const sequence = this.#sequence;
    if (sequence === null) return this.#idleCount;
    const { count } = sequence;
    const elapsed = this.#elapsed(sequence, tick);
    const modulus = this.#bcd ? 10000 : 65536;
    switch (this.#mode) {
      case 2:
        return (count - (elapsed % count)) % modulus;
      case 3: {
        // An odd count is loaded less one, and the high phase lasts one pulse longer.
        const position = elapsed % count;
        const high = highPulses(count);
        const inPhase = position < high ? position : position - high;
        return (count - (count % 2) - 2 * inPhase) % modulus;
      }
      case 0:
      case 1:
      case 4:
      case 5:
        return (((count - elapsed) % modulus) + modulus) % modulus;
    }
  }

  #elapsed(sequence: Sequence, tick: number): number {
    return this.#held ?? tick - sequence.start;
  }

  /** When a count written at `tick` reaches the counting element. */
  #loadTime(tick: number): number {
    switch (this.#mode) {
      case 0:
      case 4:
        return tick + 1;
      case 1:
      case 5:
        return Infinity;
      case 2:
        return this.#sequence === null ? tick + 1 : endOfPeriod(this.#sequence, tick);
      case 3:
        return this.#sequence === null ? tick + 1 : endOfHalf(this.#sequence, tick);
    }
  }

  #gateRises(tick: number): void {
    if (this.#mode === 0 || this.#mode === 4) {
      if (this.#sequence && this.#held !== null) {
        this.#sequence = { count: this.#sequence.count, start: tick - this.#held };
      }
      this.#held = null;
    } else if (this.#countRegister !== null) {
      this.#pending = { count: this.#countRegister, loadAt: tick + 1 };
    }
  }

  #gateFalls(tick: number): void {
    if (this.#sequence === null) return;
    if (this.#mode === 0 || this.#mode === 4) {
      this.#held = tick - this.#sequence.start;
    } else if (this.#mode === 2 || this.#mode === 3) {
      this.#idleCount = this.#countNow(tick);
      this.#sequence = null;
    }
  }

  #advance(tick: number): void {
    const pending = this.#pending;
    if (pending === null || pending.loadAt > tick) return;
    this.#pending = null;
    const gated = !this.#gate;
    if (gated && (this.#mode === 2 || this.#mode === 3)) {
      this.#idleCount = pending.count % (this.#bcd ? 10000 : 65536);
      this.#sequence = null;
      return;
    }
    this.#sequence = this.#sequenceAfterLoad(pending);
    this.#held = gated && (this.#mode === 0 || this.#mode === 4) ? 0 : null;
  }

  /** A square wave that is reloaded between its halves goes on with its low half. */
  #sequenceAfterLoad(pending: Pending): Sequence {
    const { count, loadAt } = pending;
    const old = this.#sequence;
    const betweenHalves = this.#mode === 3 && old !== null && this.#held === null &&
      (loadAt - old.start) % old.count === highPulses(old.count);
    return { count, start: betweenHalves ? loadAt - highPulses(count) : loadAt };
  }
}

/** Pulses for which OUT is high in one period of mode 3. */
function highPulses(count: number): number {
  return Math.ceil(count / 2);
}

function endOfPeriod(sequence: Sequence, tick: number): number {
  const periods = Math.floor((tick - sequence.start) / sequence.count) + 1;
  return sequence.start + periods * sequence.count;
}

function endOfHalf(sequence: Sequence, tick: number): number {
  const end = endOfPeriod(sequence, tick);
  const middle = end - sequence.count + highPulses(sequence.count);
  return tick < middle ? middle : end;
}

/** The first pulse after `tick` at which OUT rises in a running sequence. */
function riseOf(mode: CounterMode, sequence: Sequence, tick: number): number | null {
  switch (mode) {
    case 0:
    case 1: {
      const rise = sequence.start + sequence.count;
      return rise > tick ? rise : null;
    }
    case 2:
    case 3:
      // A count of one is not legal in these modes; OUT then never moves.
      return sequence.count === 1 ? null : endOfPeriod(sequence, tick);
    case 4:
    case 5: {
      const rise = sequence.start + sequence.count + 1;
      return rise > tick ? rise : null;
    }
  }
}
