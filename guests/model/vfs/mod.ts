/**
 * Files of modelled kernels: directories, inodes and blocks after ext3, a page cache, a journal, and the queue to a disk.
 * It counts work and moves no bytes; whose disk it is, and what work costs, others say.
 *
 * ```ts ignore
 * const fs = new FileSystem({ driver, blocks: 1 << 20, cachePages: 4096, wake });
 * const inode = fs.create("log", "file", meter);
 * fs.write(inode, 0, 8192, now, meter);
 * fs.sync(inode, meter); // `{ queue }`: call again after a wake-up there
 * ```
 */

export { BlockFront, RING_GRANTS, type RingPort } from "./block_front.ts";
export type { BlockDriver, DriverRequest } from "./block_layer.ts";
export * from "./file_system.ts";
export { BLOCK_SECTORS, GROUP_BLOCKS, PAGE_BYTES } from "./limits.ts";
export * from "./work.ts";
export { type DiskDriver, Files, type FilesOptions } from "./files.ts";
export {
  type Adapter,
  ADAPTER_WORK,
  AdapterDriver,
  type DiskPort,
  IDE_ADAPTER,
  SCSI_ADAPTER,
} from "./adapter_driver.ts";
export { SwapArea } from "./swap_area.ts";
