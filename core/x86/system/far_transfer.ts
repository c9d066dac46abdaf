/** Far JMP, CALL and RET, and call gates (SDM vol. 2, "JMP", "CALL", "RET", Operation). */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Eflags, Exception } from "../state/bits.ts";
import {
  checkTarget,
  enterCode,
  enterInnerStack,
  type InnerStack,
  innerStack,
  longStackPointer,
  rspOffset,
} from "./code_segment.ts";
import {
  isNull,
  readDescriptor,
  readUpperHalf,
  selectorError,
  SystemType,
} from "./descriptor_tables.ts";
import { readReturnTarget, returnWithStack } from "./interrupt_return.ts";
import { argument, argumentHigh, isCanonical, viewOf } from "./memory_access.ts";
import { isLongActive, isProtected, updateLevel } from "./mode.ts";
import {
  attributesOf,
  type Descriptor,
  dplOf,
  installReal,
  installVirtual,
  isCode,
  isConforming,
  Segment,
  SEGMENT_FIELDS,
} from "./segment_fields.ts";
import { dropInnerSegments } from "./segment_loads.ts";
import { type ItemBytes, Stack } from "./stack.ts";
import { transferThroughTaskGate, transferToTss } from "./task_gate.ts";
import { isLongCode } from "./code_segment.ts";

const RSP = offsetOf("rsp");
const NEXT_RIP = offsetOf("nextRip");
const CS = SEGMENT_FIELDS[Segment.cs];
const SS = SEGMENT_FIELDS[Segment.ss];

/** Far JMP: arguments are selector, offset and operand size in bits. */
export function jumpFar(cpu: Cpu): void {
  transfer(cpu, "jump");
}

/** Far CALL: arguments are selector, offset and operand size in bits. */
export function callFar(cpu: Cpu): void {
  transfer(cpu, "call");
}

function transfer(cpu: Cpu, reason: "jump" | "call"): void {
  const selector = argument(cpu, 0) & 0xffff;
  const bytes = (argument(cpu, 2) >>> 3) as ItemBytes;
  const low = bytes === 2 ? argument(cpu, 1) & 0xffff : argument(cpu, 1);
  const high = bytes === 8 ? argumentHigh(cpu, 1) : 0;
  if (!isProtected(cpu)) return transferUnprotected(cpu, reason, selector, low, bytes);
  if (isNull(selector)) cpu.raise(Exception.GP, 0);
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const error = selectorError(selector, 0);
  if ((attributes & Attribute.codeOrData) !== 0) {
    return transferToCode(cpu, reason, selector, descriptor, low, high, bytes);
  }
  const dpl = dplOf(attributes);
  const type = attributes & 0x1f;
  const isTss = type === SystemType.availableTss16 || type === SystemType.availableTss32;
  const known = isLongActive(cpu)
    ? type === SystemType.callGate32
    : isTss || type === SystemType.callGate16 || type === SystemType.callGate32 ||
      type === SystemType.taskGate;
  if (!known || dpl < cpu.state.cpl || (selector & 3) > dpl) cpu.raise(Exception.GP, error);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  if (isTss) transferToTss(cpu, selector, descriptor, reason);
  else if (type === SystemType.taskGate) {
    transferThroughTaskGate(cpu, descriptor.low >>> 16, reason);
  } else transferThroughGate(cpu, reason, selector, descriptor);
}

function transferUnprotected(
  cpu: Cpu,
  reason: "jump" | "call",
  selector: number,
  offset: number,
  bytes: ItemBytes,
): void {
  const { state } = cpu;
  if (offset > state.u32[CS.limit]) cpu.raise(Exception.GP, 0);
  if (reason === "call") {
    const stack = Stack.current(cpu);
    pushReturn(cpu, stack, bytes);
    stack.commit();
  }
  if ((state.flags & Eflags.VM) !== 0) installVirtual(state, Segment.cs, selector);
  else installReal(state, Segment.cs, selector);
  state.setHalves(NEXT_RIP, offset, 0);
  updateLevel(cpu);
}

function transferToCode(
  cpu: Cpu,
  reason: "jump" | "call",
  selector: number,
  descriptor: Descriptor,
  low: number,
  high: number,
  bytes: ItemBytes,
): void {
  const { cpl } = cpu.state;
  const error = selectorError(selector, 0);
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  if (!isCode(attributes)) cpu.raise(Exception.GP, error);
  const both = Attribute.long | Attribute.big;
  if (isLongActive(cpu) && (attributes & both) === both) cpu.raise(Exception.GP, error);
  const allowed = isConforming(attributes) ? dpl <= cpl : (selector & 3) <= cpl && dpl === cpl;
  if (!allowed) cpu.raise(Exception.GP, error);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  checkTarget(cpu, descriptor, low, high);
  const stack = reason === "call" ? Stack.current(cpu) : null;
  if (stack !== null) pushReturn(cpu, stack, bytes);
  enterCode(cpu, selector, descriptor, cpl, low, high);
  stack?.commit();
  updateLevel(cpu);
}

function transferThroughGate(
  cpu: Cpu,
  reason: "jump" | "call",
  gateSelector: number,
  gate: Descriptor,
): void {
  const { state } = cpu;
  const long = isLongActive(cpu);
  const high = long ? readUpperHalf(cpu, gateSelector, gate) : 0;
  const selector = gate.low >>> 16;
  if (isNull(selector)) cpu.raise(Exception.GP, 0);
  const error = selectorError(selector, 0);
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  const conforming = isConforming(attributes);
  const both = Attribute.long | Attribute.big;
  if (!isCode(attributes) || dpl > state.cpl) cpu.raise(Exception.GP, error);
  if (long && (attributes & both) !== Attribute.long) cpu.raise(Exception.GP, error);
  if (reason === "jump" && !conforming && dpl !== state.cpl) cpu.raise(Exception.GP, error);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  const wide = (attributesOf(gate) & 8) !== 0;
  const bytes: ItemBytes = long ? 8 : wide ? 4 : 2;
  const low = wide ? ((gate.low & 0xffff) | (gate.high & 0xffff0000)) >>> 0 : gate.low & 0xffff;
  checkTarget(cpu, descriptor, low, high);
  if (reason === "call" && !conforming && dpl < state.cpl) {
    callInner(cpu, selector, descriptor, low, high, bytes, gate.high & 31);
    return;
  }
  const stack = reason === "call" ? Stack.current(cpu) : null;
  if (stack !== null) pushReturn(cpu, stack, bytes);
  enterCode(cpu, selector, descriptor, state.cpl, low, high);
  stack?.commit();
  updateLevel(cpu);
}

/** A call through a gate to an inner level: switches stacks and copies `parameters` items. */
function callInner(
  cpu: Cpu,
  selector: number,
  descriptor: Descriptor,
  low: number,
  high: number,
  bytes: ItemBytes,
  parameters: number,
): void {
  const { state } = cpu;
  const cpl = dplOf(attributesOf(descriptor));
  const long = bytes === 8;
  const inner: InnerStack = long
    ? {
      selector: cpl,
      descriptor: null,
      stack: Stack.flat64(cpu, longStackPointer(cpu, rspOffset(cpl), 0), viewOf(cpu, cpl), 0),
    }
    : innerStack(cpu, cpl, 0);
  const { stack } = inner;
  const copied: number[] = [];
  if (!long) {
    const old = Stack.current(cpu);
    for (let i = 0; i < parameters; i++) copied.push(old.pop(bytes));
  }
  stack.push(bytes, state.u32[SS.selector]);
  stack.push(bytes, state.low(RSP), state.high(RSP));
  for (const item of copied.reverse()) stack.push(bytes, item);
  pushReturn(cpu, stack, bytes);
  enterCode(cpu, selector, descriptor, cpl, low, high);
  enterInnerStack(cpu, inner, cpl);
  updateLevel(cpu);
}

function pushReturn(cpu: Cpu, stack: Stack, bytes: ItemBytes): void {
  const { state } = cpu;
  stack.push(bytes, state.u32[CS.selector]);
  stack.push(bytes, state.low(NEXT_RIP), state.high(NEXT_RIP));
}

/** Far RET: arguments are the operand size in bits and the number of bytes to release. */
export function returnFar(cpu: Cpu): void {
  const { state } = cpu;
  const bytes = (argument(cpu, 0) >>> 3) as ItemBytes;
  const released = argument(cpu, 1) & 0xffff;
  const stack = Stack.current(cpu);
  const low = stack.pop(bytes);
  const high = stack.high;
  const selector = stack.pop(bytes) & 0xffff;
  if (!isProtected(cpu)) {
    if (low > state.u32[CS.limit]) cpu.raise(Exception.GP, 0);
    if ((state.flags & Eflags.VM) !== 0) installVirtual(state, Segment.cs, selector);
    else installReal(state, Segment.cs, selector);
    state.setHalves(NEXT_RIP, low, 0);
    stack.skip(released);
    stack.commit();
    updateLevel(cpu);
    return;
  }
  const descriptor = readReturnTarget(cpu, selector);
  const cpl = selector & 3;
  stack.skip(released);
  if (cpl > state.cpl) {
    const toLong = isLongCode(cpu, attributesOf(descriptor));
    returnWithStack(cpu, stack, bytes, selector, descriptor, low, high, toLong, released);
    dropInnerSegments(cpu);
  } else {
    checkTarget(cpu, descriptor, low, high);
    if (stack.width === 64 && !isCanonical(Math.floor(stack.pointer / 0x1_0000_0000))) {
      cpu.raise(Exception.SS, 0);
    }
    enterCode(cpu, selector, descriptor, cpl, low, high);
    stack.commit();
  }
  updateLevel(cpu);
}
