/**
 * A laboratory of modelled systems: the same workloads on one native kernel that all share, or each in a domain of its own
 * under the hypervisor, on the same CPUs, disk and network.
 *
 * ```ts ignore
 * const lab = await Lab.boot({ platform: "xen-pv", cpus: 2, memory: "2GiB" });
 * const database = lab.system({ name: "database", memory: "512MiB" }).start("osdb-ir");
 * await lab.run("10s");
 * console.log(database.count, database.unit);
 * ```
 */

import type { MachineClock } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { SchedulerName } from "../../core/hypervisor/scheduling/ports.ts";
import type { Kernel } from "../../guests/model/mod.ts";
import { Digest } from "../../core/trace/trace.ts";
import { parseDuration } from "../units.ts";
import { boxes, NO_DISK, type WatchedBox } from "../watched_boxes.ts";
import { runUntil } from "./run_until.ts";
import { digestSchedule } from "./schedule_digest.ts";
import type { HypervisorNic } from "./hypervisor_nic.ts";
import { domainGround } from "./lab_domains.ts";
import { nativeGround } from "./lab_native.ts";
import type { LabKernel } from "./lab_kernel.ts";
import { startWeb, type WebLoad, type WebOptions } from "./lab_web.ts";
import {
  LAB_WORKLOADS,
  type LabWorkload,
  type LabWorkloadName,
  type WorkloadOptions,
} from "./lab_workloads.ts";

/** On what the systems of a lab are. */
export const LAB_PLATFORMS = ["native", "containers", "xen-pv"] as const;
/** A platform that a laboratory can be on. */
export type LabPlatform = typeof LAB_PLATFORMS[number];

/** What a lab is made of. */
export interface LabOptions {
  readonly platform: LabPlatform;
  /** Default 2. */
  readonly cpus?: number;
  /** RAM of the machine with its unit; default `2GiB`. */
  readonly memory?: string;
  /** The hypervisor's scheduler; default `bvt`. */
  readonly scheduler?: SchedulerName;
  /** Default `xeon-2003`. */
  readonly profile?: string;
  /** Decides what is left to chance; default 1. */
  readonly seed?: number;
}

/** A system to create. */
export interface LabSystemConfig {
  readonly name: string;
  /** Its memory with its unit: a container's processes may map so much; without effect on a native kernel. */
  readonly memory: string;
  /** Its weight under BVT or as a container, 1 by default; without effect on a native kernel. */
  readonly weight?: number;
}

/** Where systems get their kernels. */
export interface Ground {
  readonly clock: MachineClock;
  readonly dispatcher: CpuDispatcher;
  readonly costs: CostTable;
  /** RAM of the machine. */
  readonly memoryBytes: number;
  /** The dispatcher's number for a system. */
  idOf(system: LabKernel): number;
  /** Of all systems. */
  readonly kernels: readonly Kernel[];
  system(config: LabSystemConfig): LabKernel;
  /** Gives a system in a domain its virtual card; absent where a kernel drives the card itself. */
  virtualCard?(system: LabKernel, nic: HypervisorNic): void;
  /** Takes a system away; throws `RangeError` where systems share a kernel. */
  destroy(system: LabKernel): void;
}

/** One system of a lab. */
export class LabSystem {
  /** Made by {@link Lab.system}. */
  constructor(readonly name: string, readonly kernel: LabKernel, private readonly seed: number) {}

  /** Starts a workload on it. */
  start(name: LabWorkloadName, options: WorkloadOptions = {}): LabWorkload {
    const start = () => LAB_WORKLOADS[name](this.kernel, { seed: this.seed, ...options });
    return this.kernel.within(start);
  }
}

/** See the module comment. */
export class Lab {
  readonly systems: LabSystem[] = [];
  /** Digests of all that the kernels did, and of the schedule: who entered which state when. */
  readonly trace: { readonly hash: string };
  readonly #ground: Ground;
  readonly #seed: number;
  /** Systems so far, those that are gone included. */
  #made = 0;

  private constructor(ground: Ground, seed: number) {
    this.#ground = ground;
    this.#seed = seed;
    const schedule = digestSchedule(ground.dispatcher);
    this.trace = {
      get hash() {
        return ground.kernels.map(({ counts }) => digestCounts(counts)).join("") + schedule.hash;
      },
    };
  }

  /** Starts a lab without systems. Rejects with `RangeError` or `SyntaxError` for a wrong option. */
  static async boot(options: LabOptions): Promise<Lab> {
    const { platform, seed = 1 } = options;
    const ground = platform === "xen-pv" ? await domainGround(options) : nativeGround(options);
    const lab = new Lab(ground, seed);
    boxes.add("lab", lab, ({ systems }) => watched(ground, systems));
    return lab;
  }

  /** Simulated seconds since the start. */
  get seconds(): number {
    const { clock } = this.#ground;
    return clock.now / clock.frequencyHz;
  }

  /** CPU time that systems used so far, of all CPUs together, in seconds. */
  get busySeconds(): number {
    const { clock, dispatcher } = this.#ground;
    const cycles = dispatcher.cpus.reduce((sum, { id }) => sum + dispatcher.busyCycles(id), 0);
    return cycles / clock.frequencyHz;
  }

  /** Adds a system, which begins at once. Throws `RangeError` for lack of memory. */
  system(config: LabSystemConfig): LabSystem {
    const seed = this.#seed * 1000 + ++this.#made;
    const system = new LabSystem(config.name, this.#ground.system(config), seed);
    this.systems.push(system);
    return system;
  }

  /** Takes a system away, whatever it does. Throws `RangeError` where systems share a kernel. */
  destroy(system: LabSystem): void {
    this.#ground.destroy(system.kernel);
    this.systems.splice(this.systems.indexOf(system), 1);
  }

  /** Makes web servers of `systems`, and loads them from machines outside the box. */
  web(systems: readonly LabSystem[], options: WebOptions): WebLoad {
    return startWeb(this.#ground, systems.map(({ kernel }) => kernel), {
      seed: this.#seed,
      ...options,
    });
  }

  /** Advances simulated time by `duration` (with its unit), or until the signal fires. */
  async run(duration: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { clock } = this.#ground;
    const end = clock.now + Math.round(parseDuration(duration) * clock.frequencyHz / 1e9);
    await runUntil(this.#ground, end, { signal });
  }
}

/** Live views see each system; on a kernel that all share, the kernel has the time of all. */
function watched(ground: Ground, systems: readonly LabSystem[]): WatchedBox {
  const { clock, dispatcher, memoryBytes } = ground;
  const kernels = new Map(systems.map(({ name, kernel }) => [kernel, name]));
  return {
    clock,
    dispatcher,
    memoryBytes,
    domains: () =>
      [...kernels].map(([kernel, name]) => ({
        id: ground.idOf(kernel),
        name: kernels.size < systems.length ? "all systems" : name,
        memoryBytes: kernel.memoryBytes,
        maxMemoryBytes: kernel.memoryBytes,
        halt: null,
        disk: NO_DISK,
        console: null,
      })),
    links: () => [],
  };
}

/** How often a kernel did each of the things that have a price. */
function digestCounts(counts: Float64Array): string {
  const digest = new Digest();
  for (const word of new Uint32Array(counts.slice().buffer)) digest.add(word);
  return digest.toString();
}
