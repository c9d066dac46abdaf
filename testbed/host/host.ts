/**
 * A host: a machine that runs the hypervisor, with its domains.
 *
 * ```ts ignore
 * const host = await Host.boot({ cpus: 2, memory: "1GiB" });
 * const web = await host.create({ name: "web1", kernel: "debian", memory: "128MiB" });
 * await web.console.waitFor("xenarium# ");
 * ```
 */

import { isErrno } from "../../core/abi/errno.ts";
import { type DomainId, DOMID, type EventPort } from "../../core/abi/ids.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { Ledger } from "../../core/hypervisor/accounting/ledger.ts";
import { switchCost } from "../../core/hypervisor/accounting/switch_cost.ts";
import type { Vcpu } from "../../core/hypervisor/vcpu.ts";
import { openCpuState } from "../../core/x86/state/cpu_state.ts";
import {
  imageSummary,
  loadImage,
  type RestoredFrames,
  type RestoredPorts,
  saveImage,
} from "../../core/hypervisor/pv/domain_image.ts";
import { PvExecutor } from "../../core/hypervisor/pv_executor.ts";
import { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import { SnapshotError, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { invariant } from "../../core/lib/assert.ts";
import { parseMac } from "../../devices/net/mod.ts";
import type { StopReason } from "../machine_api.ts";
import type { RamSource } from "../snapshot/page_store.ts";
import { RamHistory } from "../snapshot/ram_history.ts";
import { parseSize } from "../units.ts";
import { stopReasonOf } from "../debugger/stop_list.ts";
import { buildPvDomain } from "./build_pv_domain.ts";
import { BACK_ENDS_CHOICES } from "./back_ends_choice.ts";
import { DomainZero } from "./domain_zero.ts";
import {
  type Backed,
  type DiskConfig,
  type DomainConfig,
  type DomainDevices,
  DRIVERS,
  macOf,
  type VifConfig,
} from "./domain_config.ts";
import { createDriverDomain, type DriverDomain } from "./driver_domain.ts";
import type { PlaceParts } from "./back_end_place.ts";
import { QUANTUM_CYCLES, runSlices, SLICE_CYCLES, type Sliced, sliceEnd } from "../run_slices.ts";
import { boxes } from "../watched_boxes.ts";
import { watchedHost } from "./watched_host.ts";
import { HostDomain, type HostRunOptions, type ReadConfig } from "./host_domain.ts";
import type { HostOptions } from "./host_options.ts";
import { HostHardware } from "./host_hardware.ts";
import { HostStops } from "./host_stops.ts";
import { creation, HostDoor, type NamedDevices } from "./host_inputs.ts";
import {
  type HostSnapshot,
  type HostState,
  restoreHost,
  saveHost,
  withOwnImages,
} from "./host_snapshot.ts";
import { HostStructure } from "./host_structure.ts";
import { kernelImages } from "./kernel_images.ts";
import { ModelledDomains } from "./modelled_domains.ts";
import { OutsideNetworks } from "./outside_networks.ts";

const PAGE_BYTES = 4096;
const DOM0 = 0 as DomainId;
/** 2026-01-01, in seconds since 1970: what the wall clock shows at cycle 0. */
const WALL_CLOCK_SECONDS = 1_767_225_600;

export type { DiskConfig, DomainConfig, DomainDevices, VifConfig } from "./domain_config.ts";
export type { HostOptions } from "./host_options.ts";
export { HostDomain, type HostRunOptions, type ReadConfig } from "./host_domain.ts";

/** What a domain is made with before it is filled. */
interface StartedDomain {
  readonly name: string;
  readonly vcpus: number;
  readonly onlineVcpus: number;
  readonly maxPages: number;
  /** How wide its kernel's words are; default: 64 bits. */
  readonly model?: DataModel;
}

/** See the module comment. */
export class Host {
  readonly hardware: HostHardware;
  /** What operations cost. */
  readonly costs: CostTable;
  /** What domains were billed for. */
  readonly ledger: Ledger;
  readonly dispatcher: CpuDispatcher;
  readonly hypervisor: Hypervisor;
  readonly zero: DomainZero;
  readonly domains: HostDomain[] = [];
  /** Domains whose kernels are models. */
  readonly modelled: ModelledDomains;
  /**
   * Called once for each domain that has shut down, between two slices of {@link run}: what becomes of it is policy, and
   * without one it stays.
   */
  onShutdown: ((domain: HostDomain) => void | Promise<void>) | null = null;
  readonly #ended = new WeakSet<HostDomain>();
  /** Whether a domain may have shut down that nobody was told of. */
  #mayHaveEnded = true;
  /** Where what is done to it from outside comes in. */
  readonly inputs: HostDoor = new HostDoor(this);
  #stops: HostStops | null = null;
  /** What RAM was at snapshots. */
  #ramHistory: RamHistory | null = null;
  /** Slices of runs that have passed. */
  #slices = 0;
  /** Lines of the hypervisor's log. */
  readonly log: string[] = [];
  readonly #executor: PvExecutor;
  readonly #parts: PlaceParts;
  readonly #drivers = new Map<HostDomain, DriverDomain>();
  #interrupted: AbortController | null = null;
  /** Used by snapshots: what it consists of, and how that is changed. */
  readonly structure: HostStructure;
  /** What lies beyond its bridges. */
  readonly outside: OutsideNetworks;

  private constructor(readonly options: HostOptions) {
    const cpus = options.cpus ?? 1;
    const memoryBytes = parseSize(options.memory);
    const { backEnds = "domain-0" } = options;
    if (!BACK_ENDS_CHOICES.includes(backEnds)) {
      throw new RangeError(`backEnds is one of ${BACK_ENDS_CHOICES.join(", ")}, found ${backEnds}`);
    }
    this.hardware = new HostHardware({ ...options, cpus, memoryBytes });
    const { clock, memory, processors } = this.hardware;
    const costs = new CostTable(profileNamed(options.profile ?? "free"), clock.frequencyHz);
    this.costs = costs;
    this.ledger = new Ledger(costs);
    this.dispatcher = new CpuDispatcher({
      clock,
      cpus,
      scheduler: options.scheduler ?? "credit2",
      switchCost: (_to, displacedCycles) => switchCost(costs, displacedCycles),
    });
    const executor = this.#executor = new PvExecutor(
      processors,
      cpus === 1 ? SLICE_CYCLES : QUANTUM_CYCLES,
    );
    this.hypervisor = new Hypervisor({
      memory,
      processors,
      clock,
      dispatcher: this.dispatcher,
      executor,
      ledger: this.ledger,
      trace: this.hardware.trace,
      wallClockSeconds: WALL_CLOCK_SECONDS,
      policy: options.policy,
      emergencyConsole: (domain, bytes) => this.#output(domain, bytes),
      log: (text) => void this.log.push(text),
      onShutdown: () => {
        this.#mayHaveEnded = true;
        this.dispatcher.stop();
      },
    });
    executor.attach(this.hypervisor);
    const { hypervisor, dispatcher } = this;
    this.#parts = { hypervisor, dispatcher, clock };
    this.zero = new DomainZero({ ...this.#parts, backEnds });
    const refuse = (name: string) => this.inputs.refuse(`${name}, whose programs are no data`);
    this.modelled = new ModelledDomains({ hypervisor, dispatcher, clock, costs, refuse });
    this.outside = new OutsideNetworks(clock, this.zero);
    this.structure = new HostStructure({
      ...this.#parts,
      host: this,
      drivers: this.#drivers,
      ended: this.#ended,
      output: (domain, bytes) => this.#output(domain, bytes),
      gone: (domain) => this.#stops?.forget(domain),
    });
  }

  /** Starts a host without domains. Throws `RangeError` or `SyntaxError` for a wrong option. */
  static boot(options: HostOptions): Promise<Host> {
    const host = new Host(options);
    boxes.add("host", host, watchedHost);
    return Promise.resolve(host);
  }

  /** Creates a domain and lets it run from the next {@link run} on. */
  async create(config: DomainConfig): Promise<HostDomain> {
    if (config.kernel === DRIVERS) {
      this.inputs.note(() => creation(config, []));
      return this.#createDrivers(config);
    }
    const { kernel, initrd, model } = await kernelImages(config);
    this.inputs.note(() => creation(config, initrd ? [kernel, initrd] : [kernel]));
    const pages = parseSize(config.memory) / PAGE_BYTES;
    const maxPages = parseSize(config.maxmem ?? config.memory) / PAGE_BYTES;
    const commandLine = config.extra ?? "";
    const onlineVcpus = config.vcpus ?? 1;
    const vcpus = config.maxvcpus ?? onlineVcpus;
    return this.#start({ ...config, vcpus, onlineVcpus, maxPages, model }, (domain, ports) => {
      const image = { kernel, initrd, commandLine, pages, ...ports };
      return buildPvDomain(this.hypervisor, domain, image);
    }, { ...config, kernel, ramdisk: initrd });
  }

  #createDrivers(
    { name, memory, maxmem, vcpus = 1, disk = [], vif = [] }: DomainConfig,
  ): HostDomain {
    if (vcpus !== 1) throw new RangeError(`a driver domain has 1 virtual CPU, found ${vcpus}`);
    if (disk.length + vif.length > 0) {
      throw new RangeError(`${name} serves disks and network cards, and has none of its own`);
    }
    const { hypervisor } = this;
    const driver = createDriverDomain(this.#parts, {
      name,
      pages: parseSize(memory) / PAGE_BYTES,
      maxPages: parseSize(maxmem ?? memory) / PAGE_BYTES,
    });
    const { domain } = driver;
    this.zero.introduceDriver(driver, this.structure.endOf(domain));
    const made = new HostDomain(this, domain, null, () => {});
    this.#drivers.set(made, driver);
    this.domains.push(made);
    hypervisor.unpause(domain);
    return made;
  }

  /** Asks a domain's kernel to suspend itself, and runs until it has: then it can be {@link save}d. */
  async suspend(domain: HostDomain, options: HostRunOptions = {}): Promise<StopReason> {
    const path = `/local/domain/${domain.id}/control/shutdown`;
    this.inputs.feed({ kind: "store", path, value: "suspend" });
    return await this.run({ ...options, untilShutdown: domain });
  }

  /** A domain that suspended itself, as a record; it stays, and can only be destroyed. */
  save(domain: HostDomain): SnapshotRecord {
    for (const vcpu of domain.domain.vcpus) this.#executor.unload(vcpu);
    return saveImage(this.hypervisor, domain.domain);
  }

  /**
   * Makes a domain of a record that {@link save} of this or another host gave, with new devices and, if one is given,
   * another name: so one record serves for many domains.
   */
  restoreDomain(
    record: SnapshotRecord,
    changed: NamedDevices = {},
  ): HostDomain {
    this.inputs.note(() => ({ kind: "restore", record, changed }));
    const summary = imageSummary(record);
    return this.#start(
      { ...summary, onlineVcpus: summary.vcpus, ...changed },
      (domain, ports) => loadImage(this.hypervisor, domain, record, ports),
    );
  }

  /** Makes a domain, has it filled, and connects it to what every domain has and to its devices. */
  #start(
    config: StartedDomain & DomainDevices,
    fill: (domain: Domain, ports: RestoredPorts) => RestoredFrames,
    origin: ReadConfig | null = null,
  ): HostDomain {
    const { name, vcpus, onlineVcpus, maxPages, model } = config;
    const { hypervisor } = this;
    const domain = hypervisor.createDomain({ name, vcpus, maxPages, model, privileged: false });
    try {
      const [consolePort, storePort] = [this.#portFor(domain), this.#portFor(domain)];
      const frames = fill(domain, { consolePort, storePort });
      const kib = (pages: number) => pages * PAGE_BYTES / 1024;
      const memory = { memoryKib: kib(domain.pages), maxmemKib: kib(maxPages) };
      const start = { ...frames, consolePort, storePort, ...memory, onlineVcpus };
      const output = (bytes: Uint8Array) => this.#output(domain.id, bytes);
      const send = this.zero.introduce(domain, start, output);
      this.#plugDevices(domain, config);
      this.domains.push(new HostDomain(this, domain, origin, send));
    } catch (error) {
      this.zero.release(domain.id);
      hypervisor.destroyDomain(domain);
      throw error;
    }
    hypervisor.unpause(domain);
    return this.domains.at(-1)!;
  }

  /** Used by the door: sets a general register, or `rip`, of a virtual CPU. */
  setRegister(vcpu: Vcpu, name: string, value: bigint): void {
    this.#executor.unload(vcpu);
    const { buffer, byteOffset } = vcpu.registers;
    const state = openCpuState(buffer, byteOffset);
    state[name as "rip"] = value;
  }

  /** The state of the whole host, between runs: domains, disks, networks, RAM, which is kept by copy on write of frames. */
  snapshot(): HostSnapshot {
    const state = saveHost(this);
    this.#ramHistory ??= new RamHistory(this.hardware.memory);
    return { ...state, ram: this.#ramHistory.take(), host: this };
  }

  /**
   * Goes back to a snapshot, of this host or of one that was booted alike: domains and devices that are there still stay the
   * same objects, others come back or go. Throws `SnapshotError` if the snapshot does not fit.
   */
  restore({ ram, host, ...state }: HostSnapshot): void {
    this.restoreState(host === this ? state : withOwnImages(state), ram);
  }

  /** Used by snapshots, wherever they lie; as {@link restore}. */
  restoreState(state: HostState, ram: RamSource): void {
    const { memory } = this.hardware;
    const { ramBytes } = memory.plan;
    if (ram.sizeBytes !== ramBytes) {
      throw new SnapshotError(
        `the snapshot is of a host with ${ram.sizeBytes} bytes of RAM; this one has ${ramBytes}`,
      );
    }
    this.inputs.witness?.replaced();
    restoreHost(this, state, () => ram.writeTo(memory));
    this.#mayHaveEnded = true;
    this.#stops?.moved();
  }

  /** Whether nobody is left who could do anything. */
  #isOver(): boolean {
    return this.modelled.all.length === 0 &&
      this.domains.every((each) => each.domain.shutdown !== null || this.#drivers.has(each));
  }

  /** Plugs a network card in as a domain's number `index`. Throws as {@link DomainZero.plugVif}. */
  plugVif({ id }: { readonly id: DomainId }, index: number, card: VifConfig): void {
    this.inputs.feed({ kind: "card", domain: id, index, card });
  }

  /** Used by the door, and where a domain is made: see {@link plugVif}. */
  addCard({ id }: { readonly id: DomainId }, index: number, card: VifConfig): void {
    const mac = card.mac === undefined ? macOf(id, index) : parseMac(card.mac);
    this.zero.plugVif(id, index, { ...card, mac, backend: this.#backend(card) });
  }

  /** Puts a frame from outside onto a bridge. Throws `RangeError` for a length that no frame has. */
  sendFrame(bridge: string, frame: Uint8Array): void {
    this.inputs.feed({ kind: "frame", bridge, frame: frame.slice() });
  }

  /** Plugs a disk into a domain. Throws as {@link DomainZero.plugDisk}. */
  plugDisk({ id }: { readonly id: DomainId }, disk: DiskConfig): void {
    this.inputs.feed({ kind: "disk", domain: id, disk });
  }

  /** Used by the door: see {@link plugDisk}. */
  addDisk({ id }: { readonly id: DomainId }, disk: DiskConfig): void {
    this.zero.plugDisk(id, { ...disk, backend: this.#backend(disk) });
  }

  /** Throws `RangeError` if what is named is no driver domain. */
  #backend({ backend }: Backed): DomainId | undefined {
    if (backend === undefined) return undefined;
    if (["0", "Domain-0"].includes(String(backend))) return DOM0;
    const found = [...this.#drivers.keys()].find(({ id, name }) =>
      name === backend || String(id) === String(backend)
    );
    if (found) return found.id;
    const names = [...this.#drivers.keys()].map(({ name }) => name).join(", ");
    throw new RangeError(
      `backend ${backend} is none of the driver domains: ${names || "there are none"}`,
    );
  }

  /** Takes a domain away, whatever it does. Throws `RangeError` if it is not one of this host. */
  destroy(domain: HostDomain): void {
    if (!this.domains.includes(domain)) {
      throw new RangeError(`${domain.name} is not a domain of this host`);
    }
    this.inputs.feed({ kind: "destroy", domain: domain.id });
  }

  /** Used by the door: see {@link destroy}. */
  remove(domain: HostDomain): void {
    this.structure.remove(domain);
  }

  /** Advances simulated time until something of `options` holds, or nothing can happen any more. */
  async run(options: HostRunOptions = {}): Promise<StopReason> {
    const { untilCycle, forCycles = Infinity } = options;
    const limit = untilCycle ?? this.hardware.clock.now + forCycles;
    this.inputs.note(() => ({ kind: "run", limit: limit === Infinity ? null : limit }));
    const { signal } = this.#interrupted = new AbortController();
    const sliced: Sliced = {
      now: () => this.hardware.clock.now,
      isInterrupted: () => signal.aborted,
      slice: (limit) => this.#slice(limit, options),
      flush: () => this.#flushConsoles(),
    };
    try {
      return await runSlices(sliced, options, options.console ?? null);
    } finally {
      this.#interrupted = null;
      this.#flushConsoles();
    }
  }

  /** Whether {@link run} is under way. */
  get running(): boolean {
    return this.#interrupted !== null;
  }

  /** Has {@link run} return as soon as it can, as its signal would. */
  interrupt(): void {
    this.#interrupted?.abort();
  }

  /** Advances by one slice; returns why a run with `options` must end, or `null`. */
  #slice(
    limit: number,
    options: HostRunOptions,
  ): StopReason | null | Promise<StopReason | null> {
    const told = this.#debuggerStop();
    if (told) return told;
    this.inputs.behind(() => {
      this.dispatcher.advance(sliceEnd(this.hardware.clock.now, limit));
      if (!this.#stops?.isMet) this.endSlice();
    });
    if (this.#stops?.isMet) return null;
    if (!this.#mayHaveEnded) return this.#stopNow(limit, options);
    return this.#tellEnded().then(() => this.#stopNow(limit, options));
  }

  /** Used by runs and by replays of them: a slice has passed. */
  endSlice(): void {
    this.#slices++;
    this.inputs.witness?.slice();
  }

  /** How many slices its runs have had. */
  get slices(): number {
    return this.#slices;
  }

  /** Where debuggers of its domains want to stop it. */
  get stops(): HostStops {
    const { hardware, dispatcher } = this;
    return this.#stops ??= new HostStops({ hardware, dispatcher, executor: this.#executor });
  }

  /** What a debugger has stopped for, if one has. Throws what a condition of its stops threw. */
  #debuggerStop(): StopReason | null {
    const met = this.#stops?.take();
    return met ? stopReasonOf(met) : null;
  }

  #stopNow(limit: number, { untilShutdown }: HostRunOptions): StopReason | null {
    if (this.hardware.clock.now >= limit) return { kind: "limit" };
    const ended = untilShutdown !== undefined && untilShutdown.domain.shutdown !== null;
    return ended || this.#isOver() ? { kind: "powerOff" } : null;
  }

  async #tellEnded(): Promise<void> {
    this.#mayHaveEnded = false;
    for (const each of [...this.domains]) {
      if (each.domain.shutdown === null || this.#ended.has(each)) continue;
      this.#ended.add(each);
      await this.onShutdown?.(each);
    }
  }

  /** A port of a new domain that domain 0 will bind to. */
  #portFor(domain: Domain): EventPort {
    const port = this.hypervisor.events.allocUnbound(domain.id, DOMID.SELF, DOM0);
    invariant(!isErrno(port), `domain ${domain.id} gets no event channel for its services`);
    return port;
  }

  #plugDevices(domain: Domain, { disk = [], vif = [] }: DomainDevices): void {
    for (const each of disk) this.addDisk(domain, each);
    vif.forEach((each, index) => this.addCard(domain, index, each));
  }

  #flushConsoles(): void {
    for (const { console } of this.domains) console.flush();
  }

  #output(id: DomainId, bytes: Uint8Array): void {
    const console = this.domains.find((each) => each.id === id)?.console;
    for (const byte of bytes) console?.transmit(byte);
    this.dispatcher.stop();
  }
}
