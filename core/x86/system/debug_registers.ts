/** MOV to and from debug registers (SDM vol. 3, "Debug, Branch Profile, TSC …"). */

import type { Cpu } from "../cpu.ts";
import { Cr4, Exception } from "../state/bits.ts";
import { Status } from "../state/layout.ts";
import {
  ADDRESSES,
  BreakOn,
  conditionOf,
  Dr6,
  Dr7,
  hasInstructionBreakpoints,
  isEnabled,
  lengthOf,
} from "./debug_conditions.ts";
import { requirePrivilege } from "./descriptor_tables.ts";
import { argument, argumentHigh, setResult } from "./memory_access.ts";
import { isLongActive } from "./mode.ts";

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set. Raises #UD, or #DB for DR7.GD. */
function checkedIndex(cpu: Cpu, wanted: number): number {
  const { state } = cpu;
  let index = wanted;
  if (index > 7) cpu.raise(Exception.UD);
  if (index === 4 || index === 5) {
    if ((state.cr4 & Cr4.DE) !== 0) cpu.raise(Exception.UD);
    index += 2;
  }
  requirePrivilege(cpu);
  if ((state.dr7 & Dr7.GD) !== 0) {
    state.dr6 |= Dr6.BD;
    cpu.raise(Exception.DB);
  }
  return index;
}

/** MOV from a debug register: argument 0 is its number. */
export function readDebugRegister(cpu: Cpu): void {
  const { state } = cpu;
  const index = checkedIndex(cpu, argument(cpu, 0));
  if (index < 4) setResult(cpu, state.low(ADDRESSES[index]), state.high(ADDRESSES[index]));
  else setResult(cpu, index === 6 ? state.dr6 : state.dr7);
}

/** MOV to a debug register: arguments are its number and the value, zero-extended. */
export function writeDebugRegister(cpu: Cpu): void {
  const { state } = cpu;
  const index = checkedIndex(cpu, argument(cpu, 0));
  const low = argument(cpu, 1);
  const high = argumentHigh(cpu, 1);
  if (index < 4) state.setHalves(ADDRESSES[index], low, high);
  else {
    if (high !== 0) cpu.raise(Exception.GP, 0);
    if (index === 6) state.dr6 = (low & 0xe00f) | Dr6.fixed;
    else state.dr7 = (low & Dr7.writable) | Dr7.fixed;
  }
  watchBreakpoints(cpu);
  // From the next instruction on, each must be compared with the breakpoints.
  if (hasInstructionBreakpoints(cpu)) cpu.state.status = Status.stop;
}

/** Tells the memory management unit which addresses data breakpoints cover. */
export function watchBreakpoints(cpu: Cpu): void {
  const { state } = cpu;
  const watched: { low: number; high: number; bytes: number; onRead: boolean; bit: number }[] = [];
  for (let n = 0; n < 4; n++) {
    const condition = conditionOf(state.dr7, n);
    const isData = condition === BreakOn.write || condition === BreakOn.access;
    if (!isData || !isEnabled(state.dr7, n)) continue;
    const bytes = lengthOf(state.dr7, n);
    watched.push({
      low: state.low(ADDRESSES[n]) & ~(bytes - 1),
      high: isLongActive(cpu) ? state.high(ADDRESSES[n]) : 0,
      bytes,
      onRead: condition === BreakOn.access,
      bit: 1 << n,
    });
  }
  cpu.mmu.setBreakpoints(watched);
}
