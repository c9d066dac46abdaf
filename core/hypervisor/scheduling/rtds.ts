/**
 * RTDS: global preemptive earliest deadline first over deferrable servers.
 *
 * Each virtual CPU may run for `budget` in each `period`; with the flag for extra time, one that has used its budget up
 * goes on at a lower priority level. All physical CPUs share one queue.
 * Source: `struct xen_domctl_sched_rtds` in `domctl.h`; Xen's "RTDS based scheduler" feature page.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { ParameterTable } from "./parameters.ts";
import { DeadlinePolicy, type DeadlineState, type Rank } from "./deadline_base.ts";
import type { SchedulableVcpu, SchedulerParameters } from "./ports.ts";

/** `XEN_DOMCTL_SCHEDRT_extra`. */
const EXTRA = 1;

interface RtdsState extends DeadlineState {
  /** How often it has used its budget up in this period. */
  level: number;
}

/** See the module comment. */
export class RtdsPolicy extends DeadlinePolicy<RtdsState> {
  readonly name = "rtds";
  protected readonly domainTable: ParameterTable = {
    period: { min: 10, max: 1e9, initial: 10_000, about: "period in us" },
    budget: { min: 10, max: 1e9, initial: 4_000, about: "budget in each period, in us" },
    flags: {
      min: 0,
      max: EXTRA,
      initial: EXTRA,
      about: "1: extra time (XEN_DOMCTL_SCHEDRT_extra)",
    },
  };
  protected readonly table: ParameterTable = {};

  protected override checkDomain({ period, budget }: SchedulerParameters): void {
    if (budget > period) {
      throw new RangeError(`budget must be at most the period of ${period} us, found ${budget}`);
    }
  }

  protected newState(vcpu: SchedulableVcpu, now: Cycle): RtdsState {
    const state = { chargedTo: -1, deadline: now, budget: 0, level: 0 };
    this.renew(vcpu, state, now);
    return state;
  }

  protected override renew(vcpu: SchedulableVcpu, state: RtdsState, now: Cycle): void {
    super.renew(vcpu, state, now);
    state.level = 0;
  }

  protected charge(vcpu: SchedulableVcpu, state: RtdsState, cycles: number): void {
    state.budget -= cycles;
    if (state.budget > 0) return;
    const extra = this.domainParameters(vcpu.domain).flags === EXTRA;
    if (extra) state.level++;
    state.budget = extra ? this.fullBudget(vcpu) : 0;
  }

  protected rank(_vcpu: SchedulableVcpu, { level, deadline, budget }: RtdsState): Rank {
    return budget > 0 ? { level, key: deadline } : null;
  }

  protected begin(_vcpu: SchedulableVcpu, { budget }: RtdsState): number {
    return budget;
  }

  protected period(vcpu: SchedulableVcpu): number {
    return this.microseconds(this.domainParameters(vcpu.domain).period);
  }

  protected fullBudget(vcpu: SchedulableVcpu): number {
    return this.microseconds(this.domainParameters(vcpu.domain).budget);
  }
}
