/**
 * The disks and network cards of domains, from the tools' side: their nodes in XenStore, their back ends and where these run,
 * the bridges that cards are plugged into, and what happens when either half goes.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import type { MachineClock } from "../../core/clock/clock.ts";
import { invariant } from "../../core/lib/assert.ts";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import { DiskImage } from "../../devices/disk/mod.ts";
import {
  EthernetSwitch,
  formatMac,
  type MacAddress,
  type SwitchPort,
} from "../../devices/net/mod.ts";
import { BlockBackEnd, NetBackEnd, type Rate, XenbusDevice } from "../../devices/pv/mod.ts";
import type { StoreSession, XenStore } from "../../devices/xenstore/mod.ts";
import type { BackEndPlace } from "./back_end_place.ts";
import { devicePaths, writeDevice } from "./store_nodes.ts";
import { vdevNumber } from "./vdev.ts";

/** Where the back end of a device runs; default: where the host's do. */
export interface DeviceChoice {
  /** A driver domain, or 0. */
  readonly backend?: DomainId;
}

/** A disk of a domain. */
export interface DiskChoice extends DeviceChoice {
  /** What the guest calls it, for example `xvda`. */
  readonly vdev: string;
  readonly image: DiskImage;
  readonly readonly?: boolean;
  /** Called when its guest has let it go, as tools asked, and nobody uses `image` any more. */
  readonly onDetached?: () => void;
}

/** A network card of a domain. */
export interface VifChoice extends DeviceChoice {
  readonly mac: MacAddress;
  /** Default `br0`. */
  readonly bridge?: string;
  readonly rate?: Rate | null;
}

/** What disks and cards have in common. */
interface PluggedDevice {
  /** The back end's home in XenStore. */
  readonly path: string;
  /** The domain that the back end acts for. */
  readonly backend: DomainId;
  /** Nobody named a domain for it: it is where the host's back ends are. */
  readonly isDefault: boolean;
  /** That domain is gone: what is left of the device is domain 0's. */
  readonly isLost: boolean;
}

/** What a device is from the moment on at which it was plugged in: as much as is needed to plug in the same one. */
export type DeviceShape =
  | Pick<PluggedDisk, Common | "vdev" | "image" | "readonly">
  | Pick<PluggedCard, Common | "mac" | "bridge" | "rate">;

type Common = "kind" | "number" | "backend" | "isDefault" | "isLost";

/** A disk of a domain, as tools see it. */
export interface PluggedDisk extends PluggedDevice {
  readonly kind: "vbd";
  /** The virtual device's number, and its name. */
  readonly number: number;
  readonly vdev: string;
  readonly image: DiskImage;
  readonly readonly: boolean;
  readonly driver: BlockBackEnd;
}

/** A network card of a domain, as tools see it. */
export interface PluggedCard extends PluggedDevice {
  readonly kind: "vif";
  /** Its place among the cards. */
  readonly number: number;
  readonly mac: MacAddress;
  readonly bridge: string;
  readonly rate: Rate | null;
  /** Where it is plugged into its bridge. */
  readonly port: SwitchPort;
  readonly driver: NetBackEnd;
}

type Plugged =
  | Omit<PluggedDisk, "isLost"> & PluggedParts
  | Omit<PluggedCard, "isLost"> & PluggedParts;

interface PluggedParts {
  isLost: boolean;
  readonly device: XenbusDevice;
  /** Called when its guest has let it go, as tools asked. */
  onDetached: () => void;
  /** Takes it away at once. */
  unplug(): void;
  /** Its back end's domain is gone: what is left to do is done in domain 0. */
  lose(): void;
}

/** A device's state in a record. */
export type SavedDevice = { readonly path: string; readonly record: SnapshotRecord };

/** What the devices are made in. */
export interface SplitDeviceParts {
  readonly store: XenStore;
  /** The toolstack's connection. */
  readonly tools: StoreSession;
  readonly clock: MachineClock;
  /** Where the back ends of a domain's devices run; throws `RangeError` if `backend` is no place for them. */
  readonly placeOf: (domain: DomainId, backend?: DomainId) => BackEndPlace;
  /** Who finishes what a driver domain left behind. */
  readonly heir: () => BackEndPlace;
}

/** A bridge is software: its work is billed, and the copy itself is quick. */
const BRIDGE_BITS_PER_SECOND = 40e9;

/** See the module comment. */
export class SplitDevices {
  readonly #parts: SplitDeviceParts;
  readonly #bridges = new Map<string, EthernetSwitch>();
  /** Names of the network cards that are plugged in. */
  readonly #macs = new Map<MacAddress, string>();
  readonly #devices = new Map<DomainId, Map<string, Plugged>>();

  constructor(parts: SplitDeviceParts) {
    this.#parts = parts;
  }

  /** The bridges there are, in the order in which they were first named. */
  get bridges(): readonly EthernetSwitch[] {
    return [...this.#bridges.values()];
  }

  /** A bridge; it comes into being when it is first named. */
  bridge(name: string): EthernetSwitch {
    let bridge = this.#bridges.get(name);
    if (!bridge) {
      const { clock } = this.#parts;
      bridge = new EthernetSwitch({ name, clock, bitsPerSecond: BRIDGE_BITS_PER_SECOND });
      this.#bridges.set(name, bridge);
    }
    return bridge;
  }

  /** Takes bridges away that are none of `names`; nothing may be plugged into them any more. */
  keepBridges(names: readonly string[]): void {
    for (const [name, bridge] of [...this.#bridges]) {
      if (names.includes(name)) continue;
      bridge.dispose();
      this.#bridges.delete(name);
    }
  }

  /** Plugs a disk in. Throws `SyntaxError` for a name that is no virtual device's. */
  plugDisk(id: DomainId, choice: DiskChoice & Whose): void {
    const { vdev, image, readonly = false, onDetached } = choice;
    const number = vdevNumber(vdev);
    const name = `blkback.${id}.${number}`;
    const { place, wake, ...whose } = this.#placement(name, id, choice);
    const { host } = place();
    const driver = new BlockBackEnd({ host, frontDomain: id, name, disk: image, readonly, wake });
    const mode = readonly ? "r" : "w";
    const about = { kind: "vbd", number, vdev, image, readonly, driver, ...whose } as const;
    this.#plug(id, about, { name, place, onDetached }, {
      back: { "dev": vdev, "mode": mode, "type": "phy", "removable": "0", "bootable": "1" },
      front: { "virtual-device": String(number), "device-type": "disk" },
    });
  }

  /**
   * Plugs a network card in as the domain's number `index`. Throws `RangeError` if another card has its
   * MAC address.
   */
  plugVif(id: DomainId, index: number, choice: VifChoice & Whose): void {
    const { mac, bridge = "br0", rate = null } = choice;
    const other = this.#macs.get(mac);
    if (other !== undefined) {
      throw new RangeError(`${formatMac(mac)} is the MAC address of ${other} already`);
    }
    const name = `netback.${id}.${index}`;
    const { place, wake, ...whose } = this.#placement(name, id, choice);
    const { host } = place();
    const lan = this.bridge(bridge);
    const port = lan.attach(`vif${id}.${index}`);
    const { clock } = this.#parts;
    const driver = new NetBackEnd({ host, frontDomain: id, name, clock, port, rate, wake });
    const nodes = { "mac": formatMac(mac), "handle": String(index) };
    this.#macs.set(mac, port.name);
    const about = {
      kind: "vif",
      number: index,
      driver,
      mac,
      bridge,
      rate,
      port,
      ...whose,
    } as const;
    const back = { ...nodes, bridge, "type": "vif" };
    this.#plug(id, about, { name, place }, { back, front: nodes }, () => {
      this.#macs.delete(mac);
      port.tap = null;
      lan.detach(port);
    });
  }

  /** The disks of a domain, by number. */
  disksOf(id: DomainId): PluggedDisk[] {
    return this.#devicesOf(id).filter((each) => each.kind === "vbd");
  }

  /** The network cards of a domain, by number. */
  cardsOf(id: DomainId): PluggedCard[] {
    return this.#devicesOf(id).filter((each) => each.kind === "vif");
  }

  /** The network cards of all domains. */
  get cards(): PluggedCard[] {
    return [...this.#devices.keys()].flatMap((id) => this.cardsOf(id));
  }

  /** Asks a guest to close its half of a device, which is gone when it has. Throws as {@link unplug}. */
  askToUnplug(id: DomainId, path: string): void {
    this.deviceAt(id, path);
    this.#parts.tools.write(`${path}/online`, "0");
  }

  /** Takes a device away at once. Throws `RangeError` if there is no such device. */
  unplug(id: DomainId, path: string): void {
    this.deviceAt(id, path).unplug();
    this.#devices.get(id)!.delete(path);
  }

  /** Takes away all devices of a domain. */
  unplugAll(id: DomainId): void {
    for (const path of [...this.#devices.get(id)?.keys() ?? []]) this.unplug(id, path);
    this.#devices.delete(id);
  }

  /** A driver domain is about to go: front ends of its back ends are told to close. */
  loseBackEnds(backend: DomainId): void {
    for (const each of this.#servedBy(backend)) each.lose();
  }

  /** Whether devices are left whose back ends acted for that domain. */
  isServing(backend: DomainId): boolean {
    return this.#servedBy(backend).length > 0;
  }

  /** What is plugged into a domain, in the order in which it was. */
  shapesOf(id: DomainId): DeviceShape[] {
    return [...this.#devices.get(id)?.values() ?? []].map(shapeOf);
  }

  /**
   * Has each of these domains exactly these devices: those that it has stay, others go, what is missing is made. Then their
   * state and the store's can be restored.
   */
  rebuildDevices(wanted: ReadonlyMap<DomainId, readonly DeviceShape[]>): void {
    for (const [id, shapes] of wanted) {
      for (const [path, plugged] of [...this.#devices.get(id) ?? []]) {
        if (!shapes.some((shape) => isLike(shape, plugged))) this.unplug(id, path);
      }
    }
    for (const [id, shapes] of wanted) {
      const there = [...this.#devices.get(id) ?? []];
      this.#devices.delete(id);
      for (const shape of shapes) {
        const kept = there.find(([, plugged]) => isLike(shape, plugged));
        if (kept) this.#devicesFor(id).set(...kept);
        else this.#plugShape(id, shape);
      }
    }
  }

  #plugShape(id: DomainId, shape: DeviceShape): void {
    const backend = shape.isDefault && !shape.isLost ? undefined : shape.backend;
    if (shape.kind === "vbd") this.plugDisk(id, { ...shape, backend });
    else this.plugVif(id, shape.number, { ...shape, backend });
    if (shape.isLost) [...this.#devicesFor(id).values()].at(-1)!.lose();
  }

  #devicesFor(id: DomainId): Map<string, Plugged> {
    let devices = this.#devices.get(id);
    if (!devices) this.#devices.set(id, devices = new Map());
    return devices;
  }

  /** From now on `onDetached` is called when a guest has let a disk go, as tools asked. Throws as {@link unplug}. */
  whenDetached(id: DomainId, path: string, onDetached: () => void): void {
    this.deviceAt(id, path).onDetached = onDetached;
  }

  /** Used by the snapshot of domain 0: the devices of a domain. */
  saveDevices(id: DomainId): SavedDevice[] {
    const devices = [...this.#devices.get(id) ?? []];
    return devices.map(([path, { device }]) => ({ path, record: device.save() }));
  }

  /** Restores the devices of a domain, which must be plugged in. */
  restoreDevices(id: DomainId, saved: readonly SavedDevice[]): void {
    for (const { path, record } of saved) {
      const plugged = this.#devices.get(id)?.get(path);
      invariant(plugged, `a snapshot has the device ${path}, which is not plugged in`);
      plugged.device.restore(record);
    }
  }

  #devicesOf(id: DomainId): Plugged[] {
    const devices = [...this.#devices.get(id)?.values() ?? []];
    return devices.sort((a, b) => a.number - b.number);
  }

  #servedBy(backend: DomainId): Plugged[] {
    const all = [...this.#devices.values()].flatMap((devices) => [...devices.values()]);
    return all.filter((each) => each.backend === backend);
  }

  /** Throws `RangeError` if there is no such device. */
  protected deviceAt(id: DomainId, path: string): Plugged {
    const plugged = this.#devices.get(id)?.get(path);
    if (!plugged) throw new RangeError(`domain ${id} has no device ${path}`);
    return plugged;
  }

  /** Where a back end of that name runs, and how it says that it has work: wherever that may be by then. */
  #placement(name: string, id: DomainId, { backend, isLost }: Whose): Placement {
    let present = isLost ? this.#parts.heir() : this.#parts.placeOf(id, backend);
    return {
      backend: isLost ? backend! : present.host.domain,
      isDefault: backend === undefined,
      place: (moved) => present = moved ?? present,
      wake: () => present.service.wake(name),
    };
  }

  #plug(
    id: DomainId,
    about: Omit<PluggedDisk, "path" | "isLost"> | Omit<PluggedCard, "path" | "isLost">,
    { name, place, onDetached = () => {} }: PlugAbout,
    nodes: Parameters<typeof writeDevice>[3],
    unplugged: () => void = () => {},
  ): void {
    const { driver, backend } = about;
    const { store, tools, heir } = this.#parts;
    const paths = devicePaths(about.kind, id, about.number, backend);
    writeDevice(tools, id, paths, nodes);
    const path = paths.back;
    const wake = () => place().service.wake(name);
    const onUnplugged = () => {
      this.unplug(id, path);
      plugged.onDetached();
    };
    const device = new XenbusDevice({ store, domain: backend, path, driver, wake, onUnplugged });
    place().service.add(name, device);
    wake();
    const unplug = () => {
      device.destroy();
      place().service.remove(name);
      for (const half of [paths.back, paths.front]) tools.remove(half);
      unplugged();
    };
    const lose = () => {
      place().service.remove(name);
      place(heir()).service.add(name, device);
      device.lose();
      plugged.isLost = true;
    };
    const parts = { path, device, unplug, lose, isLost: false, onDetached };
    const plugged: Plugged = { ...about, ...parts };
    this.#devicesFor(id).set(path, plugged);
  }
}

/** What a device's back end is called, where it runs, and who is told that its guest has let it go. */
interface PlugAbout {
  readonly name: string;
  readonly place: Placement["place"];
  readonly onDetached?: () => void;
}

/** Whose a device's back end is, or was. */
interface Whose extends DeviceChoice {
  readonly isLost?: boolean;
}

/** Where a back end runs: asked, or moved. */
interface Placement {
  readonly backend: DomainId;
  readonly isDefault: boolean;
  readonly place: (moved?: BackEndPlace) => BackEndPlace;
  readonly wake: () => void;
}

type Fields = { readonly [name: string]: unknown };

function shapeOf(plugged: Plugged): DeviceShape {
  const { number, backend, isDefault, isLost } = plugged;
  const where = { number, backend, isDefault, isLost };
  if (plugged.kind === "vbd") {
    const { kind, vdev, image, readonly } = plugged;
    return { kind, ...where, vdev, image, readonly };
  }
  const { kind, mac, bridge, rate } = plugged;
  return { kind, ...where, mac, bridge, rate };
}

/** Whether a device is what a shape says. Of the fields, only rates are objects that are made anew. */
function isLike(shape: DeviceShape, plugged: Plugged): boolean {
  const plain = (value: unknown) => value instanceof DiskImage ? value : JSON.stringify(value);
  const other: Fields = shapeOf(plugged);
  return Object.entries(shape).every(([name, value]) => plain(value) === plain(other[name]));
}
