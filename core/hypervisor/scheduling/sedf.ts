/**
 * SEDF: simple earliest deadline first, with slices, periods and extra time.
 *
 * Each virtual CPU has a home among the physical CPUs, where its slice is kept for it in each period; a weight instead of
 * a slice shares out what the slices leave of the home. Time that nobody has a claim on goes, in short quanta and on
 * any physical CPU, to those with the extra time flag, least served first.
 * Source: Xen 3's `struct xen_domctl_sched_sedf` in `domctl.h` and `docs/misc/sedf_scheduler_mini-HOWTO.txt`. There,
 * extra time too is given on the home only.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { DomainId, PhysicalCpuId } from "../../lib/brand.ts";
import { DeadlinePolicy, type DeadlineState, type Rank } from "./deadline_base.ts";
import { initialParameters, type ParameterTable } from "./parameters.ts";
import type { SchedulableVcpu, SchedulerParameters } from "./ports.ts";

const EXTRA_QUANTUM_US = 500;
/** The period of those that have a weight, and what of it is not given away. */
const WEIGHT_PERIOD_NS = 100e6;
const WEIGHT_SAFETY_NS = 5e6;
/** Domain 0 must not starve under its own children. */
const DOMAIN_0 = { slice: 15e6, period: 20e6 };

interface SedfState extends DeadlineState {
  /** Where its slice is kept for it. */
  home: number;
  /** Extra time received, in cycles. */
  extra: number;
  /** 1 while it runs on extra time. */
  onExtra: number;
}

/** See the module comment. */
export class SedfPolicy extends DeadlinePolicy<SedfState> {
  readonly name = "sedf";
  protected readonly domainTable: ParameterTable = {
    period: { min: 10_000, max: 10e9, initial: 100e6, about: "period in ns" },
    slice: {
      min: 5_000,
      max: 10e9,
      initial: 0,
      orZero: true,
      about: "slice in each period, in ns",
    },
    latency: { min: 0, max: 10e9, initial: 0, about: "hint, in ns; kept, without effect" },
    extratime: { min: 0, max: 1, initial: 1, about: "whether it may have time that is left over" },
    weight: {
      min: 0,
      max: 0xffff,
      initial: 0,
      about: "share of what slices leave; 0: has a slice",
    },
  };
  protected readonly table: ParameterTable = {};

  override removeCpu(cpu: PhysicalCpuId, now: Cycle): void {
    super.removeCpu(cpu, now);
    for (const [vcpu, state] of this.members) {
      if (state.home === cpu) state.home = this.#leastLoaded(vcpu);
    }
  }

  override affinityChanged(vcpu: SchedulableVcpu, now: Cycle): void {
    const state = this.stateOf(vcpu);
    if (!vcpu.hardAffinity.has(state.home as PhysicalCpuId)) state.home = this.#leastLoaded(vcpu);
    super.affinityChanged(vcpu, now);
  }

  protected override initialFor(domain: DomainId): Record<string, number> {
    return { ...initialParameters(this.domainTable), ...(domain === 0 ? DOMAIN_0 : {}) };
  }

  protected override checkDomain({ period, slice }: SchedulerParameters): void {
    if (slice > period) {
      throw new RangeError(`slice must be at most the period of ${period} ns, found ${slice}`);
    }
  }

  protected newState(vcpu: SchedulableVcpu, now: Cycle): SedfState {
    const home = this.#leastLoaded(vcpu);
    const state = { chargedTo: -1, deadline: now, budget: 0, home, extra: 0, onExtra: 0 };
    this.renew(vcpu, state, now);
    return state;
  }

  /** After a wait that outlasted its period a new one begins with the wake-up. */
  protected override woken(vcpu: SchedulableVcpu, state: SedfState, now: Cycle): void {
    if (state.deadline <= now) state.deadline = now;
    let least = Infinity;
    this.forRunnable((other, { extra }) => {
      if (other !== vcpu) least = Math.min(least, extra);
    });
    if (least !== Infinity) state.extra = Math.max(state.extra, least);
    super.woken(vcpu, state, now);
  }

  protected charge(_vcpu: SchedulableVcpu, state: SedfState, cycles: number): void {
    if (state.onExtra === 1) state.extra += cycles;
    else state.budget = Math.max(0, state.budget - cycles);
  }

  protected rank(vcpu: SchedulableVcpu, state: SedfState, cpu: PhysicalCpuId): Rank {
    if (state.budget > 0 && state.home === cpu) return { level: 0, key: state.deadline };
    const { extratime } = this.domainParameters(vcpu.domain);
    return extratime === 1 ? { level: 1, key: state.extra } : null;
  }

  protected begin(_vcpu: SchedulableVcpu, state: SedfState, cpu: PhysicalCpuId): number {
    state.onExtra = state.budget > 0 && state.home === cpu ? 0 : 1;
    return state.onExtra === 1 ? this.microseconds(EXTRA_QUANTUM_US) : state.budget;
  }

  protected period(vcpu: SchedulableVcpu): number {
    const { period, weight } = this.domainParameters(vcpu.domain);
    return this.microseconds((weight > 0 ? WEIGHT_PERIOD_NS : period) / 1000);
  }

  protected fullBudget(vcpu: SchedulableVcpu, { home }: SedfState): number {
    const { slice, weight } = this.domainParameters(vcpu.domain);
    if (weight === 0) return this.microseconds(slice / 1000);
    let weights = 0;
    let left = WEIGHT_PERIOD_NS - WEIGHT_SAFETY_NS;
    for (const [other, state] of this.members) {
      if (state.home !== home || other === vcpu) continue;
      const parameters = this.domainParameters(other.domain);
      weights += parameters.weight;
      if (parameters.weight > 0) continue;
      left -= parameters.slice * (WEIGHT_PERIOD_NS / parameters.period);
    }
    return this.microseconds(Math.max(0, left) * weight / (weights + weight) / 1000);
  }

  /** The physical CPU on which the least is kept for others. */
  #leastLoaded(vcpu: SchedulableVcpu): number {
    let home = -1;
    let least = Infinity;
    for (const cpu of this.cpus) {
      if (!vcpu.hardAffinity.has(cpu)) continue;
      let load = 0;
      for (const [other, state] of this.members) {
        if (state.home !== cpu || other === vcpu) continue;
        load += this.fullBudget(other, state) / this.period(other) + 1e-6;
      }
      if (load < least) [home, least] = [cpu, load];
    }
    return home;
  }
}
