/** IRET, IRETD, IRETQ (SDM vol. 2, "IRET/IRETD/IRETQ/UIRET", Operation). */

import type { Cpu } from "../cpu.ts";
import { offsetOf, Status } from "../state/layout.ts";
import { Attribute, Cr0, Eflags, Exception } from "../state/bits.ts";
import { hasInstructionBreakpoints } from "./debug_conditions.ts";
import { checkTarget, enterCode, isLongCode } from "./code_segment.ts";
import { isNull, markAccessed, readDescriptor, selectorError } from "./descriptor_tables.ts";
import { writeFlags } from "./flags_image.ts";
import { argument, linear } from "./memory_access.ts";
import { isLong, isLongActive, updateLevel } from "./mode.ts";
import {
  attributesOf,
  type Descriptor,
  dplOf,
  installDescriptor,
  installNull,
  installReal,
  installVirtual,
  isCode,
  isConforming,
  isWritableData,
  Segment,
  SEGMENT_FIELDS,
} from "./segment_fields.ts";
import { dropInnerSegments } from "./segment_loads.ts";
import { type ItemBytes, Stack } from "./stack.ts";
import { returnFromTask } from "./task_gate.ts";

const RSP = offsetOf("rsp");
const NEXT_RIP = offsetOf("nextRip");
const FLAGS = offsetOf("flags") >> 2;
const CR0 = offsetOf("cr0") >> 2;
const NMI_BLOCKED = offsetOf("nmiBlocked") >> 2;
const FAST_PATHS = offsetOf("fastPaths") >> 2;

/** Flags that any IRET loads, and those that depend on privilege. */
export const COMMON_FLAGS = 0x4dd5; // CF PF AF ZF SF TF DF OF NT
export const WIDE_FLAGS: number = Eflags.RF | Eflags.AC | Eflags.ID;
export const LEVEL0_FLAGS: number = Eflags.VIF | Eflags.VIP;

/** IRET: argument 0 is the operand size in bits. */
export function interruptReturn(cpu: Cpu): void {
  const { state } = cpu;
  const bytes = (argument(cpu, 0) >>> 3) as ItemBytes;
  const { u32 } = state;
  u32[NMI_BLOCKED] = 0;
  const flags = u32[FLAGS];
  const wasOff = (flags & Eflags.IF) === 0;
  if ((u32[CR0] & Cr0.PE) === 0) returnReal(cpu, bytes);
  else if ((flags & Eflags.VM) !== 0) returnIn8086(cpu, bytes);
  else if ((flags & Eflags.NT) !== 0) {
    if (isLongActive(cpu)) cpu.raise(Exception.GP, 0);
    returnFromTask(cpu);
  } else returnProtected(cpu, bytes);
  stopForNewFlags(cpu, wasOff);
}

/** After a change of EFLAGS: lets the run loop look when IF came on or TF is set. */
export function stopForNewFlags(cpu: Cpu, wasOff: boolean): void {
  const { state } = cpu;
  const flags = state.u32[FLAGS];
  if ((flags & Eflags.TF) !== 0) state.status = Status.stop;
  if (wasOff && (flags & Eflags.IF) !== 0 && state.interruptRequest !== 0) {
    state.status = Status.stop;
  }
}

/** The mask of EFLAGS bits that an IRET or POPF of `bytes` may change at the present CPL. */
export function loadableFlags(cpu: Cpu, bytes: number): number {
  const { state } = cpu;
  let mask = COMMON_FLAGS;
  if (bytes !== 2) mask |= WIDE_FLAGS;
  if (state.cpl <= ((state.flags >>> 12) & 3)) mask |= Eflags.IF;
  if (state.cpl === 0) {
    mask |= Eflags.IOPL;
    if (bytes !== 2) mask |= LEVEL0_FLAGS;
  }
  return mask;
}

function returnReal(cpu: Cpu, bytes: ItemBytes): void {
  const { state } = cpu;
  const stack = Stack.current(cpu);
  const ip = stack.pop(bytes);
  const cs = stack.pop(bytes) & 0xffff;
  const flags = stack.pop(bytes);
  if (ip > state.u32[SEGMENT_FIELDS[Segment.cs].limit]) cpu.raise(Exception.GP, 0);
  stack.commit();
  installReal(state, Segment.cs, cs);
  state.setHalves(NEXT_RIP, ip, 0);
  writeFlags(state, flags, loadableFlags(cpu, bytes) & ~LEVEL0_FLAGS);
  keepResumeFlag(cpu);
  updateLevel(cpu);
}

function returnIn8086(cpu: Cpu, bytes: ItemBytes): void {
  const { state } = cpu;
  if ((state.flags & Eflags.IOPL) !== Eflags.IOPL) cpu.raise(Exception.GP, 0);
  const stack = Stack.current(cpu);
  const ip = stack.pop(bytes);
  const cs = stack.pop(bytes) & 0xffff;
  const flags = stack.pop(bytes);
  if (ip > 0xffff) cpu.raise(Exception.GP, 0);
  stack.commit();
  installVirtual(state, Segment.cs, cs);
  state.setHalves(NEXT_RIP, ip, 0);
  writeFlags(state, flags, loadableFlags(cpu, bytes));
  keepResumeFlag(cpu);
  updateLevel(cpu);
}

function returnProtected(cpu: Cpu, bytes: ItemBytes): void {
  if (returnQuickly(cpu, bytes)) return;
  const { state } = cpu;
  const stack = Stack.current(cpu);
  const ripLow = stack.pop(bytes);
  const ripHigh = stack.high;
  const selector = stack.pop(bytes) & 0xffff;
  const flags = stack.pop(bytes);
  const wide = bytes !== 2;
  if (wide && (flags & Eflags.VM) !== 0 && state.cpl === 0 && !isLongActive(cpu)) {
    returnTo8086(cpu, stack, ripLow, selector, flags);
    return;
  }
  const descriptor = readReturnTarget(cpu, selector);
  const cpl = selector & 3;
  const outer = cpl > state.cpl;
  const mask = loadableFlags(cpu, bytes);
  if (!outer && !isLong(cpu)) {
    checkTarget(cpu, descriptor, ripLow, ripHigh);
    enterCode(cpu, selector, descriptor, cpl, ripLow, ripHigh);
    stack.commit();
  } else {
    const toLong = isLongCode(cpu, attributesOf(descriptor));
    returnWithStack(cpu, stack, bytes, selector, descriptor, ripLow, ripHigh, toLong, 0);
    if (outer) dropInnerSegments(cpu);
  }
  writeFlags(state, flags, mask);
  keepResumeFlag(cpu);
  updateLevel(cpu);
}

/** Tries the quick way; see cpu_words.ts in quick/. */
function returnQuickly(cpu: Cpu, bytes: ItemBytes): boolean {
  const { state: { base, u32 }, quickWays } = cpu;
  if (quickWays === null || u32[FAST_PATHS] === 0) return false;
  if (!isLongActive(cpu)) return bytes === 4 && quickWays.protectedReturn(base) !== 0;
  return bytes === 8 && isLong(cpu) && quickWays.longReturn(base) !== 0;
}

/**
 * RF acts on one instruction, and only where instruction breakpoints are enabled; it is dropped where
 * they are not, so that engines need not clear it.
 */
function keepResumeFlag(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.u32[FLAGS] & Eflags.RF) === 0) return;
  if (hasInstructionBreakpoints(cpu)) state.status = Status.stop;
  else state.flags &= ~Eflags.RF;
}

/** The code segment that a far return or IRET goes to; raises #GP or #NP. */
export function readReturnTarget(cpu: Cpu, selector: number): Descriptor {
  if (isNull(selector)) cpu.raise(Exception.GP, 0);
  const error = selectorError(selector, 0);
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const rpl = selector & 3;
  const dpl = dplOf(attributes);
  const both = Attribute.long | Attribute.big;
  if (rpl < cpu.state.cpl || !isCode(attributes)) cpu.raise(Exception.GP, error);
  if (isConforming(attributes) ? dpl > rpl : dpl !== rpl) cpu.raise(Exception.GP, error);
  if (isLongActive(cpu) && (attributes & both) === both) cpu.raise(Exception.GP, error);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  return descriptor;
}

/**
 * The part of a return that pops a stack pointer and SS too: to an outer level, and any IRET in 64-bit mode.
 * `released` bytes are dropped from the stack returned to (RET imm16).
 */
export function returnWithStack(
  cpu: Cpu,
  stack: Stack,
  bytes: ItemBytes,
  selector: number,
  descriptor: Descriptor,
  ripLow: number,
  ripHigh: number,
  toLong: boolean,
  released: number,
): void {
  const { state } = cpu;
  const rspLow = stack.pop(bytes);
  const rspHigh = stack.high;
  const ss = stack.pop(bytes) & 0xffff;
  const cpl = selector & 3;
  const ssDescriptor = readReturnStack(cpu, ss, cpl, toLong);
  checkTarget(cpu, descriptor, ripLow, ripHigh);
  const marked = ssDescriptor === null ? null : markAccessed(cpu, ssDescriptor);
  enterCode(cpu, selector, descriptor, cpl, ripLow, ripHigh);
  if (marked === null) installNull(state, Segment.ss, ss, cpl << 5);
  else installDescriptor(state, Segment.ss, ss, marked);
  const big = marked !== null && (attributesOf(marked) & Attribute.big) !== 0;
  if (toLong) {
    if (released === 0) state.setHalves(RSP, rspLow, rspHigh);
    else {
      const sum = linear(rspLow, 0) + released;
      state.setHalves(RSP, sum | 0, sum > 0xffffffff ? rspHigh + 1 : rspHigh);
    }
  } else if (big) state.setHalves(RSP, rspLow + released, 0);
  else state.u16[RSP >> 1] = rspLow + released;
}

/** The stack segment that a return goes to, or `null` for the null selector that 64-bit code may have. */
function readReturnStack(
  cpu: Cpu,
  selector: number,
  cpl: number,
  toLong: boolean,
): Descriptor | null {
  if (isNull(selector)) {
    if (!toLong || cpl === 3 || (selector & 3) !== cpl) cpu.raise(Exception.GP, 0);
    return null;
  }
  const error = selectorError(selector, 0);
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !isWritableData(attributes)) {
    cpu.raise(Exception.GP, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.SS, error);
  return descriptor;
}

/** RETURN-TO-VIRTUAL-8086-MODE of the manual's operation. */
function returnTo8086(
  cpu: Cpu,
  stack: Stack,
  ip: number,
  cs: number,
  flags: number,
): void {
  const { state } = cpu;
  const esp = stack.pop(4);
  const selectors: [index: number, selector: number][] = [];
  for (const index of [Segment.ss, Segment.es, Segment.ds, Segment.fs, Segment.gs]) {
    selectors.push([index, stack.pop(4) & 0xffff]);
  }
  if (ip > 0xffff) cpu.raise(Exception.GP, 0);
  writeFlags(
    state,
    flags,
    COMMON_FLAGS | WIDE_FLAGS | LEVEL0_FLAGS | Eflags.IOPL | Eflags.IF | Eflags.VM,
  );
  state.cpl = 3;
  installVirtual(state, Segment.cs, cs);
  for (const [index, selector] of selectors) installVirtual(state, index, selector);
  state.setHalves(RSP, esp, 0);
  state.setHalves(NEXT_RIP, ip, 0);
  keepResumeFlag(cpu);
  updateLevel(cpu);
}
