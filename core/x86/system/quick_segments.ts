/**
 * What the quick ways through gates and back share: descriptors and stacks as words of linear memory.
 *
 * A quick way looks first and changes afterwards: it gives up, having changed nothing, wherever something is not
 * as it commonly is (a table that the TLB does not reach directly, a descriptor that is not accessed yet, a
 * 16-bit stack, anything that faults). The plain way then does all of it again. `fastPaths` of 0 forces the plain way.
 */

import type { Cpu } from "../cpu.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf, SegmentAccess } from "../state/layout.ts";
import { Attribute, Cr4, Eflags } from "../state/bits.ts";
import { View } from "../paging/tlb.ts";
import { isNull } from "./descriptor_tables.ts";
import { Segment, SEGMENT_FIELDS, type SegmentFields } from "./segment_fields.ts";

export const RSP: number = offsetOf("rsp") >> 2;
export const NEXT_RIP: number = offsetOf("nextRip") >> 2;
export const FLAGS: number = offsetOf("flags") >> 2;
export const CPL: number = offsetOf("cpl") >> 2;
export const CR0: number = offsetOf("cr0") >> 2;
export const EFER: number = offsetOf("efer") >> 2;
export const FAST_PATHS: number = offsetOf("fastPaths") >> 2;
const CR4 = offsetOf("cr4") >> 2;
const GDTR_BASE = offsetOf("gdtrBase") >> 2;
const GDTR_LIMIT = offsetOf("gdtrLimit") >> 2;
export const CS: SegmentFields = SEGMENT_FIELDS[Segment.cs];
export const SS: SegmentFields = SEGMENT_FIELDS[Segment.ss];

/** Bits 63..32 of descriptors: P, S, type and, above it, D/B and L. */
const COMMON_CODE_MASK = 0x9d00;
const COMMON_CODE = 0x9900;
const COMMON_STACK_MASK = 0x9f00;
const COMMON_STACK = 0x9300;
const LONG_AND_BIG = (Attribute.long | Attribute.big) << 8;

/** Index of the words of the GDT's descriptor `selector`; -1 for null, for the LDT, and where it cannot be read. */
export function findInGdt(cpu: Cpu, selector: number): number {
  const { u32, i32 } = cpu.state;
  const offset = selector & 0xfff8;
  if (isNull(selector) || (selector & 4) !== 0 || offset + 7 > u32[GDTR_LIMIT]) return -1;
  const { mmu } = cpu;
  return wordsFrom(cpu, i32[GDTR_BASE], i32[GDTR_BASE + 1], offset, 8, mmu.systemView);
}

/** Index of `bytes` bytes at `offset` bytes from a table's base; -1 where they cannot be read directly. */
export function wordsFrom(
  cpu: Cpu,
  baseLow: number,
  baseHigh: number,
  offset: number,
  bytes: number,
  view: number,
): number {
  const low = (baseLow + offset) | 0;
  const carry = (low >>> 0) < (baseLow >>> 0) ? 1 : 0;
  // Outside long mode addresses wrap; a base in the last page is left to the plain way.
  return carry !== 0 ? -1 : cpu.mmu.readableWords(low, baseHigh, bytes, view);
}

/** Whether the upper word of a descriptor is that of present, accessed, non-conforming code. */
export function isCommonCode(high: number): boolean {
  return (high & COMMON_CODE_MASK) === COMMON_CODE;
}

/** Whether the upper word of a descriptor is that of present, accessed, writable data that does not expand down. */
export function isCommonStack(high: number): boolean {
  return (high & COMMON_STACK_MASK) === COMMON_STACK;
}

/** Whether the upper word of a code descriptor makes 64-bit code of it, in long mode. */
export function isLongDescriptor(high: number): boolean {
  return (high & LONG_AND_BIG) === Attribute.long << 8;
}

/** DPL from the upper word of a descriptor or gate. */
export function levelOf(high: number): number {
  return (high >>> 13) & 3;
}

/** Limit in bytes from the two words of a descriptor. */
export function limitOfWords(low: number, high: number): number {
  const raw = (low & 0xffff) | (high & 0xf0000);
  return (high & 0x800000) === 0 ? raw : ((raw << 12) | 0xfff) >>> 0;
}

/** Base address from the two words of a descriptor, signed. */
export function baseOfWords(low: number, high: number): number {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
}

/** The view of explicit accesses at privilege level `cpl`; see viewOf. */
export function levelView({ u32 }: CpuState, cpl: number): number {
  if (cpl === 3) return View.user;
  return (u32[CR4] & Cr4.SMAP) !== 0 && (u32[FLAGS] & Eflags.AC) === 0
    ? View.supervisorSmap
    : View.supervisor;
}

/** Loads CS or SS from a descriptor that {@link isCommonCode} or {@link isCommonStack} accepted. */
export function loadCommon(
  { u32, i32 }: CpuState,
  fields: SegmentFields,
  selector: number,
  low: number,
  high: number,
): void {
  const limit = (low & 0xffff) | (high & 0xf0000);
  const last = (high & 0x800000) === 0 ? limit : (limit << 12) | 0xfff;
  const code = (high & (Attribute.code << 8)) !== 0;
  const also = (high & (Attribute.readWrite << 8)) !== 0;
  u32[fields.selector] = selector;
  u32[fields.attributes] = (high >>> 8) & 0xf0ff;
  i32[fields.base] = baseOfWords(low, high);
  i32[fields.base + 1] = 0;
  i32[fields.limit] = last;
  u32[fields.first] = u32[fields.first + 1] = 0;
  i32[fields.last] = last;
  u32[fields.last + 1] = 0;
  u32[fields.access] = SegmentAccess.usable |
    (code ? (also ? SegmentAccess.readable : 0) : SegmentAccess.readable | SegmentAccess.writable);
}
