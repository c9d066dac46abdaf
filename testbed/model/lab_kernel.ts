/** A modelled Linux with what the workloads of a lab need: files, sockets of both kinds, shared memory. */

import { createLinux, type Kernel, type Linux, type LinuxOptions } from "../../guests/model/mod.ts";
import { memoryToucher } from "../../guests/model/workloads/memory_toucher.ts";
import { Network } from "../../guests/model/net/network.ts";
import { type HostAddress, hostAddress } from "../../guests/model/net/packet.ts";
import type { DiskDriver, Files } from "../../guests/model/vfs/mod.ts";
import { installFiles } from "./attach_disk.ts";
import { serverCalls } from "../../guests/model/workloads/specweb99/server_calls.ts";

/** See the module comment. */
export interface LabKernel {
  readonly name: string;
  readonly linux: Linux;
  readonly files: Files;
  readonly network: Network;
  readonly address: HostAddress;
  readonly memoryBytes: number;
  /** Does something such that processes that it starts are the system's. */
  within<T>(what: () => T): T;
}

const FIRST_ADDRESS = 0x0a000001;

/** Makes the kernel of system number `number`, with a disk that `driver` drives. */
export function labKernel(
  options: LinuxOptions,
  number: number,
  driver: (kernel: Kernel) => DiskDriver,
): LabKernel {
  const linux = createLinux(options);
  const { kernel, descriptors } = linux;
  const files = installFiles(linux, driver(kernel), options.memoryBytes);
  const address = hostAddress(FIRST_ADDRESS + number);
  const network = new Network(kernel, descriptors, { address });
  for (const module of [network, serverCalls]) kernel.install(module);
  kernel.programs.add(memoryToucher);
  const { name, memoryBytes } = options;
  return { name, linux, files, network, address, memoryBytes, within: (what) => what() };
}
