/**
 * Borrowed virtual time: the scheduler of the first Xen.
 *
 * Each virtual CPU has an actual virtual time A, which its running advances in inverse proportion to its weight; the
 * one with the smallest effective virtual time E runs, where E is A less a warp for those that need low latency.
 * The context switch allowance C keeps two from alternating too fast: i goes on until E of i is C / weight beyond that of
 * the next. One that wakes up begins at the smallest A of those that run or wait, so that it cannot save up time; for it,
 * C is reckoned from when the running one began.
 *
 * Source: Duda and Cheriton, "Borrowed-Virtual-Time (BVT) scheduling" (SOSP 1999); constants and names from
 * Xen 2.0's `sched_bvt.c` and `sched_ctl.h`. Unlike there, time is charged exactly, not in whole units of 100 us, and all
 * physical CPUs share one queue: who is to keep one CPU, as every domain did there, is pinned to it. Each physical CPU has
 * a scheduler virtual time of its own (`CPU_SVT`), that of the virtual CPUs that may run there.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import { SnapshotError, type SnapshotValue } from "../../lib/snapshot.ts";
import type { ParameterTable } from "./parameters.ts";
import { type MemberState, PolicyBase } from "./policy_base.ts";
import type { Decision, SchedulableVcpu } from "./ports.ts";

/** The minimum charging unit, in which `warpvalue` is counted. */
const MCU_US = 100;
/** One that runs alone is looked at again after this many context switch allowances. */
const ALONE = 10;

const LIMIT = 0x7fff_ffff;

interface BvtState extends MemberState {
  /** Actual virtual time: cycles times `mcu_adv`. */
  avt: number;
  /** When it last got a physical CPU. */
  startedAt: number;
  /** 1 from its wake-up until it gets a physical CPU. */
  fresh: number;
  /** Cycles run warped without a break. */
  warped: number;
  /** It may warp from this cycle on. */
  warpFrom: number;
}

/** See the module comment. */
export class BvtPolicy extends PolicyBase<BvtState> {
  readonly name = "bvt";
  protected readonly domainTable: ParameterTable = {
    mcu_adv: {
      min: 1,
      max: 0xffff,
      initial: 10,
      about: "virtual time per time run: inverse weight",
    },
    warpback: { min: 0, max: 1, initial: 0, about: "whether it warps" },
    warpvalue: { min: 0, max: LIMIT, initial: 0, about: "the warp, in MCUs of virtual time" },
    warpl: { min: 0, max: LIMIT, initial: 0, about: "longest time warped, in ns; 0: no limit" },
    warpu: { min: 0, max: LIMIT, initial: 0, about: "shortest time before it warps again, in ns" },
  };
  protected readonly table: ParameterTable = {
    ctx_allow: { min: 10_000, max: 1e9, initial: 5e6, about: "context switch allowance, in ns" },
  };
  /** By physical CPU: the smallest actual virtual time of those that run there or wait for it, as last seen. */
  readonly #svts: number[] = [];

  override sleep(vcpu: SchedulableVcpu, now: Cycle): void {
    super.sleep(vcpu, now);
    this.#advanceSvt(now, null, vcpu);
  }

  protected newState(): BvtState {
    return {
      chargedTo: -1,
      avt: this.#least(this.cpus),
      startedAt: 0,
      fresh: 0,
      warped: 0,
      warpFrom: 0,
    };
  }

  protected charge(vcpu: SchedulableVcpu, state: BvtState, cycles: number, now: Cycle): void {
    const { mcu_adv, warpl, warpu } = this.domainParameters(vcpu.domain);
    state.avt += cycles * mcu_adv;
    if (!this.#warps(vcpu, state, now)) return;
    state.warped += cycles;
    if (warpl === 0 || state.warped < this.microseconds(warpl / 1000)) return;
    state.warped = 0;
    state.warpFrom = now + this.microseconds(warpu / 1000) + 1;
  }

  protected woken(vcpu: SchedulableVcpu, state: BvtState, now: Cycle): void {
    this.#advanceSvt(now, vcpu);
    state.avt = Math.max(state.avt, this.#least(vcpu.hardAffinity));
    state.fresh = 1;
    if (now >= state.warpFrom) state.warped = 0;
    if (this.tickleFor(vcpu)) return;
    for (const cpu of this.cpus) if (vcpu.hardAffinity.has(cpu)) this.tickle(cpu);
  }

  protected choose(
    cpu: PhysicalCpuId,
    current: SchedulableVcpu | null,
    now: Cycle,
  ): Decision {
    const best = this.#smallest(cpu, now);
    if (current) {
      const stays = this.#staysFor(current, cpu, now);
      if (stays > 0 || !best) return { vcpu: current, slice: Math.max(1, stays) };
    }
    if (!best) return { vcpu: null, slice: Infinity };
    const state = this.stateOf(best);
    state.startedAt = now;
    state.fresh = 0;
    return { vcpu: best, slice: Math.max(1, this.#staysFor(best, cpu, now, current)) };
  }

  protected override saveOwn(): { readonly [field: string]: SnapshotValue } {
    return { svt: Array.from(this.#svts, (svt) => svt ?? 0) };
  }

  protected override restoreOwn(own: { readonly [field: string]: SnapshotValue }): void {
    if (!Array.isArray(own.svt)) throw new SnapshotError("a BVT of one virtual time for all CPUs");
    this.#svts.splice(0, this.#svts.length, ...own.svt as readonly number[]);
  }

  get #allowance(): number {
    return this.microseconds(this.parameters.ctx_allow / 1000);
  }

  /** For how many cycles `vcpu` may hold `cpu` from `now` on: until the first of those that wait has its turn. */
  #staysFor(
    vcpu: SchedulableVcpu,
    cpu: PhysicalCpuId,
    now: Cycle,
    leaving: SchedulableVcpu | null = null,
  ): number {
    const allowance = this.#allowance;
    const state = this.stateOf(vcpu);
    const { mcu_adv, warpl } = this.domainParameters(vcpu.domain);
    const effective = this.#effective(vcpu, now);
    const sinceStart = state.startedAt + allowance - now;
    let stays = ALONE * allowance;
    const rivals = leaving ? [...this.waiting, leaving] : this.waiting;
    for (const rival of rivals) {
      if (rival === vcpu || !rival.hardAffinity.has(cpu)) continue;
      const ahead = Math.ceil((this.#effective(rival, now) - effective) / mcu_adv);
      const fresh = this.stateOf(rival).fresh === 1;
      stays = Math.min(stays, fresh ? Math.max(ahead, sinceStart) : ahead + allowance);
    }
    const warpEnds = warpl > 0 && this.#warps(vcpu, state, now);
    return warpEnds
      ? Math.min(stays, Math.max(1, this.microseconds(warpl / 1000) - state.warped))
      : stays;
  }

  /** The one with the smallest E that waits for `cpu`; of equals one that has just woken, else the longest wait. */
  #smallest(cpu: PhysicalCpuId, now: Cycle): SchedulableVcpu | null {
    let best: SchedulableVcpu | null = null;
    let least = Infinity;
    for (const vcpu of this.waiting) {
      if (!vcpu.hardAffinity.has(cpu)) continue;
      const effective = this.#effective(vcpu, now);
      const first = best === null || effective < least ||
        (effective === least && this.stateOf(vcpu).fresh > this.stateOf(best).fresh);
      if (!first) continue;
      best = vcpu;
      least = effective;
    }
    return best;
  }

  #effective(vcpu: SchedulableVcpu, now: Cycle): number {
    const state = this.stateOf(vcpu);
    if (!this.#warps(vcpu, state, now)) return state.avt;
    const { warpvalue } = this.domainParameters(vcpu.domain);
    return state.avt - warpvalue * this.microseconds(MCU_US);
  }

  #warps(vcpu: SchedulableVcpu, state: BvtState, now: Cycle): boolean {
    return this.domainParameters(vcpu.domain).warpback === 1 && now >= state.warpFrom;
  }

  /**
   * Scheduler virtual time of each CPU follows the smallest A of all that want to run there but `except`, and of `leaving`.
   */
  #advanceSvt(
    now: Cycle,
    except: SchedulableVcpu | null,
    leaving: SchedulableVcpu | null = null,
  ): void {
    this.settleAll(now);
    for (const cpu of this.cpus) {
      let least = leaving?.hardAffinity.has(cpu) ? this.stateOf(leaving).avt : Infinity;
      this.forRunnable((vcpu, { avt }) => {
        if (vcpu !== except && vcpu.hardAffinity.has(cpu)) least = Math.min(least, avt);
      });
      if (least !== Infinity) this.#svts[cpu] = Math.max(this.#svts[cpu] ?? 0, least);
    }
  }

  /** The smallest scheduler virtual time of some CPUs of this pool. */
  #least(cpus: Iterable<PhysicalCpuId>): number {
    let least = Infinity;
    for (const cpu of cpus) {
      if (this.cpus.includes(cpu)) least = Math.min(least, this.#svts[cpu] ?? 0);
    }
    return least === Infinity ? 0 : least;
  }
}
