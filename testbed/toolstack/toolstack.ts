/**
 * The toolstack of a host: what `xl` does, as methods. Mechanism is the hypervisor's; what becomes of a domain that has
 * shut down, how much memory it is told to have, where it may run, is decided here.
 *
 * Source of operations and words: Xen's `docs/man/xl.1.pod.in`.
 */

import { dirname, resolve } from "node:path";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import { type FileDisk, openFileDisk } from "../disk_file.ts";
import type { DiskConfig, DomainDevices, Host, HostDomain, HostRunOptions } from "../host/host.ts";
import { vdevNumber } from "../host/vdev.ts";
import { parseCpuList } from "./cpu_list.ts";
import { DomainControls, type DomainReference, vifConfig } from "./domain_controls.ts";
import { type DiskSpec, parseDisk } from "./xl_cfg/device_specs.ts";
import {
  type DomainSettings,
  domainSettings,
  type ShutdownAction,
} from "./xl_cfg/domain_settings.ts";

const PAGE_BYTES = 4096;
const MIB = 2 ** 20;
const PAGES_PER_MIB = MIB / PAGE_BYTES;

/** What a toolstack knows of a domain that it made. */
interface Charge {
  /** With the disks that were attached since. */
  settings: DomainSettings | null;
  /** What paths in its settings are relative to. */
  readonly directory?: string;
  /** Disks that it opened, by virtual device. */
  readonly disks: Map<string, FileDisk>;
  /** Paused by {@link Toolstack.pause}. */
  paused: boolean;
  readonly since: number;
}

/** A domain that was saved, as a value: what {@link Toolstack.restore} takes. */
export interface SavedDomain {
  readonly settings: DomainSettings | null;
  readonly image: SnapshotRecord;
}

/** See the module comment. */
export class Toolstack extends DomainControls {
  readonly #charges = new WeakMap<HostDomain, Charge>();

  static readonly #known = new WeakMap<Host, Toolstack>();

  /** The toolstack of a host: each has one. */
  static of(host: Host): Toolstack {
    let tools = Toolstack.#known.get(host);
    if (!tools) Toolstack.#known.set(host, tools = new Toolstack(host));
    return tools;
  }

  private constructor(host: Host) {
    super(host);
    host.onShutdown = (domain) => this.#ended(domain);
  }

  /** Creates a domain as the file at `path` says; paths in it are relative to it. Nothing is left behind if it fails. */
  async create(path: string, options: { readonly paused?: boolean } = {}): Promise<HostDomain> {
    const settings = domainSettings(await Deno.readTextFile(path), path);
    return await this.createFrom(settings, { ...options, directory: dirname(path) });
  }

  /** Creates a domain from settings. Throws `RangeError` if there is one of that name, or not enough memory. */
  async createFrom(
    settings: DomainSettings,
    options: { readonly paused?: boolean; readonly directory?: string } = {},
  ): Promise<HostDomain> {
    const disks = new Map<string, FileDisk>();
    try {
      this.#expectFree(settings);
      for (const disk of settings.disks) {
        disks.set(disk.vdev, this.#open(disk, options.directory));
      }
      const { directory } = options;
      const charge = { settings, directory, disks, paused: false, since: 0 };
      return await this.#start(settings, charge, options.paused);
    } catch (error) {
      for (const disk of disks.values()) disk.close();
      throw error;
    }
  }

  /** Takes a domain away at once. */
  destroy(reference: DomainReference): void {
    const domain = this.domain(reference);
    const { disks } = this.#chargeOf(domain);
    this.host.destroy(domain);
    for (const disk of disks.values()) disk.close();
  }

  pause(reference: DomainReference): void {
    const domain = this.domain(reference);
    const charge = this.#chargeOf(domain);
    if (!charge.paused) this.host.inputs.feed({ kind: "pause", domain: domain.id });
    charge.paused = true;
  }

  unpause(reference: DomainReference): void {
    const domain = this.domain(reference);
    const charge = this.#chargeOf(domain);
    if (charge.paused) this.host.inputs.feed({ kind: "unpause", domain: domain.id });
    charge.paused = false;
  }

  /** Has a domain suspend itself, takes it away, and returns it as a value. Rejects if it does not suspend in time. */
  async save(reference: DomainReference, options: HostRunOptions = {}): Promise<SavedDomain> {
    const domain = this.domain(reference);
    const charge = this.#chargeOf(domain);
    this.unpause(domain);
    const stop = await this.host.suspend(domain, options);
    if (domain.domain.shutdown !== "suspend") {
      this.write(domain, "control/shutdown", "");
      const state = domain.domain.shutdown ?? `still running when ${stop.kind} was reached`;
      throw new Error(`${domain.name} did not suspend itself: it is ${state}`);
    }
    const image = this.host.save(domain);
    const settings = settingsNow(charge);
    this.destroy(domain);
    return { settings, image };
  }

  /** Makes a domain of a saved one, with the devices that it had; paths of disks are relative to `directory`. */
  restore(saved: SavedDomain, options: { readonly directory?: string } = {}): HostDomain {
    const { settings, image } = saved;
    const disks = new Map<string, FileDisk>();
    try {
      if (settings) this.#expectFree(settings);
      for (const disk of settings?.disks ?? []) {
        disks.set(disk.vdev, this.#open(disk, options.directory));
      }
      const devices = settings ? devicesOf(settings, disks) : {};
      const domain = this.host.restoreDomain(image, devices);
      this.#charges.set(domain, { settings, disks, paused: false, since: this.#now });
      return domain;
    } catch (error) {
      for (const disk of disks.values()) disk.close();
      throw error;
    }
  }

  /** Moves a domain to another host: it is stopped here, copied, and goes on there. */
  async migrate(
    reference: DomainReference,
    destination: Toolstack,
    options: HostRunOptions = {},
  ): Promise<HostDomain> {
    const saved = await this.save(reference, options);
    try {
      return destination.restore(saved);
    } catch (error) {
      this.restore(saved);
      throw error;
    }
  }

  blockAttach(reference: DomainReference, disk: string): void {
    const domain = this.domain(reference);
    const spec = parseDisk(disk);
    const charge = this.#chargeOf(domain);
    const { disks, settings } = charge;
    const number = vdevNumber(spec.vdev);
    if (this.host.zero.disksOf(domain.id).some((each) => each.number === number)) {
      throw new RangeError(`${domain.name} has a disk ${spec.vdev} already`);
    }
    disks.set(spec.vdev, this.#open(spec));
    try {
      this.host.plugDisk(domain, diskConfig(spec, disks));
    } catch (error) {
      letGo(disks, spec.vdev);
      throw error;
    }
    if (settings === null) return;
    const others = settings.disks.filter(({ vdev }) => vdev !== spec.vdev);
    const added = { ...spec, target: resolve(spec.target) };
    charge.settings = { ...settings, disks: [...others, added] };
  }

  /** Asks the guest to let a disk go; when it has, the disk's file is closed. */
  blockDetach(reference: DomainReference, vdev: string): void {
    const domain = this.domain(reference);
    const number = vdevNumber(vdev);
    const found = this.host.zero.disksOf(domain.id).find((each) => each.number === number);
    if (!found) throw new RangeError(`${domain.name} has no disk ${vdev}`);
    this.host.inputs.feed({ kind: "unplug", domain: domain.id, path: found.path });
  }

  /** Writes what a domain has written to a disk into the disk's file. */
  blockCommit(reference: DomainReference, vdev: string): void {
    const domain = this.domain(reference);
    const file = this.#chargeOf(domain).disks.get(vdev);
    if (!file) throw new RangeError(`${domain.name} has no disk ${vdev} that is a file`);
    file.commit();
  }

  /** Whether {@link pause} holds it. */
  isPaused(domain: HostDomain): boolean {
    return this.#charges.get(domain)?.paused ?? false;
  }

  /** Since which cycle it has been there. */
  since(domain: HostDomain): number {
    return this.#charges.get(domain)?.since ?? 0;
  }

  get #now(): number {
    return this.host.dispatcher.now;
  }

  async #start(settings: DomainSettings, charge: Charge, paused = false): Promise<HostDomain> {
    const { host } = this;
    const { directory } = charge;
    const file = (path: string) =>
      directory !== undefined && /[./]/.test(path) ? resolve(directory, path) : path;
    const domain = await host.create({
      name: settings.name,
      kernel: file(settings.kernel),
      ramdisk: settings.ramdisk ? await Deno.readFile(file(settings.ramdisk)) : undefined,
      extra: settings.cmdline,
      memory: `${settings.memoryMib}MiB`,
      maxmem: `${settings.maxmemMib}MiB`,
      vcpus: settings.vcpus,
      maxvcpus: settings.maxvcpus,
      ...devicesOf(settings, charge.disks),
    });
    this.#charges.set(domain, { ...charge, since: this.#now });
    try {
      this.#place(domain, settings);
    } catch (error) {
      host.destroy(domain);
      throw error;
    }
    if (paused) this.pause(domain);
    return domain;
  }

  /** The settings that are the scheduler's. */
  #place(domain: HostDomain, { cpus, cpusSoft, pool, weight, cap }: DomainSettings): void {
    if (pool !== undefined) this.host.inputs.feed({ kind: "pool", domain: domain.id, pool });
    if (cpus !== undefined || cpusSoft !== undefined) {
      this.vcpuPin(domain, "all", cpus ?? "all", cpusSoft);
    }
    if (weight !== undefined) this.schedule(domain, { weight });
    if (cap !== undefined) this.schedule(domain, { cap });
  }

  /** A domain has shut down: what its settings say happens to it. */
  async #ended(domain: HostDomain): Promise<void> {
    const charge = this.#charges.get(domain);
    const { shutdown } = domain.domain;
    if (!charge?.settings || shutdown === "suspend") return;
    const { settings } = charge;
    const actions: Partial<Record<string, ShutdownAction>> = {
      poweroff: settings.onPoweroff,
      reboot: settings.onReboot,
      crash: settings.onCrash,
    };
    switch (actions[shutdown ?? ""] ?? "destroy") {
      case "preserve":
        return;
      case "destroy":
        return this.destroy(domain);
      case "rename-restart":
        this.host.inputs.feed({
          kind: "rename",
          domain: domain.id,
          name: `${domain.name}-${domain.id}`,
        });
        break;
      case "restart":
      case "soft-reset":
        this.host.destroy(domain);
    }
    await this.#start(settings, charge);
  }

  #chargeOf(domain: HostDomain): Charge {
    let charge = this.#charges.get(domain);
    if (!charge) {
      charge = { settings: null, disks: new Map(), paused: false, since: 0 };
      this.#charges.set(domain, charge);
    }
    return charge;
  }

  #expectFree({ name, memoryMib, cpus, pool }: DomainSettings): void {
    this.expectNameFree(name);
    const freeMib = Math.floor(this.host.hypervisor.frames.freeFrames / PAGES_PER_MIB);
    if (memoryMib > freeMib) {
      throw new RangeError(`${name} wants ${memoryMib} MiB, and the host has ${freeMib} MiB free`);
    }
    if (cpus !== undefined) parseCpuList(cpus, this.host.dispatcher.cpus.length);
    if (pool !== undefined) this.host.dispatcher.pools.named(pool);
  }

  #open({ target, readonly }: DiskSpec, directory = "."): FileDisk {
    return openFileDisk(resolve(directory, target), { readonly });
  }
}

/** Settings with the disks that the domain has now, by their whole paths: it may come back elsewhere. */
function settingsNow({ settings, directory = ".", disks }: Charge): DomainSettings | null {
  if (settings === null) return null;
  const present = settings.disks.filter(({ vdev }) => disks.has(vdev));
  const whole = present.map((disk) => ({ ...disk, target: resolve(directory, disk.target) }));
  return { ...settings, disks: whole };
}

/** The devices of settings, without disks whose files are open no more: the domain let them go before it started again. */
function devicesOf(settings: DomainSettings, files: Map<string, FileDisk>): DomainDevices {
  const disk = settings.disks.filter(({ vdev }) => files.has(vdev))
    .map((spec) => diskConfig(spec, files));
  return { disk, vif: settings.vifs.map(vifConfig) };
}

/** A disk as a host takes it, made of its file among `files`. */
function diskConfig(
  { vdev, readonly, backend }: DiskSpec,
  files: Map<string, FileDisk>,
): DiskConfig {
  const { image } = files.get(vdev)!;
  return { vdev, readonly, backend, image, onDetached: () => letGo(files, vdev) };
}

/** Nobody uses a disk's file any more. */
function letGo(files: Map<string, FileDisk>, vdev: string): void {
  files.get(vdev)?.close();
  files.delete(vdev);
}
