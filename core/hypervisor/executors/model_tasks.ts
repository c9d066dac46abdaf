/**
 * The tasks of one modelled virtual CPU, as plain data: who is ready, who waits for what, which signals nobody has
 * waited for yet. Tasks share their virtual CPU by turns: each goes on until it waits, yields or exits.
 */

import type { Cycle, Cycles } from "../../clock/clock.ts";
import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../lib/snapshot.ts";
import type { Locals, Next } from "./model_program.ts";

/** One task. */
export interface Task {
  readonly program: string;
  /** What it does, and where it goes on. */
  next: Next;
  locals: Locals;
  /** Cycles until `next` takes effect: the cost of the latest step, and what it computes. */
  remaining: number;
  /** Its latest wait ended because its time was up. */
  timedOut: boolean;
}

const KIND = "model tasks";

/** See the module comment. */
export class TaskList {
  /** Those that can go on; the first one holds the virtual CPU. */
  readonly ready: Task[] = [];
  /** Those that wait for a signal or for an instant, oldest first. */
  readonly waiting: Task[] = [];
  /** Signals that came before anybody waited for them. */
  readonly signals = new Set<string>();

  /** Readies all that wait for `event`, or keeps it for the next one that does; returns whether somebody was waiting. */
  signal(event: string): boolean {
    const heard = this.#ready(
      (task) => task.next.does === "wait" && task.next.event === event,
      false,
    );
    if (!heard) this.signals.add(event);
    return heard;
  }

  /** Readies all whose time is up at `now`; returns whether there were any. */
  wakeSleepers(now: Cycle): boolean {
    return this.#ready((task) => wakesAt(task) <= now, true);
  }

  /** When the first of those that wait gives up, or `Infinity`. */
  get nextWake(): number {
    return this.waiting.reduce((least, task) => Math.min(least, wakesAt(task)), Infinity);
  }

  save(): SnapshotRecord {
    return {
      kind: KIND,
      version: 1,
      state: {
        ready: copyOfValue(this.ready as unknown as SnapshotValue),
        waiting: copyOfValue(this.waiting as unknown as SnapshotValue),
        signals: [...this.signals],
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, KIND, 1);
    this.ready.splice(0, this.ready.length, ...copyOfValue(state.ready) as unknown as Task[]);
    this.waiting.splice(
      0,
      this.waiting.length,
      ...copyOfValue(state.waiting) as unknown as Task[],
    );
    this.signals.clear();
    for (const event of state.signals as readonly string[]) this.signals.add(event);
  }

  #ready(which: (task: Task) => boolean, timedOut: boolean): boolean {
    const found = this.waiting.filter(which);
    for (const task of found) {
      this.waiting.splice(this.waiting.indexOf(task), 1);
      task.timedOut = timedOut;
      const { then } = task.next as Exclude<Next, { does: "exit" }>;
      task.next = { does: "compute", cycles: 0 as Cycles, then };
      this.ready.push(task);
    }
    return found.length > 0;
  }
}

function wakesAt({ next }: Task): number {
  return next.does === "wait" || next.does === "sleep" ? next.until ?? Infinity : Infinity;
}
