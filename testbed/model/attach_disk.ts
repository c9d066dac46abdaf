/** Gives a modelled Linux its files: on the machine's disk, or on a file of the system that hosts it. */

import type { MachineClock } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { DK32EJ, ScsiDisk } from "../../devices/scsi/mod.ts";
import {
  type Kernel,
  type Linux,
  type PlatformName,
  SharedMemory,
  UnixSockets,
} from "../../guests/model/mod.ts";
import {
  type DiskDriver,
  type DiskPort,
  Files,
  GROUP_BLOCKS,
  ScsiDriver,
} from "../../guests/model/vfs/mod.ts";
import { HostedDisk } from "./hosted_disk.ts";

/** What the files of a system are kept on. */
export interface AttachDiskOptions {
  readonly clock: MachineClock;
  readonly costs: CostTable;
  readonly platform: PlatformName;
  /** Memory of the system: half of it may hold pages of files. */
  readonly memoryBytes: number;
  /** Makes the driver of a disk that there is already; default: a disk of its own, as the platform shows it. */
  readonly driver?: (kernel: Kernel) => DiskDriver;
  /** The monitor's process waits for its host: the guest's CPUs stand still meanwhile. */
  readonly stall?: (stalled: boolean) => void;
}

/** Size of a system's disk: 2 GiB. */
export const DISK_BLOCKS = 16 * GROUP_BLOCKS;
/** Room for a swap area behind the files: 1 GiB. */
export const SWAP_BLOCKS = 8 * GROUP_BLOCKS;
const CACHE_SHARE = 0.5;
const PAGE_BYTES = 4096;
/** What a host keeps for its own page cache. */
const HOST_PAGES = 50_000;

/** Installs files, and what databases need besides. */
export function attachDisk({ kernel, descriptors }: Linux, options: AttachDiskOptions): Files {
  const { memoryBytes } = options;
  const driver = options.driver?.(kernel) ?? ownDisk(kernel, options);
  const files = new Files(kernel, descriptors, {
    driver,
    blocks: DISK_BLOCKS,
    cachePages: Math.floor(memoryBytes * CACHE_SHARE / PAGE_BYTES),
  });
  kernel.install(files);
  kernel.install(new UnixSockets(kernel, descriptors));
  kernel.install(new SharedMemory(kernel));
  return files;
}

/** A SCSI disk that nobody else uses. */
function ownDisk(kernel: Kernel, options: AttachDiskOptions): ScsiDriver {
  const driver: ScsiDriver = new ScsiDriver(
    kernel,
    portFor(options, (tag) => driver.completed(tag)),
  );
  return driver;
}

/** The disk that a platform shows. */
function portFor(options: AttachDiskOptions, completed: (tag: number) => void): DiskPort {
  const { clock, costs, platform, stall } = options;
  const real = { clock, name: "sda", model: DK32EJ, writeCache: true };
  switch (platform) {
    case "native":
    case "xen-pv":
    case "containers":
      return new ScsiDisk({ ...real, completed: ({ tag }) => completed(tag) });
    case "full-virtualization":
    case "user-mode-linux":
      return new HostedDisk({
        ...real,
        costs,
        blocks: DISK_BLOCKS + SWAP_BLOCKS,
        hostPages: HOST_PAGES,
        stall: platform === "full-virtualization" ? stall : undefined,
        completed,
      });
  }
}
