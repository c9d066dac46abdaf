/** A modelled Linux with what the workloads of a lab need: files, sockets of both kinds, shared memory. */

import {
  createLinux,
  type Linux,
  type LinuxOptions,
  SharedMemory,
  UnixSockets,
} from "../../guests/model/mod.ts";
import { memoryToucher } from "../../guests/model/workloads/memory_toucher.ts";
import { Network } from "../../guests/model/net/network.ts";
import { type HostAddress, hostAddress } from "../../guests/model/net/packet.ts";
import {
  type DiskPort,
  Files,
  GROUP_BLOCKS,
  ScsiDriver,
  SwapArea,
} from "../../guests/model/vfs/mod.ts";
import { serverCalls } from "../../guests/model/workloads/specweb99/server_calls.ts";

/** See the module comment. */
export interface LabKernel {
  readonly name: string;
  readonly linux: Linux;
  readonly files: Files;
  readonly network: Network;
  readonly address: HostAddress;
  readonly memoryBytes: number;
}

/** Size of a system's part of the disk, in blocks of 4 KiB: 2 GiB. */
export const LAB_DISK_BLOCKS = 16 * GROUP_BLOCKS;
/** Its swap area behind that: 1 GiB. */
const SWAP_BLOCKS = 8 * GROUP_BLOCKS;
export const LAB_DISK_SECTORS = (LAB_DISK_BLOCKS + SWAP_BLOCKS) * 8;
/** The share of memory that may hold pages of files. */
const CACHE_SHARE = 0.5;
const PAGE_BYTES = 4096;
const FIRST_ADDRESS = 0x0a000001;

/** Makes the kernel of system number `number`; `disk` plugs its disk in, which tells when a command is done. */
export function labKernel(
  options: LinuxOptions,
  number: number,
  disk: (completed: (tag: number) => void) => DiskPort,
): LabKernel {
  const linux = createLinux(options);
  const { kernel, descriptors } = linux;
  const driver: ScsiDriver = new ScsiDriver(kernel, disk((tag) => driver.completed(tag)));
  const files = new Files(kernel, descriptors, {
    driver,
    blocks: LAB_DISK_BLOCKS,
    cachePages: Math.floor(options.memoryBytes * CACHE_SHARE / PAGE_BYTES),
  });
  const address = hostAddress(FIRST_ADDRESS + number);
  const network = new Network(kernel, descriptors, { address });
  const modules = [
    files,
    network,
    new UnixSockets(kernel, descriptors),
    new SharedMemory(kernel),
    serverCalls,
  ];
  for (const module of modules) kernel.install(module);
  kernel.programs.add(memoryToucher);
  const { pageOut } = linux.memory;
  pageOut.cache = files.fs.cache;
  pageOut.swapOn(new SwapArea(files, LAB_DISK_BLOCKS, SWAP_BLOCKS));
  return { name: options.name, linux, files, network, address, memoryBytes: options.memoryBytes };
}
