/**
 * The quick way through a 32- or 64-bit interrupt or trap gate, in protected and in 64-bit mode, for what kernels
 * have set up in the common way (see quick_segments.ts). Its plain twins are delivery_protected.ts and
 * delivery_long.ts.
 */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Cr0, Efer, Eflags } from "../state/bits.ts";
import type { Delivery } from "./delivery.ts";
import { CLEARED_BY_GATE, IST1 } from "./delivery_long.ts";
import { isCanonical } from "./memory_access.ts";
import { updateLevel } from "./mode.ts";
import {
  baseOfWords,
  CPL,
  CR0,
  CS,
  EFER,
  FAST_PATHS,
  findInGdt,
  FLAGS,
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
  wordsFrom,
} from "./quick_segments.ts";
import { installNull, Segment, SEGMENT_FIELDS } from "./segment_fields.ts";

const IDTR_BASE = offsetOf("idtrBase") >> 2;
const IDTR_LIMIT = offsetOf("idtrLimit") >> 2;
const TR = SEGMENT_FIELDS[Segment.tr];
const BIG = Attribute.big << 8;

/** The stack that a handler gets: filled by a search, read at once. */
const found = {
  /** Stack pointer before anything is pushed, in halves; signed. */
  low: 0,
  high: 0,
  /** Base, last offset, and for an inner level the selector and index of the descriptor. */
  base: 0,
  last: 0,
  selector: 0,
  descriptor: 0,
};

/** Enters the handler of `delivery` and returns true, or changes nothing and returns false. */
export function enterQuickly(cpu: Cpu, delivery: Delivery): boolean {
  const { u32 } = cpu.state;
  if (u32[FAST_PATHS] === 0) return false;
  if ((u32[EFER] & Efer.LMA) !== 0) return enterLong(cpu, delivery);
  if ((u32[CR0] & Cr0.PE) === 0 || (u32[FLAGS] & Eflags.VM) !== 0) return false;
  return enterProtected(cpu, delivery);
}

/** Whether the upper word of a gate is that of a present 32- or 64-bit gate that the event may use. */
function isCommonGate(high: number, delivery: Delivery, cpl: number): boolean {
  if ((high & 0x9e00) !== 0x8e00) return false;
  return !delivery.software || levelOf(high) >= cpl;
}

function clearedFlags(gateHigh: number): number {
  return (gateHigh & 0x100) === 0 ? CLEARED_BY_GATE | Eflags.IF : CLEARED_BY_GATE;
}

function enterProtected(cpu: Cpu, delivery: Delivery): boolean {
  const { state, memory, mmu } = cpu;
  const { u32, i32 } = state;
  const offset = delivery.vector * 8;
  if (offset + 7 > u32[IDTR_LIMIT]) return false;
  const gate = wordsFrom(cpu, i32[IDTR_BASE], 0, offset, 8, mmu.systemView);
  if (gate < 0) return false;
  const gateLow = memory.wordAt(gate);
  const gateHigh = memory.wordAt(gate + 1);
  const cpl = u32[CPL];
  if (!isCommonGate(gateHigh, delivery, cpl)) return false;
  const code = findInGdt(cpu, gateLow >>> 16);
  if (code < 0) return false;
  const codeLow = memory.wordAt(code);
  const codeHigh = memory.wordAt(code + 1);
  const level = levelOf(codeHigh);
  if (!isCommonCode(codeHigh) || level > cpl) return false;
  const target = (gateLow & 0xffff) | (gateHigh & 0xffff0000);
  if (target >>> 0 > limitOfWords(codeLow, codeHigh)) return false;
  const inner = level < cpl;
  if (!(inner ? findInnerStack(cpu, level) : findOwnStack(cpu))) return false;
  const bytes = (inner ? 20 : 12) + (delivery.errorCode >= 0 ? 4 : 0);
  const pointer = (found.low - bytes) | 0;
  const top = found.low >>> 0;
  if (top < bytes || top - 1 > found.last >>> 0) return false;
  const view = levelView(state, level);
  let at = mmu.writableWords((found.base + pointer) | 0, 0, bytes, view);
  if (at < 0) return false;
  if (delivery.errorCode >= 0) memory.storeWordDirect(at++, delivery.errorCode);
  memory.storeWordDirect(at++, delivery.returnLow);
  memory.storeWordDirect(at++, i32[CS.selector]);
  memory.storeWordDirect(at++, delivery.flags);
  if (inner) {
    memory.storeWordDirect(at++, i32[RSP]);
    memory.storeWordDirect(at, i32[SS.selector]);
    const { selector, descriptor } = found;
    loadCommon(state, SS, selector, memory.wordAt(descriptor), memory.wordAt(descriptor + 1));
  }
  loadCommon(state, CS, ((gateLow >>> 16) & 0xfffc) | level, codeLow, codeHigh);
  i32[RSP] = pointer;
  i32[RSP + 1] = 0;
  i32[NEXT_RIP] = target;
  i32[NEXT_RIP + 1] = 0;
  u32[CPL] = level;
  u32[FLAGS] &= ~clearedFlags(gateHigh);
  updateLevel(cpu);
  return true;
}

/** The stack of privilege level `level` from a 32-bit TSS. */
function findInnerStack(cpu: Cpu, level: number): boolean {
  const { state: { u32, i32 }, memory, mmu } = cpu;
  const offset = 4 + 8 * level;
  if ((u32[TR.attributes] & 8) === 0 || offset + 5 > u32[TR.limit]) return false;
  const at = wordsFrom(cpu, i32[TR.base], 0, offset, 8, mmu.systemView);
  if (at < 0) return false;
  const selector = memory.wordAt(at + 1) & 0xffff;
  const descriptor = findInGdt(cpu, selector);
  if (descriptor < 0) return false;
  const low = memory.wordAt(descriptor);
  const high = memory.wordAt(descriptor + 1);
  if (!isCommonStack(high) || (high & BIG) === 0) return false;
  if (levelOf(high) !== level || (selector & 3) !== level) return false;
  found.low = memory.wordAt(at);
  found.base = baseOfWords(low, high);
  found.last = limitOfWords(low, high) | 0;
  found.selector = selector;
  found.descriptor = descriptor;
  return true;
}

/** The 32-bit stack in use. */
function findOwnStack(cpu: Cpu): boolean {
  const { u32, i32 } = cpu.state;
  if ((u32[SS.attributes] & Attribute.big) === 0) return false;
  if ((u32[SS.first] | u32[SS.first + 1]) !== 0) return false;
  found.low = i32[RSP];
  found.base = i32[SS.base];
  found.last = i32[SS.last];
  return true;
}

function enterLong(cpu: Cpu, delivery: Delivery): boolean {
  const { state, memory, mmu } = cpu;
  const { u32, i32 } = state;
  const offset = delivery.vector * 16;
  if (offset + 15 > u32[IDTR_LIMIT]) return false;
  const gate = wordsFrom(cpu, i32[IDTR_BASE], i32[IDTR_BASE + 1], offset, 12, mmu.systemView);
  if (gate < 0) return false;
  const gateLow = memory.wordAt(gate);
  const gateHigh = memory.wordAt(gate + 1);
  const cpl = u32[CPL];
  if (!isCommonGate(gateHigh, delivery, cpl)) return false;
  const code = findInGdt(cpu, gateLow >>> 16);
  if (code < 0) return false;
  const codeHigh = memory.wordAt(code + 1);
  const level = levelOf(codeHigh);
  if (!isCommonCode(codeHigh) || !isLongDescriptor(codeHigh) || level > cpl) return false;
  const targetHigh = memory.wordAt(gate + 8 / 4);
  const inner = level < cpl;
  if (!isCanonical(targetHigh) || !findLongStack(cpu, gateHigh & 7, inner, level)) return false;
  const bytes = delivery.errorCode >= 0 ? 48 : 40;
  const top = found.low & ~15;
  const pointer = (top - bytes) | 0;
  const pointerHigh = (found.high - (top >>> 0 < bytes ? 1 : 0)) | 0;
  if (!isCanonical(pointerHigh)) return false;
  let at = mmu.writableWords(pointer, pointerHigh, bytes, levelView(state, level));
  if (at < 0) return false;
  if (delivery.errorCode >= 0) {
    memory.storeWordDirect(at, delivery.errorCode);
    memory.storeWordDirect(at + 1, 0);
    at += 2;
  }
  memory.storeWordDirect(at, delivery.returnLow);
  memory.storeWordDirect(at + 1, delivery.returnHigh);
  memory.storeWordDirect(at + 2, i32[CS.selector]);
  memory.storeWordDirect(at + 3, 0);
  memory.storeWordDirect(at + 4, delivery.flags);
  memory.storeWordDirect(at + 5, 0);
  memory.storeWordDirect(at + 6, i32[RSP]);
  memory.storeWordDirect(at + 7, i32[RSP + 1]);
  memory.storeWordDirect(at + 8, i32[SS.selector]);
  memory.storeWordDirect(at + 9, 0);
  if (inner) installNull(state, Segment.ss, level, level << 5);
  loadCommon(state, CS, ((gateLow >>> 16) & 0xfffc) | level, memory.wordAt(code), codeHigh);
  i32[RSP] = pointer;
  i32[RSP + 1] = pointerHigh;
  i32[NEXT_RIP] = (gateLow & 0xffff) | (gateHigh & 0xffff0000);
  i32[NEXT_RIP + 1] = targetHigh;
  u32[CPL] = level;
  u32[FLAGS] &= ~clearedFlags(gateHigh);
  updateLevel(cpu);
  return true;
}

/** The stack of a handler in 64-bit mode: of the interrupt stack table, of an inner level, or the one in use. */
function findLongStack(cpu: Cpu, ist: number, inner: boolean, level: number): boolean {
  const { state: { u32, i32 }, memory, mmu } = cpu;
  if (ist === 0 && !inner) {
    found.low = i32[RSP];
    found.high = i32[RSP + 1];
    return isCanonical(found.high);
  }
  const offset = ist !== 0 ? IST1 + (ist - 1) * 8 : 4 + 8 * level;
  if (offset + 7 > u32[TR.limit]) return false;
  const at = wordsFrom(cpu, i32[TR.base], i32[TR.base + 1], offset, 8, mmu.systemView);
  if (at < 0) return false;
  found.low = memory.wordAt(at);
  found.high = memory.wordAt(at + 1);
  return isCanonical(found.high);
}
