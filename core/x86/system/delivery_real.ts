/** Delivery through the interrupt vector table (SDM vol. 3, "Interrupt and Exception Handling" of 8086 mode). */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import type { Delivery } from "./delivery.ts";
import { readLinear } from "./memory_access.ts";
import { updateLevel } from "./mode.ts";
import { installReal, Segment, SEGMENT_FIELDS } from "./segment_fields.ts";
import { Stack } from "./stack.ts";

const IDTR_BASE = offsetOf("idtrBase");
const NEXT_RIP = offsetOf("nextRip");

/** Enters the handler of `delivery` in real mode; no error code is pushed. */
export function enterReal(cpu: Cpu, delivery: Delivery): void {
  const { state } = cpu;
  const offset = delivery.vector * 4;
  if (offset + 3 > state.idtrLimit) cpu.raise(Exception.GP, 0);
  const at = (state.u32[IDTR_BASE >> 2] + offset) >>> 0;
  const view = cpu.mmu.systemView;
  const target = readLinear(cpu, at, 4, view);
  const stack = Stack.current(cpu);
  stack.push(2, delivery.flags);
  stack.push(2, state.u32[SEGMENT_FIELDS[Segment.cs].selector]);
  stack.push(2, delivery.returnLow);
  const ip = target & 0xffff;
  if (ip > state.u32[SEGMENT_FIELDS[Segment.cs].limit]) cpu.raise(Exception.GP, 0);
  stack.commit();
  state.flags &= ~(Eflags.IF | Eflags.TF | Eflags.AC | Eflags.RF);
  installReal(state, Segment.cs, target >>> 16);
  state.setHalves(NEXT_RIP, ip, 0);
  updateLevel(cpu);
}
