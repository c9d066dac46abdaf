/**
 * The typed trace of a machine, and its hash.
 *
 * Events are guest-visible facts with an instant; the hash is a digest of all of them, whatever filter
 * or listener is in place. Two runs with one hash behaved alike. What the host did (tiers, caches) is not here.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../lib/snapshot.ts";

/** Kinds of events: what `a` and `b` mean. */
export const TRACE_KINDS = {
  /** An interrupt or exception was delivered: vector, CPU. */
  trap: "vector, cpu",
  /** The guest read an I/O port: port, value. */
  portRead: "port, value",
  /** The guest wrote an I/O port: port, value. */
  portWrite: "port, value",
  /** Outside input reached the machine: source, and its byte or the digest of its bytes. */
  input: "source, value",
  /** A CPU started, shut down, waits for a start-up IPI, or was reset: cpu, activity as in the CPU's state. */
  activity: "cpu, activity",
  /** A digest of all CPU registers: low half, high half. */
  state: "low, high",
  /** A guest made a hypercall: its number, the domain. */
  hypercall: "number, domain",
  /** A domain shut down: reason (`SHUTDOWN_*`), domain. */
  shutdown: "reason, domain",
} as const;

export type TraceKind = keyof typeof TRACE_KINDS;
const KINDS = Object.keys(TRACE_KINDS) as readonly TraceKind[];
const KIND_NUMBERS = Object.fromEntries(KINDS.map((kind, i) => [kind, i])) as Readonly<
  Record<TraceKind, number>
>;

/** One event. */
export interface TraceEvent {
  readonly cycle: number;
  readonly kind: TraceKind;
  readonly a: number;
  readonly b: number;
}

/** A 64-bit digest of 32-bit words, in two halves that are mixed by multiplication (as in Murmur's finalizer). */
export class Digest {
  low = 0x9e3779b9 | 0;
  high = 0x85ebca6b | 0;

  add(word: number): void {
    let k = Math.imul(word | 0, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    this.low = Math.imul((((this.low ^ k) << 13) | ((this.low ^ k) >>> 19)) + this.high, 5) +
      0x6b64;
    this.high = Math.imul(this.high ^ (this.low >>> 7), 0xc2b2ae35) + k | 0;
    this.low |= 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** Events that are remembered for those who look later. */
const RECENT = 1024;

/** Collects the events of one machine. */
export class Trace implements Snapshot {
  readonly #digest = new Digest();
  /** The latest events as columns, since an object for each would be most of the garbage of a machine. */
  readonly #recent = {
    cycle: new Float64Array(RECENT),
    kind: new Uint8Array(RECENT),
    a: new Float64Array(RECENT),
    b: new Float64Array(RECENT),
  };
  #emitted = 0;
  #muted = false;
  readonly #listeners = new Set<(event: TraceEvent) => void>();
  readonly #counts: Record<TraceKind, number> = Object.fromEntries(
    KINDS.map((kind) => [kind, 0]),
  ) as Record<TraceKind, number>;
  readonly #note = (cycle: number, kind: TraceKind, a: number, b: number) =>
    this.#take(cycle, kind, a, b);
  /** Hands over events that were noted elsewhere, oldest first: they come before whatever is done to the trace next. */
  source: ((take: Trace["emit"]) => void) | null = null;

  /** How many events of each kind there were. */
  get counts(): Readonly<Record<TraceKind, number>> {
    this.source?.(this.#note);
    return this.#counts;
  }

  /** The hash so far. */
  get hash(): string {
    this.source?.(this.#note);
    return this.#digest.toString();
  }

  /** Whether somebody listens, and is told. */
  get isHeard(): boolean {
    return this.#listeners.size !== 0 && !this.#muted;
  }

  /** Whether nobody is told of events: what happens has happened before. */
  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    this.source?.(this.#note);
    this.#muted = muted;
  }

  emit(cycle: number, kind: TraceKind, a: number, b: number): void {
    this.source?.(this.#note);
    this.#take(cycle, kind, a, b);
  }

  #take(cycle: number, kind: TraceKind, a: number, b: number): void {
    const digest = this.#digest;
    const number = KIND_NUMBERS[kind];
    digest.add(number);
    digest.add(cycle);
    digest.add(Math.floor(cycle / 0x1_0000_0000));
    digest.add(a);
    digest.add(b);
    this.#counts[kind]++;
    const at = this.#emitted++ % RECENT;
    const recent = this.#recent;
    recent.cycle[at] = cycle;
    recent.kind[at] = number;
    recent.a[at] = a;
    recent.b[at] = b;
    if (!this.isHeard) return;
    for (const listener of this.#listeners) listener({ cycle, kind, a, b });
  }

  /** The latest events, oldest first. */
  recent(count: number): TraceEvent[] {
    this.source?.(this.#note);
    const { cycle, kind, a, b } = this.#recent;
    const length = Math.min(count, this.#emitted, RECENT);
    return Array.from({ length }, (_, i) => {
      const at = (this.#emitted - length + i) % RECENT;
      return { cycle: cycle[at], kind: KINDS[kind[at]], a: a[at], b: b[at] };
    });
  }

  /** Calls `listener` with each event; returns how to stop that. */
  listen(listener: (event: TraceEvent) => void): () => void {
    this.source?.(this.#note);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  save(): SnapshotRecord {
    this.source?.(this.#note);
    return { kind: "trace", version: 1, state: { low: this.#digest.low, high: this.#digest.high } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "trace", 1);
    this.source?.(this.#note);
    this.#digest.low = state.low as number;
    this.#digest.high = state.high as number;
    this.#emitted = 0;
  }
}
