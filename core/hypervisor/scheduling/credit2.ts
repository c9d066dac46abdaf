/**
 * Credit2: Xen's default scheduler.
 *
 * All begin with equal credit, which running burns the faster the lower the weight; who has most runs next. When the next
 * one has none left, everybody gets a fresh helping, and may carry only a little over. A slice lasts until the
 * credit would fall to that of the next in the queue. A cap is a budget for each 10 ms, for all of a domain's virtual CPUs.
 *
 * Credit is counted in cycles at the highest weight of the pool. All physical CPUs of a pool share one queue (Xen's
 * `credit2_runqueue=all`). Unlike in Xen, those that want to run may carry more over than those that sleep: simulated
 * physical CPUs run in lockstep, and whoever happens to be in the middle of a slice when credit is handed out would
 * lose the rest of it every time. Source: Xen's "Credit2 Scheduler" pages; names of `struct xen_domctl_sched_credit2` and
 * `struct xen_sysctl_credit2_schedule`.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { DomainId, PhysicalCpuId } from "../../lib/brand.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import { RATE_LIMIT, WEIGHT_AND_CAP } from "./credit_parameters.ts";
import { type MemberState, PolicyBase } from "./policy_base.ts";
import type { Decision, SchedulableVcpu } from "./ports.ts";

/** A helping of credit, which is also the longest slice, in us. */
const HELPING_US = 10_000;
/** What may be left of one helping when the next comes: a little for those that sleep, a slice for the others. */
const CARRY_OVER_US = { sleeping: 500, runnable: HELPING_US };
const SHORTEST_SLICE_US = 500;
/** By how much more credit one must have to be moved to another physical CPU. */
const MIGRATE_RESIST_US = 500;
/** What one that yields is worth less for once. */
const YIELD_BIAS_US = 1000;
const CAP_PERIOD_US = 10_000;

interface Credit2State extends MemberState {
  credit: number;
  /** When it last got a physical CPU. */
  startedAt: number;
  /** 1 from a yield until the next choice. */
  yielded: number;
}

/** What a domain with a cap may still run in the present period. */
interface CapBudget {
  left: number;
  periodEnd: number;
}

/** See the module comment. */
export class Credit2Policy extends PolicyBase<Credit2State> {
  readonly name = "credit2";
  protected readonly domainTable = WEIGHT_AND_CAP;
  protected readonly table = RATE_LIMIT;
  readonly #budgets = new Map<DomainId, CapBudget>();
  #highestWeight = 1;

  /** Budgets are renewed by looking; an event is needed only where somebody waits for it. */
  override get deadline(): number {
    let earliest = Infinity;
    if (this.#budgets.size === 0) return earliest;
    for (const vcpu of this.waiting) {
      const budget = this.#budgets.get(vcpu.domain);
      if (budget && budget.left <= 0) earliest = Math.min(earliest, budget.periodEnd);
    }
    return earliest;
  }

  override expire(now: Cycle): void {
    this.settleAll(now);
    for (const vcpu of this.waiting) {
      const budget = this.#budgets.get(vcpu.domain);
      if (!budget || budget.periodEnd > now) continue;
      this.#renewBudget(vcpu.domain, budget, now);
      this.#findPlace(vcpu, this.stateOf(vcpu));
    }
  }

  override insert(vcpu: SchedulableVcpu, now: Cycle): void {
    super.insert(vcpu, now);
    this.#weightsChanged(now);
  }

  override remove(vcpu: SchedulableVcpu, now: Cycle): void {
    super.remove(vcpu, now);
    const { domain } = vcpu;
    if (![...this.members.keys()].some((other) => other.domain === domain)) {
      this.#budgets.delete(domain);
    }
    this.#weightsChanged(now);
  }

  override yield(vcpu: SchedulableVcpu): void {
    this.stateOf(vcpu).yielded = 1;
  }

  protected newState(vcpu: SchedulableVcpu, now: Cycle): Credit2State {
    this.#budgetOf(vcpu.domain, now);
    return { chargedTo: -1, credit: this.microseconds(HELPING_US), startedAt: 0, yielded: 0 };
  }

  protected charge(vcpu: SchedulableVcpu, state: Credit2State, cycles: number, now: Cycle): void {
    state.credit -= cycles * this.#highestWeight / this.domainParameters(vcpu.domain).weight;
    const budget = this.#budgets.get(vcpu.domain);
    if (!budget) return;
    budget.left -= cycles;
    this.#renewBudget(vcpu.domain, budget, now);
  }

  protected override adjusted(vcpu: SchedulableVcpu, _state: Credit2State, now: Cycle): void {
    this.#budgets.delete(vcpu.domain);
    this.#budgetOf(vcpu.domain, now);
    this.#weightsChanged(now);
  }

  protected woken(vcpu: SchedulableVcpu, state: Credit2State, now: Cycle): void {
    const budget = this.#budgets.get(vcpu.domain);
    if (budget) this.#renewBudget(vcpu.domain, budget, now);
    this.settleAll(now);
    this.#findPlace(vcpu, state);
  }

  protected choose(
    cpu: PhysicalCpuId,
    current: SchedulableVcpu | null,
    now: Cycle,
  ): Decision {
    for (const [domain, budget] of this.#budgets) this.#renewBudget(domain, budget, now);
    const state = current && this.stateOf(current);
    const limit = this.microseconds(this.parameters.ratelimit_us);
    const stays = current && this.#hasBudget(current) ? current : null;
    if (stays && state!.yielded === 0 && now - state!.startedAt < limit) {
      return {
        vcpu: stays,
        slice: Math.min(state!.startedAt + limit - now, this.#budgetLeft(stays)),
      };
    }
    const next = this.#best(cpu, stays);
    if (state) state.yielded = 0;
    if (!next) return { vcpu: null, slice: Infinity };
    const chosen = this.stateOf(next);
    if (next !== current) chosen.startedAt = now;
    if (chosen.credit <= 0) this.#helpOut(chosen.credit, now);
    return { vcpu: next, slice: this.#sliceOf(next, chosen, cpu) };
  }

  protected override saveOwn(): { readonly [field: string]: SnapshotValue } {
    return {
      highestWeight: this.#highestWeight,
      budgets: [...this.#budgets].map(([domain, budget]) => ({ domain, ...budget })),
    };
  }

  protected override restoreOwn(own: { readonly [field: string]: SnapshotValue }): void {
    this.#highestWeight = own.highestWeight as number;
    this.#budgets.clear();
    type Saved = CapBudget & { readonly domain: DomainId };
    for (const { domain, left, periodEnd } of own.budgets as unknown as Saved[]) {
      this.#budgets.set(domain, { left, periodEnd });
    }
  }

  /** The one with most credit of those that wait and may run on `cpu`, and `current`. */
  #best(cpu: PhysicalCpuId, current: SchedulableVcpu | null): SchedulableVcpu | null {
    let best = current;
    let most = -Infinity;
    if (current) {
      const { credit, yielded } = this.stateOf(current);
      most = credit - (yielded === 1 ? this.microseconds(YIELD_BIAS_US) : 0);
    }
    for (const vcpu of this.waiting) {
      if (!vcpu.hardAffinity.has(cpu) || !this.#hasBudget(vcpu)) continue;
      const { credit } = this.stateOf(vcpu);
      if (credit <= most) continue;
      [best, most] = [vcpu, credit];
    }
    return best;
  }

  /** A helping for all, or several if `least` is that far below nothing. */
  #helpOut(least: number, now: Cycle): void {
    this.settleAll(now);
    const helping = this.microseconds(HELPING_US);
    const helpings = 1 + Math.floor(Math.max(0, -least) / helping);
    for (const [vcpu, state] of this.members) {
      const sleeps = vcpu.state === "blocked" || vcpu.state === "offline";
      const most = helping +
        this.microseconds(sleeps ? CARRY_OVER_US.sleeping : CARRY_OVER_US.runnable);
      state.credit = Math.min(state.credit + helpings * helping, most);
    }
  }

  /** Until its credit is down to that of the next in the queue. */
  #sliceOf(vcpu: SchedulableVcpu, state: Credit2State, cpu: PhysicalCpuId): number {
    let next = 0;
    for (const other of this.waiting) {
      if (other === vcpu || !other.hardAffinity.has(cpu) || !this.#hasBudget(other)) continue;
      next = Math.max(next, this.stateOf(other).credit);
    }
    const { weight } = this.domainParameters(vcpu.domain);
    const time = Math.ceil((state.credit - next) * weight / this.#highestWeight);
    const shortest = this.microseconds(Math.max(SHORTEST_SLICE_US, this.parameters.ratelimit_us));
    const longest = this.microseconds(HELPING_US);
    const slice = Math.min(Math.max(time, shortest), longest);
    return Math.max(1, Math.min(slice, this.#budgetLeft(vcpu)));
  }

  /** Tickles an idle physical CPU, or the one whose holder has so little credit that `vcpu` preempts it. */
  #findPlace(vcpu: SchedulableVcpu, state: Credit2State): void {
    if (!this.#hasBudget(vcpu) || this.tickleFor(vcpu)) return;
    const resist = this.microseconds(MIGRATE_RESIST_US);
    let place: PhysicalCpuId | null = null;
    let least = state.credit;
    for (const cpu of this.cpus) {
      const holder = this.ports.runningOn(cpu);
      if (!holder || this.isTickled(cpu) || !vcpu.hardAffinity.has(cpu)) continue;
      const credit = this.stateOf(holder).credit + (cpu === vcpu.cpu ? 0 : resist);
      if (credit >= least) continue;
      [place, least] = [cpu, credit];
    }
    if (place !== null) this.tickle(place);
  }

  #hasBudget(vcpu: SchedulableVcpu): boolean {
    return this.#budgetLeft(vcpu) > 0;
  }

  #budgetLeft(vcpu: SchedulableVcpu): number {
    return this.#budgets.get(vcpu.domain)?.left ?? Infinity;
  }

  /** Begins the budget of a domain that has a cap and none yet. */
  #budgetOf(domain: DomainId, now: Cycle): void {
    if (this.domainParameters(domain).cap === 0 || this.#budgets.has(domain)) return;
    const periodEnd = now + this.microseconds(CAP_PERIOD_US);
    this.#budgets.set(domain, { left: this.#fullBudget(domain), periodEnd });
  }

  #fullBudget(domain: DomainId): number {
    return Math.max(1, this.microseconds(CAP_PERIOD_US * this.domainParameters(domain).cap / 100));
  }

  #renewBudget(domain: DomainId, budget: CapBudget, now: Cycle): void {
    if (now < budget.periodEnd) return;
    const period = this.microseconds(CAP_PERIOD_US);
    const periods = Math.floor((now - budget.periodEnd) / period) + 1;
    const full = this.#fullBudget(domain);
    budget.left = Math.min(full, budget.left + periods * full);
    budget.periodEnd += periods * period;
  }

  /** Credit is reckoned at the highest weight: a new one changes what everybody's is worth. */
  #weightsChanged(now: Cycle): void {
    this.settleAll(now);
    this.#highestWeight = 1;
    for (const vcpu of this.members.keys()) {
      this.#highestWeight = Math.max(
        this.#highestWeight,
        this.domainParameters(vcpu.domain).weight,
      );
    }
  }
}
