/**
 * What follows from CS, SS, CR0, CR4, EFER, EFLAGS.VM, EFLAGS.AC and CPL: derived fields of the state.
 *
 * {@link updateMode} is called after every change of one of them, and recomputes all of it; {@link updateLevel}
 * is enough where no control register changed.
 */

import type { Cpu } from "../cpu.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Cr0, Cr4, Efer, Eflags, Exception } from "../state/bits.ts";
import { Segment, SEGMENT_FIELDS, type SegmentFields } from "./segment_fields.ts";

/**
 * Bits of the `modeKey` field: what besides its bytes decides how code is decoded. In 64-bit mode only
 * `long` and `user` are ever set, so that one piece of code has one key.
 */
export const ModeKey = {
  /** Code is 64-bit (EFER.LMA and CS.L). */
  long: 0x1,
  /** Default operand and address size is 32 bits (CS.D). */
  code32: 0x2,
  /** The stack pointer is ESP (SS.B). */
  stack32: 0x4,
  /** DS, ES and SS start at 0, span 4 GiB and are readable and writable: nothing to check. */
  flat: 0x8,
  /** Real or virtual-8086 mode: no protection. */
  unprotected: 0x10,
  virtual8086: 0x20,
  /** CPL is 3. */
  user: 0x40,
  /** The code segment's limit is 4 GiB: a jump within a page cannot leave it. */
  wholeCode: 0x80,
  /** First bit of the VM id. */
  vmIdShift: 8,
} as const;

const CS = SEGMENT_FIELDS[Segment.cs];
const SS = SEGMENT_FIELDS[Segment.ss];
const DS = SEGMENT_FIELDS[Segment.ds];
const ES = SEGMENT_FIELDS[Segment.es];
const MODE_KEY = offsetOf("modeKey") >> 2;
const IP_MASK = offsetOf("ipMask") >> 2;
const CODE_LAST = offsetOf("codeLast") >> 2;
const CPL = offsetOf("cpl") >> 2;
const FLAGS = offsetOf("flags") >> 2;
const CR0 = offsetOf("cr0") >> 2;
const EFER = offsetOf("efer") >> 2;
const VM_ID = offsetOf("vmId") >> 2;

/** Recomputes every derived field. */
export function updateMode(cpu: Cpu): void {
  updateModeKey(cpu.state);
  updateUnitTraps(cpu);
  cpu.mmu.modeChanged();
}

/** Recomputes what depends on CS, SS, DS, ES, CPL and EFLAGS. */
export function updateLevel(cpu: Cpu): void {
  updateModeKey(cpu.state);
  cpu.mmu.levelChanged();
}

/** Recomputes what decides how code is decoded: what {@link updateLevel} does for a state that no CPU holds. */
export function updateModeKey({ u32 }: CpuState): void {
  const csAttributes = u32[CS.attributes];
  const long = (u32[EFER] & Efer.LMA) !== 0 && (csAttributes & Attribute.long) !== 0;
  let key = (u32[CPL] === 3 ? ModeKey.user : 0) | (u32[VM_ID] << ModeKey.vmIdShift);
  if (long) {
    key |= ModeKey.long;
    u32[IP_MASK] = u32[IP_MASK + 1] = 0xffffffff;
    u32[CODE_LAST] = u32[CODE_LAST + 1] = 0xffffffff;
  } else {
    const code32 = (csAttributes & Attribute.big) !== 0;
    if (code32) key |= ModeKey.code32;
    if (code32 && u32[CS.last] === 0xffffffff && u32[CS.first] === 0) key |= ModeKey.wholeCode;
    if ((u32[SS.attributes] & Attribute.big) !== 0) key |= ModeKey.stack32;
    if (isFlat(u32, DS) && isFlat(u32, ES) && isFlat(u32, SS)) key |= ModeKey.flat;
    if ((u32[CR0] & Cr0.PE) === 0) key |= ModeKey.unprotected;
    else if ((u32[FLAGS] & Eflags.VM) !== 0) key |= ModeKey.unprotected | ModeKey.virtual8086;
    u32[IP_MASK] = code32 ? 0xffffffff : 0xffff;
    u32[IP_MASK + 1] = 0;
    u32[CODE_LAST] = u32[CS.last];
    u32[CODE_LAST + 1] = 0;
  }
  u32[MODE_KEY] = key;
}

/** Recomputes which exception the first instruction of each floating-point unit raises. */
export function updateUnitTraps(cpu: Cpu): void {
  const { state } = cpu;
  const emulated = (state.cr0 & Cr0.EM) !== 0;
  const switched = (state.cr0 & Cr0.TS) !== 0 ? Exception.NM : 0;
  state.x87Trap = emulated ? Exception.NM : switched;
  state.mmxTrap = emulated ? Exception.UD : switched;
  const sse = !emulated && (state.cr4 & Cr4.OSFXSR) !== 0;
  state.sseTrap = sse ? switched : Exception.UD;
}

/** Whether the CPU runs 64-bit code. */
export function isLong(cpu: Cpu): boolean {
  return (cpu.state.u32[MODE_KEY] & ModeKey.long) !== 0;
}

/** Whether EFER.LMA is set: 64-bit or compatibility mode. */
export function isLongActive(cpu: Cpu): boolean {
  return (cpu.state.u32[EFER] & Efer.LMA) !== 0;
}

/** Whether segments and gates are those of protected mode: neither real nor virtual-8086 mode. */
export function isProtected(cpu: Cpu): boolean {
  return (cpu.state.u32[MODE_KEY] & ModeKey.unprotected) === 0;
}

/** Whether the CPU is in virtual-8086 mode. */
export function isVirtual8086(cpu: Cpu): boolean {
  return (cpu.state.u32[MODE_KEY] & ModeKey.virtual8086) !== 0;
}

function isFlat(u32: Uint32Array, fields: SegmentFields): boolean {
  return u32[fields.base] === 0 && u32[fields.first] === 0 && u32[fields.first + 1] === 0 &&
    u32[fields.last] === 0xffffffff && u32[fields.access] === 7;
}
