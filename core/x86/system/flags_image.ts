/** EFLAGS as one number: composed from, and split into, the flag sources (see state/layout.ts). */

import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";
import { Eflags, STATUS_FLAGS } from "../state/bits.ts";

const ZERO = offsetOf("zeroSource") >> 2;
const SIGN = offsetOf("signSource") >> 2;
const CARRY = offsetOf("carrySource") >> 2;
const FLAGS = offsetOf("flags") >> 2;

/** Bit 1 of EFLAGS reads as one. */
export const EFLAGS_FIXED = 2;

/** EFLAGS with its status flags. */
export function readFlags(state: CpuState): number {
  const { u32 } = state;
  const carry = u32[CARRY + 1];
  let flags = u32[FLAGS] | EFLAGS_FIXED;
  flags |= carry >>> 31;
  if (((carry ^ (carry << 1)) & 0x80000000) !== 0) flags |= Eflags.OF;
  if ((u32[CARRY] & 8) !== 0) flags |= Eflags.AF;
  if ((u32[ZERO] | u32[ZERO + 1]) === 0) flags |= Eflags.ZF;
  if (u32[SIGN + 1] >>> 31 !== 0) flags |= Eflags.SF;
  const byte = u32[SIGN] & 0xff;
  const folded = byte ^ (byte >>> 4);
  if (((0x9669 >>> (folded & 15)) & 1) !== 0) flags |= Eflags.PF;
  return flags;
}

/** Sets the six status flags from an EFLAGS image; the others stay. */
export function writeStatusFlags(state: CpuState, flags: number): void {
  const { u32 } = state;
  u32[ZERO] = (flags & Eflags.ZF) !== 0 ? 0 : 1;
  u32[ZERO + 1] = 0;
  u32[SIGN] = (flags & Eflags.PF) !== 0 ? 0 : 1;
  u32[SIGN + 1] = (flags & Eflags.SF) !== 0 ? 0x80000000 : 0;
  const carry = flags & Eflags.CF;
  const overflow = (flags & Eflags.OF) !== 0 ? 1 : 0;
  u32[CARRY] = (flags & Eflags.AF) !== 0 ? 8 : 0;
  u32[CARRY + 1] = ((carry << 31) | ((carry ^ overflow) << 30)) >>> 0;
}

/** Sets the flags in `mask` from an EFLAGS image. */
export function writeFlags(state: CpuState, flags: number, mask: number): void {
  const other = mask & ~STATUS_FLAGS;
  state.u32[FLAGS] = (state.u32[FLAGS] & ~other) | (flags & other) | EFLAGS_FIXED;
  const status = mask & STATUS_FLAGS;
  if (status === STATUS_FLAGS) writeStatusFlags(state, flags);
  else if (status !== 0) writeStatusFlags(state, (readFlags(state) & ~status) | (flags & status));
}

/** Sets ZF alone. */
export function writeZeroFlag(state: CpuState, zero: boolean): void {
  state.u32[ZERO] = zero ? 0 : 1;
  state.u32[ZERO + 1] = 0;
}
