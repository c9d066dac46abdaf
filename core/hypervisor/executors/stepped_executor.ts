/**
 * Runs virtual CPUs whose guest is a model: what such a guest does happens in steps, each at one cycle, and is paid for
 * afterwards with time of its virtual CPU.
 *
 * At a step's cycle everybody else has arrived too, so that models meet at exact cycles however many physical CPUs there
 * are. All their time is that of their virtual CPU: they are scheduled, charged and starved as any other guest.
 */

import type { Cycle } from "../../clock/clock.ts";
import { InvariantError } from "../../lib/assert.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import type { SnapshotRecord } from "../../lib/snapshot.ts";
import type { Executor, SchedulableVcpu } from "../scheduling/ports.ts";

/** What a model on one virtual CPU is to its executor. */
export interface SteppedCpu {
  /** Cycles of its virtual CPU's time until it does the next thing; 0: at once. */
  readonly remaining: number;
  /** So many cycles, at most {@link remaining}, have passed for it. */
  spend(cycles: number): void;
  /** Does one thing that is due at `now`: after it something remains, or more is due, or its virtual CPU has blocked. */
  proceed(now: Cycle): void;
  save(): SnapshotRecord;
  restore(record: SnapshotRecord): void;
}

/** A step takes time, so that a circle of steps cannot stop the machine's clock. */
export const LEAST_STEP = 1;

/** See the module comment. */
export class SteppedExecutor<Cpu extends SteppedCpu = SteppedCpu> implements Executor {
  /** By domain and number: they are looked up several times for each step. */
  readonly #cpus: Cpu[][] = [];
  #cycle = 0 as Cycle;
  #interrupted = false;

  constructor(readonly name: string) {}

  get cycle(): Cycle {
    return this.#cycle;
  }

  /** From now on `vcpu` runs `cpu`. */
  adopt(vcpu: SchedulableVcpu, cpu: Cpu): void {
    (this.#cpus[vcpu.domain] ??= [])[vcpu.id] = cpu;
  }

  /** `vcpu` is gone. */
  release(vcpu: SchedulableVcpu): void {
    delete this.#cpus[vcpu.domain]?.[vcpu.id];
  }

  visibleAt(vcpu: SchedulableVcpu, from: Cycle): Cycle {
    return from + this.cpuOf(vcpu).remaining as Cycle;
  }

  run(vcpu: SchedulableVcpu, _cpu: PhysicalCpuId, from: Cycle, until: Cycle): Cycle {
    const cpu = this.cpuOf(vcpu);
    this.#cycle = from;
    this.#interrupted = false;
    while (!this.#interrupted) {
      const left = Math.min(cpu.remaining, Math.max(0, until - this.#cycle));
      if (left > 0) {
        cpu.spend(left);
        this.#cycle = this.#cycle + left as Cycle;
      }
      if (cpu.remaining > 0 || (this.#cycle >= until && this.#cycle > from)) break;
      cpu.proceed(this.#cycle);
      if (until <= from) break;
    }
    // Whoever interrupts a step that happened at `from` finds its first cycle spent.
    if (this.#interrupted && this.#cycle === from && until > from && vcpu.state === "running") {
      cpu.spend(Math.min(LEAST_STEP, cpu.remaining));
      this.#cycle = this.#cycle + LEAST_STEP as Cycle;
    }
    return this.#cycle;
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  save(vcpu: SchedulableVcpu): SnapshotRecord {
    return this.cpuOf(vcpu).save();
  }

  restore(vcpu: SchedulableVcpu, record: SnapshotRecord): void {
    this.cpuOf(vcpu).restore(record);
  }

  /** What `vcpu` runs. */
  protected cpuOf(vcpu: SchedulableVcpu): Cpu {
    const cpu = this.#cpus[vcpu.domain]?.[vcpu.id];
    if (!cpu) {
      throw new InvariantError(`${vcpu.name} is not attached to the ${this.name} executor`);
    }
    return cpu;
  }
}
