/**
 * What earliest-deadline-first policies have in common: each virtual CPU has a budget for each of its periods, and among
 * those that may run the one of the best rank does.
 *
 * A budget is renewed when its period ends. That is an event only while its owner wants to run: those that wait for
 * events are brought up to date when they wake.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import { type MemberState, PolicyBase } from "./policy_base.ts";
import type { Decision, SchedulableVcpu } from "./ports.ts";

/** What a deadline policy keeps for each virtual CPU. */
export interface DeadlineState extends MemberState {
  /** When the present period ends. */
  deadline: number;
  /** What is left of its budget, in cycles. */
  budget: number;
}

/** How urgent somebody is: the lower level first, then the lower key. Null: may not run there. */
export type Rank = { readonly level: number; readonly key: number } | null;

/** See the module comment. */
export abstract class DeadlinePolicy<State extends DeadlineState> extends PolicyBase<State> {
  /** How urgent `vcpu` is for `cpu`. */
  protected abstract rank(vcpu: SchedulableVcpu, state: State, cpu: PhysicalCpuId): Rank;
  /** `vcpu` was chosen for `cpu`: for how many cycles it may hold it. */
  protected abstract begin(vcpu: SchedulableVcpu, state: State, cpu: PhysicalCpuId): number;
  /** The length of a period in cycles. */
  protected abstract period(vcpu: SchedulableVcpu): number;
  /** The budget of a period in cycles; 0: none. */
  protected abstract fullBudget(vcpu: SchedulableVcpu, state: State): number;

  override get deadline(): number {
    let earliest = Infinity;
    this.forRunnable((vcpu, state) => {
      if (state.deadline >= earliest || this.fullBudget(vcpu, state) === 0) return;
      earliest = state.deadline;
    });
    return earliest;
  }

  override expire(now: Cycle): void {
    this.forRunnable((vcpu, state) => {
      if (state.deadline > now) return;
      this.settle(vcpu, now);
      this.renew(vcpu, state, now);
      if (state.chargedTo >= 0) this.tickle(vcpu.cpu);
      else this.findPlace(vcpu, state);
    });
  }

  /** Begins the period in which `now` is. */
  protected renew(vcpu: SchedulableVcpu, state: State, now: Cycle): void {
    const period = this.period(vcpu);
    state.deadline += (Math.floor((now - state.deadline) / period) + 1) * period;
    state.budget = this.fullBudget(vcpu, state);
  }

  protected woken(vcpu: SchedulableVcpu, state: State, now: Cycle): void {
    if (state.deadline <= now) this.renew(vcpu, state, now);
    this.settleAll(now);
    this.findPlace(vcpu, state);
  }

  protected override adjusted(vcpu: SchedulableVcpu, state: State, now: Cycle): void {
    state.deadline = now;
    this.renew(vcpu, state, now);
  }

  protected choose(cpu: PhysicalCpuId, current: SchedulableVcpu | null): Decision {
    let best: SchedulableVcpu | null = null;
    let bestRank: Rank = null;
    for (const vcpu of current ? [current, ...this.waiting] : this.waiting) {
      if (!vcpu.hardAffinity.has(cpu)) continue;
      const rank = this.rank(vcpu, this.stateOf(vcpu), cpu);
      if (!precedes(rank, bestRank)) continue;
      best = vcpu;
      bestRank = rank;
    }
    if (!best) return { vcpu: null, slice: Infinity };
    return { vcpu: best, slice: Math.max(1, this.begin(best, this.stateOf(best), cpu)) };
  }

  /** Tickles the physical CPU that `vcpu` should have: an idle one, or the one whose holder is least urgent. */
  protected findPlace(vcpu: SchedulableVcpu, state: State): void {
    let place: PhysicalCpuId | null = null;
    let worst: Rank = { level: -1, key: 0 };
    for (const cpu of this.cpus) {
      const rank = vcpu.hardAffinity.has(cpu) ? this.rank(vcpu, state, cpu) : null;
      if (!rank || this.isTickled(cpu)) continue;
      const holder = this.ports.runningOn(cpu);
      const held = holder ? this.rank(holder, this.stateOf(holder), cpu) : null;
      if (!precedes(rank, held)) continue;
      const suitsBetter = held === null
        ? worst !== null || cpu === vcpu.cpu
        : precedes(worst, held);
      if (!suitsBetter) continue;
      place = cpu;
      worst = held;
    }
    if (place !== null) this.tickle(place);
  }
}

/** Whether `a` comes before `b`; anybody comes before nobody. */
function precedes(a: Rank, b: Rank): boolean {
  if (!a) return false;
  if (!b) return true;
  return a.level !== b.level ? a.level < b.level : a.key < b.key;
}
