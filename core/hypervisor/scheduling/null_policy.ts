/**
 * The null scheduler: each virtual CPU has a physical CPU of its own, and nothing is ever chosen.
 *
 * Those for which no physical CPU is left do not run until one becomes free, in the order in which they came.
 * Source: Xen's option `sched=null`, `xen-command-line`.
 */

import type { Cycle } from "../../clock/clock.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import type { ParameterTable } from "./parameters.ts";
import { type MemberState, PolicyBase } from "./policy_base.ts";
import type { Decision, SchedulableVcpu } from "./ports.ts";

interface NullState extends MemberState {
  /** The physical CPU that it owns, or -1. */
  owns: number;
}

/** See the module comment. */
export class NullPolicy extends PolicyBase<NullState> {
  readonly name = "null";
  protected readonly domainTable: ParameterTable = {};
  protected readonly table: ParameterTable = {};

  override addCpu(cpu: PhysicalCpuId, now: Cycle): void {
    super.addCpu(cpu, now);
    this.#assign();
  }

  override removeCpu(cpu: PhysicalCpuId, now: Cycle): void {
    super.removeCpu(cpu, now);
    for (const state of this.members.values()) if (state.owns === cpu) state.owns = -1;
    this.#assign();
  }

  override insert(vcpu: SchedulableVcpu, now: Cycle): void {
    super.insert(vcpu, now);
    this.#assign();
  }

  override remove(vcpu: SchedulableVcpu, now: Cycle): void {
    super.remove(vcpu, now);
    this.#assign();
  }

  override affinityChanged(vcpu: SchedulableVcpu): void {
    const state = this.stateOf(vcpu);
    if (state.owns < 0 || vcpu.hardAffinity.has(state.owns as PhysicalCpuId)) return;
    this.tickle(state.owns as PhysicalCpuId);
    state.owns = -1;
    this.#assign();
  }

  protected newState(): NullState {
    return { chargedTo: -1, owns: -1 };
  }

  protected charge(): void {}

  protected woken(_vcpu: SchedulableVcpu, state: NullState): void {
    if (state.owns >= 0) this.tickle(state.owns as PhysicalCpuId);
  }

  protected choose(cpu: PhysicalCpuId, current: SchedulableVcpu | null): Decision {
    const owner = [current, ...this.waiting].find((vcpu) =>
      vcpu && this.stateOf(vcpu).owns === cpu
    );
    return { vcpu: owner ?? null, slice: Infinity };
  }

  /** Gives free physical CPUs to those that have none. */
  #assign(): void {
    const owned = new Set([...this.members.values()].map((state) => state.owns));
    for (const [vcpu, state] of this.members) {
      if (state.owns >= 0) continue;
      const free = this.cpus.find((cpu) => !owned.has(cpu) && vcpu.hardAffinity.has(cpu));
      if (free === undefined) continue;
      state.owns = free;
      owned.add(free);
      this.tickle(free);
    }
  }
}
