/**
 * Modelled systems: operating systems as programs whose state is plain data. They are guests: what they need of a machine or a
 * hypervisor is in `kernel/ports.ts`, and they reach nothing else.
 */

export {
  type Action,
  type Arguments,
  call,
  compute,
  exit,
  type Locals,
  type Program,
  type Step,
  type StepContext,
} from "./kernel/action.ts";
export { ERRNO } from "./kernel/errno.ts";
export { Descriptors, type FileKind, type OpenFile } from "./kernel/descriptors.ts";
export { Kernel, type Report, type SpawnOptions } from "./kernel/kernel.ts";
export { KernelCpu } from "./kernel/kernel_cpu.ts";
export {
  AGAIN,
  BLOCKED,
  type CallContext,
  type KernelModule,
  type Outcome,
  type SystemCall,
} from "./kernel/module.ts";
export type { MachinePort, VirtualCpuPort } from "./kernel/ports.ts";
export { flatPlatform, type Platform, type Primitive, PRIMITIVES } from "./kernel/primitives.ts";
export type { Process } from "./kernel/process.ts";
export { Pipes } from "./ipc/pipes.ts";
export { SharedMemory } from "./ipc/shared_memory.ts";
export { UnixSockets } from "./ipc/unix_sockets.ts";
export { type SignalName, SIGNALS, Signals } from "./ipc/signals.ts";
export { createBsd } from "./bsd.ts";
export { createLinux, type Linux, type LinuxOptions } from "./linux.ts";
export { LAYOUT } from "./memory/layout.ts";
export { Memory } from "./memory/memory.ts";
export { type PlatformName, PLATFORMS } from "./platforms/platforms.ts";
