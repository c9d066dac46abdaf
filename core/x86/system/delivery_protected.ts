/** Delivery through 16- and 32-bit gates and task gates (SDM vol. 2, "INT n/INTO/INT3/INT1", Operation). */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import { checkTarget, enterCode, enterInnerStack, innerStack } from "./code_segment.ts";
import type { Delivery } from "./delivery.ts";
import { CLEARED_BY_GATE } from "./delivery_long.ts";
import { isNull, readDescriptor, selectorError, SystemType } from "./descriptor_tables.ts";
import { readLinear } from "./memory_access.ts";
import { updateLevel } from "./mode.ts";
import {
  attributesOf,
  type Descriptor,
  dplOf,
  installNull,
  isCode,
  isConforming,
  Segment,
  SEGMENT_FIELDS,
} from "./segment_fields.ts";
import { type ItemBytes, Stack } from "./stack.ts";
import { switchThroughTaskGate } from "./task_gate.ts";

const IDTR_BASE = offsetOf("idtrBase");
const RSP = offsetOf("rsp");
/** Segments that leaving virtual-8086 mode saves, in the order of pushing, and makes null. */
const SAVED_FROM_8086 = [Segment.gs, Segment.fs, Segment.ds, Segment.es];

/** Enters the handler of `delivery` in protected or virtual-8086 mode. */
export function enterProtected(cpu: Cpu, delivery: Delivery): void {
  const { state } = cpu;
  const { vector, ext } = delivery;
  const view = cpu.mmu.systemView;
  const gateError = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > state.idtrLimit) cpu.raise(Exception.GP, gateError);
  const gate = (state.u32[IDTR_BASE >> 2] + vector * 8) >>> 0;
  const low = readLinear(cpu, gate, 4, view);
  const high = readLinear(cpu, gate + 4, 4, view);
  const type = (high >>> 8) & 0x1f;
  const isTask = type === SystemType.taskGate;
  if (!isTask && (type & 0x16) !== 6) cpu.raise(Exception.GP, gateError);
  if (delivery.software && dplOf(high >>> 8) < state.cpl) cpu.raise(Exception.GP, gateError);
  if ((high & 0x8000) === 0) cpu.raise(Exception.NP, gateError);
  if (isTask) {
    switchThroughTaskGate(cpu, low >>> 16, delivery);
    return;
  }
  const wide = (type & 8) !== 0;
  const selector = low >>> 16;
  const descriptor = readTarget(cpu, selector, ext);
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  const from8086 = (state.flags & Eflags.VM) !== 0;
  const inner = !isConforming(attributes) && dpl < state.cpl;
  if (from8086 && (!inner || dpl !== 0)) cpu.raise(Exception.GP, selectorError(selector, ext));
  const target = wide ? ((low & 0xffff) | (high & 0xffff0000)) >>> 0 : low & 0xffff;
  const cleared = CLEARED_BY_GATE | ((type & 1) === 0 ? Eflags.IF : 0);
  if (inner) enterInner(cpu, delivery, selector, descriptor, target, wide ? 4 : 2);
  else enterSame(cpu, delivery, selector, descriptor, target, wide ? 4 : 2);
  state.flags &= ~cleared;
  updateLevel(cpu);
}

function readTarget(cpu: Cpu, selector: number, ext: number): Descriptor {
  if (isNull(selector)) cpu.raise(Exception.GP, ext);
  const error = selectorError(selector, ext);
  const descriptor = readDescriptor(cpu, selector, Exception.GP, ext);
  const attributes = attributesOf(descriptor);
  if (!isCode(attributes) || dplOf(attributes) > cpu.state.cpl) cpu.raise(Exception.GP, error);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  return descriptor;
}

function enterInner(
  cpu: Cpu,
  delivery: Delivery,
  selector: number,
  descriptor: Descriptor,
  target: number,
  bytes: ItemBytes,
): void {
  const { state } = cpu;
  const { u32 } = state;
  const from8086 = (state.flags & Eflags.VM) !== 0;
  const cpl = dplOf(attributesOf(descriptor));
  const inner = innerStack(cpu, cpl, delivery.ext);
  checkTarget(cpu, descriptor, target, 0, delivery.ext);
  const { stack } = inner;
  if (from8086) {
    for (const index of SAVED_FROM_8086) stack.push(bytes, u32[SEGMENT_FIELDS[index].selector]);
  }
  stack.push(bytes, u32[SEGMENT_FIELDS[Segment.ss].selector]);
  stack.push(bytes, u32[RSP >> 2]);
  pushReturn(cpu, stack, delivery, bytes);
  enterCode(cpu, selector, descriptor, cpl, target, 0);
  enterInnerStack(cpu, inner, cpl);
  if (from8086) { for (const index of SAVED_FROM_8086) installNull(state, index, 0); }
}

function enterSame(
  cpu: Cpu,
  delivery: Delivery,
  selector: number,
  descriptor: Descriptor,
  target: number,
  bytes: ItemBytes,
): void {
  checkTarget(cpu, descriptor, target, 0, delivery.ext);
  const stack = Stack.current(cpu, delivery.ext);
  pushReturn(cpu, stack, delivery, bytes);
  enterCode(cpu, selector, descriptor, cpu.state.cpl, target, 0);
  stack.commit();
}

function pushReturn(cpu: Cpu, stack: Stack, delivery: Delivery, bytes: ItemBytes): void {
  stack.push(bytes, delivery.flags);
  stack.push(bytes, cpu.state.u32[SEGMENT_FIELDS[Segment.cs].selector]);
  stack.push(bytes, delivery.returnLow);
  if (delivery.errorCode >= 0) stack.push(bytes, delivery.errorCode);
}
