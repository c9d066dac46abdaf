/**
 * The dispatcher: shares the physical CPUs out among virtual CPUs, as scheduling policies choose.
 *
 * It is the machine's loop under the hypervisor. All physical CPUs advance together to the next cycle at which
 * something can happen: a timer, the end of a slice, a policy's deadline, or the first cycle at which an executor
 * may do what others notice. What is due there happens in a fixed order (timers, policies, physical CPUs by
 * number), so that a run is a function of its inputs. Nothing is polled: physical CPUs that idle and virtual CPUs
 * that wait cost nothing.
 */

import type { Cycle, Cycles, MachineClock } from "../../clock/clock.ts";
import { invariant, InvariantError } from "../../lib/assert.ts";
import type { DomainId, PhysicalCpuId } from "../../lib/brand.ts";
import type { SnapshotRecord } from "../../lib/snapshot.ts";
import { Cpupools } from "./cpupools.ts";
import { restoreDispatcher, saveDispatcher } from "./dispatcher_snapshot.ts";
import { PhysicalCpu } from "./physical_cpu.ts";
import { createPolicy } from "./policies.ts";
import type {
  CpuSet,
  Dispatcher,
  Runstate,
  RunstateInfo,
  SchedulableVcpu,
  SchedulerName,
  SchedulingPolicy,
  VcpuOptions,
} from "./ports.ts";
import { VcpuEntry, vcpuName } from "./vcpu_entry.ts";

/** What a dispatcher is made of. */
export interface DispatcherOptions {
  /** The machine's clock; from now on its time follows the dispatcher. */
  readonly clock: MachineClock;
  /** How many physical CPUs there are. */
  readonly cpus: number;
  /** The policy of the first cpupool, `Pool-0`, in which all physical CPUs begin. */
  readonly scheduler: SchedulerName;
  /**
   * What it costs to give a physical CPU to another virtual CPU than held it last, after others held it for
   * `displacedCycles` since the newcomer did (`Infinity`: it comes from elsewhere); default 0.
   */
  switchCost?(to: SchedulableVcpu, displacedCycles: number): Cycles;
}

/** Told of each virtual CPU that has entered another state; it must not change anything. */
export type ScheduleObserver = (vcpu: SchedulableVcpu, now: Cycle) => void;

/** See the module comment. */
export class CpuDispatcher implements Dispatcher {
  readonly clock: MachineClock;
  readonly cpus: readonly PhysicalCpu[];
  readonly vcpus: VcpuEntry[] = [];
  readonly pools: Cpupools;
  readonly #observers = new Set<ScheduleObserver>();
  readonly #switchCost: (to: SchedulableVcpu, displacedCycles: number) => Cycles;
  /** The cycle that all physical CPUs have reached. */
  #time: Cycle;
  /** The physical CPU whose executor is running, and for whom. */
  #running: PhysicalCpu | null = null;
  #current: VcpuEntry | null = null;
  /** Where the physical CPUs that run at present shall stop. */
  #horizon = Infinity;
  #stopping = false;

  constructor(options: DispatcherOptions) {
    const { cpus, clock } = options;
    if (!Number.isSafeInteger(cpus) || cpus < 1 || cpus > 4096) {
      throw new RangeError(`a machine has 1 to 4096 physical CPUs, found ${cpus}`);
    }
    this.clock = clock;
    this.#time = clock.now;
    this.#switchCost = options.switchCost ?? (() => 0 as Cycles);
    this.cpus = Array.from({ length: cpus }, (_, id) => new PhysicalCpu(id as PhysicalCpuId));
    for (const cpu of this.cpus) cpu.at = this.#time;
    this.pools = new Cpupools(this, (name) => this.#policy(name));
    const first = this.pools.create("Pool-0", options.scheduler);
    for (const cpu of this.cpus) this.pools.moveCpu(cpu.id, first);
    clock.source = () => this.now;
    clock.onEarlierDeadline = (at) => this.#stopBy(at);
  }

  get now(): Cycle {
    return this.#current?.executor.cycle ?? this.#time;
  }

  get current(): SchedulableVcpu | null {
    return this.#current;
  }

  add(options: VcpuOptions): SchedulableVcpu {
    const name = vcpuName(options);
    invariant(!this.vcpus.some((other) => other.name === name), `two virtual CPUs named ${name}`);
    const pool = this.pools.of(options.domain);
    const everywhere = new Set(this.cpus.map((cpu) => cpu.id));
    const [home] = [...pool.cpus].filter(({ id }) => options.hardAffinity?.has(id) ?? true);
    if (!home) throw new RangeError(`${name} may run on no physical CPU of cpupool ${pool.name}`);
    const vcpu = new VcpuEntry(options, everywhere, home.id, this.now);
    this.vcpus.push(vcpu);
    pool.policy.insert(vcpu, this.now);
    return vcpu;
  }

  remove(vcpu: SchedulableVcpu): void {
    const entry = this.#entry(vcpu);
    this.offline(entry);
    this.pools.of(entry.domain).policy.remove(entry, this.now);
    this.vcpus.splice(this.vcpus.indexOf(entry), 1);
    for (const cpu of this.cpus) if (cpu.last === entry) cpu.last = null;
    if (!this.vcpus.some(({ domain }) => domain === entry.domain)) this.pools.forget(entry.domain);
  }

  online(vcpu: SchedulableVcpu): void {
    const entry = this.#entry(vcpu);
    if (entry.online) return;
    entry.online = true;
    if (entry.waiting) this.#enter(entry, "blocked", this.now);
    else this.#begin(entry);
  }

  offline(vcpu: SchedulableVcpu): void {
    const entry = this.#entry(vcpu);
    if (!entry.online) return;
    entry.online = false;
    this.#leave(entry, "offline");
  }

  block(vcpu: SchedulableVcpu): void {
    const entry = this.#entry(vcpu);
    if (entry.waiting) return;
    entry.waiting = true;
    if (entry.online) this.#leave(entry, "blocked");
  }

  wake(vcpu: SchedulableVcpu): void {
    const entry = this.#entry(vcpu);
    if (!entry.waiting) return;
    entry.waiting = false;
    if (entry.online) this.#begin(entry);
  }

  yield(vcpu: SchedulableVcpu): void {
    const entry = this.#entry(vcpu);
    if (entry.state !== "running") return;
    this.pools.of(entry.domain).policy.yield(entry, this.now);
    this.#tickle(this.cpus[entry.cpu]);
  }

  setAffinity(vcpu: SchedulableVcpu, hard: CpuSet, soft: CpuSet = vcpu.softAffinity): void {
    const entry = this.#entry(vcpu);
    const pool = this.pools.of(entry.domain);
    if (![...pool.cpus].some((cpu) => hard.has(cpu.id))) {
      throw new RangeError(`${entry.name} would run on no physical CPU of cpupool ${pool.name}`);
    }
    entry.hardAffinity = new Set(hard);
    entry.softAffinity = new Set(soft);
    pool.policy.affinityChanged(entry, this.now);
  }

  runstate(vcpu: SchedulableVcpu): RunstateInfo {
    return this.#entry(vcpu).runstate(this.#instantOf(this.#entry(vcpu)));
  }

  /** Calls `observer` from now on; returns how to stop that. */
  observe(observer: ScheduleObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** How many physical CPUs somebody holds. */
  get heldCpus(): number {
    let held = 0;
    for (const { current } of this.cpus) if (current) held++;
    return held;
  }

  /** Cycles during which `cpu` was held by somebody. */
  busyCycles(cpu: PhysicalCpuId): Cycles {
    const { busyCycles, current, at } = this.cpus[cpu];
    return busyCycles + (current ? Math.max(0, at - current.since) : 0) as Cycles;
  }

  /** How many cycles the virtual CPUs of `domain` have run, all together. */
  domainCycles(domain: DomainId): Cycles {
    return this.vcpus.filter((vcpu) => vcpu.domain === domain)
      .reduce((sum, vcpu) => sum + this.runstate(vcpu).times.running, 0) as Cycles;
  }

  /**
   * The hypervisor itself works on `id` for so long, whoever holds it: what it does in interrupts of its own. For timers and
   * commands; an executor bills for itself.
   */
  occupy(id: PhysicalCpuId, cycles: Cycles): void {
    const cpu = this.cpus[id];
    invariant(cpu !== this.#running, `CPU ${id} is occupied from inside an executor`);
    cpu.at = Math.max(cpu.at, this.#time) + cycles as Cycle;
  }

  stop(): void {
    this.#stopping = true;
    this.#stopBy(this.now);
  }

  /** Whether {@link stop} ended the last {@link advance}, be it at the very cycle that was asked for. */
  get stopped(): boolean {
    return this.#stopping;
  }

  advance(until: Cycle): void {
    invariant(!this.#running, "time is advanced from inside an executor");
    if (!Number.isSafeInteger(until) && until !== Infinity) {
      throw new RangeError(`time is advanced to a whole number of cycles, found ${until}`);
    }
    this.#stopping = false;
    while (!this.#stopping) {
      this.#settleInstant();
      if (this.#time >= until || this.#stopping) break;
      const horizon = this.#nextHorizon(until);
      if (horizon === Infinity) break;
      if (horizon > this.#time) this.#runTo(horizon);
      else this.#act();
    }
  }

  save(): SnapshotRecord {
    return saveDispatcher(this, this.#time);
  }

  /** Restores a machine in which the same virtual CPUs have been added; see {@link Snapshot}. */
  restore(record: SnapshotRecord): void {
    this.#time = restoreDispatcher(this, record);
  }

  /** Used by cpupools: `vcpu` leaves its policy's care for a moment; returns whether it was runnable. */
  withdraw(vcpu: VcpuEntry): boolean {
    if (vcpu.state !== "running" && vcpu.state !== "runnable") return false;
    const now = this.#instantOf(vcpu);
    this.pools.of(vcpu.domain).policy.sleep(vcpu, now);
    if (vcpu.state === "running") {
      const cpu = this.cpus[vcpu.cpu];
      this.#tickle(cpu);
      this.#detach(cpu, now);
      this.#enter(vcpu, "runnable", now);
    }
    return true;
  }

  /** Timers and policies that are due, then choices on the physical CPUs that have come as far. */
  #settleInstant(): void {
    this.clock.advanceTo(this.#time);
    this.clock.runDue();
    for (const { policy } of this.pools.all) {
      if (policy.deadline > this.#time) continue;
      policy.expire(this.#time);
      invariant(policy.deadline > this.#time, `${policy.name} does not get beyond its deadline`);
    }
    for (const cpu of this.cpus) {
      if (cpu.at <= this.#time && cpu.needsChoice) this.#choose(cpu);
    }
  }

  /** The next cycle at which something can happen. */
  #nextHorizon(until: Cycle): number {
    let horizon = Math.min(until, this.clock.nextDeadline);
    for (const { policy } of this.pools.all) horizon = Math.min(horizon, policy.deadline);
    for (const cpu of this.cpus) {
      const { current, at } = cpu;
      if (cpu.needsChoice) horizon = Math.min(horizon, at);
      else if (current) {
        horizon = Math.min(horizon, cpu.sliceEnd, current.executor.visibleAt(current, at));
      }
    }
    return Math.max(horizon, this.#time);
  }

  /** Runs all physical CPUs up to `horizon`, or to an earlier cycle that turns up on the way. */
  #runTo(horizon: number): void {
    this.#horizon = horizon;
    for (;;) {
      const cpu = this.#furthestBehind();
      if (!cpu) break;
      if (cpu.needsChoice) this.#choose(cpu);
      else this.#run(cpu, Math.min(this.#horizon, cpu.sliceEnd) as Cycle);
    }
    this.#time = Math.max(this.#horizon, this.clock.now) as Cycle;
    this.#horizon = Infinity;
  }

  /** The physical CPU with something to do before the horizon that has come least far. */
  #furthestBehind(): PhysicalCpu | null {
    let least: PhysicalCpu | null = null;
    for (const cpu of this.cpus) {
      if (cpu.at >= this.#horizon || (!cpu.current && !cpu.reschedule)) continue;
      if (!least || cpu.at < least.at) least = cpu;
    }
    return least;
  }

  /** Lets each executor that is due at this very cycle do its one thing. */
  #act(): void {
    for (const cpu of this.cpus) {
      const { current } = cpu;
      if (!current || cpu.needsChoice || cpu.at > this.#time) continue;
      if (current.executor.visibleAt(current, cpu.at) <= this.#time) this.#run(cpu, this.#time);
    }
  }

  #run(cpu: PhysicalCpu, until: Cycle): void {
    const vcpu = cpu.current!;
    const from = cpu.at;
    this.#running = cpu;
    this.#current = vcpu;
    try {
      cpu.at = vcpu.executor.run(vcpu, cpu.id, from, until);
    } finally {
      this.#running = null;
      this.#current = null;
    }
    if (cpu.at <= from && until > from && !cpu.needsChoice && !this.#stopping) {
      throw new InvariantError(`${vcpu.name} stands still`);
    }
  }

  /** Asks the policy who runs on `cpu` from the cycle that it has reached. */
  #choose(cpu: PhysicalCpu): void {
    const { pool, current } = cpu;
    cpu.reschedule = false;
    if (!pool) return;
    if (!current && cpu.at < this.#time) cpu.at = this.#time;
    const now = cpu.at;
    const { vcpu, slice } = pool.policy.pickNext(cpu.id, now);
    invariant(slice > 0, `${pool.policy.name} gave ${vcpu?.name ?? "idling"} a slice of ${slice}`);
    if (vcpu !== current) {
      if (current) {
        this.#detach(cpu, now);
        this.#enter(current, "runnable", now);
      }
      if (vcpu) this.#attach(cpu, this.#entry(vcpu), now);
    }
    // A slice includes the switch, but however short it is, its owner gets on.
    cpu.sliceEnd = Math.max(now + slice, cpu.at + 1);
  }

  #attach(cpu: PhysicalCpu, vcpu: VcpuEntry, now: Cycle): void {
    invariant(vcpu.state === "runnable", `${vcpu.name}, ${vcpu.state}, was chosen to run`);
    invariant(vcpu.hardAffinity.has(cpu.id), `${vcpu.name} may not run on CPU ${cpu.id}`);
    const displaced = vcpu.cpu === cpu.id && vcpu.leftAt >= 0
      ? cpu.busyCycles - vcpu.leftAt
      : Infinity;
    cpu.current = vcpu;
    vcpu.cpu = cpu.id;
    this.#enter(vcpu, "running", now);
    if (cpu.last !== vcpu) {
      const cost = this.#switchCost(vcpu, displaced);
      cpu.at = now + cost as Cycle;
      cpu.switches++;
      cpu.switchCycles += cost;
    }
    cpu.last = vcpu;
  }

  #enter(vcpu: VcpuEntry, state: Runstate, now: Cycle): void {
    vcpu.enter(state, now);
    if (this.#observers.size === 0) return;
    for (const observer of this.#observers) observer(vcpu, now);
  }

  #detach(cpu: PhysicalCpu, now: Cycle): void {
    const vcpu = cpu.current!;
    cpu.busyCycles += Math.max(0, now - vcpu.since);
    vcpu.leftAt = cpu.busyCycles;
    cpu.current = null;
    cpu.sliceEnd = Infinity;
  }

  #begin(vcpu: VcpuEntry): void {
    this.#enter(vcpu, "runnable", this.now);
    this.pools.of(vcpu.domain).policy.wake(vcpu, this.now);
  }

  #leave(vcpu: VcpuEntry, state: "blocked" | "offline"): void {
    const now = this.#instantOf(vcpu);
    this.withdraw(vcpu);
    this.#enter(vcpu, state, now);
  }

  /** A change of `vcpu` at present counts at this cycle: one that runs elsewhere may have come further. */
  #instantOf(vcpu: VcpuEntry): Cycle {
    const { now } = this;
    if (vcpu.state !== "running") return now;
    const cpu = this.cpus[vcpu.cpu];
    return cpu === this.#running ? now : Math.max(now, cpu.at) as Cycle;
  }

  #tickle(cpu: PhysicalCpu): void {
    cpu.reschedule = true;
    if (cpu === this.#running) this.#current!.executor.interrupt();
    else if (!cpu.current && cpu.at < this.now) cpu.at = this.now;
  }

  /** Time must not run beyond `at` without a look at what is due. */
  #stopBy(at: Cycle): void {
    if (!this.#current || at >= this.#horizon) return;
    this.#horizon = Math.max(at, this.#time);
    this.#current.executor.interrupt();
  }

  #policy(name: SchedulerName): SchedulingPolicy {
    return createPolicy(name, {
      frequencyHz: this.clock.frequencyHz,
      tickle: (cpu) => this.#tickle(this.cpus[cpu]),
      runningOn: (cpu) => this.cpus[cpu].current,
    });
  }

  #entry(vcpu: SchedulableVcpu): VcpuEntry {
    if (vcpu instanceof VcpuEntry) return vcpu;
    throw new InvariantError(`${vcpu.name} is not of this dispatcher`);
  }
}
