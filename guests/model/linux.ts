/** A modelled Linux 2.4: the kernel with its modules put together. */

import { Pipes } from "./ipc/pipes.ts";
import { Signals } from "./ipc/signals.ts";
import { CharacterDevices } from "./kernel/character_devices.ts";
import { Descriptors } from "./kernel/descriptors.ts";
import { Kernel, type KernelOptions } from "./kernel/kernel.ts";
import { PAGE_BYTES } from "./memory/address_space.ts";
import { Memory } from "./memory/memory.ts";

/** A kernel stack, with the process's own record in it. */
const STACK_BYTES = 8192;

/** What a Linux is made of. */
export interface LinuxOptions extends KernelOptions {
  readonly memoryBytes: number;
}

/** A kernel, and those of its modules that others build upon. */
export interface Linux {
  readonly kernel: Kernel;
  readonly descriptors: Descriptors;
  readonly memory: Memory;
  readonly signals: Signals;
  readonly pipes: Pipes;
}

/** Throws `RangeError` for memory of less than a page. */
export function createLinux(options: LinuxOptions): Linux {
  const kernel = new Kernel(options);
  const descriptors = new Descriptors(kernel);
  const pages = Math.floor(options.memoryBytes / PAGE_BYTES);
  const memory = new Memory(kernel, pages, options.seed ?? 0);
  const signals = new Signals(kernel);
  const pipes = new Pipes(kernel, descriptors);
  kernel.mostProcesses = Math.floor(options.memoryBytes / STACK_BYTES / 8);
  memory.onViolation = (process) => signals.force(process, "SIGSEGV");
  memory.onExhausted = (process) => signals.force(process, "SIGKILL");
  for (const module of [descriptors, memory, signals, pipes]) kernel.install(module);
  kernel.install(new CharacterDevices(kernel, descriptors));
  return { kernel, descriptors, memory, signals, pipes };
}
