/** SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS (SDM vol. 2; AMD APM vol. 3 where AMD differs). */

import type { Cpu } from "../cpu.ts";
import { offsetOf, SegmentAccess } from "../state/layout.ts";
import { Efer, Eflags, Exception } from "../state/bits.ts";
import { requirePrivilege } from "./descriptor_tables.ts";
import { readFlags, writeFlags } from "./flags_image.ts";
import { stopForNewFlags } from "./interrupt_return.ts";
import { argument, isCanonical } from "./memory_access.ts";
import { isLong, isLongActive, isProtected, updateLevel } from "./mode.ts";
import { Segment, SEGMENT_FIELDS } from "./segment_fields.ts";

const RCX = offsetOf("rcx");
const RDX = offsetOf("rdx");
const R11 = offsetOf("r11");
const RSP = offsetOf("rsp");
const CPL = offsetOf("cpl") >> 2;
const EFER = offsetOf("efer") >> 2;
const FLAGS = offsetOf("flags") >> 2;
const NEXT_RIP = offsetOf("nextRip");
const STAR = offsetOf("star");
const LSTAR = offsetOf("lstar");
const CSTAR = offsetOf("cstar");
const FMASK = offsetOf("fmask");
const SYSENTER_ESP = offsetOf("sysenterEsp");
const SYSENTER_EIP = offsetOf("sysenterEip");
const GS_BASE = offsetOf("gsBase");
const KERNEL_GS_BASE = offsetOf("kernelGsBase");

/** Attributes of the flat segments that these instructions load without reading a descriptor. */
export const FLAT = {
  code64: 0xa09b,
  code32: 0xc09b,
  data: 0xc093,
} as const;

/** EFLAGS bits that SYSCALL and SYSRET load, and those that SYSRET takes from R11: RF and VM come back clear. */
export const SYSCALL_FLAGS = 0x3f7fd5;
export const SYSRET_IMAGE = 0x3c7fd7;

/** SYSCALL. */
export function systemCall(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.u32[EFER] & Efer.SCE) === 0 || !isProtected(cpu)) cpu.raise(Exception.UD);
  const long = isLong(cpu);
  if (!long && cpu.model.behaviour === "intel") cpu.raise(Exception.UD);
  const selector = state.high(STAR) & 0xfffc;
  const flags = readFlags(state);
  state.setHalves(RCX, state.low(NEXT_RIP), state.high(NEXT_RIP));
  if (isLongActive(cpu)) {
    state.setHalves(R11, flags & ~Eflags.RF, 0);
    const target = long ? LSTAR : CSTAR;
    state.setHalves(NEXT_RIP, state.low(target), state.high(target));
    writeFlags(state, flags & ~(state.low(FMASK) | Eflags.RF), SYSCALL_FLAGS);
    loadFlat(cpu, Segment.cs, selector, FLAT.code64);
  } else {
    state.setHalves(NEXT_RIP, state.low(STAR), 0);
    writeFlags(state, flags & ~(Eflags.VM | Eflags.IF | Eflags.RF), SYSCALL_FLAGS);
    loadFlat(cpu, Segment.cs, selector, FLAT.code32);
  }
  loadFlat(cpu, Segment.ss, selector + 8, FLAT.data);
  state.u32[CPL] = 0;
  updateLevel(cpu);
}

/**
 * SYSRET: argument 0 is the operand size in bits (64: back to 64-bit code).
 *
 * @deviation The hidden part of SS is loaded with a flat segment on AMD models too, where AMD leaves it as it was;
 * AMD APM vol. 3, "SYSRET".
 */
export function systemReturn(cpu: Cpu): void {
  const { state } = cpu;
  const intel = cpu.model.behaviour === "intel";
  if ((state.u32[EFER] & Efer.SCE) === 0 || !isProtected(cpu)) cpu.raise(Exception.UD);
  if (intel && !isLong(cpu)) cpu.raise(Exception.UD);
  requirePrivilege(cpu);
  const wide = argument(cpu, 0) === 64;
  if (wide && intel && !isCanonical(state.high(RCX))) cpu.raise(Exception.GP, 0);
  const wasOff = (state.u32[FLAGS] & Eflags.IF) === 0;
  const base = (state.high(STAR) >>> 16) & 0xffff;
  const cs = ((wide ? base + 16 : base) & 0xffff) | 3;
  state.setHalves(NEXT_RIP, state.low(RCX), wide ? state.high(RCX) : 0);
  if (isLongActive(cpu)) {
    writeFlags(state, state.low(R11) & SYSRET_IMAGE, SYSCALL_FLAGS);
  } else state.flags |= Eflags.IF;
  loadFlat(cpu, Segment.cs, cs, (wide ? FLAT.code64 : FLAT.code32) | 0x60);
  loadFlat(cpu, Segment.ss, ((base + 8) & 0xffff) | 3, FLAT.data | 0x60);
  state.u32[CPL] = 3;
  updateLevel(cpu);
  stopForNewFlags(cpu, wasOff);
}

/** SYSENTER. In long mode Intel has it, AMD raises #UD. */
export function systemEnter(cpu: Cpu): void {
  const { state } = cpu;
  const longActive = isLongActive(cpu);
  if (longActive && cpu.model.behaviour === "amd") cpu.raise(Exception.UD);
  if ((state.cr0 & 1) === 0 || (state.sysenterCs & 0xfffc) === 0) cpu.raise(Exception.GP, 0);
  const selector = state.sysenterCs & 0xfffc;
  state.flags &= ~(Eflags.VM | Eflags.IF | Eflags.RF);
  const mask = longActive ? -1 : 0;
  state.setHalves(RSP, state.low(SYSENTER_ESP), state.high(SYSENTER_ESP) & mask);
  state.setHalves(NEXT_RIP, state.low(SYSENTER_EIP), state.high(SYSENTER_EIP) & mask);
  loadFlat(cpu, Segment.cs, selector, longActive ? FLAT.code64 : FLAT.code32);
  loadFlat(cpu, Segment.ss, (selector + 8) & 0xffff, FLAT.data);
  state.u32[CPL] = 0;
  updateLevel(cpu);
}

/** SYSEXIT: argument 0 is the operand size in bits. */
export function systemExit(cpu: Cpu): void {
  const { state } = cpu;
  if (isLongActive(cpu) && cpu.model.behaviour === "amd") cpu.raise(Exception.UD);
  if ((state.cr0 & 1) === 0 || (state.sysenterCs & 0xfffc) === 0) cpu.raise(Exception.GP, 0);
  requirePrivilege(cpu);
  const wide = argument(cpu, 0) === 64;
  if (wide && (!isCanonical(state.high(RCX)) || !isCanonical(state.high(RDX)))) {
    cpu.raise(Exception.GP, 0);
  }
  const selector = state.sysenterCs & 0xfffc;
  state.setHalves(RSP, state.low(RCX), wide ? state.high(RCX) : 0);
  state.setHalves(NEXT_RIP, state.low(RDX), wide ? state.high(RDX) : 0);
  const cs = ((selector + (wide ? 32 : 16)) & 0xffff) | 3;
  const ss = ((selector + (wide ? 40 : 24)) & 0xffff) | 3;
  loadFlat(cpu, Segment.cs, cs, (wide ? FLAT.code64 : FLAT.code32) | 0x60);
  loadFlat(cpu, Segment.ss, ss, FLAT.data | 0x60);
  state.u32[CPL] = 3;
  updateLevel(cpu);
}

/** SWAPGS. */
export function swapGs(cpu: Cpu): void {
  const { state } = cpu;
  if (!isLong(cpu)) cpu.raise(Exception.UD);
  requirePrivilege(cpu);
  const low = state.low(GS_BASE);
  const high = state.high(GS_BASE);
  state.setHalves(GS_BASE, state.low(KERNEL_GS_BASE), state.high(KERNEL_GS_BASE));
  state.setHalves(KERNEL_GS_BASE, low, high);
}

function loadFlat(cpu: Cpu, index: number, selector: number, attributes: number): void {
  const { u32, i32 } = cpu.state;
  const fields = SEGMENT_FIELDS[index];
  u32[fields.selector] = selector;
  u32[fields.attributes] = attributes;
  u32[fields.base] = u32[fields.base + 1] = 0;
  u32[fields.first] = u32[fields.first + 1] = 0;
  i32[fields.last] = i32[fields.limit] = -1;
  u32[fields.last + 1] = 0;
  const { usable, readable, writable } = SegmentAccess;
  u32[fields.access] = usable | readable | (index === Segment.ss ? writable : 0);
}
