/** The time-stamp counter: the machine's cycle plus an offset of this CPU. */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Cr4, Exception } from "../state/bits.ts";

const TSC_OFFSET = offsetOf("tscOffset") >> 2;
const RAX = offsetOf("rax");
const RCX = offsetOf("rcx");
const RDX = offsetOf("rdx");
const TWO_32 = 0x1_0000_0000;

/** The counter's halves, unsigned. */
export function readTsc(cpu: Cpu): { low: number; high: number } {
  const { u32 } = cpu.state;
  const cycle = cpu.ports.cycle();
  const low = (cycle >>> 0) + u32[TSC_OFFSET];
  const high = Math.floor(cycle / TWO_32) + u32[TSC_OFFSET + 1] + (low >= TWO_32 ? 1 : 0);
  return { low: low >>> 0, high: high >>> 0 };
}

/** Makes the counter read `low` and `high` now. */
export function writeTsc(cpu: Cpu, low: number, high: number): void {
  const { u32 } = cpu.state;
  const cycle = cpu.ports.cycle();
  const difference = (low >>> 0) - (cycle >>> 0);
  u32[TSC_OFFSET] = difference;
  u32[TSC_OFFSET + 1] = (high >>> 0) - Math.floor(cycle / TWO_32) - (difference < 0 ? 1 : 0);
  cpu.apic.tscChanged();
}

/** The first cycle at which the counter is at least `tsc`; may lie in the past. */
export function cycleOfTsc(cpu: Cpu, tsc: number): number {
  const { i32, u32 } = cpu.state;
  return Math.max(0, tsc - (i32[TSC_OFFSET + 1] * TWO_32 + u32[TSC_OFFSET]));
}

/** RDTSC. */
export function readTimeStamp(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.cr4 & Cr4.TSD) !== 0 && state.cpl !== 0) cpu.raise(Exception.GP, 0);
  const { low, high } = readTsc(cpu);
  state.setHalves(RAX, low, 0);
  state.setHalves(RDX, high, 0);
}

/** RDTSCP. */
export function readTimeStampAndProcessor(cpu: Cpu): void {
  readTimeStamp(cpu);
  cpu.state.setHalves(RCX, cpu.state.tscAux, 0);
}

/** RDPMC: no performance counter is advertised, so every index is one too many. */
export function readPerformanceCounter(cpu: Cpu): void {
  cpu.raise(Exception.GP, 0);
}
