/**
 * What a guest executes, looked at every so many cycles.
 *
 * The instants are simulated time's, so samples are the same in every run and in every tier; taking one reads the
 * CPU and memory and changes neither.
 */

import type { Cpu } from "./cpu.ts";
import type { CpuLook } from "./cpu_look.ts";
import { offsetOf } from "./state/layout.ts";
import { ModeKey } from "./system/mode.ts";

/** Whoever wants to look at CPUs while they execute. */
export interface Sampler {
  /** The first instant after `cycle` at which it wants to look. */
  nextAfter(cycle: number): number;
  /** Called at the first instruction boundary at or after such an instant. CPUs that wait are passed over. */
  sample(cpu: Cpu, cycle: number): void;
}

/** More callers than this are not followed. */
const MAX_CALLERS = 64;
/** A caller's frame lies at most this far above: no kernel's stack is larger. */
const MAX_FRAME_BYTES = 64 * 1024;
const FLAT_32 = ModeKey.flat | ModeKey.code32;
const CPL = offsetOf("cpl") >> 2;

/** The linear address of a CPU's next instruction. */
export function codeAddress({ state }: CpuLook): bigint {
  if ((state.modeKey & ModeKey.long) !== 0) return state.rip;
  return BigInt.asUintN(32, state.rip + state.csBase);
}

/**
 * Return addresses by the chain of frame pointers that starts in RBP, innermost first. The chain ends where it is
 * no longer one: a frame that is not above the last one, is far from it, or is not mapped. Empty outside flat modes.
 */
export function callersByFramePointer(cpu: CpuLook): bigint[] {
  const { state } = cpu;
  const isLong = (state.modeKey & ModeKey.long) !== 0;
  if (!isLong && (state.modeKey & (ModeKey.flat | ModeKey.code32)) !== FLAT_32) return [];
  const width = isLong ? 8n : 4n;
  const callers: bigint[] = [];
  const bits = isLong ? 64 : 32;
  let above = BigInt.asUintN(bits, state.rsp);
  let frame = BigInt.asUintN(bits, state.rbp);
  while (callers.length < MAX_CALLERS) {
    const isFrame = frame >= above && frame - above < MAX_FRAME_BYTES && frame % width === 0n;
    if (!isFrame) break;
    const next = peekWord(cpu, frame, width);
    const caller = peekWord(cpu, frame + width, width);
    if (next === null || caller === null || caller === 0n) break;
    callers.push(caller);
    above = frame + 1n;
    frame = next;
  }
  return callers;
}

/** A pointer at a linear address, or `null` if no RAM is mapped there. */
function peekWord(cpu: CpuLook, address: bigint, width: bigint): bigint | null {
  const low = peek32(cpu, address);
  if (width === 4n) return low === null ? null : BigInt(low);
  const high = peek32(cpu, address + 4n);
  return low === null || high === null ? null : (BigInt(high) << 32n) | BigInt(low);
}

function peek32({ mmu, memory }: CpuLook, address: bigint): number | null {
  const physical = mmu.peek(
    Number(BigInt.asIntN(32, address)),
    Number(BigInt.asIntN(32, address >> 32n)),
  );
  if (physical < 0 || memory.readableLinear(physical) < 0) return null;
  return memory.read(physical, 4) >>> 0;
}

/** The privilege level of a CPU. */
export function ringOf({ state }: Cpu): number {
  return state.u32[CPL];
}
