/** Delivery through 64-bit gates (SDM vol. 3, "Exception and Interrupt Handling in 64-bit Mode"). */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Eflags, Exception } from "../state/bits.ts";
import { enterCode, longStackPointer, rspOffset } from "./code_segment.ts";
import type { Delivery } from "./delivery.ts";
import { isNull, readDescriptor, selectorError, SystemType } from "./descriptor_tables.ts";
import { highHalf, isCanonical, readLinear, registerNumber, viewOf } from "./memory_access.ts";
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
import { Stack } from "./stack.ts";

const IDTR_BASE = offsetOf("idtrBase");
const RSP = offsetOf("rsp");
const CS = SEGMENT_FIELDS[Segment.cs];
const SS = SEGMENT_FIELDS[Segment.ss];
/** Flags that entering a handler clears besides IF. */
export const CLEARED_BY_GATE: number = Eflags.TF | Eflags.NT | Eflags.RF | Eflags.VM;
/** Byte offset of IST1 in the 64-bit TSS. */
export const IST1 = 36;

/** Enters the handler of `delivery` in 64-bit or compatibility mode. */
export function enterLong(cpu: Cpu, delivery: Delivery): void {
  const { state } = cpu;
  const { vector, ext } = delivery;
  const view = cpu.mmu.systemView;
  const gateError = vector * 8 + 2 + ext;
  if (vector * 16 + 15 > state.idtrLimit) cpu.raise(Exception.GP, gateError);
  const gate = registerNumber(state, IDTR_BASE) + vector * 16;
  const word0 = readLinear(cpu, gate, 4, view);
  const word1 = readLinear(cpu, gate + 4, 4, view);
  const type = (word1 >>> 8) & 0x1f;
  if (type !== SystemType.interruptGate32 && type !== SystemType.trapGate32) {
    cpu.raise(Exception.GP, gateError);
  }
  if (delivery.software && dplOf(word1 >>> 8) < state.cpl) cpu.raise(Exception.GP, gateError);
  if ((word1 & 0x8000) === 0) cpu.raise(Exception.NP, gateError);
  const ripHigh = readLinear(cpu, gate + 8, 4, view);
  const ripLow = (word0 & 0xffff) | (word1 & 0xffff0000);

  const selector = word0 >>> 16;
  const descriptor = readTarget(cpu, selector, ext);
  const conforming = isConforming(attributesOf(descriptor));
  const cpl = conforming ? state.cpl : dplOf(attributesOf(descriptor));
  const inner = cpl < state.cpl;
  if (!isCanonical(ripHigh)) cpu.raise(Exception.GP, ext);

  const stack = handlerStack(cpu, word1 & 7, inner, cpl, ext);
  stack.push(8, state.u32[SS.selector]);
  stack.push(8, state.low(RSP), state.high(RSP));
  stack.push(8, delivery.flags);
  stack.push(8, state.u32[CS.selector]);
  stack.push(8, delivery.returnLow, delivery.returnHigh);
  if (delivery.errorCode >= 0) stack.push(8, delivery.errorCode);

  enterCode(cpu, selector, descriptor, cpl, ripLow, ripHigh);
  if (inner) installNull(state, Segment.ss, cpl, cpl << 5);
  stack.commit();
  state.flags &= ~(CLEARED_BY_GATE | (type === SystemType.interruptGate32 ? Eflags.IF : 0));
  updateLevel(cpu);
}

/** The 64-bit code segment that a gate of long mode leads to. */
export function readTarget(cpu: Cpu, selector: number, ext: number): Descriptor {
  if (isNull(selector)) cpu.raise(Exception.GP, ext);
  const error = selectorError(selector, ext);
  const descriptor = readDescriptor(cpu, selector, Exception.GP, ext);
  const attributes = attributesOf(descriptor);
  const long = (attributes & (Attribute.long | Attribute.big)) === Attribute.long;
  if (!isCode(attributes) || dplOf(attributes) > cpu.state.cpl || !long) {
    cpu.raise(Exception.GP, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  return descriptor;
}

/** The handler's stack: from the interrupt stack table, from RSPn, or the current one; aligned to 16. */
function handlerStack(cpu: Cpu, ist: number, inner: boolean, cpl: number, ext: number): Stack {
  let pointer: number;
  if (ist !== 0) pointer = longStackPointer(cpu, IST1 + (ist - 1) * 8, ext);
  else if (inner) pointer = longStackPointer(cpu, rspOffset(cpl), ext);
  else {
    pointer = registerNumber(cpu.state, RSP);
    if (!isCanonical(highHalf(pointer))) cpu.raise(Exception.SS, ext);
  }
  pointer -= (pointer >>> 0) % 16;
  return Stack.flat64(cpu, pointer, viewOf(cpu, cpl), ext);
}
