/**
 * What a scheduling policy, the dispatcher and an executor are to each other.
 *
 * The dispatcher is the mechanism: it owns the physical CPUs and their slices, knows who runs, waits and
 * blocks, and accounts for it. A policy only chooses. An executor only runs a chosen virtual CPU from one
 * cycle to another; there is one for machine code and one for modelled systems, and the dispatcher cannot tell
 * them apart.
 *
 * Time is the machine's cycle everywhere. Nothing here ticks: a policy that must act at an instant of its own
 * (a replenishment, an accounting period) names it as its `deadline`, and names none while nobody needs it.
 */

import type { Cycle, Cycles } from "../../clock/clock.ts";
import type { DomainId, PhysicalCpuId, VcpuId } from "../../lib/brand.ts";
import type { Snapshot, SnapshotRecord } from "../../lib/snapshot.ts";

/**
 * What a virtual CPU does, with the numbers of `vcpu.h` (`RUNSTATE_running`, ...): on a physical CPU, waiting
 * for one, waiting for an event, or paused, down or not yet up.
 */
export const RUNSTATES = { running: 0, runnable: 1, blocked: 2, offline: 3 } as const;
/** One of {@link RUNSTATES}. */
export type Runstate = keyof typeof RUNSTATES;

/** The policies, with the numbers of `domctl.h` (`XEN_SCHEDULER_*`) and of the first `sched_ctl.h` (`SCHED_BVT`). */
export const SCHEDULERS = { bvt: 0, sedf: 4, credit: 5, credit2: 6, rtds: 8, null: 9 } as const;
/** One of {@link SCHEDULERS}. */
export type SchedulerName = keyof typeof SCHEDULERS;

/** Physical CPUs by number. */
export type CpuSet = ReadonlySet<PhysicalCpuId>;

/** One virtual CPU as scheduling sees it. The dispatcher alone changes it. */
export interface SchedulableVcpu {
  readonly domain: DomainId;
  readonly id: VcpuId;
  /** `dDvV`: names it in snapshots, traces and messages. */
  readonly name: string;
  readonly state: Runstate;
  /** Since when `state` has held. */
  readonly since: Cycle;
  /** Who runs it. */
  readonly executor: Executor;
  /** Where it runs, or ran last. */
  readonly cpu: PhysicalCpuId;
  /** Where it may run at all. */
  readonly hardAffinity: CpuSet;
  /** Where it had better run. */
  readonly softAffinity: CpuSet;
}

/**
 * Runs virtual CPUs. What it does on behalf of one (a hypercall, an emulated instruction) reaches the
 * hypervisor during {@link run}, which may block, wake or pause virtual CPUs, the running one among them.
 */
export interface Executor {
  /** Names the kind of executor in snapshots. */
  readonly name: string;
  /**
   * Runs `vcpu` on `cpu` from the cycle `from` until the first instruction boundary (or step) at or after
   * `until`, or until {@link interrupt} is called, or until `vcpu` no longer has the state `running`; if
   * `until` is not after `from`, what is due at `from` is done and nothing more. Returns the cycle
   * reached.
   */
  run(vcpu: SchedulableVcpu, cpu: PhysicalCpuId, from: Cycle, until: Cycle): Cycle;
  /** While {@link run} is on: the cycle reached so far, costs included. */
  readonly cycle: Cycle;
  /** While {@link run} is on: asks it to return at the next instruction boundary or step. */
  interrupt(): void;
  /**
   * The first cycle at which `vcpu`, run from `from`, may do what others can notice. All physical CPUs advance
   * together to the earliest of these, so that a model meets others at exact cycles; an executor that cannot know
   * answers `from` plus the quantum by which physical CPUs may run apart. Whatever is done at a cycle takes time, so
   * that the answer moves on.
   */
  visibleAt(vcpu: SchedulableVcpu, from: Cycle): Cycle;
  /** Saves what it holds for `vcpu`. */
  save(vcpu: SchedulableVcpu): SnapshotRecord;
  /** Restores what it holds for `vcpu`. */
  restore(vcpu: SchedulableVcpu, record: SnapshotRecord): void;
}

/** Whom a policy chose, and for how long. */
export interface Decision {
  /** Null: the physical CPU idles until the policy tickles it. */
  readonly vcpu: SchedulableVcpu | null;
  /** After this time, above 0, the policy is asked again; `Infinity`: only when something happens. */
  readonly slice: number;
}

/** What a policy may ask of the dispatcher. */
export interface PolicyPorts {
  /** Cycles per second. */
  readonly frequencyHz: number;
  /** Has {@link SchedulingPolicy.pickNext} asked for `cpu` again as soon as possible (Xen's `SCHEDULE_SOFTIRQ`). */
  tickle(cpu: PhysicalCpuId): void;
  /** Who holds `cpu`, or null when it idles. */
  runningOn(cpu: PhysicalCpuId): SchedulableVcpu | null;
}

/** A policy's parameters by the field names of Xen's public headers (`struct xen_domctl_sched_credit`, ...). */
export type SchedulerParameters = Readonly<Record<string, number>>;

/**
 * Chooses who runs on the physical CPUs of one cpupool. Calls come in order of `now`, but for the quantum by which
 * physical CPUs may run apart. It sees every change of state: {@link insert} and {@link remove} frame a virtual
 * CPU's stay in the pool, {@link wake} and {@link sleep} the times in which it wants to run. Choosing one that
 * {@link SchedulableVcpu.hardAffinity} keeps from that physical CPU, or that is not runnable, is a bug.
 */
export interface SchedulingPolicy extends Snapshot {
  /** As in Xen's option `sched=`. */
  readonly name: SchedulerName;
  /** When {@link expire} is wanted, or `Infinity`. */
  readonly deadline: number;
  expire(now: Cycle): void;
  addCpu(cpu: PhysicalCpuId, now: Cycle): void;
  /** Nobody runs on `cpu` any more. */
  removeCpu(cpu: PhysicalCpuId, now: Cycle): void;
  /** `vcpu` joins the pool, not runnable yet. */
  insert(vcpu: SchedulableVcpu, now: Cycle): void;
  /** `vcpu`, no longer runnable, leaves the pool. */
  remove(vcpu: SchedulableVcpu, now: Cycle): void;
  /** `vcpu` wants to run. */
  wake(vcpu: SchedulableVcpu, now: Cycle): void;
  /** `vcpu` no longer wants to run; if it holds a physical CPU, it leaves it, and {@link pickNext} follows there. */
  sleep(vcpu: SchedulableVcpu, now: Cycle): void;
  /** `vcpu`, running, lets others go first once; {@link pickNext} follows. */
  yield(vcpu: SchedulableVcpu, now: Cycle): void;
  /** Its affinity has changed; if it runs where it may not, {@link pickNext} follows there. */
  affinityChanged(vcpu: SchedulableVcpu, now: Cycle): void;
  /** Who runs on `cpu` from `now`; until the call returns {@link PolicyPorts.runningOn} tells who would rather stay. */
  pickNext(cpu: PhysicalCpuId, now: Cycle): Decision;
  /** A domain's parameters. */
  domainParameters(domain: DomainId): SchedulerParameters;
  /** Changes some of them from `now` on; throws `RangeError` for a value or a name that the policy refuses. */
  adjustDomain(domain: DomainId, change: SchedulerParameters, now: Cycle): void;
  /** The policy's own parameters. */
  readonly parameters: SchedulerParameters;
  /** Changes some of them; throws `RangeError` for a value or a name that the policy refuses. */
  adjust(change: SchedulerParameters, now: Cycle): void;
}

/** How long a virtual CPU has been in each state, and when it entered its present one (`vcpu_runstate_info`). */
export interface RunstateInfo {
  readonly state: Runstate;
  readonly since: Cycle;
  /** Cycles in each state, the present one included up to now. */
  readonly times: Readonly<Record<Runstate, Cycles>>;
}

/** How a virtual CPU is made known to the dispatcher; it begins `offline`. */
export interface VcpuOptions {
  readonly domain: DomainId;
  readonly id: VcpuId;
  readonly executor: Executor;
  /** Default: every physical CPU. */
  readonly hardAffinity?: CpuSet;
  readonly softAffinity?: CpuSet;
}

/**
 * Shares the physical CPUs out. The hypervisor's mechanisms call it from hypercalls, timers and events; each call
 * counts at {@link now}, and whoever it takes a physical CPU from stops at the next instruction boundary.
 */
export interface Dispatcher extends Snapshot {
  /** The cycle of what runs at present: inside an executor's run its own cycle, else the machine's. */
  readonly now: Cycle;
  /** Who runs at present; null outside executors (in timers and commands). */
  readonly current: SchedulableVcpu | null;
  /** Makes a virtual CPU known, offline, in its domain's cpupool. */
  add(options: VcpuOptions): SchedulableVcpu;
  /** Forgets a virtual CPU, in whatever state it is. */
  remove(vcpu: SchedulableVcpu): void;
  /** Lets it run: `vcpu_op` up, or the end of a pause. From then on it is runnable. */
  online(vcpu: SchedulableVcpu): void;
  /** Keeps it from running: down or paused. A wake-up that comes meanwhile counts when it is on line again. */
  offline(vcpu: SchedulableVcpu): void;
  /** Waits for {@link wake}: `SCHEDOP_block`, a halt. Callers look for pending events first. */
  block(vcpu: SchedulableVcpu): void;
  /** Ends a wait; without effect on one that does not wait. */
  wake(vcpu: SchedulableVcpu): void;
  /** `SCHEDOP_yield`. */
  yield(vcpu: SchedulableVcpu): void;
  setAffinity(vcpu: SchedulableVcpu, hard: CpuSet, soft?: CpuSet): void;
  runstate(vcpu: SchedulableVcpu): RunstateInfo;
  /**
   * Advances the machine: due timers fire, the physical CPUs run. Returns at `until`, or sooner after
   * {@link stop} or if nothing would ever happen again; time stands still between calls.
   */
  advance(until: Cycle): void;
  /** Asks {@link advance} to return as soon as it can. */
  stop(): void;
}
