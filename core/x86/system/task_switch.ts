/** Task switches (SDM vol. 3, "Task Switching"). Long mode has none. */

import type { Cpu } from "../cpu.ts";
import { offsetOf, Status } from "../state/layout.ts";
import { Cr0, Eflags, Exception } from "../state/bits.ts";
import {
  findDescriptor,
  isNull,
  markAccessed,
  readDescriptor,
  rewriteHigh,
  selectorError,
  SystemType,
} from "./descriptor_tables.ts";
import { EFLAGS_FIXED, readFlags, writeFlags } from "./flags_image.ts";
import { probeLinear, readLinear, writeLinear } from "./memory_access.ts";
import { updateMode } from "./mode.ts";
import {
  attributesOf,
  baseOf,
  type Descriptor,
  dplOf,
  installDescriptor,
  installNull,
  installVirtual,
  isCode,
  isConforming,
  isWritableData,
  limitOf,
  Segment,
  SEGMENT_FIELDS,
  segmentBase,
} from "./segment_fields.ts";
import { Stack } from "./stack.ts";
import { type TssLayout, tssLayout } from "./task_state.ts";

const RIP = offsetOf("rip");
const NEXT_RIP = offsetOf("nextRip");
const CR3 = offsetOf("cr3") >> 2;
const TR = SEGMENT_FIELDS[Segment.tr];
/** Bit of a TSS descriptor's high word: the task is busy. */
const BUSY = 0x200;
/** EFLAGS bits that a TSS can load. */
const LOADED_FLAGS = 0x3f7fd5;
/** DR6.BT: the new task's T bit was set. */
const DR6_BT = 0x8000;

/** What led to a task switch. */
export interface TaskSwitch {
  readonly reason: "jump" | "call" | "iret" | "gate";
  /** Selector of the new task's TSS. */
  readonly selector: number;
  /** Its descriptor, whose type (available, or busy for IRET) was checked. */
  readonly descriptor: Descriptor;
  readonly ext: number;
  /** EFLAGS and the offset to save in the old task. */
  readonly flags: number;
  readonly returnLow: number;
  /** Error code to push on the new task's stack, or -1. */
  readonly errorCode: number;
}

/** Performs a task switch; what is raised once the new task is entered belongs to the new task. */
export function switchTask(cpu: Cpu, to: TaskSwitch): void {
  const { state } = cpu;
  const { u32 } = state;
  const error = selectorError(to.selector, to.ext);
  const attributes = attributesOf(to.descriptor);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  const layout = tssLayout(attributes);
  if (limitOf(to.descriptor) < layout.minimumLimit) cpu.raise(Exception.TS, error);
  const view = cpu.mmu.systemView;
  const at = baseOf(to.descriptor);
  const nested = to.reason === "call" || to.reason === "gate";
  probeLinear(cpu, at, layout.minimumLimit + 1, nested, view);
  saveTask(cpu, to);

  // Everything is read before anything of the CPU changes.
  const image = readTask(cpu, layout, at);
  const oldSelector = u32[TR.selector];
  if (!nested) setBusy(cpu, oldSelector, false);
  if (nested) writeLinear(cpu, at, 2, oldSelector, view);
  let descriptor = to.descriptor;
  if (to.reason !== "iret") {
    descriptor = rewriteHigh(cpu, descriptor, (descriptor.high | BUSY) >>> 0);
  }
  installDescriptor(state, Segment.tr, to.selector, descriptor);
  state.cr0 |= Cr0.TS;
  // The local enable bits of DR7.
  state.dr7 &= ~0x155;
  loadTask(cpu, layout, image, nested);
  loadSegments(cpu, layout, image, to.ext);
  finish(cpu, layout, image, to);
}

/** Saves the current task in its TSS. */
function saveTask(cpu: Cpu, to: TaskSwitch): void {
  const { state } = cpu;
  const { u32 } = state;
  const layout = tssLayout(u32[TR.attributes]);
  const base = segmentBase(state, Segment.tr);
  const view = cpu.mmu.systemView;
  probeLinear(cpu, base, layout.minimumLimit + 1, true, view);
  const write = (offset: number, value: number) =>
    writeLinear(cpu, (base + offset) >>> 0, layout.bytes, value, view);
  write(layout.ip, to.returnLow);
  write(layout.flags, to.reason === "iret" ? to.flags & ~Eflags.NT : to.flags);
  for (let n = 0; n < 8; n++) write(layout.registers + n * layout.bytes, u32[n * 2]);
  for (const [index, offset] of layout.segments) {
    writeLinear(cpu, (base + offset) >>> 0, 2, u32[SEGMENT_FIELDS[index].selector], view);
  }
}

interface TaskImage {
  readonly cr3: number;
  readonly ip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  readonly selectors: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

function readTask(cpu: Cpu, layout: TssLayout, base: number): TaskImage {
  const view = cpu.mmu.systemView;
  const { bytes } = layout;
  const read = (offset: number, size: 2 | 4) => readLinear(cpu, (base + offset) >>> 0, size, view);
  // A 16-bit task leaves the upper halves of the registers all ones.
  const upper = bytes === 2 ? 0xffff0000 : 0;
  return {
    cr3: layout.cr3 < 0 ? -1 : read(layout.cr3, 4),
    ip: read(layout.ip, bytes),
    flags: read(layout.flags, bytes),
    registers: Array.from(
      { length: 8 },
      (_, n) => (read(layout.registers + n * bytes, bytes) | upper) >>> 0,
    ),
    selectors: layout.segments.map(([, offset]) => read(offset, 2)),
    ldt: read(layout.ldt, 2),
    trap: layout.trap >= 0 && (read(layout.trap, 2) & 1) !== 0,
  };
}

function setBusy(cpu: Cpu, selector: number, busy: boolean): void {
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === null) return;
  const high = busy ? descriptor.high | BUSY : descriptor.high & ~BUSY;
  rewriteHigh(cpu, descriptor, high >>> 0);
}

/**
 * Loads all that needs no descriptor. From here on faults are the new task's.
 *
 * @deviation The page directory pointers of PAE paging are not checked for reserved bits by a task switch;
 * SDM vol. 3, "Task Switching".
 */
function loadTask(cpu: Cpu, layout: TssLayout, image: TaskImage, nested: boolean): void {
  const { state } = cpu;
  const { u32 } = state;
  if (image.cr3 >= 0 && (state.cr0 & Cr0.PG) !== 0) {
    u32[CR3] = image.cr3;
    u32[CR3 + 1] = 0;
    cpu.mmu.flush(true);
  }
  const mask = layout.bytes === 2 ? LOADED_FLAGS & 0xffff : LOADED_FLAGS;
  if (layout.bytes === 2) state.flags &= 0xffff;
  writeFlags(state, image.flags | EFLAGS_FIXED | (nested ? Eflags.NT : 0), mask);
  image.registers.forEach((value, n) => state.setHalves(n * 8, value, 0));
  state.setHalves(RIP, image.ip, 0);
  state.setHalves(NEXT_RIP, image.ip, 0);
  // Selectors are visible even where their descriptors turn out to be bad.
  installNull(state, Segment.fs, 0);
  installNull(state, Segment.gs, 0);
  layout.segments.forEach(([index], i) => installNull(state, index, image.selectors[i]));
  installNull(state, Segment.ldtr, image.ldt);
  const cs = image.selectors[layout.segments.findIndex(([index]) => index === Segment.cs)];
  state.cpl = (state.flags & Eflags.VM) !== 0 ? 3 : cs & 3;
  updateMode(cpu);
}

function loadSegments(cpu: Cpu, layout: TssLayout, image: TaskImage, ext: number): void {
  const { state } = cpu;
  loadLdtOf(cpu, image.ldt, ext);
  if ((state.flags & Eflags.VM) !== 0) {
    layout.segments.forEach(([index], i) => installVirtual(state, index, image.selectors[i]));
    return;
  }
  const selectors = new Map(layout.segments.map(([index], i) => [index, image.selectors[i]]));
  loadCodeOf(cpu, selectors.get(Segment.cs)!, ext);
  loadStackOf(cpu, selectors.get(Segment.ss)!, ext);
  for (const [index, selector] of selectors) {
    if (index !== Segment.cs && index !== Segment.ss) loadDataOf(cpu, index, selector, ext);
  }
}

function loadLdtOf(cpu: Cpu, selector: number, ext: number): void {
  if (isNull(selector)) return;
  const error = selectorError(selector, ext);
  if ((selector & 4) !== 0) cpu.raise(Exception.TS, error);
  const descriptor = readDescriptor(cpu, selector, Exception.TS, ext);
  const attributes = attributesOf(descriptor);
  if ((attributes & 0x9f) !== (0x80 | SystemType.ldt)) cpu.raise(Exception.TS, error);
  installDescriptor(cpu.state, Segment.ldtr, selector, descriptor);
}

function loadCodeOf(cpu: Cpu, selector: number, ext: number): void {
  if (isNull(selector)) cpu.raise(Exception.TS, ext);
  const error = selectorError(selector, ext);
  const descriptor = readDescriptor(cpu, selector, Exception.TS, ext);
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  const rpl = selector & 3;
  if (!isCode(attributes)) cpu.raise(Exception.TS, error);
  if (isConforming(attributes) ? dpl > rpl : dpl !== rpl) cpu.raise(Exception.TS, error);
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  installDescriptor(cpu.state, Segment.cs, selector, markAccessed(cpu, descriptor));
  updateMode(cpu);
}

function loadStackOf(cpu: Cpu, selector: number, ext: number): void {
  const { cpl } = cpu.state;
  const error = selectorError(selector, ext);
  if (isNull(selector)) cpu.raise(Exception.TS, error);
  const descriptor = readDescriptor(cpu, selector, Exception.TS, ext);
  const attributes = attributesOf(descriptor);
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !isWritableData(attributes)) {
    cpu.raise(Exception.TS, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.SS, error);
  installDescriptor(cpu.state, Segment.ss, selector, markAccessed(cpu, descriptor));
}

function loadDataOf(cpu: Cpu, index: number, selector: number, ext: number): void {
  if (isNull(selector)) return;
  const error = selectorError(selector, ext);
  const descriptor = readDescriptor(cpu, selector, Exception.TS, ext);
  const attributes = attributesOf(descriptor);
  if ((attributes & 0x10) === 0 || (attributes & 0xa) === 0x8) cpu.raise(Exception.TS, error);
  const dpl = dplOf(attributes);
  if (!isConforming(attributes) && ((selector & 3) > dpl || cpu.state.cpl > dpl)) {
    cpu.raise(Exception.TS, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  installDescriptor(cpu.state, index, selector, markAccessed(cpu, descriptor));
}

function finish(cpu: Cpu, layout: TssLayout, image: TaskImage, to: TaskSwitch): void {
  const { state } = cpu;
  updateMode(cpu);
  state.status = Status.stop;
  if (image.trap) state.debugPending |= DR6_BT;
  if (to.errorCode >= 0) {
    const stack = Stack.current(cpu, to.ext);
    stack.push(layout.bytes, to.errorCode);
    stack.commit();
  }
  if (image.ip > state.u32[SEGMENT_FIELDS[Segment.cs].limit]) cpu.raise(Exception.GP, to.ext);
}

/** The EFLAGS image and return offset of a task switch by the current instruction. */
export function afterInstructionImage(cpu: Cpu): { flags: number; returnLow: number } {
  return { flags: readFlags(cpu.state), returnLow: cpu.state.low(NEXT_RIP) >>> 0 };
}
