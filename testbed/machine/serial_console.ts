/** The first serial port, as the terminal at its other end. */

import type { Cycle, MachineClock, Nanoseconds } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { RunOptions, SerialConsole, StopReason } from "../machine_api.ts";
import { parseDuration } from "../units.ts";
import { describeStop } from "../views.ts";

/** What the console needs of its machine. */
export interface ConsolePort {
  readonly clock: MachineClock;
  run(options: RunOptions): Promise<StopReason>;
  /** Takes what was typed. */
  receive(bytes: Uint8Array): void;
}

const ENCODER = new TextEncoder();
/** Lines quoted when a wait fails. */
const QUOTED_LINES = 12;

/** A console over one serial port. */
export class MachineConsole implements SerialConsole, Snapshot {
  readonly #machine: ConsolePort;
  readonly #listeners = new Set<(bytes: Uint8Array) => void>();
  readonly #decoder = new TextDecoder();
  #text = "";
  /** Where earlier waits stopped reading. */
  #matched = 0;
  /** Output of the running slice, not yet passed on. */
  #pending: number[] = [];
  /** Whether output is the past's, and not passed on. */
  #muted = false;

  constructor(machine: ConsolePort) {
    this.#machine = machine;
  }

  get text(): string {
    return this.#text;
  }

  onOutput(listener: (bytes: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  send(text: string | Uint8Array): void {
    this.#machine.receive(typeof text === "string" ? ENCODER.encode(text) : text);
  }

  async waitFor(
    pattern: string | RegExp,
    options: { readonly timeoutSimulated?: string | Nanoseconds; readonly signal?: AbortSignal } =
      {},
  ): Promise<string> {
    const { signal, timeoutSimulated } = options;
    const limitNs = timeoutSimulated === undefined
      ? Infinity
      : typeof timeoutSimulated === "string"
      ? parseDuration(timeoutSimulated)
      : timeoutSimulated;
    const { clock } = this.#machine;
    const untilCycle = limitNs === Infinity
      ? undefined
      : (clock.reached + Math.ceil(limitNs * clock.frequencyHz / 1e9)) as Cycle;
    for (;;) {
      const found = this.#search(pattern);
      if (found !== null) return found;
      const stop = await this.#machine.run({ untilCycle, untilText: stopText(pattern), signal });
      if (stop.kind === "marker") continue;
      const last = this.#search(pattern);
      if (last !== null) return last;
      throw new Error(this.#complaint(pattern, stop));
    }
  }

  /** A byte that the guest sent. */
  transmit(byte: number): void {
    this.#pending.push(byte);
    this.#text += this.#decoder.decode(Uint8Array.of(byte), { stream: true });
  }

  /** Passes output on to the listeners; called between slices. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const bytes = Uint8Array.from(this.#pending);
    this.#pending = [];
    if (this.#muted) return;
    for (const listener of this.#listeners) listener(bytes);
  }

  /** Whether nobody is told what is printed: it has been printed before. */
  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    this.flush();
    this.#muted = muted;
  }

  save(): SnapshotRecord {
    const state = { text: this.#text, matched: this.#matched };
    return { kind: "serialConsole", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "serialConsole", 1);
    this.#text = state.text as string;
    this.#matched = state.matched as number;
  }

  #search(pattern: string | RegExp): string | null {
    const rest = this.#text.slice(this.#matched);
    if (typeof pattern === "string") {
      const at = rest.indexOf(pattern);
      if (at < 0) return null;
      this.#matched += at + pattern.length;
      return pattern;
    }
    const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")).exec(rest);
    if (!match) return null;
    this.#matched += match.index + match[0].length;
    return match[0];
  }

  #complaint(pattern: string | RegExp, stop: StopReason): string {
    const lines = this.#text.split("\n").slice(-QUOTED_LINES).join("\n");
    return `the console did not print ${String(pattern)}: ${
      describeStop(stop)
    }. Its last lines:\n${lines}`;
  }
}

/** Text whose arrival makes another look worthwhile: a regular expression is looked at line by line. */
function stopText(pattern: string | RegExp): string {
  return typeof pattern === "string" ? pattern : "\n";
}
