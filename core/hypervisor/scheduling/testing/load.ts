/** A machine of modelled domains for tests: who computes, who blocks, and what each received. */

import { type Cycle, type Cycles, MachineClock } from "../../../clock/clock.ts";
import type { DomainId, PhysicalCpuId, VcpuId } from "../../../lib/brand.ts";
import type { SnapshotRecord } from "../../../lib/snapshot.ts";
import { ModelExecutor } from "../../executors/model_executor.ts";
import { type Program, ProgramRegistry } from "../../executors/model_program.ts";
import { CpuDispatcher } from "../dispatcher.ts";
import type { SchedulableVcpu, SchedulerName, SchedulerParameters } from "../ports.ts";

/** The machine's cycle is a tenth of a microsecond: quick to simulate, and slices stay exact. */
export const FREQUENCY_HZ = 10_000_000;

/** Milliseconds as cycles, rounded. */
export function ms(value: number): Cycle & Cycles {
  return Math.round(value * FREQUENCY_HZ / 1000) as Cycle & Cycles;
}

/** Computes for ever. */
const spinner: Program<null> = {
  name: "spinner",
  steps: { spin: () => ({ does: "compute", cycles: ms(1000), then: "spin" }) },
};

/**
 * Works for `work`, sleeps for `pause`, in turns (both in cycles); counts its rounds, and notes the worst times from
 * when it wanted to work until it began (`delay`) and until it was done (`response`).
 */
const sleeper: Program<null> = {
  name: "sleeper",
  steps: {
    work({ locals, now }) {
      const due = locals.due as number ?? now;
      locals.rounds = (locals.rounds as number ?? 0) + 1;
      locals.delay = Math.max(locals.delay as number ?? 0, now - due);
      return { does: "compute", cycles: locals.work as Cycles, then: "rest" };
    },
    rest({ locals, now }) {
      const due = locals.due as number ?? now;
      locals.response = Math.max(locals.response as number ?? 0, now - due);
      locals.due = now + (locals.pause as number);
      return { does: "sleep", until: locals.due as Cycle, then: "work" };
    },
  },
};

/** What a test's domain does. */
export type Load =
  | { readonly kind: "spins" }
  | { readonly kind: "sleeps"; readonly work: Cycles; readonly pause: Cycles }
  | { readonly kind: "idles" };

/** A domain of a test. */
export interface LoadedDomain {
  readonly load: Load;
  readonly vcpus?: number;
  readonly parameters?: SchedulerParameters;
  readonly affinity?: readonly number[];
}

/** The machine; see the module comment. */
export class LoadedMachine {
  readonly clock = new MachineClock(FREQUENCY_HZ);
  readonly dispatcher: CpuDispatcher;
  readonly executor: ModelExecutor<null>;

  constructor(
    scheduler: SchedulerName,
    cpus: number,
    domains: readonly LoadedDomain[],
    switchCost: Cycles = 0 as Cycles,
  ) {
    const { clock } = this;
    this.dispatcher = new CpuDispatcher({ clock, cpus, scheduler, switchCost: () => switchCost });
    this.executor = new ModelExecutor<null>({
      clock,
      dispatcher: this.dispatcher,
      programs: new ProgramRegistry([spinner, sleeper]),
      port: () => null,
    });
    domains.forEach((domain, i) => this.#add(i + 1 as DomainId, domain));
  }

  get policy() {
    return this.dispatcher.pools.all[0].policy;
  }

  vcpu(domain: number, id = 0): SchedulableVcpu {
    return this.dispatcher.vcpus.find((vcpu) => vcpu.domain === domain && vcpu.id === id)!;
  }

  /** What the domain's virtual CPUs have run up to now, in milliseconds. */
  ran(domain: number): number {
    return this.dispatcher.domainCycles(domain as DomainId) / ms(1);
  }

  /** Advances to `to` milliseconds. */
  run(to: number): void {
    this.dispatcher.advance(ms(to));
  }

  /** The whole state. */
  save(): readonly SnapshotRecord[] {
    return [this.clock.save(), this.dispatcher.save()];
  }

  restore([clock, dispatcher]: readonly SnapshotRecord[]): void {
    this.clock.restore(clock);
    this.dispatcher.restore(dispatcher);
  }

  #add(domain: DomainId, { load, vcpus = 1, parameters, affinity }: LoadedDomain): void {
    for (let id = 0; id < vcpus; id++) {
      const vcpu = this.dispatcher.add({
        domain,
        id: id as VcpuId,
        executor: this.executor,
        hardAffinity: affinity && new Set(affinity as PhysicalCpuId[]),
      });
      this.executor.attach(vcpu);
      if (load.kind === "spins") this.executor.spawn(vcpu, "spinner", "spin");
      if (load.kind === "sleeps") {
        const { work, pause } = load;
        this.executor.spawn(vcpu, "sleeper", "work", { work, pause });
      }
      this.dispatcher.online(vcpu);
    }
    if (parameters) this.policy.adjustDomain(domain, parameters, this.dispatcher.now);
  }
}
