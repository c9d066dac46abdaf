/**
 * Domains of a host whose kernels are models: their virtual CPUs are the dispatcher's, their memory is the hypervisor's, and
 * all that they do takes its time on the physical CPUs that they share with everybody else.
 */

import { isErrno } from "../../core/abi/errno.ts";
import type { MachineFrame } from "../../core/abi/ids.ts";
import type { MachineClock } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import type { Domain, DomainShape } from "../../core/hypervisor/domain.ts";
import { SteppedExecutor } from "../../core/hypervisor/executors/stepped_executor.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { SchedulerParameters } from "../../core/hypervisor/scheduling/ports.ts";
import type { DomainId, PhysicalCpuId } from "../../core/lib/brand.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
} from "../../core/lib/snapshot.ts";
import {
  createLinux,
  type Kernel,
  type KernelCpu,
  type MachinePort,
  type Platform,
  PLATFORMS,
  type Program,
  type VirtualCpuPort,
} from "../../guests/model/mod.ts";
import { plainData } from "../snapshot/plain_data.ts";
import { parseSize } from "../units.ts";
import { SharedWithBackEnds } from "./shared_with_back_ends.ts";

const PAGE_BYTES = 4096;

/** What a modelled domain is made from; words of `xl.cfg`. */
export interface ModelledDomainConfig {
  readonly name: string;
  /** With its unit, for example `64MiB`. */
  readonly memory: string;
  /** Default 1. */
  readonly vcpus?: number;
  /** Physical CPUs that it may run on; default: all. */
  readonly cpus?: readonly number[];
  /** The scheduler's parameters, for example `{ weight: 512 }`. */
  readonly parameters?: SchedulerParameters;
  /** Decides what its kernel leaves to chance; default: its number. */
  readonly seed?: number;
  /** Makes the kernel; default: a Linux with processes, memory, pipes and signals. */
  readonly kernel?: (place: ModelPlace) => Kernel;
}

/** Where a modelled kernel is put. */
export interface ModelPlace {
  readonly name: string;
  readonly domain: DomainId;
  readonly machine: MachinePort;
  readonly clock: MachineClock;
  readonly platform: Platform;
  readonly memoryBytes: number;
  readonly seed: number;
  /** What the domain shares with the back ends of its devices. */
  readonly shared: SharedWithBackEnds;
  /** Has `release` called when the domain is taken away: for what its devices hold. */
  whenGone(release: () => void): void;
}

/** A domain with a modelled kernel. */
export interface ModelledDomain {
  readonly name: string;
  readonly domain: Domain;
  readonly kernel: Kernel;
  readonly config: ModelledDomainConfig;
  /** Its memory, by pseudo-physical frame. */
  readonly frames: readonly MachineFrame[];
}

/** What a modelled domain is made from that is no data. */
export interface ModelCode {
  readonly kernel?: ModelledDomainConfig["kernel"];
  readonly programs: readonly Program[];
}

interface Parts {
  readonly hypervisor: Hypervisor;
  readonly dispatcher: CpuDispatcher;
  readonly clock: MachineClock;
  readonly costs: CostTable;
  /** Throws `TypeError` if there must be none of that name now. */
  refuse(name: string): void;
}

/** See the module comment. */
export class ModelledDomains implements Snapshot {
  readonly #parts: Parts;
  readonly #executor = new SteppedExecutor<KernelCpu>("modelled kernel");
  readonly #domains: ModelledDomain[] = [];
  readonly #releases = new Map<ModelledDomain, readonly (() => void)[]>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All that there are. */
  get all(): readonly ModelledDomain[] {
    return this.#domains;
  }

  /** Makes a domain that runs at once. Throws `RangeError` for lack of memory or a parameter that is refused, `TypeError` on a recorded host. */
  create(config: ModelledDomainConfig): ModelledDomain {
    const { name, vcpus = 1, cpus, parameters } = config;
    const { hypervisor, dispatcher } = this.#parts;
    this.#parts.refuse(`domain ${name}`);
    const pages = Math.floor(parseSize(config.memory) / PAGE_BYTES);
    const executor = this.#executor;
    const about = { name, vcpus, maxPages: pages, privileged: false, executor };
    const domain = hypervisor.createDomain(about);
    const frames = hypervisor.reservations.reserve(domain, pages);
    if (isErrno(frames)) {
      hypervisor.destroyDomain(domain);
      throw new RangeError(`the machine has not the ${config.memory} that ${name} needs`);
    }
    const releases: (() => void)[] = [];
    let made: ModelledDomain;
    try {
      made = this.#boot(config, domain, frames, releases);
      if (cpus) {
        const affinity = new Set(cpus as readonly PhysicalCpuId[]);
        for (const { sched } of domain.vcpus) dispatcher.setAffinity(sched, affinity);
      }
      if (parameters) {
        const { policy } = dispatcher.pools.of(domain.id);
        policy.adjustDomain(domain.id, parameters, dispatcher.now);
      }
    } catch (error) {
      this.#release(domain, releases);
      throw error;
    }
    this.#releases.set(made, releases);
    for (const vcpu of domain.vcpus) hypervisor.bringUp(vcpu);
    hypervisor.unpause(domain);
    this.#domains.push(made);
    return made;
  }

  /** Takes a domain away, whatever it does. Throws `RangeError` if it is not one of these. */
  destroy(domain: ModelledDomain): void {
    const place = this.#domains.indexOf(domain);
    if (place < 0) throw new RangeError(`${domain.name} is not a modelled domain of this host`);
    this.#domains.splice(place, 1);
    this.#release(domain.domain, this.#releases.get(domain)!);
    this.#releases.delete(domain);
  }

  /** What the domains are made from that is no data, in their order. */
  get code(): ModelCode[] {
    return this.#domains.map(({ config: { kernel }, kernel: { programs } }) => ({
      kernel,
      programs: programs.all,
    }));
  }

  save(): SnapshotRecord {
    const domains = this.#domains.map(({ domain, kernel, frames, config: whole }) => {
      const { kernel: _code, ...config } = whole;
      return {
        config: plainData(config),
        shape: plainData(domain.shape),
        frames: [...frames],
        kernel: { ...kernel.save() },
      };
    });
    return { kind: "modelled domains", version: 2, state: { domains } };
  }

  /** Takes those domains away that are none of a record's. */
  keep(record: SnapshotRecord): void {
    const saved = savedIn(record);
    for (const each of [...this.#domains]) {
      if (!saved.some(({ shape }) => isLike(each, shape))) this.destroy(each);
    }
  }

  /** Makes those domains of a record that are missing; `code` is what they run, in their order. */
  rebuild(record: SnapshotRecord, code: readonly ModelCode[]): void {
    const kept = this.#domains.splice(0);
    savedIn(record).forEach(({ config, shape, frames }, place) => {
      const found = kept.find((each) => isLike(each, shape));
      this.#domains.push(found ?? this.#adopt({ config, shape, frames }, code[place]));
    });
  }

  #adopt(
    { config, shape, frames }: Omit<SavedModel, "kernel">,
    { kernel, programs }: ModelCode,
  ): ModelledDomain {
    const domain = this.#parts.hypervisor.adoptDomain(shape, this.#executor);
    const releases: (() => void)[] = [];
    const made = this.#boot({ ...config, kernel }, domain, frames, releases);
    for (const program of programs) made.kernel.programs.add(program);
    this.#releases.set(made, releases);
    return made;
  }

  /** Restores the domains that {@link rebuild} left. Throws `SnapshotError` for a program or a module that is missing. */
  restore(record: SnapshotRecord): void {
    savedIn(record).forEach(({ kernel: saved }, place) => {
      const { kernel, name } = this.#domains[place];
      try {
        kernel.restore(saved);
      } catch (error) {
        throw new SnapshotError(`domain ${name}: ${(error as Error).message}`, { cause: error });
      }
      for (const { program } of kernel.processes.values()) {
        if (kernel.programs.has(program)) continue;
        throw new SnapshotError(
          `domain ${name} runs the program ${program}, which has to be given`,
        );
      }
    });
  }

  #release(domain: Domain, releases: readonly (() => void)[]): void {
    for (const release of releases) release();
    this.#parts.hypervisor.destroyDomain(domain);
  }

  /** Puts a kernel into a domain; what has to be undone when it goes is added to `releases`. */
  #boot(
    config: ModelledDomainConfig,
    domain: Domain,
    frames: readonly MachineFrame[],
    releases: (() => void)[],
  ): ModelledDomain {
    const { dispatcher, clock, costs } = this.#parts;
    const ports = domain.vcpus.map(({ sched }, id): VirtualCpuPort => {
      const timer = clock.createTimer(`cpu.${sched.name}`, () => kernel.cpus[id].timerFired());
      releases.push(() => timer.release());
      return {
        block: () => dispatcher.block(sched),
        wake: () => dispatcher.wake(sched),
        armTimer: (at) => {
          if (at === null) timer.disarm();
          else if (at !== timer.deadline) timer.armAt(at);
        },
      };
    });
    const { frequencyHz } = clock;
    const place: ModelPlace = {
      name: config.name,
      domain: domain.id,
      machine: {
        now: () => dispatcher.now,
        frequencyHz,
        cpus: ports,
        othersWork: () => dispatcher.heldCpus > 1,
      },
      clock,
      platform: PLATFORMS["xen-pv"](costs, domain.vcpus.length),
      memoryBytes: frames.length * PAGE_BYTES,
      seed: config.seed ?? domain.id,
      shared: new SharedWithBackEnds(this.#parts.hypervisor, domain, frames, releases),
      whenGone: (release) => releases.push(release),
    };
    const kernel: Kernel = (config.kernel ?? ((place) => createLinux(place).kernel))(place);
    domain.vcpus.forEach(({ sched }, id) => {
      this.#executor.adopt(sched, kernel.cpus[id]);
      releases.push(() => this.#executor.release(sched));
    });
    return { name: config.name, domain, kernel, config, frames };
  }
}

interface SavedModel {
  readonly config: Omit<ModelledDomainConfig, "kernel">;
  readonly shape: DomainShape;
  readonly frames: readonly MachineFrame[];
  readonly kernel: SnapshotRecord;
}

function savedIn(record: SnapshotRecord): readonly SavedModel[] {
  return expectRecord(record, "modelled domains", 2).domains as unknown as readonly SavedModel[];
}

function isLike({ domain }: ModelledDomain, shape: DomainShape): boolean {
  return JSON.stringify(domain.shape) === JSON.stringify(shape);
}
