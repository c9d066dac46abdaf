/**
 * The cpupools of a machine: which physical CPUs and which domains are in which, and moves between them.
 *
 * Source of the rules: Xen's `cpupool` control operations in `sysctl.h` (a domain is always in one pool; a physical CPU
 * in at most one).
 */

import type { DomainId, PhysicalCpuId } from "../../lib/brand.ts";
import { Cpupool } from "./cpupool.ts";
import type { CpuDispatcher } from "./dispatcher.ts";
import type { PhysicalCpu } from "./physical_cpu.ts";
import type { SchedulerName, SchedulingPolicy } from "./ports.ts";
import type { VcpuEntry } from "./vcpu_entry.ts";

/** See the module comment. */
export class Cpupools {
  readonly all: Cpupool[] = [];
  readonly #homes = new Map<DomainId, Cpupool>();

  constructor(
    private readonly dispatcher: CpuDispatcher,
    private readonly createPolicy: (name: SchedulerName) => SchedulingPolicy,
  ) {}

  /** The cpupool of `domain`: the first one, unless it was moved. */
  of(domain: DomainId): Cpupool {
    return this.#homes.get(domain) ?? this.all[0];
  }

  /** Throws `RangeError` if there is no cpupool of that name. */
  named(name: string): Cpupool {
    const pool = this.all.find((each) => each.name === name);
    if (pool) return pool;
    const names = this.all.map((each) => each.name).join(", ");
    throw new RangeError(`there is no cpupool ${name}; there are ${names}`);
  }

  /** Makes an empty cpupool; throws `RangeError` if there is one of that name. */
  create(name: string, scheduler: SchedulerName): Cpupool {
    if (this.all.some((each) => each.name === name)) {
      throw new RangeError(`there is a cpupool ${name} already`);
    }
    let id = 0;
    while (this.all.some((each) => each.id === id)) id++;
    const pool = new Cpupool(id, name, this.createPolicy(scheduler));
    this.all.push(pool);
    return pool;
  }

  /** Removes a cpupool without domains; its physical CPUs become free. Throws `RangeError` otherwise. */
  destroy(pool: Cpupool): void {
    if (pool === this.all[0]) throw new RangeError(`cpupool ${pool.name} cannot be destroyed`);
    if (this.#vcpusOf(pool).length > 0) {
      throw new RangeError(`cpupool ${pool.name} cannot be destroyed: there are domains in it`);
    }
    for (const cpu of [...pool.cpus]) this.moveCpu(cpu.id, null);
    this.all.splice(this.all.indexOf(pool), 1);
    for (const [domain, home] of this.#homes) if (home === pool) this.#homes.delete(domain);
  }

  /** Gives a physical CPU to `pool`, or to none. Throws `RangeError` if it is the last one that domains need. */
  moveCpu(id: PhysicalCpuId, pool: Cpupool | null): void {
    const cpu = this.dispatcher.cpus[id];
    if (!cpu) throw new RangeError(`there is no physical CPU ${id}`);
    if (cpu.pool === pool) return;
    if (cpu.pool) this.#takeCpu(cpu, cpu.pool);
    cpu.pool = pool;
    if (!pool) return;
    pool.cpus.add(cpu);
    pool.policy.addCpu(id, this.dispatcher.now);
  }

  /** Moves all virtual CPUs of `domain`. Throws `RangeError` if `pool` has no physical CPU. */
  moveDomain(domain: DomainId, pool: Cpupool): void {
    const from = this.of(domain);
    if (from === pool) return;
    if (pool.cpus.size === 0) throw new RangeError(`cpupool ${pool.name} has no physical CPU`);
    const now = this.dispatcher.now;
    const moving = this.dispatcher.vcpus.filter((vcpu) => vcpu.domain === domain);
    const runnable = moving.map((vcpu) => {
      const was = this.dispatcher.withdraw(vcpu);
      from.policy.remove(vcpu, now);
      return was;
    });
    this.#homes.set(domain, pool);
    moving.forEach((vcpu, i) => {
      if (!pool.suits(vcpu)) vcpu.hardAffinity = this.#everywhere();
      vcpu.cpu = [...pool.cpus].find(({ id }) => vcpu.hardAffinity.has(id))!.id;
      vcpu.leftAt = -1;
      pool.policy.insert(vcpu, now);
      if (runnable[i]) pool.policy.wake(vcpu, now);
    });
  }

  /** `domain` is gone. */
  forget(domain: DomainId): void {
    this.#homes.delete(domain);
  }

  /** Which domains were moved where, for snapshots. */
  get moved(): readonly { readonly domain: DomainId; readonly pool: string }[] {
    return [...this.#homes].map(([domain, pool]) => ({ domain, pool: pool.name }));
  }

  /** Used by snapshots: all cpupools anew, with their virtual CPUs inserted; policies are restored afterwards. */
  rebuild(saved: readonly SavedPool[], moved: Cpupools["moved"]): void {
    this.all.length = 0;
    this.#homes.clear();
    for (const { id, name, scheduler, cpus } of saved) {
      const pool = new Cpupool(id, name, this.createPolicy(scheduler));
      for (const cpu of cpus) pool.cpus.add(this.dispatcher.cpus[cpu]);
      this.all.push(pool);
    }
    for (const { domain, pool } of moved) this.#homes.set(domain, this.named(pool));
    for (const cpu of this.dispatcher.cpus) {
      cpu.pool = this.all.find((pool) => pool.cpus.has(cpu)) ?? null;
    }
    for (const vcpu of this.dispatcher.vcpus) {
      this.of(vcpu.domain).policy.insert(vcpu, this.dispatcher.now);
    }
  }

  #takeCpu(cpu: PhysicalCpu, pool: Cpupool): void {
    const vcpus = this.#vcpusOf(pool);
    if (vcpus.length > 0 && pool.cpus.size === 1) {
      throw new RangeError(
        `CPU ${cpu.id} is the last one of cpupool ${pool.name}, which has domains`,
      );
    }
    const { current } = cpu;
    if (current) this.dispatcher.withdraw(current);
    pool.cpus.delete(cpu);
    pool.policy.removeCpu(cpu.id, this.dispatcher.now);
    for (const vcpu of vcpus) {
      if (pool.suits(vcpu)) continue;
      vcpu.hardAffinity = this.#everywhere();
      if (vcpu !== current) pool.policy.affinityChanged(vcpu, this.dispatcher.now);
    }
    if (current) pool.policy.wake(current, this.dispatcher.now);
  }

  #vcpusOf(pool: Cpupool): VcpuEntry[] {
    return this.dispatcher.vcpus.filter((vcpu) => this.of(vcpu.domain) === pool);
  }

  #everywhere(): Set<PhysicalCpuId> {
    return new Set(this.dispatcher.cpus.map((cpu) => cpu.id));
  }
}

/** A cpupool in a snapshot. */
export interface SavedPool {
  readonly id: number;
  readonly name: string;
  readonly scheduler: SchedulerName;
  readonly cpus: readonly PhysicalCpuId[];
}
