/**
 * The quick way back from a handler: IRETD in protected mode and IRETQ from 64-bit to 64-bit code, where everything
 * is as it commonly is (see quick_segments.ts). Its plain twin is interrupt_return.ts.
 */

import type { Cpu } from "../cpu.ts";
import { Attribute, Efer, Eflags } from "../state/bits.ts";
import { isNull } from "./descriptor_tables.ts";
import { isCanonical } from "./memory_access.ts";
import { isLong } from "./mode.ts";
import {
  CPL,
  CS,
  EFER,
  FAST_PATHS,
  findInGdt,
  isCommonCode,
  isCommonStack,
  isLongDescriptor,
  levelOf,
  levelView,
  limitOfWords,
  loadCommon,
  NEXT_RIP,
  RSP,
  SS,
} from "./quick_segments.ts";
import { installNull, Segment } from "./segment_fields.ts";
import { dropInnerSegments } from "./segment_loads.ts";

const BIG = Attribute.big << 8;
/** What {@link returnQuickly} returns when it has changed nothing: no EFLAGS image, whose bit 15 is always clear. */
export const NOT_RETURNED = -1;

/**
 * Pops everything that an IRET of `bytes` bytes an item pops, and returns the EFLAGS image, which is the caller's to
 * load (by the mask of the CPL before); or changes nothing and returns {@link NOT_RETURNED}. In protected mode, NT
 * and VM clear.
 */
export function returnQuickly(cpu: Cpu, bytes: number): number {
  const { u32 } = cpu.state;
  if (u32[FAST_PATHS] === 0) return NOT_RETURNED;
  if ((u32[EFER] & Efer.LMA) === 0) return bytes === 4 ? returnProtected(cpu) : NOT_RETURNED;
  return bytes === 8 && isLong(cpu) ? returnLong(cpu) : NOT_RETURNED;
}

function returnProtected(cpu: Cpu): number {
  const { state, memory, mmu } = cpu;
  const { u32, i32 } = state;
  const cpl = u32[CPL];
  if ((u32[SS.attributes] & Attribute.big) === 0) return NOT_RETURNED;
  if ((u32[SS.first] | u32[SS.first + 1]) !== 0) return NOT_RETURNED;
  const pointer = i32[RSP];
  const base = i32[SS.base];
  const view = levelView(state, cpl);
  const at = mmu.readableWords((base + pointer) | 0, 0, 12, view);
  if (at < 0) return NOT_RETURNED;
  const target = memory.wordAt(at);
  const selector = memory.wordAt(at + 1) & 0xffff;
  const flags = memory.wordAt(at + 2);
  const level = selector & 3;
  const outer = level > cpl;
  if ((flags & Eflags.VM) !== 0 || level < cpl) return NOT_RETURNED;
  const popped = outer ? 20 : 12;
  if (outer && mmu.readableWords((base + pointer) | 0, 0, 20, view) < 0) return NOT_RETURNED;
  if ((pointer >>> 0) + popped - 1 > u32[SS.last]) return NOT_RETURNED;
  const code = findInGdt(cpu, selector);
  if (code < 0) return NOT_RETURNED;
  const codeLow = memory.wordAt(code);
  const codeHigh = memory.wordAt(code + 1);
  if (!isCommonCode(codeHigh) || levelOf(codeHigh) !== level) return NOT_RETURNED;
  if (target >>> 0 > limitOfWords(codeLow, codeHigh)) return NOT_RETURNED;
  if (!outer) i32[RSP] = (pointer + 12) | 0;
  else {
    const ss = memory.wordAt(at + 4) & 0xffff;
    if (!loadOuterStack(cpu, ss, level, true)) return NOT_RETURNED;
    i32[RSP] = memory.wordAt(at + 3);
  }
  i32[RSP + 1] = 0;
  finish(cpu, selector, codeLow, codeHigh, target, 0);
  return clean(flags);
}

function returnLong(cpu: Cpu): number {
  const { state, memory, mmu } = cpu;
  const { u32, i32 } = state;
  const cpl = u32[CPL];
  const high = i32[RSP + 1];
  if (!isCanonical(high)) return NOT_RETURNED;
  const at = mmu.readableWords(i32[RSP], high, 40, levelView(state, cpl));
  if (at < 0) return NOT_RETURNED;
  const targetHigh = memory.wordAt(at + 1);
  const selector = memory.wordAt(at + 2) & 0xffff;
  const level = selector & 3;
  const code = findInGdt(cpu, selector);
  if (level < cpl || code < 0 || !isCanonical(targetHigh)) return NOT_RETURNED;
  const codeHigh = memory.wordAt(code + 1);
  if (!isCommonCode(codeHigh) || !isLongDescriptor(codeHigh)) return NOT_RETURNED;
  if (levelOf(codeHigh) !== level) return NOT_RETURNED;
  const ss = memory.wordAt(at + 8) & 0xffff;
  if (!isNull(ss)) {
    if (!loadOuterStack(cpu, ss, level, false)) return NOT_RETURNED;
  } else {
    if (level === 3 || (ss & 3) !== level) return NOT_RETURNED;
    installNull(state, Segment.ss, ss, level << 5);
  }
  i32[RSP] = memory.wordAt(at + 6);
  i32[RSP + 1] = memory.wordAt(at + 7);
  finish(cpu, selector, memory.wordAt(code), codeHigh, memory.wordAt(at), targetHigh);
  return clean(memory.wordAt(at + 4));
}

/** Loads SS with the stack segment of privilege level `level`, the last thing that may be refused: false. */
function loadOuterStack(cpu: Cpu, selector: number, level: number, wide: boolean): boolean {
  const at = findInGdt(cpu, selector);
  if (at < 0) return false;
  const low = cpu.memory.wordAt(at);
  const high = cpu.memory.wordAt(at + 1);
  if (!isCommonStack(high) || (wide && (high & BIG) === 0)) return false;
  if (levelOf(high) !== level || (selector & 3) !== level) return false;
  loadCommon(cpu.state, SS, selector, low, high);
  return true;
}

/** Loads CS and the instruction pointer; to an outer level, drops what that may not use. */
function finish(
  cpu: Cpu,
  selector: number,
  low: number,
  high: number,
  target: number,
  targetHigh: number,
): void {
  const { u32, i32 } = cpu.state;
  const outer = (selector & 3) > u32[CPL];
  loadCommon(cpu.state, CS, selector, low, high);
  i32[NEXT_RIP] = target;
  i32[NEXT_RIP + 1] = targetHigh;
  u32[CPL] = selector & 3;
  if (outer) dropInnerSegments(cpu);
}

/** Bits 31..22 and 15 of EFLAGS do not exist; without them no image is {@link NOT_RETURNED}. */
function clean(flags: number): number {
  return flags & 0x3f7fff;
}
