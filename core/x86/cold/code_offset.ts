/** Where the bytes of the code that a CPU is about to execute lie in linear memory: in the home of their page. */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";

const RIP = offsetOf("rip");
const CS_BASE = offsetOf("csBase");
const LONG = 1;

/** Linear offset of what lies `ahead` bytes behind `rip`; -1 if it is no memory, or with #PF pending. */
export function codeOffset({ state, mmu, memory }: Cpu, ahead = 0): number {
  const isLong = (state.modeKey & LONG) !== 0;
  const sum = (state.low(RIP) >>> 0) + ahead + (state.low(CS_BASE) >>> 0);
  const carry = Math.floor(sum / 0x1_0000_0000);
  const high = isLong ? (state.high(RIP) + state.high(CS_BASE) + carry) | 0 : 0;
  const physical = mmu.fetchAddress(sum | 0, high);
  const linear = physical < 0 ? -1 : memory.readableLinear(physical);
  return linear < 0 ? -1 : memory.codeHomes.codeAt(linear);
}
