/**
 * What scheduling policies have in common: who is in the pool, who waits in which order, until when each has been
 * charged for the time it ran, the parameters, and a snapshot of all that.
 *
 * A policy proper adds what it keeps for each virtual CPU (plain numbers), how running is charged, and how the
 * next one is chosen from those that wait.
 */

import type { Cycle } from "../../clock/clock.ts";
import { InvariantError } from "../../lib/assert.ts";
import type { DomainId, PhysicalCpuId } from "../../lib/brand.ts";
import {
  expectRecord,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../lib/snapshot.ts";
import { changedParameters, initialParameters, type ParameterTable } from "./parameters.ts";
import type {
  Decision,
  PolicyPorts,
  SchedulableVcpu,
  SchedulerName,
  SchedulerParameters,
  SchedulingPolicy,
} from "./ports.ts";

/** What a policy keeps for a virtual CPU: plain numbers, saved as they are. */
export interface MemberState {
  /** It runs and has been charged up to this cycle; -1 while it does not run. */
  chargedTo: number;
}

/** An instant that never comes, as a number that JSON can hold. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** See the module comment. */
export abstract class PolicyBase<State extends MemberState> implements SchedulingPolicy {
  abstract readonly name: SchedulerName;
  /** The parameters of a domain. */
  protected abstract readonly domainTable: ParameterTable;
  /** The policy's own. */
  protected abstract readonly table: ParameterTable;

  protected readonly members = new Map<SchedulableVcpu, State>();
  /** Runnable but not running, longest wait first. */
  protected readonly waiting: SchedulableVcpu[] = [];
  /** The pool's physical CPUs in ascending order. */
  protected readonly cpus: PhysicalCpuId[] = [];
  /** Physical CPUs that are about to choose. */
  readonly #tickled = new Set<PhysicalCpuId>();
  readonly #domains = new Map<DomainId, Record<string, number>>();
  #parameters: Record<string, number> | undefined;

  constructor(protected readonly ports: PolicyPorts) {}

  /** What is kept for a virtual CPU that joins. */
  protected abstract newState(vcpu: SchedulableVcpu, now: Cycle): State;
  /** `vcpu` has run for `cycles` up to `now`. */
  protected abstract charge(vcpu: SchedulableVcpu, state: State, cycles: number, now: Cycle): void;
  /** Who runs next; `current` (charged up to `now`) is runnable, and not among those that wait. */
  protected abstract choose(
    cpu: PhysicalCpuId,
    current: SchedulableVcpu | null,
    now: Cycle,
  ): Decision;
  /** `vcpu` has just begun to wait: some physical CPU may have to choose anew. */
  protected abstract woken(vcpu: SchedulableVcpu, state: State, now: Cycle): void;

  /** `vcpu` waits again, because another one got its physical CPU. */
  protected displaced(_vcpu: SchedulableVcpu): void {}
  /** `vcpu` waits no longer. */
  protected waitEnded(_vcpu: SchedulableVcpu): void {}

  get deadline(): number {
    return Infinity;
  }

  expire(_now: Cycle): void {}

  yield(_vcpu: SchedulableVcpu, _now: Cycle): void {}

  addCpu(cpu: PhysicalCpuId, _now: Cycle): void {
    this.cpus.push(cpu);
    this.cpus.sort((a, b) => a - b);
    this.tickle(cpu);
  }

  removeCpu(cpu: PhysicalCpuId, _now: Cycle): void {
    this.cpus.splice(this.cpus.indexOf(cpu), 1);
    this.#tickled.delete(cpu);
  }

  insert(vcpu: SchedulableVcpu, now: Cycle): void {
    this.members.set(vcpu, this.newState(vcpu, now));
  }

  remove(vcpu: SchedulableVcpu, _now: Cycle): void {
    this.members.delete(vcpu);
  }

  wake(vcpu: SchedulableVcpu, now: Cycle): void {
    this.waiting.push(vcpu);
    this.woken(vcpu, this.stateOf(vcpu), now);
  }

  sleep(vcpu: SchedulableVcpu, now: Cycle): void {
    this.settle(vcpu, now);
    this.stateOf(vcpu).chargedTo = -1;
    this.#stopWaiting(vcpu);
  }

  affinityChanged(vcpu: SchedulableVcpu, _now: Cycle): void {
    if (this.stateOf(vcpu).chargedTo < 0) {
      if (this.waiting.includes(vcpu)) this.tickleFor(vcpu);
    } else if (!vcpu.hardAffinity.has(vcpu.cpu)) this.tickle(vcpu.cpu);
  }

  pickNext(cpu: PhysicalCpuId, now: Cycle): Decision {
    this.#tickled.delete(cpu);
    const current = this.ports.runningOn(cpu);
    if (current) this.settle(current, now);
    const mayStay = current?.hardAffinity.has(cpu) ? current : null;
    const decision = this.choose(cpu, mayStay, now);
    const next = decision.vcpu;
    if (next !== current) {
      if (next) {
        this.#stopWaiting(next);
        this.stateOf(next).chargedTo = now;
      }
      if (current) {
        this.stateOf(current).chargedTo = -1;
        this.waiting.push(current);
        this.displaced(current);
        this.tickleFor(current);
      }
    }
    return decision;
  }

  domainParameters(domain: DomainId): Record<string, number> {
    let parameters = this.#domains.get(domain);
    if (!parameters) {
      parameters = this.initialFor(domain);
      this.#domains.set(domain, parameters);
    }
    return parameters;
  }

  adjustDomain(domain: DomainId, change: SchedulerParameters, now: Cycle): void {
    const changed = changedParameters(this.domainTable, this.domainParameters(domain), change);
    this.checkDomain(changed);
    for (const vcpu of this.members.keys()) if (vcpu.domain === domain) this.settle(vcpu, now);
    this.#domains.set(domain, changed);
    for (const [vcpu, state] of this.members) {
      if (vcpu.domain === domain) this.adjusted(vcpu, state, now);
    }
    this.tickleAll();
  }

  get parameters(): Record<string, number> {
    return this.#parameters ??= initialParameters(this.table);
  }

  adjust(change: SchedulerParameters, now: Cycle): void {
    const changed = changedParameters(this.table, this.parameters, change);
    for (const vcpu of this.members.keys()) this.settle(vcpu, now);
    this.#parameters = changed;
    this.tickleAll();
  }

  save(): SnapshotRecord {
    const members = [...this.members].map(([vcpu, state]) => ({ ...state, vcpu: vcpu.name }));
    const domains = [...this.#domains].map(([domain, values]) => ({
      domain,
      values: { ...values },
    }));
    return {
      kind: `scheduler ${this.name}`,
      version: 1,
      state: {
        cpus: [...this.cpus],
        tickled: [...this.#tickled],
        parameters: { ...this.parameters },
        domains,
        members: members as unknown as SnapshotValue,
        waiting: this.waiting.map((vcpu) => vcpu.name),
        own: this.saveOwn(),
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, `scheduler ${this.name}`, 1);
    const byName = new Map([...this.members.keys()].map((vcpu) => [vcpu.name, vcpu]));
    const named = (name: string) => {
      const vcpu = byName.get(name);
      if (!vcpu) throw new SnapshotError(`the snapshot of a scheduler names ${name}, unknown here`);
      return vcpu;
    };
    this.cpus.splice(0, this.cpus.length, ...state.cpus as PhysicalCpuId[]);
    this.#tickled.clear();
    for (const cpu of state.tickled as PhysicalCpuId[]) this.#tickled.add(cpu);
    this.#parameters = { ...state.parameters as Record<string, number> };
    this.#domains.clear();
    for (const { domain, values } of state.domains as unknown as SavedDomain[]) {
      this.#domains.set(domain, { ...values });
    }
    this.members.clear();
    for (const { vcpu, ...rest } of state.members as unknown as (State & { vcpu: string })[]) {
      this.members.set(named(vcpu), rest as unknown as State);
    }
    this.waiting.splice(0, this.waiting.length, ...(state.waiting as string[]).map(named));
    this.restoreOwn(state.own as { readonly [field: string]: SnapshotValue });
  }

  /** What the policy keeps besides, as plain data. */
  protected saveOwn(): { readonly [field: string]: SnapshotValue } {
    return {};
  }

  protected restoreOwn(_own: { readonly [field: string]: SnapshotValue }): void {}

  /** The parameters that `domain` begins with. */
  protected initialFor(_domain: DomainId): Record<string, number> {
    return initialParameters(this.domainTable);
  }

  /** Throws `RangeError` if a domain's parameters do not fit each other. */
  protected checkDomain(_parameters: SchedulerParameters): void {}

  /** The parameters of `vcpu`'s domain have changed. */
  protected adjusted(_vcpu: SchedulableVcpu, _state: State, _now: Cycle): void {}

  protected stateOf(vcpu: SchedulableVcpu): State {
    const state = this.members.get(vcpu);
    if (!state) throw new InvariantError(`${vcpu.name} is not in this pool`);
    return state;
  }

  /** Charges `vcpu`, if it runs, up to `now`. */
  protected settle(vcpu: SchedulableVcpu, now: Cycle): void {
    const state = this.stateOf(vcpu);
    if (state.chargedTo < 0 || now <= state.chargedTo) return;
    const cycles = now - state.chargedTo;
    state.chargedTo = now;
    this.charge(vcpu, state, cycles, now);
  }

  /** Calls `look` with all that want to run: those that wait, then those that hold a physical CPU. */
  protected forRunnable(look: (vcpu: SchedulableVcpu, state: State) => void): void {
    for (const vcpu of this.waiting) look(vcpu, this.stateOf(vcpu));
    for (const cpu of this.cpus) {
      const vcpu = this.ports.runningOn(cpu);
      if (vcpu) look(vcpu, this.stateOf(vcpu));
    }
  }

  /** Charges all that run up to `now`. */
  protected settleAll(now: Cycle): void {
    for (const cpu of this.cpus) {
      const vcpu = this.ports.runningOn(cpu);
      if (vcpu) this.settle(vcpu, now);
    }
  }

  protected tickle(cpu: PhysicalCpuId): void {
    this.#tickled.add(cpu);
    this.ports.tickle(cpu);
  }

  protected tickleAll(): void {
    for (const cpu of this.cpus) this.tickle(cpu);
  }

  /** Whether `cpu` is about to choose. */
  protected isTickled(cpu: PhysicalCpuId): boolean {
    return this.#tickled.has(cpu);
  }

  /**
   * The physical CPU that idles, is not about to choose, and suits `vcpu` best: where it ran last, then where it had
   * better run, then the first.
   */
  protected idleCpuFor(vcpu: SchedulableVcpu): PhysicalCpuId | null {
    let best: PhysicalCpuId | null = null;
    for (const cpu of this.cpus) {
      if (this.ports.runningOn(cpu) || this.#tickled.has(cpu) || !vcpu.hardAffinity.has(cpu)) {
        continue;
      }
      if (cpu === vcpu.cpu) return cpu;
      if (best === null || (!vcpu.softAffinity.has(best) && vcpu.softAffinity.has(cpu))) best = cpu;
    }
    return best;
  }

  /** Tickles an idle physical CPU for `vcpu`; returns whether there was one. */
  protected tickleFor(vcpu: SchedulableVcpu): boolean {
    const idle = this.idleCpuFor(vcpu);
    if (idle !== null) this.tickle(idle);
    return idle !== null;
  }

  /** A time in microseconds as cycles. */
  protected microseconds(us: number): number {
    return Math.round(us * this.ports.frequencyHz / 1e6);
  }

  #stopWaiting(vcpu: SchedulableVcpu): void {
    const at = this.waiting.indexOf(vcpu);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    this.waitEnded(vcpu);
  }
}

interface SavedDomain {
  readonly domain: DomainId;
  readonly values: Record<string, number>;
}
