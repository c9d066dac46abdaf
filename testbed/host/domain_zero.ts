/**
 * Domain 0, modelled: XenStore, the consoles, the back ends of disks and network cards, the bridges.
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
import type { MachineClock } from "../../core/clock/clock.ts";
import { ModelExecutor } from "../../core/hypervisor/executors/model_executor.ts";
import { ProgramRegistry } from "../../core/hypervisor/executors/model_program.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import type { Dispatcher, SchedulableVcpu } from "../../core/hypervisor/scheduling/ports.ts";
import { invariant } from "../../core/lib/assert.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import {
  EthernetSwitch,
  formatMac,
  type MacAddress,
  type SwitchPort,
} from "../../devices/net/mod.ts";
import type { DiskImage } from "../../devices/disk/mod.ts";
import {
  BACK_ENDS,
  type BackEndHost,
  backEndProgram,
  BackEndService,
  BlockBackEnd,
  ConsoleBackEnd,
  NetBackEnd,
  type Rate,
  XenbusDevice,
} from "../../devices/pv/mod.ts";
import { RingConnection, type StoreSession, XenStore } from "../../devices/xenstore/mod.ts";
import { devicePaths, writeDevice, writeHome } from "./store_nodes.ts";
import { vdevNumber } from "./vdev.ts";

/** What domain 0 works with. */
export interface DomainZeroOptions {
  readonly hypervisor: Hypervisor;
  readonly dispatcher: Dispatcher;
  readonly clock: MachineClock;
}

/** A disk of a domain. */
export interface DiskChoice {
  /** What the guest calls it, for example `xvda`. */
  readonly vdev: string;
  readonly image: DiskImage;
  readonly readonly?: boolean;
}

/** A network card of a domain. */
export interface VifChoice {
  readonly mac: MacAddress;
  /** Default `br0`. */
  readonly bridge?: string;
  readonly rate?: Rate | null;
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

/** What belongs to one domain. */
interface Household {
  readonly console: ConsoleBackEnd;
  readonly ring: RingConnection;
  readonly session: StoreSession;
  readonly devices: Map<string, Plugged>;
  /** Its console and its connection to the store: names in the service and of event consumers. */
  readonly lines: readonly Line[];
}

/** A channel that a domain was born with, and who hears it. */
interface Line {
  readonly name: string;
  readonly port: EventPort;
}

/** A disk of a domain, as tools see it. */
export interface PluggedDisk {
  readonly kind: "vbd";
  /** The virtual device's number. */
  readonly number: number;
  /** The back end's home in XenStore. */
  readonly path: string;
  readonly driver: BlockBackEnd;
}

/** A network card of a domain, as tools see it. */
export interface PluggedCard {
  readonly kind: "vif";
  /** Its place among the cards. */
  readonly number: number;
  readonly path: string;
  readonly mac: MacAddress;
  /** Where it is plugged into its bridge. */
  readonly port: SwitchPort;
  readonly driver: NetBackEnd;
}

type Plugged = (PluggedDisk | PluggedCard) & {
  readonly device: XenbusDevice;
  unplug(): void;
};

const DOM0 = 0 as DomainId;
const MAX_PORT = 4095;
const MAX_HANDLES = 1 << 16;
/** A bridge is software: its work is billed, and the copy itself is quick. */
const BRIDGE_BITS_PER_SECOND = 40e9;

/** See the module comment. */
export class DomainZero implements Snapshot {
  readonly store = new XenStore();
  /** The toolstack's connection. */
  readonly tools: StoreSession = this.store.open(DOM0);
  readonly service: BackEndService;
  readonly vcpu: SchedulableVcpu;
  readonly #bridges = new Map<string, EthernetSwitch>();
  /** Names of the network cards that are plugged in. */
  readonly #macs = new Map<MacAddress, string>();
  readonly #households = new Map<DomainId, Household>();
  readonly #host: BackEndHost;
  readonly #clock: MachineClock;

  constructor({ hypervisor, dispatcher, clock }: DomainZeroOptions) {
    const { events, grants, memory } = hypervisor;
    this.#clock = clock;
    this.#host = { domain: DOM0, events, grants, memory };
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
    const executor = new ModelExecutor<BackEndService>({
      clock,
      dispatcher,
      programs: new ProgramRegistry([backEndProgram]),
      port: () => this.service,
    });
    const { ledger } = hypervisor.ports;
    this.service = new BackEndService(
      (done) => ledger.chargeAll(DOM0, done),
      () => executor.signal(this.vcpu, BACK_ENDS.signal),
    );
    this.vcpu = dispatcher.add({ domain: DOM0, id: 0 as VcpuId, executor });
    executor.attach(this.vcpu);
    executor.spawn(this.vcpu, BACK_ENDS.program, BACK_ENDS.step);
    dispatcher.online(this.vcpu);
  }

  /** The bridges there are, in the order in which they were first named. */
  get bridges(): readonly EthernetSwitch[] {
    return [...this.#bridges.values()];
  }

  /** A bridge; it comes into being when it is first named. */
  bridge(name: string): EthernetSwitch {
    let bridge = this.#bridges.get(name);
    if (!bridge) {
      bridge = new EthernetSwitch({
        name,
        clock: this.#clock,
        bitsPerSecond: BRIDGE_BITS_PER_SECOND,
      });
      this.#bridges.set(name, bridge);
    }
    return bridge;
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
    const { memory } = this.#host;
    const lines = [
      this.#listen(`console.${id}`, id, pages.consolePort),
      this.#listen(`store.${id}`, id, pages.storePort),
    ];
    const [consoleLine, storeLine] = lines;
    const console = new ConsoleBackEnd({
      memory,
      frame: pages.consoleFrame,
      output,
      notify: () => this.#notify(consoleLine),
    });
    const wakeConsole = this.service.add(consoleLine.name, console);
    const session = this.store.open(id, { onEvent: () => this.service.wake(storeLine.name) });
    const ring = new RingConnection({
      memory,
      frame: pages.storeFrame,
      session,
      notify: () => this.#notify(storeLine),
    });
    this.service.add(storeLine.name, ring);
    this.#households.set(id, { console, ring, session, devices: new Map(), lines });
    this.tools.introduce(id);
    return (bytes) => {
      console.send(bytes);
      wakeConsole();
    };
  }

  /** Plugs a disk in. Throws `SyntaxError` for a name that is no virtual device's. */
  plugDisk(id: DomainId, { vdev, image, readonly = false }: DiskChoice): XenbusDevice {
    const number = vdevNumber(vdev);
    const name = `blkback.${id}.${number}`;
    const wake = () => this.service.wake(name);
    const host = this.#host;
    const driver = new BlockBackEnd({ host, frontDomain: id, name, disk: image, readonly, wake });
    const mode = readonly ? "r" : "w";
    return this.#plug(id, { kind: "vbd", number, driver }, name, {
      back: { "dev": vdev, "mode": mode, "type": "phy", "removable": "0", "bootable": "1" },
      front: { "virtual-device": String(number), "device-type": "disk" },
    });
  }

  /**
   * Plugs a network card in as the domain's number `index`. Throws `RangeError` if another card has its
   * MAC address.
   */
  plugVif(id: DomainId, index: number, { mac, bridge = "br0", rate }: VifChoice): XenbusDevice {
    const other = this.#macs.get(mac);
    if (other !== undefined) {
      throw new RangeError(`${formatMac(mac)} is the MAC address of ${other} already`);
    }
    const name = `netback.${id}.${index}`;
    const wake = () => this.service.wake(name);
    const lan = this.bridge(bridge);
    const port = lan.attach(`vif${id}.${index}`);
    const host = this.#host;
    const clock = this.#clock;
    const driver = new NetBackEnd({ host, frontDomain: id, name, clock, port, rate, wake });
    const nodes = { "mac": formatMac(mac), "handle": String(index) };
    const back = { ...nodes, bridge, "type": "vif" };
    this.#macs.set(mac, port.name);
    const unplug = () => {
      this.#macs.delete(mac);
      port.tap = null;
      lan.detach(port);
    };
    const nodesOf = { back, front: nodes };
    return this.#plug(id, { kind: "vif", number: index, driver, mac, port }, name, nodesOf, unplug);
  }

  /** The disks of a domain, by number. */
  disksOf(id: DomainId): PluggedDisk[] {
    return this.#devicesOf(id).filter((each) => each.kind === "vbd");
  }

  /** The network cards of a domain, by number. */
  cardsOf(id: DomainId): PluggedCard[] {
    return this.#devicesOf(id).filter((each) => each.kind === "vif");
  }

  /** Asks a guest to close its half of a device, which is gone when it has. Throws as {@link unplug}. */
  askToUnplug(id: DomainId, path: string): void {
    if (!this.#households.get(id)?.devices.has(path)) {
      throw new RangeError(`domain ${id} has no device ${path}`);
    }
    this.tools.write(`${path}/online`, "0");
  }

  /** Takes a device away at once. Throws `RangeError` if there is no such device. */
  unplug(id: DomainId, path: string): void {
    const devices = this.#households.get(id)?.devices;
    const plugged = devices?.get(path);
    if (!plugged) throw new RangeError(`domain ${id} has no device ${path}`);
    devices!.delete(path);
    plugged.unplug();
  }

  /** A domain is gone: nothing of it is left in the store, on a bridge or in the service. */
  release(id: DomainId): void {
    const household = this.#households.get(id);
    if (!household) return;
    for (const path of [...household.devices.keys()]) this.unplug(id, path);
    const { events } = this.#host;
    for (const { name, port } of household.lines) {
      events.closeAsConsumer(DOM0, port);
      events.unregisterConsumer(name);
      this.service.remove(name);
    }
    this.store.close(household.session);
    this.#households.delete(id);
    this.tools.remove(`/local/domain/${id}`);
    this.store.domainDied(id);
  }

  save(): SnapshotRecord {
    const households = [...this.#households].map(([id, { console, ring, devices }]) => ({
      id,
      console: { ...console.save() },
      ring: { ...ring.save() },
      devices: [...devices].map(([path, { device }]) => ({ path, record: { ...device.save() } })),
    }));
    const bridges = [...this.#bridges].map(([name, bridge]) => ({
      name,
      record: { ...bridge.save() },
    }));
    const store = { ...this.store.save() };
    const service = { ...this.service.save() };
    return { kind: "domainZero", version: 1, state: { store, service, bridges, households } };
  }

  /**
   * Restores into a domain 0 that serves the same domains with the same devices. Clock, dispatcher,
   * event channels, grants and disks are restored by their own records.
   */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "domainZero", 1) as unknown as SavedZero;
    this.store.restore(state.store);
    this.service.restore(state.service);
    for (const { name, record } of state.bridges) this.bridge(name).restore(record);
    for (const { id, console, ring, devices } of state.households) {
      const household = this.#households.get(id);
      invariant(household, `a snapshot has services of domain ${id}, which was not introduced`);
      household.console.restore(console);
      household.ring.restore(ring);
      for (const { path, record } of devices) {
        const plugged = household.devices.get(path);
        invariant(plugged, `a snapshot has the device ${path}, which is not plugged in`);
        plugged.device.restore(record);
      }
    }
  }

  #devicesOf(id: DomainId): Plugged[] {
    const devices = [...this.#households.get(id)?.devices.values() ?? []];
    return devices.sort((a, b) => a.number - b.number);
  }

  #plug(
    id: DomainId,
    about: Omit<PluggedDisk, "path"> | Omit<PluggedCard, "path">,
    name: string,
    nodes: Parameters<typeof writeDevice>[3],
    unplugged: () => void = () => {},
  ): XenbusDevice {
    const household = this.#households.get(id);
    invariant(household, `domain ${id} has not been introduced`);
    const { driver } = about;
    const paths = devicePaths(about.kind, id, about.number);
    writeDevice(this.tools, id, paths, nodes);
    const wake = () => this.service.wake(name);
    const { store } = this;
    const path = paths.back;
    const onUnplugged = () => this.unplug(id, path);
    const device = new XenbusDevice({ store, domain: DOM0, path, driver, wake, onUnplugged });
    this.service.add(name, device);
    wake();
    const unplug = () => {
      device.destroy();
      this.service.remove(name);
      for (const half of [paths.back, paths.front]) this.tools.remove(half);
      unplugged();
    };
    household.devices.set(path, { ...about, path, device, unplug });
    return device;
  }

  /** Binds a channel that a domain was born with. */
  #listen(name: string, domain: DomainId, remotePort: EventPort): Line {
    const { events } = this.#host;
    events.registerConsumer(name, () => this.service.wake(name));
    const port = events.bindInterdomain(DOM0, domain, remotePort, { consumer: name });
    invariant(!isErrno(port), `the channel of ${name} cannot be bound`);
    return { name, port };
  }

  #notify({ port }: Line): void {
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
  readonly bridges: readonly { readonly name: string; readonly record: SnapshotRecord }[];
  readonly households: readonly {
    readonly id: DomainId;
    readonly console: SnapshotRecord;
    readonly ring: SnapshotRecord;
    readonly devices: readonly { readonly path: string; readonly record: SnapshotRecord }[];
  }[];
}
