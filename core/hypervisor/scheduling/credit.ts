/**
 * The credit scheduler.
 *
 * Every accounting period (30 ms) the physical CPUs' time is shared out as credit among the active virtual CPUs by
 * weight; running burns it. Who has credit is UNDER, who overdrew is OVER; one that wakes while UNDER is BOOSTed until a
 * tick finds it running. Each physical CPU has a queue in which priorities go round robin by slices, and looks into the
 * others' queues before it takes an OVER one or idles. A domain with a cap is parked once it overdrew by the cap.
 * Ticks (10 ms) exist while somebody runs, accounting while somebody is active: idle domains cost nothing.
 *
 * Credit is counted in cycles here (Xen: 10 per ms). Source: Xen's "Credit Scheduler" pages; names and limits of
 * `struct xen_domctl_sched_credit` and `struct xen_sysctl_credit_schedule`.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import { shareCredit } from "./credit_shares.ts";
import { RATE_LIMIT, WEIGHT_AND_CAP } from "./credit_parameters.ts";
import type { ParameterTable } from "./parameters.ts";
import { type MemberState, PolicyBase } from "./policy_base.ts";
import type { Decision, SchedulableVcpu, SchedulerParameters } from "./ports.ts";

/** Higher runs first. */
const PRIORITY = { boost: 0, under: -1, over: -2, none: -64 } as const;
const TICKS_PER_SLICE = 3;

interface CreditState extends MemberState {
  /** In cycles. */
  credit: number;
  /** One of {@link PRIORITY}. */
  priority: number;
  /** 1 while it takes part in accounting. */
  active: number;
  /** 1 while its cap keeps it from running. */
  parked: number;
  /** 1 from a yield until the next choice. */
  yielded: number;
  /** When it last got a physical CPU. */
  startedAt: number;
  /** The physical CPU in whose queue it is. */
  home: number;
}

/** See the module comment. */
export class CreditPolicy extends PolicyBase<CreditState> {
  readonly name = "credit";
  protected readonly domainTable = WEIGHT_AND_CAP;
  protected readonly table: ParameterTable = {
    tslice_ms: { min: 1, max: 1000, initial: 30, about: "slice and accounting period" },
    ...RATE_LIMIT,
    vcpu_migr_delay_us: {
      min: 0,
      max: 100_000,
      initial: 0,
      about: "for how long one that ran is left where its cache is warm",
    },
  };
  #nextTick = 0;
  #nextAccounting = 0;
  /** How many take part in accounting. */
  #active = 0;

  override get deadline(): number {
    const busy = this.cpus.some((cpu) => this.ports.runningOn(cpu));
    return Math.min(
      busy ? this.#nextTick : Infinity,
      this.#active > 0 ? this.#nextAccounting : Infinity,
    );
  }

  override expire(now: Cycle): void {
    this.settleAll(now);
    if (this.#nextTick <= now) this.#tick(now);
    if (this.#nextAccounting <= now) this.#account(now);
  }

  override addCpu(cpu: PhysicalCpuId, now: Cycle): void {
    super.addCpu(cpu, now);
    this.#rehome();
  }

  override removeCpu(cpu: PhysicalCpuId, now: Cycle): void {
    super.removeCpu(cpu, now);
    this.#rehome();
  }

  override remove(vcpu: SchedulableVcpu, now: Cycle): void {
    this.#deactivate(this.stateOf(vcpu));
    super.remove(vcpu, now);
  }

  override yield(vcpu: SchedulableVcpu): void {
    this.stateOf(vcpu).yielded = 1;
  }

  override affinityChanged(vcpu: SchedulableVcpu, now: Cycle): void {
    this.#rehome();
    super.affinityChanged(vcpu, now);
  }

  override adjust(change: SchedulerParameters, now: Cycle): void {
    super.adjust(change, now);
    this.#nextTick = Math.min(this.#nextTick, now + this.#tickCycles);
    this.#nextAccounting = Math.min(this.#nextAccounting, now + this.#slice);
  }

  protected newState(vcpu: SchedulableVcpu): CreditState {
    return {
      chargedTo: -1,
      credit: 0,
      priority: PRIORITY.under,
      active: 0,
      parked: 0,
      yielded: 0,
      startedAt: 0,
      home: vcpu.cpu,
    };
  }

  protected charge(_vcpu: SchedulableVcpu, state: CreditState, cycles: number): void {
    state.credit -= cycles;
  }

  protected override adjusted(vcpu: SchedulableVcpu, state: CreditState): void {
    if (this.domainParameters(vcpu.domain).cap === 0) state.parked = 0;
  }

  protected woken(vcpu: SchedulableVcpu, state: CreditState): void {
    if (state.parked === 1) return;
    if (state.priority === PRIORITY.under) state.priority = PRIORITY.boost;
    const idle = this.idleCpuFor(vcpu);
    if (idle !== null) {
      state.home = idle;
      this.tickle(idle);
      return;
    }
    const home = state.home as PhysicalCpuId;
    const holder = this.ports.runningOn(home);
    if (!holder || this.stateOf(holder).priority < state.priority) this.tickle(home);
  }

  protected choose(
    cpu: PhysicalCpuId,
    current: SchedulableVcpu | null,
    now: Cycle,
  ): Decision {
    this.#wind(now);
    const state = current && this.stateOf(current);
    const limit = this.microseconds(this.parameters.ratelimit_us);
    if (state && state.parked === 0 && state.yielded === 0 && now - state.startedAt < limit) {
      return { vcpu: current, slice: state.startedAt + limit - now };
    }
    const next = this.#next(cpu, current, now);
    if (state) state.yielded = 0;
    if (!next) return { vcpu: null, slice: Infinity };
    const chosen = this.stateOf(next);
    chosen.home = cpu;
    if (next !== current) chosen.startedAt = now;
    return { vcpu: next, slice: this.#slice };
  }

  protected override saveOwn(): { readonly [field: string]: SnapshotValue } {
    return { nextTick: this.#nextTick, nextAccounting: this.#nextAccounting, active: this.#active };
  }

  protected override restoreOwn(own: { readonly [field: string]: SnapshotValue }): void {
    this.#nextTick = own.nextTick as number;
    this.#nextAccounting = own.nextAccounting as number;
    this.#active = own.active as number;
  }

  get #slice(): number {
    return this.microseconds(this.parameters.tslice_ms * 1000);
  }

  get #tickCycles(): number {
    return Math.max(1, Math.round(this.#slice / TICKS_PER_SLICE));
  }

  /** The next one for `cpu`: from its own queue, or a better one from another's. */
  #next(cpu: PhysicalCpuId, current: SchedulableVcpu | null, now: Cycle): SchedulableVcpu | null {
    let best: SchedulableVcpu | null = null;
    let priority: number = PRIORITY.none;
    for (const vcpu of current ? [...this.waiting, current] : this.waiting) {
      const state = this.stateOf(vcpu);
      if (state.home !== cpu || state.parked === 1 || !vcpu.hardAffinity.has(cpu)) continue;
      // One that yields stands behind the next lower priority.
      const stands = state.priority - (state.yielded === 1 ? 1.5 : 0);
      if (stands <= priority) continue;
      [best, priority] = [vcpu, stands];
    }
    return priority > PRIORITY.over ? best : this.#steal(cpu, priority, now) ?? best;
  }

  /** The first of a higher priority than `priority` that waits in another physical CPU's queue. */
  #steal(cpu: PhysicalCpuId, priority: number, now: Cycle): SchedulableVcpu | null {
    const warm = this.microseconds(this.parameters.vcpu_migr_delay_us);
    let best: SchedulableVcpu | null = null;
    for (const vcpu of this.waiting) {
      const state = this.stateOf(vcpu);
      if (state.parked === 1 || state.home === cpu || state.priority <= priority) continue;
      if (!vcpu.hardAffinity.has(cpu) || now - vcpu.since < warm) continue;
      best = vcpu;
      priority = state.priority;
    }
    return best;
  }

  #tick(now: Cycle): void {
    this.#nextTick = nextMultiple(now, this.#tickCycles);
    for (const cpu of this.cpus) {
      const vcpu = this.ports.runningOn(cpu);
      if (!vcpu) continue;
      const state = this.stateOf(vcpu);
      if (state.priority === PRIORITY.boost) state.priority = PRIORITY.under;
      if (state.active === 1) continue;
      if (this.#active === 0) this.#nextAccounting = nextMultiple(now, this.#slice);
      state.active = 1;
      this.#active++;
    }
  }

  #account(now: Cycle): void {
    const slice = this.#slice;
    this.#nextAccounting = nextMultiple(now, slice);
    const active = [...this.members].filter(([, state]) => state.active === 1);
    const shares = shareCredit(
      slice,
      this.cpus.length,
      active.map(([vcpu, state]) => ({
        domain: vcpu.domain,
        credit: state.credit,
        ...this.#weightAndCap(vcpu),
      })),
    );
    active.forEach(([vcpu, state], i) => {
      state.credit += shares[i].credit;
      if (state.credit < 0) this.#overdrawn(vcpu, state, shares[i].cap);
      else this.#covered(vcpu, state);
    });
  }

  #weightAndCap(vcpu: SchedulableVcpu): { weight: number; cap: number } {
    const { weight, cap } = this.domainParameters(vcpu.domain);
    return { weight, cap };
  }

  #overdrawn(vcpu: SchedulableVcpu, state: CreditState, cap: number): void {
    state.priority = PRIORITY.over;
    if (cap > 0 && state.credit < -cap && state.parked === 0) {
      state.parked = 1;
      if (state.chargedTo >= 0) this.tickle(vcpu.cpu);
    }
    state.credit = Math.max(state.credit, -this.#slice);
  }

  #covered(vcpu: SchedulableVcpu, state: CreditState): void {
    state.priority = PRIORITY.under;
    if (state.parked === 1) {
      state.parked = 0;
      if (vcpu.state === "runnable" && !this.tickleFor(vcpu)) {
        this.tickle(state.home as PhysicalCpuId);
      }
    }
    if (state.credit <= this.#slice) return;
    this.#deactivate(state);
    state.credit = Math.floor(state.credit / 2);
  }

  #deactivate(state: CreditState): void {
    if (state.active === 0) return;
    state.active = 0;
    this.#active--;
  }

  /** Ticks that nobody needed are past: the next one is in the future. */
  #wind(now: Cycle): void {
    if (this.#nextTick <= now) this.#nextTick = nextMultiple(now, this.#tickCycles);
  }

  /** Nobody stays in a queue whose physical CPU is gone or closed to it. */
  #rehome(): void {
    for (const [vcpu, state] of this.members) {
      const suits = (cpu: PhysicalCpuId) => vcpu.hardAffinity.has(cpu);
      if (this.cpus.some((cpu) => cpu === state.home && suits(cpu))) continue;
      state.home = this.cpus.find(suits) ?? state.home;
    }
  }
}

function nextMultiple(now: number, period: number): number {
  return (Math.floor(now / period) + 1) * period;
}
