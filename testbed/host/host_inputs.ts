/**
 * What reaches a host from outside, as plain data: the door that scripts, the toolstack and consoles use, and that a replay
 * uses once more.
 *
 * Changes take effect between two slices of a run. One that comes from within a slice (a callback) waits for its end, which
 * it brings about.
 */

import { createHash } from "node:crypto";
import type { DomainId, PhysicalAddress, PhysicalCpuId } from "../../core/lib/brand.ts";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import { unreachable } from "../../core/lib/assert.ts";
import type { DiskConfig, DomainConfig, DomainDevices, VifConfig } from "./domain_config.ts";
import type { Host, HostDomain } from "./host.ts";

/** One thing done to a host that stands, or between two slices of its run. */
export type HostChange<Disk = DiskConfig> =
  /** Bytes typed at a domain's console. */
  | { readonly kind: "console"; readonly domain: DomainId; readonly bytes: Uint8Array }
  /** A node of XenStore, written by the tools. */
  | { readonly kind: "store"; readonly path: string; readonly value: string }
  /** A frame that came to a bridge from outside. */
  | { readonly kind: "frame"; readonly bridge: string; readonly frame: Uint8Array }
  | { readonly kind: "pause"; readonly domain: DomainId }
  | { readonly kind: "unpause"; readonly domain: DomainId }
  | { readonly kind: "destroy"; readonly domain: DomainId }
  | { readonly kind: "rename"; readonly domain: DomainId; readonly name: string }
  | { readonly kind: "maxPages"; readonly domain: DomainId; readonly pages: number }
  | { readonly kind: "nmi"; readonly domain: DomainId; readonly vcpu: number }
  /** Physical CPUs that a virtual one may use, and had better use. */
  | {
    readonly kind: "affinity";
    readonly domain: DomainId;
    readonly vcpu: number;
    readonly hard: readonly number[];
    readonly soft?: readonly number[];
  }
  /** Memory of a domain that a person changed, by machine address. */
  | {
    readonly kind: "memory";
    readonly domain: DomainId;
    readonly address: number;
    readonly bytes: Uint8Array;
  }
  /** A register of a virtual CPU that a person set. */
  | {
    readonly kind: "register";
    readonly domain: DomainId;
    readonly vcpu: number;
    readonly name: string;
    readonly value: bigint;
  }
  /** Parameters of a domain's scheduler. */
  | {
    readonly kind: "schedule";
    readonly domain: DomainId;
    readonly parameters: Readonly<Record<string, number>>;
  }
  | { readonly kind: "pool"; readonly domain: DomainId; readonly pool: string }
  | {
    readonly kind: "card";
    readonly domain: DomainId;
    readonly index: number;
    readonly card: VifConfig;
  }
  | { readonly kind: "disk"; readonly domain: DomainId; readonly disk: Disk }
  /** A device that a guest is asked to let go, by its back end's home in XenStore. */
  | { readonly kind: "unplug"; readonly domain: DomainId; readonly path: string };

/** All that a host can be given; `Disk` is what stands for its disks. */
export type HostInput<Disk = DiskConfig> =
  | HostChange<Disk>
  /** A run begins, which ends at `limit` at the latest. */
  | { readonly kind: "run"; readonly limit: number | null }
  /** A domain is created. Of images that it names there are the digests only. */
  | {
    readonly kind: "create";
    readonly config: DomainConfig<Disk>;
    readonly images: readonly string[];
  }
  | {
    readonly kind: "restore";
    readonly record: SnapshotRecord;
    readonly changed: NamedDevices<Disk>;
  };

/** Devices of a restored domain, and its name if it has another one. */
export type NamedDevices<Disk = DiskConfig> = DomainDevices<Disk> & { readonly name?: string };

/** Somebody who writes down what a host is given. */
export interface HostWitness {
  /** The host is about to have `input`. Throws `TypeError` if that cannot be told. */
  input(input: HostInput): void;
  /** A slice of a run has passed. */
  slice(): void;
  /** The host is put into another state: there is no more to be told. */
  replaced(): void;
}

/** See the module comment. */
export class HostDoor {
  readonly #host: Host;
  witness: HostWitness | null = null;
  /** Whether the host has been given anything. */
  used = false;
  /** Whether a slice is under way. */
  #closed = false;
  #waiting: HostChange[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /** Carries a change out: at once, or behind the slice that is under way. */
  feed(change: HostChange): void {
    if (this.#closed) {
      this.#waiting.push(change);
      this.#host.dispatcher.stop();
      return;
    }
    this.used = true;
    this.witness?.input(change);
    carryOut(this.#host, change);
  }

  /** Something is about to be done that has a result. Throws `TypeError` if it comes from within a slice that is recorded. */
  note(made: () => HostInput): void {
    this.used = true;
    if (this.witness === null) return;
    const input = made();
    if (this.#closed) {
      throw new TypeError(`a recorded host takes no ${input.kind} in the middle of a slice`);
    }
    this.witness.input(input);
  }

  /** Throws `TypeError` if the host is recorded: `what` is no data that a log could hold. */
  refuse(what: string): void {
    if (this.witness !== null) throw new TypeError(`this host is recorded, and takes no ${what}`);
  }

  /** Lets `slice` pass with the door closed, then has what came meanwhile. */
  behind(slice: () => void): void {
    this.#closed = true;
    try {
      slice();
    } finally {
      this.#closed = false;
    }
    for (const change of this.#waiting.splice(0)) this.feed(change);
  }
}

/** The input that creating a domain is. */
export function creation(config: DomainConfig, images: readonly Uint8Array[]): HostInput {
  return { kind: "create", config, images: digests(images) };
}

/** An input with its disks, if it has any, as `map` makes them. */
export function withDisks<From, To>(
  input: HostInput<From>,
  map: (disk: From) => To,
): HostInput<To> {
  switch (input.kind) {
    case "disk":
      return { ...input, disk: map(input.disk) };
    case "create": {
      const { disk, ...config } = input.config;
      return { ...input, config: { ...config, disk: disk?.map(map) } };
    }
    case "restore": {
      const { disk, ...changed } = input.changed;
      return { ...input, changed: { ...changed, disk: disk?.map(map) } };
    }
    default:
      return input;
  }
}

/** The SHA-256 of each image. */
export function digests(images: readonly Uint8Array[]): string[] {
  return images.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
}

/** Does to `host` what `change` says. Throws `RangeError` for a domain that is not there. */
export function carryOut(host: Host, change: HostChange): void {
  const { hypervisor, dispatcher, zero } = host;
  if (change.kind === "store") return void zero.tools.write(change.path, change.value);
  if (change.kind === "frame") return zero.bridge(change.bridge).inject(change.frame);
  if (change.kind === "affinity" || change.kind === "schedule") return schedule(host, change);
  const found = domainOf(host, change.domain);
  const { domain } = found;
  switch (change.kind) {
    case "console":
      return found.receive(change.bytes);
    case "pause":
      return hypervisor.pause(domain);
    case "unpause":
      return hypervisor.unpause(domain);
    case "destroy":
      return host.remove(found);
    case "rename":
      domain.name = change.name;
      return;
    case "maxPages":
      domain.maxPages = change.pages;
      return;
    case "nmi":
      return hypervisor.sendNmi(domain.vcpus[change.vcpu]);
    case "pool":
      return dispatcher.pools.moveDomain(domain.id, dispatcher.pools.named(change.pool));
    case "card":
      return host.addCard(found, change.index, change.card);
    case "disk":
      return host.addDisk(found, change.disk);
    case "memory":
      return host.hardware.memory.writeBytes(change.address as PhysicalAddress, change.bytes);
    case "register":
      return host.setRegister(domain.vcpus[change.vcpu], change.name, change.value);
    case "unplug":
      return zero.askToUnplug(domain.id, change.path);
    default:
      return unreachable(change, "change");
  }
}

/** What concerns domain 0 as well. */
function schedule(
  { dispatcher }: Host,
  change: HostChange & { readonly kind: "affinity" | "schedule" },
): void {
  if (change.kind === "schedule") {
    const { policy } = dispatcher.pools.of(change.domain);
    return policy.adjustDomain(change.domain, change.parameters, dispatcher.now);
  }
  const { domain, vcpu, hard, soft } = change;
  const found = dispatcher.vcpus.find((each) => each.domain === domain && each.id === vcpu);
  if (!found) throw new RangeError(`domain ${domain} has no virtual CPU ${vcpu}`);
  const among = (cpus: readonly number[]) => new Set(cpus as readonly PhysicalCpuId[]);
  dispatcher.setAffinity(found, among(hard), soft && among(soft));
}

function domainOf({ domains }: Host, id: DomainId): HostDomain {
  const found = domains.find((each) => each.id === id);
  if (found) return found;
  throw new RangeError(`the host has no domain ${id}`);
}
