/**
 * Domain 0, modelled: XenStore, the consoles, and those back ends that are not in the hypervisor or in a driver domain.
 *
 * All of them work as tasks of its virtual CPU, which is scheduled and billed as any other.
 */

import { isErrno } from "../../core/abi/errno.ts";
import {
  type DomainId,
  type EventPort,
  grantReference,
  type GuestFrame,
  type MachineFrame,
  type VcpuId,
} from "../../core/abi/ids.ts";
import { GNTTAB_RESERVED } from "../../core/abi/grant_table.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import type { SchedulableVcpu } from "../../core/hypervisor/scheduling/ports.ts";
import type { ShutdownReason } from "../../core/abi/operations.ts";
import { invariant } from "../../core/lib/assert.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { type BackEndHost, type BackEndService, ConsoleBackEnd } from "../../devices/pv/mod.ts";
import { RingConnection, type StoreSession, XenStore } from "../../devices/xenstore/mod.ts";
import {
  type BackEndPlace,
  HypervisorPlace,
  type PlaceParts,
  VcpuPlace,
} from "./back_end_place.ts";
import type { BackEndsChoice } from "./back_ends_choice.ts";
import { DriverControl, type DriverDomain } from "./driver_domain.ts";
import { type SavedDevice, SplitDevices } from "./split_devices.ts";
import { writeDriverHome, writeHome, writeModelledHome } from "./store_nodes.ts";

/** What domain 0 works with. */
export interface DomainZeroOptions extends PlaceParts {
  readonly backEnds: BackEndsChoice;
}

/** The pages and channels that a domain's start information names. */
export interface StartPages {
  readonly consoleFrame: MachineFrame;
  readonly consolePort: EventPort;
  readonly storeFrame: MachineFrame;
  readonly storePort: EventPort;
  readonly memoryKib: number;
  readonly maxmemKib: number;
  /** Virtual CPUs that are to be up from the start. */
  readonly onlineVcpus: number;
}

/** Where the services of one domain meet it: the frames that it shares, and domain 0's ends of its channels. */
export interface HouseholdShape {
  readonly consoleFrame: MachineFrame;
  readonly consolePort: EventPort;
  readonly storeFrame: MachineFrame;
  readonly storePort: EventPort;
}

/** What belongs to one domain. */
interface Household {
  readonly shape: HouseholdShape;
  readonly console: ConsoleBackEnd;
  readonly ring: RingConnection;
  readonly session: StoreSession;
}

/** The services of a domain: names in the service of back ends, and of event consumers. */
const consoleOf = (id: DomainId) => `console.${id}`;
const storeOf = (id: DomainId) => `store.${id}`;

const DOM0 = 0 as DomainId;
const PAGE_KIB = 4;
const MAX_PORT = 4095;
const MAX_HANDLES = 1 << 16;

/** See the module comment. */
export class DomainZero extends SplitDevices implements Snapshot {
  readonly store: XenStore;
  /** The toolstack's connection. */
  readonly tools: StoreSession;
  readonly service: BackEndService;
  readonly vcpu: SchedulableVcpu;
  readonly #households = new Map<DomainId, Household>();
  readonly #drivers = new Map<DomainId, VcpuPlace>();
  /** Connections of domains with modelled kernels. */
  readonly #modelled = new Map<DomainId, StoreSession>();
  /** Where the hypervisor works for a domain, if it does. */
  readonly #inHypervisor = new Map<DomainId, HypervisorPlace>();
  readonly #host: BackEndHost;
  readonly #place: VcpuPlace;
  readonly #options: DomainZeroOptions;

  constructor(options: DomainZeroOptions) {
    const { hypervisor, dispatcher, clock } = options;
    const store = new XenStore();
    const tools = store.open(DOM0, { name: "tools" });
    super({
      store,
      tools,
      clock,
      placeOf: (id, backend) => this.#placeOf(id, backend),
      heir: () => this.#place,
    });
    this.store = store;
    this.tools = tools;
    this.#options = options;
    const { events, grants } = hypervisor;
    const about = { id: DOM0, privileged: true };
    events.attach({
      ...about,
      model: "lp64",
      vcpuCount: 1,
      maxPort: MAX_PORT,
      sharedInfo: null,
      vcpuInfo: () => null,
    });
    grants.attach({ ...about, maxFrames: 1, maxHandles: MAX_HANDLES });
    const place = this.#place = new VcpuPlace(
      options,
      (executor) => dispatcher.add({ domain: DOM0, id: 0 as VcpuId, executor }),
    );
    this.#host = place.host;
    this.service = place.service;
    this.vcpu = place.vcpu;
    dispatcher.online(this.vcpu);
  }

  /** Whether back ends may be placed in a domain. */
  isDriverDomain(id: DomainId): boolean {
    return this.#drivers.has(id);
  }

  /** Makes a driver domain that is about to start known; `end` is called when tools ask it to go. */
  introduceDriver(
    { domain, place }: DriverDomain,
    end: (reason: ShutdownReason) => void,
  ): void {
    const { id, name, pages, maxPages } = domain;
    const [memoryKib, maxmemKib] = [pages, maxPages].map((count) => count * PAGE_KIB);
    writeDriverHome(this.tools, { domain: id, name, memoryKib, maxmemKib });
    this.adoptDriver({ domain, place }, end);
    this.tools.introduce(id);
  }

  /** Serves a driver domain that the store knows already, or will when it is restored; `end` as in {@link introduceDriver}. */
  adoptDriver(
    { domain: { id }, place }: DriverDomain,
    end: (reason: ShutdownReason) => void,
  ): void {
    const control = `control.${id}`;
    const onEvent = () => place.service.wake(control);
    const session = this.store.open(id, { name: control, onEvent });
    place.service.add(control, new DriverControl(session, end));
    this.#drivers.set(id, place);
  }

  /**
   * Makes a domain that is about to start known: its home in the store, its connections to store and
   * console. `output` takes what it writes to its console; the answer sends input to it.
   */
  introduce(
    domain: Domain,
    pages: StartPages,
    output: (bytes: Uint8Array) => void,
  ): (bytes: Uint8Array) => void {
    const { id } = domain;
    writeHome(this.tools, { ...pages, domain: id, name: domain.name, vcpus: domain.vcpus.length });
    this.#grantToSelf(id, GNTTAB_RESERVED.CONSOLE, pages.consoleFrame);
    this.#grantToSelf(id, GNTTAB_RESERVED.XENSTORE, pages.storeFrame);
    const send = this.adopt(id, {
      consoleFrame: pages.consoleFrame,
      consolePort: this.#bind(consoleOf(id), id, pages.consolePort),
      storeFrame: pages.storeFrame,
      storePort: this.#bind(storeOf(id), id, pages.storePort),
    }, output);
    this.tools.introduce(id);
    return send;
  }

  /** Serves a domain that the store knows already, or will when it is restored; else as {@link introduce}. */
  adopt(
    id: DomainId,
    shape: HouseholdShape,
    output: (bytes: Uint8Array) => void,
  ): (bytes: Uint8Array) => void {
    const { memory } = this.#host;
    const [consoleName, storeName] = [consoleOf(id), storeOf(id)];
    const wake = (name: string) => () => this.service.wake(name);
    const console = new ConsoleBackEnd({
      memory,
      frame: shape.consoleFrame,
      output,
      notify: () => this.#notify(shape.consolePort),
    });
    const session = this.store.open(id, { name: storeName, onEvent: wake(storeName) });
    const ring = new RingConnection({
      memory,
      frame: shape.storeFrame,
      session,
      notify: () => this.#notify(shape.storePort),
    });
    for (const [name, stepper] of [[consoleName, console], [storeName, ring]] as const) {
      this.service.add(name, stepper);
      this.#host.events.registerConsumer(name, wake(name));
    }
    this.#households.set(id, { shape, console, ring, session });
    return (bytes) => {
      console.send(bytes);
      this.service.wake(consoleName);
    };
  }

  /**
   * Makes a domain with a modelled kernel known, and answers its connection to the store: its kernel has no ring for that.
   * `onEvent` is called when a watch of it has fired.
   */
  introduceModelled(id: DomainId, onEvent: () => void): StoreSession {
    const domain = this.#options.hypervisor.domains.get(id);
    invariant(domain, `there is no domain ${id}`);
    const [memoryKib, maxmemKib] = [domain.pages, domain.maxPages].map((count) => count * PAGE_KIB);
    writeModelledHome(this.tools, { domain: id, name: domain.name, memoryKib, maxmemKib });
    const session = this.store.open(id, { name: `model.${id}`, onEvent });
    this.#modelled.set(id, session);
    this.tools.introduce(id);
    return session;
  }

  /** Where a domain's services meet it; `null` if it has none. */
  householdOf(id: DomainId): HouseholdShape | null {
    return this.#households.get(id)?.shape ?? null;
  }

  override unplug(id: DomainId, path: string): void {
    const { backend } = this.deviceAt(id, path);
    super.unplug(id, path);
    this.#forget(backend);
  }

  /** A domain is gone: nothing of it is left in the store, on a bridge or in the service. */
  release(id: DomainId): void {
    if (this.#drivers.delete(id)) return this.#releaseDriver(id);
    const household = this.#households.get(id);
    const session = household?.session ?? this.#modelled.get(id);
    if (!session) return;
    this.unplugAll(id);
    this.#inHypervisor.get(id)?.close();
    this.#inHypervisor.delete(id);
    const { events } = this.#host;
    const { consolePort, storePort } = household?.shape ?? {};
    for (const port of [consolePort, storePort]) {
      if (port !== undefined) events.closeAsConsumer(DOM0, port);
    }
    for (const name of household ? [consoleOf(id), storeOf(id)] : []) {
      events.unregisterConsumer(name);
      this.service.remove(name);
    }
    this.store.close(session);
    this.#households.delete(id);
    this.#modelled.delete(id);
    this.tools.remove(`/local/domain/${id}`);
    this.store.domainDied(id);
  }

  #releaseDriver(id: DomainId): void {
    this.loseBackEnds(id);
    this.store.domainDied(id);
    this.#forget(id);
  }

  /** The home of a driver domain that is gone stays as long as front ends look into it. */
  #forget(backend: DomainId): void {
    if (backend === DOM0 || this.#drivers.has(backend) || this.isServing(backend)) return;
    this.tools.remove(`/local/domain/${backend}`);
  }

  #placeOf(id: DomainId, backend?: DomainId): BackEndPlace {
    const isKnown = this.#households.has(id) || this.#modelled.has(id);
    invariant(isKnown, `domain ${id} has not been introduced`);
    if (backend === undefined && this.#options.backEnds === "hypervisor") {
      return this.#hypervisorPlace(id);
    }
    if (backend === undefined || backend === DOM0) return this.#place;
    const place = this.#drivers.get(backend);
    if (!place) throw new RangeError(`domain ${backend} is no driver domain`);
    return place;
  }

  #hypervisorPlace(id: DomainId): HypervisorPlace {
    let place = this.#inHypervisor.get(id);
    if (!place) {
      const domain = this.#options.hypervisor.domains.get(id);
      invariant(domain, `there is no domain ${id}`);
      this.#inHypervisor.set(id, place = new HypervisorPlace(this.#options, domain));
    }
    return place;
  }

  save(): SnapshotRecord {
    const households = [...this.#households].map(([id, { console, ring }]) => ({
      id,
      console: { ...console.save() },
      ring: { ...ring.save() },
      devices: this.#savedDevices(id),
    }));
    const modelled = [...this.#modelled.keys()].map((id) => ({
      id,
      devices: this.#savedDevices(id),
    }));
    const bridges = this.bridges.map((bridge) => ({
      name: bridge.name,
      record: { ...bridge.save() },
    }));
    const store = { ...this.store.save() };
    const service = { ...this.service.save() };
    const services = [...this.#places()].map(([id, { service }]) => ({
      id,
      record: { ...service.save() },
    }));
    const state = { store, service, services, bridges, households, modelled };
    return { kind: "domainZero", version: 3, state };
  }

  /**
   * Restores into a domain 0 that serves the same domains with the same devices. Clock, dispatcher,
   * event channels, grants and disks are restored by their own records, the clock's after this one.
   */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "domainZero", 3) as unknown as SavedZero;
    this.store.restore(state.store);
    this.service.restore(state.service);
    const idle = new Map(this.#places());
    for (const { id, record } of state.services) {
      const place = idle.get(id) ?? this.#hypervisorPlace(id);
      place.service.restore(record);
      idle.delete(id);
    }
    // What the hypervisor has never done for a domain by then.
    for (const id of idle.keys()) {
      this.#inHypervisor.get(id)?.close();
      this.#inHypervisor.delete(id);
    }
    this.keepBridges(state.bridges.map(({ name }) => name));
    for (const { name, record } of state.bridges) this.bridge(name).restore(record);
    for (const { id, console, ring, devices } of state.households) {
      const household = this.#households.get(id);
      invariant(household, `a snapshot has services of domain ${id}, which was not introduced`);
      household.console.restore(console);
      household.ring.restore(ring);
      this.restoreDevices(id, devices);
    }
    for (const { id, devices } of state.modelled) this.restoreDevices(id, devices);
  }

  #savedDevices(id: DomainId) {
    return this.saveDevices(id).map(({ path, record }) => ({ path, record: { ...record } }));
  }

  /** Places other than domain 0's: by driver domain, or by the domain that the hypervisor works for. */
  *#places(): IterableIterator<[DomainId, BackEndPlace]> {
    yield* this.#drivers;
    yield* this.#inHypervisor;
  }

  /** Binds a channel that a domain was born with; what was sent on it before is looked at in any case. */
  #bind(name: string, domain: DomainId, remotePort: EventPort): EventPort {
    const port = this.#host.events.bindInterdomain(DOM0, domain, remotePort, { consumer: name });
    invariant(!isErrno(port), `the channel of ${name} cannot be bound`);
    this.service.wake(name);
    return port;
  }

  #notify(port: EventPort): void {
    this.#host.events.sendAsConsumer(DOM0, port);
  }

  #grantToSelf(domain: DomainId, ref: number, frame: MachineFrame): void {
    const guestFrame = frame as number as GuestFrame;
    this.#host.grants.grant(domain, grantReference(ref), DOM0, guestFrame);
  }
}

interface SavedZero {
  readonly store: SnapshotRecord;
  readonly service: SnapshotRecord;
  readonly services: readonly { readonly id: DomainId; readonly record: SnapshotRecord }[];
  readonly bridges: readonly { readonly name: string; readonly record: SnapshotRecord }[];
  readonly households: readonly {
    readonly id: DomainId;
    readonly console: SnapshotRecord;
    readonly ring: SnapshotRecord;
    readonly devices: readonly SavedDevice[];
  }[];
  readonly modelled: readonly {
    readonly id: DomainId;
    readonly devices: readonly SavedDevice[];
  }[];
}
