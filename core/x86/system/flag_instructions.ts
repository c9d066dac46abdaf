/** CLI, STI, PUSHF, POPF, CLAC, STAC, HLT, MONITOR, MWAIT and the software interrupts (SDM vol. 2). */

import type { Cpu } from "../cpu.ts";
import { Activity, Inhibit, offsetOf, Status } from "../state/layout.ts";
import { Cr4, Eflags, Exception } from "../state/bits.ts";
import { softwareInterrupt } from "./delivery.ts";
import { requirePrivilege } from "./descriptor_tables.ts";
import { readFlags, writeFlags } from "./flags_image.ts";
import { loadableFlags, stopForNewFlags } from "./interrupt_return.ts";
import {
  argument,
  argumentHigh,
  linearAddress,
  probeLinear,
  setResult,
  viewOf,
} from "./memory_access.ts";
import { isVirtual8086, updateLevel } from "./mode.ts";

const RCX = offsetOf("rcx") >> 2;
/** IA32_DEBUGCTL-less flags image that PUSHF stores: RF and VM read as zero. */
const PUSHED = ~(Eflags.RF | Eflags.VM);

/** Raises #GP(0) unless IOPL lets the present CPL change IF (VME and PVI are not advertised). */
function requireInterruptPrivilege(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.cr0 & 1) !== 0 && state.cpl > ((state.flags >>> 12) & 3)) cpu.raise(Exception.GP, 0);
}

/** CLI. */
export function clearInterrupts(cpu: Cpu): void {
  requireInterruptPrivilege(cpu);
  cpu.state.flags &= ~Eflags.IF;
}

/** STI: interrupts stay off for one more instruction. */
export function setInterrupts(cpu: Cpu): void {
  requireInterruptPrivilege(cpu);
  const { state } = cpu;
  if ((state.flags & Eflags.IF) !== 0) return;
  state.flags |= Eflags.IF;
  state.inhibit = Inhibit.sti;
  state.status = Status.stop;
}

/** In virtual-8086 mode PUSHF, POPF, INT n and IRET need an IOPL of 3. */
function requireVirtualPrivilege(cpu: Cpu): void {
  if (isVirtual8086(cpu) && (cpu.state.flags & Eflags.IOPL) !== Eflags.IOPL) {
    cpu.raise(Exception.GP, 0);
  }
}

/** PUSHF: the result is what to push. */
export function flagsToPush(cpu: Cpu): void {
  requireVirtualPrivilege(cpu);
  setResult(cpu, readFlags(cpu.state) & PUSHED);
}

/** POPF: arguments are the popped value and the operand size in bits. */
export function popFlags(cpu: Cpu): void {
  requireVirtualPrivilege(cpu);
  const { state } = cpu;
  const wasOff = (state.flags & Eflags.IF) === 0;
  const before = state.flags;
  // VIF and VIP do not change; RF is cleared.
  const mask = loadableFlags(cpu, argument(cpu, 1) >>> 3) & ~(Eflags.VIF | Eflags.VIP | Eflags.RF);
  writeFlags(state, argument(cpu, 0), mask);
  state.flags &= ~Eflags.RF;
  if (((before ^ state.flags) & Eflags.AC) !== 0) updateLevel(cpu);
  stopForNewFlags(cpu, wasOff);
}

/** CLAC. */
export function clearAlignmentCheck(cpu: Cpu): void {
  changeAlignmentCheck(cpu, false);
}

/** STAC. */
export function setAlignmentCheck(cpu: Cpu): void {
  changeAlignmentCheck(cpu, true);
}

function changeAlignmentCheck(cpu: Cpu, on: boolean): void {
  const { state } = cpu;
  if (state.cpl !== 0) cpu.raise(Exception.UD);
  state.flags = on ? state.flags | Eflags.AC : state.flags & ~Eflags.AC;
  cpu.mmu.levelChanged();
}

/** HLT. */
export function halt(cpu: Cpu): void {
  requirePrivilege(cpu);
  cpu.state.activity = Activity.hlt;
  cpu.state.status = Status.stop;
}

/** MONITOR: arguments are segment and offset of the line. */
export function monitor(cpu: Cpu): void {
  requirePrivilege(cpu);
  const { state } = cpu;
  if (state.u32[RCX] !== 0) cpu.raise(Exception.GP, 0);
  const at = linearAddress(cpu, argument(cpu, 0), argument(cpu, 1), argumentHigh(cpu, 1), 1, false);
  probeLinear(cpu, at, 1, false, viewOf(cpu, state.cpl));
  state.monitorArmed = 1;
}

/**
 * MWAIT: returns at once. The manual allows any implementation-dependent event to end the wait, so
 * software looks at its condition again; nothing is lost but the rest.
 */
export function monitorWait(cpu: Cpu): void {
  requirePrivilege(cpu);
  if (cpu.state.u32[RCX] > 1) cpu.raise(Exception.GP, 0);
  cpu.state.monitorArmed = 0;
}

/** INT n: argument 0 is the vector. */
export function interrupt(cpu: Cpu): void {
  requireVirtualPrivilege(cpu);
  softwareInterrupt(cpu, argument(cpu, 0) & 0xff, true);
}

/** INT3: as INT n, but not sensitive to IOPL. */
export function breakpoint(cpu: Cpu): void {
  softwareInterrupt(cpu, Exception.BP, true);
}

/** INTO with OF set. */
export function overflow(cpu: Cpu): void {
  softwareInterrupt(cpu, Exception.OF, true);
}

/** INT1: a debug trap whose gate's DPL is not checked. */
export function debugInterrupt(cpu: Cpu): void {
  softwareInterrupt(cpu, Exception.DB, false);
}

/** CR4.UMIP: SGDT, SIDT, SLDT, SMSW and STR are for CPL 0. */
export function checkUserInstruction(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.cr4 & Cr4.UMIP) !== 0 && state.cpl !== 0) cpu.raise(Exception.GP, 0);
}
