/** Where and after what a CPU shut down, in one line. */

import type { Cpu } from "../../core/x86/cpu.ts";

/** The description of a triple fault. */
export function describeFault(cpu: Cpu): string {
  const { state } = cpu;
  const hex = (value: bigint | number) => `0x${value.toString(16)}`;
  return `CPU ${cpu.index} shut down at ${hex(state.csSelector)}:${
    hex(state.rip)
  } after vector ${state.vector}` +
    ` (error code ${hex(state.errorCode)}, CR2 ${hex(state.cr2)}, CR3 ${hex(state.cr3)})`;
}
