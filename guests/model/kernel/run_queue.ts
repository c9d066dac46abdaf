/**
 * Who runs next: the scheduler of Linux 2.4 (`kernel/sched.c`). One queue for all CPUs; each process has ticks left in the
 * present epoch, and the one with the most goodness runs. When all that are ready have used theirs up, a new epoch begins.
 */

import type { Containers } from "./containers.ts";
import type { Process } from "./process.ts";

/** What a process that last ran on the same CPU is preferred by (`PROC_CHANGE_PENALTY`). */
const SAME_CPU = 15;

/** Ticks in a timeslice at `nice`, with 100 ticks a second (`NICE_TO_TICKS`). */
export function ticksOf(nice: number): number {
  return Math.trunc((20 - nice) / 4) + 1;
}

/** How much `process` deserves `cpu`; 0: its ticks are used up. `memory` is what the CPU has at hand (`goodness`). */
export function goodness(process: Process, cpu: number, memory: number, isSmp: boolean): number {
  if (process.counter <= 0) return 0;
  const affinity = isSmp && process.cpu === cpu ? SAME_CPU : 0;
  const shared = process.memory === memory ? 1 : 0;
  return process.counter + affinity + shared + 20 - process.nice;
}

/** Whom a kernel lets run. */
export interface ProcessScheduler {
  /** Those that could run and do not. */
  readonly ready: Process[];
  add(process: Process): void;
  /** To the end of the queue: others that deserve as much go first. */
  addLast(process: Process): void;
  /** Whom `cpu` should run: `current` if nobody is better; takes whoever is chosen from the queue. */
  pick(cpu: number, memory: number, current: Process | null): Process | null;
  /** By how much `process` deserves `cpu` more than `current` does; 0 or less: it has to wait. */
  gain(process: Process, cpu: number, current: Process): number;
  /** `process` ran for a tick; whether somebody else may be better now. */
  tick(process: Process): boolean;
}

/** See the module comment. */
export class RunQueue implements ProcessScheduler {
  /** Those that could run and do not, oldest last (2.4 adds at the head). */
  readonly ready: Process[] = [];

  constructor(
    private readonly isSmp: boolean,
    private readonly containers: Containers,
    private readonly all: () => Iterable<Process>,
  ) {}

  add(process: Process): void {
    this.ready.push(process);
  }

  /** To the end of the queue: others of the same goodness go first. */
  addLast(process: Process): void {
    this.ready.unshift(process);
  }

  remove(process: Process): void {
    const place = this.ready.indexOf(process);
    if (place >= 0) this.ready.splice(place, 1);
  }

  /** Whom `cpu` should run: `current` if nobody is better; takes whoever is chosen from the queue. */
  pick(cpu: number, memory: number, current: Process | null): Process | null {
    if (!this.containers.inUse) return this.#pickAmong(this.ready, cpu, memory, current);
    const entitled = this.containers.mostEntitled(current ? [...this.ready, current] : this.ready);
    const stays = current !== null && entitled.includes(current);
    const others = stays ? entitled.filter((each) => each !== current) : entitled;
    return this.#pickAmong(others, cpu, memory, stays ? current : null);
  }

  gain(process: Process, cpu: number, current: Process): number {
    const { isSmp } = this;
    const gain = goodness(process, cpu, current.memory, isSmp) -
      goodness(current, cpu, current.memory, isSmp);
    return isSmp ? gain - 1 : gain;
  }

  tick(process: Process): boolean {
    if (--process.counter > 0) return false;
    process.counter = 0;
    return true;
  }

  #pickAmong(
    ready: readonly Process[],
    cpu: number,
    memory: number,
    current: Process | null,
  ): Process | null {
    for (;;) {
      let best = current;
      let most = current ? goodness(current, cpu, memory, this.isSmp) : -1;
      for (let place = ready.length - 1; place >= 0; place--) {
        const each = ready[place];
        const value = goodness(each, cpu, memory, this.isSmp);
        if (value > most) [best, most] = [each, value];
      }
      if (best === null) return null;
      if (most > 0) {
        if (best !== current) this.remove(best);
        return best;
      }
      for (const each of this.all()) {
        if (each.container !== best.container) continue;
        each.counter = (each.counter >> 1) + ticksOf(each.nice);
      }
    }
  }
}
