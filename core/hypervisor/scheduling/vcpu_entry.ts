/** The dispatcher's record of one virtual CPU: where it is, what it does, and how long it has done so. */

import type { Cycle, Cycles } from "../../clock/clock.ts";
import { invariant } from "../../lib/assert.ts";
import type { DomainId, PhysicalCpuId, VcpuId } from "../../lib/brand.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import {
  type CpuSet,
  type Executor,
  type Runstate,
  type RunstateInfo,
  RUNSTATES,
  type SchedulableVcpu,
  type VcpuOptions,
} from "./ports.ts";

/** See the module comment. */
export class VcpuEntry implements SchedulableVcpu {
  readonly domain: DomainId;
  readonly id: VcpuId;
  readonly name: string;
  readonly executor: Executor;
  state: Runstate = "offline";
  since: Cycle;
  cpu: PhysicalCpuId;
  hardAffinity: CpuSet;
  softAffinity: CpuSet;
  /** Neither down nor paused. */
  online = false;
  /** Waits for an event, whether on line or not. */
  waiting = false;
  /** For how many cycles its physical CPU had been held when it last left it; -1: it never held one. */
  leftAt = -1;
  readonly #times: Record<Runstate, number> = { running: 0, runnable: 0, blocked: 0, offline: 0 };

  constructor(options: VcpuOptions, everywhere: CpuSet, cpu: PhysicalCpuId, now: Cycle) {
    this.domain = options.domain;
    this.id = options.id;
    this.name = vcpuName(options);
    this.executor = options.executor;
    this.hardAffinity = options.hardAffinity ?? everywhere;
    this.softAffinity = options.softAffinity ?? everywhere;
    this.cpu = cpu;
    this.since = now;
  }

  /** Leaves the present state for `state`. Physical CPUs may run apart by a quantum: time never goes back here. */
  enter(state: Runstate, now: Cycle): void {
    if (now > this.since) {
      this.#times[this.state] += now - this.since;
      this.since = now;
    }
    this.state = state;
  }

  /** Cycles in each state up to `now`. */
  runstate(now: Cycle): RunstateInfo {
    const times = { ...this.#times } as Record<Runstate, Cycles>;
    times[this.state] = times[this.state] + Math.max(0, now - this.since) as Cycles;
    return { state: this.state, since: this.since, times };
  }

  /** The state as plain data. */
  save(): { readonly [field: string]: SnapshotValue } {
    return {
      name: this.name,
      state: this.state,
      since: this.since,
      cpu: this.cpu,
      hardAffinity: [...this.hardAffinity],
      softAffinity: [...this.softAffinity],
      online: this.online,
      waiting: this.waiting,
      leftAt: this.leftAt,
      times: { ...this.#times },
    };
  }

  restore(state: { readonly [field: string]: SnapshotValue }): void {
    invariant(state.name === this.name, `the record of ${state.name} given to ${this.name}`);
    this.state = state.state as Runstate;
    this.since = state.since as Cycle;
    this.cpu = state.cpu as PhysicalCpuId;
    this.hardAffinity = new Set(state.hardAffinity as PhysicalCpuId[]);
    this.softAffinity = new Set(state.softAffinity as PhysicalCpuId[]);
    this.online = state.online as boolean;
    this.waiting = state.waiting as boolean;
    this.leftAt = state.leftAt as number;
    const times = state.times as Record<Runstate, number>;
    for (const key of Object.keys(RUNSTATES) as Runstate[]) this.#times[key] = times[key];
  }
}

/** `dDvV`, as Xen prints a virtual CPU. */
export function vcpuName({ domain, id }: { readonly domain: DomainId; readonly id: VcpuId }) {
  return `d${domain}v${id}`;
}
