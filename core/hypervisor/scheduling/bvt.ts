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
import { VirtualTimeQueue } from "./virtual_time_queue.ts";

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
  /** Those that wait and never warp: who has just woken up, and the others. */
  readonly #fresh = new VirtualTimeQueue<SchedulableVcpu>();
  readonly #others = new VirtualTimeQueue<SchedulableVcpu>();
  /** Those that wait and may warp: what they come after changes with time. */
  readonly #warping: SchedulableVcpu[] = [];
  /** By physical CPU: the smallest actual virtual time of those that run there or wait for it, as last seen. */
  readonly #svts: number[] = [];

  override sleep(vcpu: SchedulableVcpu, now: Cycle): void {
    super.sleep(vcpu, now);
    this.#advanceSvt(now, vcpu);
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
    this.#advanceSvt(now);
    state.avt = Math.max(state.avt, this.#least(vcpu.hardAffinity));
    state.fresh = 1;
    if (now >= state.warpFrom) state.warped = 0;
    this.#sortIn(vcpu);
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

  protected override displaced(vcpu: SchedulableVcpu): void {
    this.#sortIn(vcpu);
  }

  protected override waitEnded(vcpu: SchedulableVcpu): void {
    if (this.#fresh.remove(vcpu) || this.#others.remove(vcpu)) return;
    const at = this.#warping.indexOf(vcpu);
    if (at >= 0) this.#warping.splice(at, 1);
  }

  protected override adjusted(): void {
    this.#sortAnew();
  }

  protected override saveOwn(): { readonly [field: string]: SnapshotValue } {
    return { svt: Array.from(this.#svts, (svt) => svt ?? 0) };
  }

  protected override restoreOwn(own: { readonly [field: string]: SnapshotValue }): void {
    if (!Array.isArray(own.svt)) throw new SnapshotError("a BVT of one virtual time for all CPUs");
    this.#svts.splice(0, this.#svts.length, ...own.svt as readonly number[]);
    this.#sortAnew();
  }

  #sortAnew(): void {
    this.#fresh.clear();
    this.#others.clear();
    this.#warping.length = 0;
    for (const vcpu of this.waiting) this.#sortIn(vcpu);
  }

  /** Puts one that waits among those it is compared with. */
  #sortIn(vcpu: SchedulableVcpu): void {
    const { avt, fresh } = this.stateOf(vcpu);
    if (this.#mayWarp(vcpu)) this.#warping.push(vcpu);
    else (fresh === 1 ? this.#fresh : this.#others).insert(vcpu, avt);
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
    const yieldTo = (time: number, isFresh: boolean) => {
      const ahead = Math.ceil((time - effective) / mcu_adv);
      stays = Math.min(stays, isFresh ? Math.max(ahead, sinceStart) : ahead + allowance);
    };
    const isRival = (other: SchedulableVcpu) => other !== vcpu && other.hardAffinity.has(cpu);
    // Of those of a kind who comes first has its turn first.
    const [fresh, others] = [this.#fresh.first(isRival), this.#others.first(isRival)];
    if (fresh) yieldTo(fresh.time, true);
    if (others) yieldTo(others.time, false);
    for (const rival of leaving ? [...this.#warping, leaving] : this.#warping) {
      if (isRival(rival)) yieldTo(this.#effective(rival, now), this.stateOf(rival).fresh === 1);
    }
    const warpEnds = warpl > 0 && this.#warps(vcpu, state, now);
    return warpEnds
      ? Math.min(stays, Math.max(1, this.microseconds(warpl / 1000) - state.warped))
      : stays;
  }

  /** The one with the smallest E that waits for `cpu`; of equals one that has just woken, else the longest wait. */
  #smallest(cpu: PhysicalCpuId, now: Cycle): SchedulableVcpu | null {
    const suits = (vcpu: SchedulableVcpu) => vcpu.hardAffinity.has(cpu);
    const candidates = this.#warping.filter(suits);
    for (const queue of [this.#fresh, this.#others]) {
      const first = queue.first(suits);
      if (first) candidates.push(first.who);
    }
    // In the order of their waits, as far as that decides.
    if (candidates.length > 1) {
      candidates.sort((a, b) => this.waiting.indexOf(a) - this.waiting.indexOf(b));
    }
    let best: SchedulableVcpu | null = null;
    let least = Infinity;
    for (const vcpu of candidates) {
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

  #mayWarp(vcpu: SchedulableVcpu): boolean {
    return this.domainParameters(vcpu.domain).warpback === 1;
  }

  #warps(vcpu: SchedulableVcpu, state: BvtState, now: Cycle): boolean {
    return this.#mayWarp(vcpu) && now >= state.warpFrom;
  }

  /** Scheduler virtual time of each CPU follows the smallest A of all that are known to want to run there, and of `leaving`. */
  #advanceSvt(now: Cycle, leaving: SchedulableVcpu | null = null): void {
    this.settleAll(now);
    for (const cpu of this.cpus) {
      const wants = (vcpu: SchedulableVcpu) => vcpu.hardAffinity.has(cpu);
      let least = Math.min(
        this.#fresh.first(wants)?.time ?? Infinity,
        this.#others.first(wants)?.time ?? Infinity,
      );
      const look = (vcpu: SchedulableVcpu | null) => {
        if (vcpu && wants(vcpu)) least = Math.min(least, this.stateOf(vcpu).avt);
      };
      look(leaving);
      this.#warping.forEach(look);
      for (const each of this.cpus) look(this.ports.runningOn(each));
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
