/** Gives a modelled Linux its files: on the machine's disk, or on a file of the system that hosts it. */

import type { MachineClock } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { RaidController } from "../../devices/scsi/mod.ts";
import {
  type Kernel,
  type Linux,
  type PlatformName,
  SharedMemory,
  UnixSockets,
} from "../../guests/model/mod.ts";
import {
  AdapterDriver,
  BLOCK_SECTORS,
  type DiskDriver,
  type DiskPort,
  Files,
  GROUP_BLOCKS,
  IDE_ADAPTER,
  SCSI_ADAPTER,
  SwapArea,
} from "../../guests/model/vfs/mod.ts";
import { HostedDisk } from "./hosted_disk.ts";
import { MACHINE_DISK } from "./machine_disk.ts";

/** What a system that has a machine for itself finds in it. */
export interface PlatformDiskOptions {
  readonly clock: MachineClock;
  readonly costs: CostTable;
  readonly platform: PlatformName;
  /** The monitor's process waits for its host: the guest's CPUs stand still meanwhile. */
  readonly stall?: (stalled: boolean) => void;
}

/** Size of a system's files: 2 GiB. */
const DISK_BLOCKS = 16 * GROUP_BLOCKS;
/** Room for a swap area behind the files: 1 GiB. */
export const SWAP_BLOCKS = 8 * GROUP_BLOCKS;
export const DISK_SECTORS = (DISK_BLOCKS + SWAP_BLOCKS) * BLOCK_SECTORS;
/** The share of memory that may hold pages of files. */
const CACHE_SHARE = 0.5;
const PAGE_BYTES = 4096;
/** What a host keeps for its own page cache. */
const HOST_PAGES = 50_000;

/** Installs files and a swap area of so many pages on a disk, and what databases need besides. */
export function installFiles(
  { kernel, descriptors, memory }: Linux,
  driver: DiskDriver,
  memoryBytes: number,
  swapPages = SWAP_BLOCKS,
): Files {
  const cachePages = Math.floor(memoryBytes * CACHE_SHARE / PAGE_BYTES);
  const files = new Files(kernel, descriptors, { driver, blocks: DISK_BLOCKS, cachePages });
  kernel.install(files);
  kernel.install(new UnixSockets(kernel, descriptors));
  kernel.install(new SharedMemory(kernel));
  memory.pageOut.cache = files.fs.cache;
  if (swapPages > 0) memory.pageOut.swapOn(new SwapArea(files, DISK_BLOCKS, swapPages));
  return files;
}

/** The driver of a disk that nobody else uses, as the platform shows it. */
export function platformDisk(kernel: Kernel, options: PlatformDiskOptions): AdapterDriver {
  // What VMware Workstation shows unless it is told otherwise is an IDE disk.
  const adapter = options.platform === "full-virtualization" ? IDE_ADAPTER : SCSI_ADAPTER;
  const driver: AdapterDriver = new AdapterDriver(
    kernel,
    portFor(options, (tag) => driver.completed(tag)),
    adapter,
  );
  return driver;
}

function portFor(options: PlatformDiskOptions, completed: (tag: number) => void): DiskPort {
  const { clock, costs, platform, stall } = options;
  switch (platform) {
    case "native":
    case "xen-pv":
    case "containers":
      return new RaidController({ ...MACHINE_DISK, clock, completed: ({ tag }) => completed(tag) });
    case "full-virtualization":
    case "user-mode-linux":
      return new HostedDisk({
        ...MACHINE_DISK,
        clock,
        costs,
        blocks: DISK_BLOCKS + SWAP_BLOCKS,
        hostPages: HOST_PAGES,
        stall: platform === "full-virtualization" ? stall : undefined,
        completed,
      });
  }
}
