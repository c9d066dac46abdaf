/** What lies beyond the bridges of a host: gateways that the host itself keeps, so that they are part of its snapshots. */

import type { MachineClock } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { parseIpv4, parseMac } from "../../devices/net/mod.ts";
import { type TcpService, UserNetwork } from "../../devices/usernet/mod.ts";
import type { SplitDevices } from "./split_devices.ts";

/** A gateway with what is behind it. */
export interface OutsideConfig {
  /** Names its port of the bridge; default `outside`. */
  readonly name?: string;
  /** Default `br0`. */
  readonly bridge?: string;
  /** The gateway's address, for example `10.0.0.1`: it is router and name server. */
  readonly address: string;
  /** Default `00:16:3e:ff:00:01`. */
  readonly mac?: string;
  /** What it hands out to those who ask; left out, nothing. */
  readonly dhcp?: { readonly first: string; readonly count: number; readonly netmask: string };
}

interface Outside {
  readonly config: Required<Omit<OutsideConfig, "dhcp">> & Pick<OutsideConfig, "dhcp">;
  readonly network: UserNetwork;
}

/** The outside networks of one host. */
export class OutsideNetworks implements Snapshot {
  #all: Outside[] = [];

  constructor(private readonly clock: MachineClock, private readonly devices: SplitDevices) {}

  /** Whether a port of a bridge is one of theirs. */
  has(bridge: string, port: string): boolean {
    return this.#all.some(({ config }) => config.bridge === bridge && config.name === port);
  }

  /** Plugs a gateway into a bridge. Throws `RangeError` for a name that is taken, `SyntaxError` for an address that is none. */
  add(chosen: OutsideConfig): UserNetwork {
    const defaults = { name: "outside", bridge: "br0", mac: "00:16:3e:ff:00:01" };
    const config = { ...defaults, ...chosen };
    const { dhcp } = config;
    if (this.#all.some((each) => each.config.name === config.name)) {
      throw new RangeError(`there is an outside network ${config.name} already`);
    }
    const options = {
      clock: this.clock,
      name: config.name,
      mac: parseMac(config.mac),
      address: parseIpv4(config.address),
      dhcp: dhcp && {
        first: parseIpv4(dhcp.first),
        count: dhcp.count,
        netmask: parseIpv4(dhcp.netmask),
      },
    };
    const port = this.devices.bridge(config.bridge).attach(config.name);
    const network = new UserNetwork({ ...options, port });
    this.#all.push({ config, network });
    return network;
  }

  /** The gateway of that name; throws `RangeError` if there is none. */
  named(name: string): UserNetwork {
    const found = this.#all.find(({ config }) => config.name === name);
    if (found) return found.network;
    const names = this.#all.map(({ config }) => config.name).join(", ") || "none";
    throw new RangeError(`there is no outside network ${name}; there are: ${names}`);
  }

  save(): SnapshotRecord {
    const networks = this.#all.map(({ config: { dhcp, ...config }, network }) => ({
      config: { ...config, ...dhcp && { dhcp: { ...dhcp } } },
      record: { ...network.save() },
    }));
    return { kind: "outsideNetworks", version: 1, state: { networks } };
  }

  /** Makes those of a record that are missing, and takes others away. `services` are what new ones serve by. */
  rebuild(record: SnapshotRecord, services: readonly TcpService[]): void {
    const saved = savedIn(record);
    this.#all = this.#all.filter(({ config: { name, bridge }, network }) => {
      if (saved.some(({ config }) => config.name === name && config.bridge === bridge)) return true;
      const lan = this.devices.bridge(bridge);
      lan.detach(lan.ports.find((port) => port.name === name)!);
      network.dispose();
      return false;
    });
    for (const { config } of saved) {
      const known = this.#all.find((each) => each.config.name === config.name);
      if (known) continue;
      const network = this.add(config);
      for (const service of services) network.register(service);
    }
  }

  /** Restores those that {@link rebuild} left; the clock is restored by its own record, after this one. */
  restore(record: SnapshotRecord): void {
    for (const { config, record: own } of savedIn(record)) this.named(config.name!).restore(own);
  }
}

interface SavedOutside {
  readonly config: OutsideConfig;
  readonly record: SnapshotRecord;
}

function savedIn(record: SnapshotRecord): readonly SavedOutside[] {
  return expectRecord(record, "outsideNetworks", 1).networks as unknown as readonly SavedOutside[];
}
