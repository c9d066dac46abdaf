/** Single-stepping and breakpoints around one instruction (SDM vol. 3, "Debug Exceptions"). */

import type { Cpu } from "../cpu.ts";
import { Inhibit, offsetOf, Status } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import {
  ADDRESSES,
  BreakOn,
  conditionOf,
  Dr6,
  ENABLES,
  hasInstructionBreakpoints,
  isEnabled,
} from "./debug_conditions.ts";
import { accessRefused, deliver, deliverPending } from "./delivery.ts";
import { highHalf, registerNumber } from "./memory_access.ts";
import { isLong } from "./mode.ts";
import { Segment, segmentBase } from "./segment_fields.ts";

const RIP = offsetOf("rip");
const FLAGS = offsetOf("flags") >> 2;
const INHIBIT = offsetOf("inhibit") >> 2;
const DR7 = offsetOf("dr7") >> 2;

/**
 * Whether instructions must be run one at a time by {@link stepInstruction}: TF is set, an interrupt
 * shadow is open, or an instruction breakpoint is enabled.
 */
export function mustStep(cpu: Cpu): boolean {
  const { u32 } = cpu.state;
  return (u32[FLAGS] & Eflags.TF) !== 0 || u32[INHIBIT] !== Inhibit.none ||
    ((u32[DR7] & ENABLES) !== 0 && hasInstructionBreakpoints(cpu));
}

/**
 * Runs one instruction with everything that debug facilities do before and after it. `run` executes one
 * instruction (or REP iteration) and leaves its exception pending. Interrupts and debug traps are the
 * caller's (`takeInterrupt`): it takes them first, then calls this, which closes the shadow of the
 * instruction before. A trap of this instruction is left in `debugPending`.
 */
export function stepInstruction(cpu: Cpu, run: (cpu: Cpu) => void): void {
  const { state } = cpu;
  if (instructionBreakpoint(cpu)) return;
  const wasStepping = (state.flags & Eflags.TF) !== 0;
  const resumed = (state.flags & Eflags.RF) !== 0;
  const [ripLow, ripHigh] = [state.low(RIP), state.high(RIP)];
  const { inhibit } = state;
  state.inhibit = Inhibit.none;
  run(cpu);
  if (state.status === Status.exception) {
    deliverPending(cpu);
    return;
  }
  if (state.status === Status.refused) {
    // The instruction is to be tried again, in the same shadow.
    state.inhibit = inhibit;
    accessRefused(cpu, null);
    return;
  }
  // A further iteration of a REP instruction is still the same instruction.
  const moved = state.low(RIP) !== ripLow || state.high(RIP) !== ripHigh;
  if (resumed && moved) state.flags &= ~Eflags.RF;
  if (wasStepping) state.debugPending |= Dr6.BS;
}

/** Delivers #DB and returns true if an instruction breakpoint lies at the next instruction and RF is clear. */
function instructionBreakpoint(cpu: Cpu): boolean {
  const { state } = cpu;
  if ((state.flags & Eflags.RF) !== 0 || (state.dr7 & ENABLES) === 0) return false;
  const base = isLong(cpu) ? 0 : segmentBase(state, Segment.cs);
  const address = registerNumber(state, RIP) + base;
  let hit = 0;
  for (let n = 0; n < 4; n++) {
    if (!isEnabled(state.dr7, n) || conditionOf(state.dr7, n) !== BreakOn.execution) continue;
    const same = state.low(ADDRESSES[n]) === (address | 0) &&
      (!isLong(cpu) || state.high(ADDRESSES[n]) === highHalf(address));
    if (same) hit |= 1 << n;
  }
  if (hit === 0) return false;
  state.dr6 = (state.dr6 & ~15) | hit;
  deliver(cpu, { vector: Exception.DB, kind: "fault", errorCode: -1 });
  return true;
}
