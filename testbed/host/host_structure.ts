/**
 * What a host consists of, as data: which domains with which devices, each with what it must be made with to be the same
 * again. A snapshot is restored in two steps: the host is given the structure of the record ({@link HostStructure.rebuild}),
 * and then every part of it its state. So it does not matter how that structure came about: by domains that were created,
 * restored, migrated, destroyed, or by devices that came and went.
 */

import type { Domain, DomainShape } from "../../core/hypervisor/domain.ts";
import type { ShutdownReason } from "../../core/abi/operations.ts";
import type { DomainId } from "../../core/lib/brand.ts";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { PlaceParts } from "./back_end_place.ts";
import type { HouseholdShape } from "./domain_zero.ts";
import { adoptDriverDomain, type DriverDomain } from "./driver_domain.ts";
import type { Host } from "./host.ts";
import { HostDomain, type ReadConfig } from "./host_domain.ts";
import type { DeviceShape } from "./split_devices.ts";

/** What a domain with a kernel of machine code was created from, as far as that is data. */
export type SavedConfig = Omit<ReadConfig, "disk" | "vif">;

/** One domain of a host, but those with modelled kernels. */
export interface HostDomainShape {
  readonly domain: DomainShape;
  /** Where its services meet it; `null`: it is a driver domain. */
  readonly household: HouseholdShape | null;
  readonly devices: readonly DeviceShape[];
  readonly config: SavedConfig | null;
  /** It has shut down, and `onShutdown` was called. */
  readonly told: boolean;
  readonly console: SnapshotRecord;
}

/** What of a host only its structure's changes reach. */
export interface HostStructureParts extends PlaceParts {
  readonly host: Host;
  readonly drivers: Map<HostDomain, DriverDomain>;
  /** Those whose end was told. */
  readonly ended: WeakSet<HostDomain>;
  /** Takes what a domain writes to its console. */
  output(domain: DomainId, bytes: Uint8Array): void;
  /** A domain is about to go. */
  gone(domain: Domain): void;
}

/** See the module comment. */
export class HostStructure {
  constructor(private readonly parts: HostStructureParts) {}

  /** The domains that there are, in order. */
  get shapes(): HostDomainShape[] {
    const { host, ended } = this.parts;
    return host.domains.map((each) => ({
      domain: each.domain.shape,
      household: host.zero.householdOf(each.id),
      devices: host.zero.shapesOf(each.id),
      config: each.config && savedConfig(each.config),
      told: ended.has(each),
      console: each.console.save(),
    }));
  }

  /** Takes a domain away, with all that it has. */
  remove(domain: HostDomain): void {
    const { host: { domains, zero, hypervisor }, drivers, gone } = this.parts;
    domains.splice(domains.indexOf(domain), 1);
    gone(domain.domain);
    zero.release(domain.id);
    hypervisor.destroyDomain(domain.domain);
    drivers.get(domain)?.place.close();
    drivers.delete(domain);
  }

  /** Takes those domains away that are none of `wanted`. */
  keep(wanted: readonly HostDomainShape[]): void {
    for (const each of [...this.parts.host.domains]) {
      if (!wanted.some((shape) => this.#isLike(shape, each))) this.remove(each);
    }
  }

  /** Gives the host these domains and no others: those that it has stay the same objects. */
  rebuild(wanted: readonly HostDomainShape[]): void {
    const { host, ended } = this.parts;
    this.keep(wanted);
    const kept = host.domains.splice(0);
    for (const shape of wanted) {
      const domain = kept.find((each) => this.#isLike(shape, each)) ?? this.#adopt(shape);
      host.domains.push(domain);
      if (shape.told) ended.add(domain);
      else ended.delete(domain);
    }
    host.zero.rebuildDevices(new Map(wanted.map(({ domain, devices }) => [domain.id, devices])));
  }

  #isLike({ domain, household }: HostDomainShape, { id, domain: here }: HostDomain): boolean {
    const { zero } = this.parts.host;
    return domain.id === id && sameData(domain, here.shape) &&
      sameData(household, zero.householdOf(id));
  }

  #adopt({ domain: shape, household, config }: HostDomainShape): HostDomain {
    const { host, output } = this.parts;
    if (household === null) return this.#adoptDriver(shape);
    const domain = host.hypervisor.adoptDomain(shape);
    const send = host.zero.adopt(shape.id, household, (bytes) => output(shape.id, bytes));
    return new HostDomain(host, domain, config, send);
  }

  #adoptDriver(shape: DomainShape): HostDomain {
    const { host, drivers } = this.parts;
    const driver = adoptDriverDomain(this.parts, shape);
    host.zero.adoptDriver(driver, this.endOf(driver.domain));
    const made = new HostDomain(host, driver.domain, null, () => {});
    drivers.set(made, driver);
    return made;
  }

  /** What a driver domain is ended by. */
  endOf(domain: Domain): (reason: ShutdownReason) => void {
    return (reason) => this.parts.hypervisor.shutDown(domain, reason);
  }
}

function savedConfig({ disk: _disk, vif: _vif, ...config }: ReadConfig): SavedConfig {
  return config;
}

/** Whether two pieces of plain data, made alike, are the same. */
function sameData(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
