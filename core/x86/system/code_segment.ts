/** Checks and loads that every transfer to another code segment shares. */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Exception } from "../state/bits.ts";
import { isNull, markAccessed, readDescriptor, selectorError } from "./descriptor_tables.ts";
import { isCanonical, linear, readLinear } from "./memory_access.ts";
import { isLongActive } from "./mode.ts";
import { Stack } from "./stack.ts";
import {
  attributesOf,
  type Descriptor,
  dplOf,
  installDescriptor,
  installNull,
  isWritableData,
  limitOf,
  Segment,
  SEGMENT_FIELDS,
  segmentBase,
} from "./segment_fields.ts";

const NEXT_RIP = offsetOf("nextRip");
const RSP = offsetOf("rsp");
const TR = SEGMENT_FIELDS[Segment.tr];

/** Whether a code segment holds 64-bit code: L counts while EFER.LMA is set. */
export function isLongCode(cpu: Cpu, attributes: number): boolean {
  return (attributes & Attribute.long) !== 0 && isLongActive(cpu);
}

/**
 * Raises #GP(`ext`) unless an instruction pointer is within its code segment, or canonical where the code is
 * 64-bit. `high` is ignored elsewhere.
 */
export function checkTarget(
  cpu: Cpu,
  descriptor: Descriptor,
  low: number,
  high: number,
  ext = 0,
): void {
  const fits = isLongCode(cpu, attributesOf(descriptor))
    ? isCanonical(high)
    : low >>> 0 <= limitOf(descriptor);
  if (!fits) cpu.raise(Exception.GP, ext);
}

/** Loads CS, sets CPL and the next instruction's offset. {@link updateMode} is the caller's. */
export function enterCode(
  cpu: Cpu,
  selector: number,
  descriptor: Descriptor,
  cpl: number,
  low: number,
  high: number,
): void {
  const { state } = cpu;
  const marked = markAccessed(cpu, descriptor);
  installDescriptor(state, Segment.cs, (selector & 0xfffc) | cpl, marked);
  state.cpl = cpl;
  state.setHalves(NEXT_RIP, low, isLongCode(cpu, attributesOf(descriptor)) ? high : 0);
}

/** A new stack segment and the stack in it. */
export interface InnerStack {
  readonly selector: number;
  /** `null` in long mode, where SS becomes null. */
  readonly descriptor: Descriptor | null;
  readonly stack: Stack;
}

/**
 * The stack that the TSS holds for privilege level `cpl`, outside long mode (SDM vol. 3, "Stack
 * Switching"). Raises #TS or #SS.
 */
export function innerStack(cpu: Cpu, cpl: number, ext: number): InnerStack {
  const { u32 } = cpu.state;
  const wide = (u32[TR.attributes] & 8) !== 0;
  const offset = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
  if (offset + (wide ? 5 : 3) > u32[TR.limit]) {
    cpu.raise(Exception.TS, selectorError(u32[TR.selector], ext));
  }
  const at = segmentBase(cpu.state, Segment.tr) + offset;
  const view = cpu.mmu.systemView;
  const pointer = readLinear(cpu, at, wide ? 4 : 2, view);
  const selector = readLinear(cpu, at + (wide ? 4 : 2), 2, view);
  if (isNull(selector)) cpu.raise(Exception.TS, ext);
  const error = selectorError(selector, ext);
  const descriptor = readDescriptor(cpu, selector, Exception.TS, ext);
  const attributes = attributesOf(descriptor);
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !isWritableData(attributes)) {
    cpu.raise(Exception.TS, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.SS, error);
  const marked = markAccessed(cpu, descriptor);
  return { selector, descriptor: marked, stack: Stack.inSegment(cpu, marked, pointer, cpl, error) };
}

/**
 * A stack pointer from the 64-bit TSS at byte `offset` (RSPn or ISTn; SDM vol. 3, "Task Management in 64-bit
 * Mode"). Raises #TS beyond the limit, #SS unless canonical.
 */
export function longStackPointer(cpu: Cpu, offset: number, ext: number): number {
  const { u32 } = cpu.state;
  if (offset + 7 > u32[TR.limit]) cpu.raise(Exception.TS, selectorError(u32[TR.selector], ext));
  const at = segmentBase(cpu.state, Segment.tr) + offset;
  const view = cpu.mmu.systemView;
  const low = readLinear(cpu, at, 4, view);
  const high = readLinear(cpu, at + 4, 4, view);
  if (!isCanonical(high)) cpu.raise(Exception.SS, ext);
  return linear(low, high);
}

/** Byte offset of RSPn in the 64-bit TSS. */
export function rspOffset(cpl: number): number {
  return 4 + 8 * cpl;
}

/** Loads SS for an inner privilege level and commits the stack; cannot fault. */
export function enterInnerStack(cpu: Cpu, inner: InnerStack, cpl: number): void {
  const { state } = cpu;
  if (inner.descriptor === null) installNull(state, Segment.ss, cpl, cpl << 5);
  else {
    installDescriptor(state, Segment.ss, inner.selector, inner.descriptor);
    // A 16-bit stack: the upper half of ESP comes from the TSS as well.
    state.setHalves(RSP, inner.stack.pointer, 0);
  }
  inner.stack.commit();
}
