/**
 * What a debugger is to the processors that it watches: told of what happens, asked whether to stop. It changes nothing
 * that a guest could notice, and stops at instruction boundaries only.
 */

import type { CpuLook } from "../cpu_look.ts";

/** The debugger's side. From within each of the notes it may ask `cpu.ports.requestStop()`, to be asked soon. */
export interface DebugPort {
  /** The first cycle after `cycle` at which it wants to be asked {@link stopsAfter} of a CPU; `Infinity` if there is none. */
  nextLook(cpu: number, cycle: number): number;
  /** Whether it wants to be told of traps and system functions; none of them takes a quick way then. */
  readonly hearsEvents: boolean;
  /** Whether to stop before the instruction at RIP, where there is a code stop. */
  stopsBefore(cpu: CpuLook, cycle: number): boolean;
  /** Whether to stop at this boundary, behind one instruction or event or many. */
  stopsAfter(cpu: CpuLook, cycle: number): boolean;
  /** An interrupt, exception or INT is about to be delivered. */
  trap(cpu: CpuLook, vector: number): void;
  /** A system function (named as in `system/functions.ts`) was carried out. */
  system(cpu: CpuLook, name: string): void;
}
