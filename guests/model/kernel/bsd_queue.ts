/**
 * Who runs next in a BSD kernel (`kern_synch.c` and `kern_clock.c` of 4.4BSD, as in NetBSD and FreeBSD of 2003): a process that
 * used the CPU has its priority fall, and forgets that by and by; those of one priority take turns of 100 ms. Nothing has
 * epochs: who sleeps long comes back with a good priority, whatever others did.
 */

import type { Process } from "./process.ts";
import type { ProcessScheduler } from "./run_queue.ts";

/** Priority of a process that has not used the CPU (`PUSER`); a higher number is a worse priority, up to the last. */
const BEST = 50;
const WORST = 127;
/** Ticks of one turn (`roundrobin`, ten times a second). */
const TURN = 10;
/** What is remembered of CPU use: so much of it is left after a second beside one other that wants to run. */
const DECAY = 2 / 3;

/** See the module comment. In `counter` a process has the ticks that are left of its turn. */
export class BsdQueue implements ProcessScheduler {
  readonly ready: Process[] = [];

  /** `seconds`: the present, since the start. */
  constructor(private readonly seconds: () => number) {}

  add(process: Process): void {
    this.ready.unshift(process);
  }

  addLast(process: Process): void {
    this.ready.unshift(process);
  }

  pick(_cpu: number, _memory: number, current: Process | null): Process | null {
    let best = current;
    // Whoever has had a turn lets those of the same priority go first.
    let least = current ? this.priorityOf(current) + (current.counter <= 0 ? 0.5 : 0) : Infinity;
    for (let place = this.ready.length - 1; place >= 0; place--) {
      const priority = this.priorityOf(this.ready[place]);
      if (priority < least) [best, least] = [this.ready[place], priority];
    }
    if (best === null) return null;
    if (best !== current) this.ready.splice(this.ready.indexOf(best), 1);
    if (best !== current || best.counter <= 0) best.counter = TURN;
    return best;
  }

  gain(process: Process, _cpu: number, current: Process): number {
    return this.priorityOf(current) - this.priorityOf(process);
  }

  tick(process: Process): boolean {
    this.#forget(process);
    process.recentTicks++;
    return --process.counter <= 0;
  }

  /** A process's priority: `PUSER + p_estcpu / 4 + 2 * p_nice`. */
  priorityOf(process: Process): number {
    this.#forget(process);
    const priority = BEST + Math.floor(process.recentTicks / 4) + 2 * process.nice;
    return Math.min(WORST, priority);
  }

  /** What `schedcpu` does each second, and `updatepri` after a sleep. */
  #forget(process: Process): void {
    const second = Math.floor(this.seconds());
    const passed = second - process.forgotAt;
    if (passed <= 0) return;
    process.recentTicks *= DECAY ** passed;
    process.forgotAt = second;
  }
}
