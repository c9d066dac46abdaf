/** Ways into a task switch: task gates, TSS selectors, and IRET with NT set. */

import type { Cpu } from "../cpu.ts";
import { Eflags, Exception } from "../state/bits.ts";
import type { Delivery } from "./delivery.ts";
import { isNull, readDescriptor, selectorError, SystemType } from "./descriptor_tables.ts";
import { readFlags } from "./flags_image.ts";
import { readLinear } from "./memory_access.ts";
import { attributesOf, type Descriptor, Segment, segmentBase } from "./segment_fields.ts";
import { afterInstructionImage, switchTask } from "./task_switch.ts";

function isAvailableTss(attributes: number): boolean {
  const type = attributes & 0x1f;
  return type === SystemType.availableTss16 || type === SystemType.availableTss32;
}

/** The TSS descriptor that a task gate's selector names; raises `vector`s of SDM vol. 2, "INT n". */
function gateTarget(cpu: Cpu, selector: number, ext: number): Descriptor {
  const error = selectorError(selector, ext);
  if (isNull(selector) || (selector & 4) !== 0) cpu.raise(Exception.GP, error);
  const descriptor = readDescriptor(cpu, selector, Exception.GP, ext);
  if (!isAvailableTss(attributesOf(descriptor))) cpu.raise(Exception.GP, error);
  return descriptor;
}

/** Delivers an event through a task gate of the IDT that holds `selector`. */
export function switchThroughTaskGate(cpu: Cpu, selector: number, delivery: Delivery): void {
  const { ext, flags, returnLow, errorCode } = delivery;
  const descriptor = gateTarget(cpu, selector, ext);
  switchTask(cpu, {
    reason: "gate",
    selector,
    descriptor,
    ext,
    flags,
    returnLow: returnLow >>> 0,
    errorCode,
  });
}

/** A far JMP or CALL through a task gate that holds `selector`. */
export function transferThroughTaskGate(
  cpu: Cpu,
  selector: number,
  reason: "jump" | "call",
): void {
  const descriptor = gateTarget(cpu, selector, 0);
  const image = afterInstructionImage(cpu);
  switchTask(cpu, { reason, selector, descriptor, ext: 0, errorCode: -1, ...image });
}

/** A far JMP or CALL to a TSS selector whose descriptor has been read and found available. */
export function transferToTss(
  cpu: Cpu,
  selector: number,
  descriptor: Descriptor,
  reason: "jump" | "call",
): void {
  if ((selector & 4) !== 0) cpu.raise(Exception.GP, selectorError(selector, 0));
  const image = afterInstructionImage(cpu);
  switchTask(cpu, { reason, selector, descriptor, ext: 0, errorCode: -1, ...image });
}

/** IRET with NT set: back to the task that the TSS links to. */
export function returnFromTask(cpu: Cpu): void {
  const base = segmentBase(cpu.state, Segment.tr);
  const selector = readLinear(cpu, base, 2, cpu.mmu.systemView);
  const error = selectorError(selector, 0);
  if (isNull(selector) || (selector & 4) !== 0) cpu.raise(Exception.TS, error);
  const descriptor = readDescriptor(cpu, selector, Exception.TS);
  const type = attributesOf(descriptor) & 0x1f;
  if (type !== SystemType.busyTss16 && type !== SystemType.busyTss32) {
    cpu.raise(Exception.TS, error);
  }
  const { returnLow } = afterInstructionImage(cpu);
  const flags = readFlags(cpu.state) & ~Eflags.NT;
  switchTask(cpu, {
    reason: "iret",
    selector,
    descriptor,
    ext: 0,
    errorCode: -1,
    flags,
    returnLow,
  });
}
