/**
 * The state of a host as a record; RAM lies beside it.
 *
 * What is no data goes beside the record, too ({@link HostBelongings}): within the process it is the things themselves, and who
 * reads a file makes or is given others.
 */

import {
  expectRecord,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import { DiskImage } from "../../devices/disk/mod.ts";
import type { TcpService } from "../../devices/usernet/mod.ts";
import { fileDiskOf, openFileDisk } from "../disk_file.ts";
import type { RamSource } from "../snapshot/page_store.ts";
import { plainData } from "../snapshot/plain_data.ts";
import type { Host } from "./host.ts";
import type { HostDomainShape, SavedConfig } from "./host_structure.ts";
import type { ModelCode } from "./modelled_domains.ts";
import type { DeviceShape } from "./split_devices.ts";

/** What a record of a host names by number. */
export interface HostBelongings {
  /** Disks; what guests wrote to them is in the record. */
  readonly images: readonly DiskImage[];
  /** Kernels and ramdisks that domains were created from. */
  readonly kernels: readonly Uint8Array[];
  /** What modelled domains run, in their order. */
  readonly code: readonly ModelCode[];
  /** Services of outside networks; those within the process know theirs. */
  readonly services: readonly TcpService[];
}

/** A host but its RAM. */
export interface HostState {
  readonly record: SnapshotRecord;
  readonly belongings: HostBelongings;
}

/** A host in memory, RAM included, of which what changes afterwards is kept. */
export interface HostSnapshot extends HostState {
  readonly ram: RamSource;
  /** Whose it is: disks that it names are that host's. */
  readonly host: Host;
}

const KIND = "host";
const VERSION = 2;

/** Fields of a configuration that are numbers of images in a record. */
interface ConfigImages {
  readonly kernel: number;
  readonly ramdisk: number | null;
}

/** A device whose image is a number. */
type SavedDevice = Omit<DeviceShape, "image"> & { readonly image?: number };

/** A {@link HostDomainShape} as plain data. */
type SavedDomain = Omit<HostDomainShape, "devices" | "config"> & {
  readonly devices: readonly SavedDevice[];
  readonly config: Omit<SavedConfig, "kernel" | "ramdisk"> & ConfigImages | null;
};

/** All parts of a host that stands still but RAM, which holds everything afterwards: registers of virtual CPUs are put away. */
export function saveHost(host: Host): HostState {
  const { clock, trace, processors } = host.hardware;
  const images: DiskImage[] = [];
  const kernels: Uint8Array[] = [];
  const parts = {
    dispatcher: host.dispatcher,
    processors,
    clock,
    trace,
    ledger: host.ledger,
    hypervisor: host.hypervisor,
    zero: host.zero,
    outside: host.outside,
    modelled: host.modelled,
  };
  const records = Object.entries(parts).map(([name, part]) => [name, { ...part.save() }] as const);
  const domains = host.structure.shapes.map((shape) => saveDomain(shape, images, kernels));
  const state = {
    ...Object.fromEntries(records),
    domains: plainData(domains),
    images: images.map((image) => ({ ...image.save() })),
    log: [...host.log],
  };
  const belongings = { images, kernels, code: host.modelled.code, services: [] };
  return { record: { kind: KIND, version: VERSION, state }, belongings };
}

/**
 * Makes a host, booted with the same options, the one that {@link saveHost} saved: what it has too stays, other things go, what
 * is missing is made. `writeRam` is called when nothing but RAM's owner may write there any more. Throws `SnapshotError`, and
 * has changed nothing, if the record is of another kind of host.
 */
export function restoreHost(host: Host, saved: HostState, writeRam: () => void): void {
  const { belongings } = saved;
  const state = expectRecord(saved.record, KIND, VERSION);
  const part = (name: string) => state[name] as unknown as SnapshotRecord;
  expectAlike(host, part("dispatcher"));
  const domains = state.domains as unknown as readonly SavedDomain[];
  const { images } = belongings;
  rebuild(host, domains.map((each) => loadDomain(each, images, belongings.kernels)), {
    modelled: part("modelled"),
    outside: part("outside"),
    belongings,
  });
  images.forEach((image, i) =>
    image.restore((state.images as unknown as readonly SnapshotRecord[])[i])
  );
  writeRam();
  host.zero.restore(part("zero"));
  host.outside.restore(part("outside"));
  host.hypervisor.restore(part("hypervisor"));
  host.hardware.clock.restore(part("clock"));
  // A CPU of a modelled kernel finds its processes there.
  host.modelled.restore(part("modelled"));
  host.hardware.processors.restore(part("processors"));
  host.dispatcher.restore(part("dispatcher"));
  host.hardware.trace.restore(part("trace"));
  host.ledger.restore(part("ledger"));
  domains.forEach(({ console }, i) => host.domains[i].console.restore(console));
  host.log.splice(0, Infinity, ...state.log as string[]);
}

/** For another host than that of the snapshot: disks of its own over the same bases. */
export function withOwnImages({ record, belongings }: HostState): HostState {
  const images = belongings.images.map((image) => {
    const file = fileDiskOf(image);
    if (file) return openFileDisk(file.path, file).image;
    return new DiskImage(image.base, { sizeBytes: image.sizeBytes });
  });
  return { record, belongings: { ...belongings, images } };
}

/** Gives the host the structure of a record. What goes goes first: names and numbers are free then. */
function rebuild(
  host: Host,
  shapes: readonly HostDomainShape[],
  { modelled, outside, belongings }: {
    readonly modelled: SnapshotRecord;
    readonly outside: SnapshotRecord;
    readonly belongings: HostBelongings;
  },
): void {
  host.structure.keep(shapes);
  host.modelled.keep(modelled);
  host.structure.rebuild(shapes);
  host.modelled.rebuild(modelled, belongings.code);
  host.outside.rebuild(outside, belongings.services);
}

function expectAlike(host: Host, dispatcher: SnapshotRecord): void {
  const { length: cpus } = dispatcher.state.cpus as readonly SnapshotValue[];
  if (cpus === host.dispatcher.cpus.length) return;
  throw new SnapshotError(
    `the snapshot is of a host with ${cpus} CPUs; this one has ${host.dispatcher.cpus.length}`,
  );
}

function saveDomain(
  { config, devices, ...shape }: HostDomainShape,
  images: DiskImage[],
  kernels: Uint8Array[],
): SavedDomain {
  return {
    ...shape,
    devices: devices.map((device) =>
      device.kind === "vbd" ? { ...device, image: numberIn(images, device.image) } : device
    ),
    config: config && {
      ...config,
      kernel: numberIn(kernels, config.kernel, sameBytes),
      ramdisk: config.ramdisk ? numberIn(kernels, config.ramdisk, sameBytes) : null,
    },
  };
}

function loadDomain(
  { config, devices, ...shape }: SavedDomain,
  images: readonly DiskImage[],
  kernels: readonly Uint8Array[],
): HostDomainShape {
  return {
    ...shape,
    devices: devices.map((device) =>
      device.image === undefined ? device : { ...device, image: images[device.image] }
    ) as DeviceShape[],
    config: config && {
      ...config,
      kernel: kernels[config.kernel],
      ramdisk: config.ramdisk === null ? undefined : kernels[config.ramdisk],
    },
  };
}

/** The place of `one` in `list`, at the end of which it is put if it is not there. */
function numberIn<T>(list: T[], one: T, same = (a: T, b: T): boolean => a === b): number {
  const found = list.findIndex((each) => same(each, one));
  return found >= 0 ? found : list.push(one) - 1;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one === other ||
    (one.length === other.length && one.every((byte, i) => byte === other[i]));
}
