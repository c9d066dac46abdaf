/**
 * The GDT, LDT and IDT: reading descriptors, and LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR
 * (SDM vol. 2, entries of these instructions).
 */

import type { Cpu } from "../cpu.ts";
import { offsetOf, SegmentAccess } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import {
  argument,
  argumentHigh,
  isCanonical,
  linearAddress,
  readLinear,
  setResult,
  viewOf,
  writeLinear,
} from "./memory_access.ts";
import { isLong, isLongActive, isProtected } from "./mode.ts";
import {
  attributesOf,
  type Descriptor,
  installDescriptor,
  installNull,
  Segment,
  SEGMENT_FIELDS,
  segmentBase,
} from "./segment_fields.ts";

const GDTR_BASE = offsetOf("gdtrBase");
const IDTR_BASE = offsetOf("idtrBase");
const LDTR = SEGMENT_FIELDS[Segment.ldtr];

/** Types of system descriptors (SDM vol. 3, "System Descriptor Types"). */
export const SystemType = {
  availableTss16: 1,
  ldt: 2,
  busyTss16: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  availableTss32: 9,
  busyTss32: 11,
  callGate32: 12,
  interruptGate32: 14,
  trapGate32: 15,
} as const;

/** The error code that a selector makes; `ext` is the EXT bit. */
export function selectorError(selector: number, ext: number): number {
  return (selector & 0xfffc) | ext;
}

/** Whether a selector is null (index 0 of the GDT, any RPL). */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** The linear address of the descriptor that `selector` names, or `null` beyond its table's limit. */
function descriptorAddress(cpu: Cpu, selector: number, bytes: number): number | null {
  const { state } = cpu;
  const offset = selector & 0xfff8;
  if ((selector & 4) === 0) {
    if (offset + bytes - 1 > state.gdtrLimit) return null;
    return state.high(GDTR_BASE) * 0x1_0000_0000 + state.u32[GDTR_BASE >> 2] + offset;
  }
  if ((state.u32[LDTR.access] & SegmentAccess.usable) === 0) return null;
  if (offset + bytes - 1 > state.u32[LDTR.limit]) return null;
  return segmentBase(state, Segment.ldtr) + offset;
}

/**
 * Reads the descriptor that `selector` names, or returns `null` beyond its table's limit; raises page
 * faults. The selector's null test is the caller's.
 */
export function findDescriptor(cpu: Cpu, selector: number): Descriptor | null {
  const address = descriptorAddress(cpu, selector, 8);
  if (address === null) return null;
  const view = cpu.mmu.systemView;
  const low = readLinear(cpu, address, 4, view);
  return { low, high: readLinear(cpu, address + 4, 4, view), address };
}

/** As {@link findDescriptor}, but raises `vector` with the selector beyond the table's limit. */
export function readDescriptor(
  cpu: Cpu,
  selector: number,
  vector: number = Exception.GP,
  ext = 0,
): Descriptor {
  return findDescriptor(cpu, selector) ?? cpu.raise(vector, selectorError(selector, ext));
}

/** The upper half of a 16-byte system descriptor of long mode; checks limit and the zero type field. */
export function readUpperHalf(
  cpu: Cpu,
  selector: number,
  descriptor: Descriptor,
): number {
  const error = selectorError(selector, 0);
  if (descriptorAddress(cpu, selector, 16) === null) cpu.raise(Exception.GP, error);
  const view = cpu.mmu.systemView;
  const high = readLinear(cpu, descriptor.address + 8, 4, view);
  if ((readLinear(cpu, descriptor.address + 12, 4, view) & 0x1f00) !== 0) {
    cpu.raise(Exception.GP, error);
  }
  return high;
}

/** Sets the accessed bit of a code or data segment's descriptor in memory, if it is clear. */
export function markAccessed(cpu: Cpu, descriptor: Descriptor): Descriptor {
  if ((descriptor.high & 0x100) !== 0) return descriptor;
  return rewriteHigh(cpu, descriptor, (descriptor.high | 0x100) >>> 0);
}

/** Writes bits 63..32 of a descriptor back to memory. */
export function rewriteHigh(cpu: Cpu, descriptor: Descriptor, high: number): Descriptor {
  writeLinear(cpu, descriptor.address + 4, 4, high, cpu.mmu.systemView);
  return { ...descriptor, high };
}

/** Raises #GP(0) unless CPL is 0. */
export function requirePrivilege(cpu: Cpu): void {
  if (cpu.state.cpl !== 0) cpu.raise(Exception.GP, 0);
}

/** Raises #UD in real and virtual-8086 mode. */
export function requireProtected(cpu: Cpu): void {
  if (!isProtected(cpu)) cpu.raise(Exception.UD);
}

/** LLDT: argument 0 is the selector. */
export function loadLdt(cpu: Cpu): void {
  requireProtected(cpu);
  requirePrivilege(cpu);
  const selector = argument(cpu, 0) & 0xffff;
  if (isNull(selector)) {
    installNull(cpu.state, Segment.ldtr, selector);
    return;
  }
  const error = selectorError(selector, 0);
  if ((selector & 4) !== 0) cpu.raise(Exception.GP, error);
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  if ((attributes & 0x1f) !== SystemType.ldt) cpu.raise(Exception.GP, error);
  installSystem(cpu, Segment.ldtr, selector, descriptor);
}

/** LTR: argument 0 is the selector. */
export function loadTaskRegister(cpu: Cpu): void {
  requireProtected(cpu);
  requirePrivilege(cpu);
  const selector = argument(cpu, 0) & 0xffff;
  if (isNull(selector)) cpu.raise(Exception.GP, 0);
  const error = selectorError(selector, 0);
  if ((selector & 4) !== 0) cpu.raise(Exception.GP, error);
  const descriptor = readDescriptor(cpu, selector);
  const type = attributesOf(descriptor) & 0x1f;
  const fits = type === SystemType.availableTss32 ||
    (type === SystemType.availableTss16 && !isLongActive(cpu));
  if (!fits) cpu.raise(Exception.GP, error);
  installSystem(cpu, Segment.tr, selector, descriptor);
}

/** Loads LDTR or TR after the checks of type; marks a TSS busy. */
function installSystem(
  cpu: Cpu,
  index: number,
  selector: number,
  descriptor: Descriptor,
): void {
  const { state } = cpu;
  if ((attributesOf(descriptor) & 0x80) === 0) {
    cpu.raise(Exception.NP, selectorError(selector, 0));
  }
  let baseHigh = 0;
  if (isLongActive(cpu)) {
    baseHigh = readUpperHalf(cpu, selector, descriptor);
    if (!isCanonical(baseHigh)) cpu.raise(Exception.GP, selectorError(selector, 0));
  }
  const loaded = index === Segment.tr
    ? rewriteHigh(cpu, descriptor, (descriptor.high | 0x200) >>> 0)
    : descriptor;
  installDescriptor(state, index, selector, loaded);
  state.u32[SEGMENT_FIELDS[index].base + 1] = baseHigh;
}

/** SLDT: the result is the selector. */
export function storeLdt(cpu: Cpu): void {
  requireProtected(cpu);
  setResult(cpu, cpu.state.u32[LDTR.selector]);
}

/** STR: the result is the selector. */
export function storeTaskRegister(cpu: Cpu): void {
  requireProtected(cpu);
  setResult(cpu, cpu.state.u32[SEGMENT_FIELDS[Segment.tr].selector]);
}

/** LGDT: arguments are segment and offset of the operand, and the operand size in bits. */
export function loadGdtRegister(cpu: Cpu): void {
  loadTableRegister(cpu, "gdtrLimit", GDTR_BASE);
}

/** LIDT: arguments as of LGDT. */
export function loadIdtRegister(cpu: Cpu): void {
  loadTableRegister(cpu, "idtrLimit", IDTR_BASE);
}

/** SGDT: arguments are segment and offset of the operand. */
export function storeGdtRegister(cpu: Cpu): void {
  storeTableRegister(cpu, "gdtrLimit", GDTR_BASE);
}

/** SIDT: arguments as of SGDT. */
export function storeIdtRegister(cpu: Cpu): void {
  storeTableRegister(cpu, "idtrLimit", IDTR_BASE);
}

function loadTableRegister(cpu: Cpu, limit: "gdtrLimit" | "idtrLimit", base: number): void {
  const { state } = cpu;
  if ((state.flags & Eflags.VM) !== 0) cpu.raise(Exception.GP, 0);
  requirePrivilege(cpu);
  const long = isLong(cpu);
  const address = operandAddress(cpu, long ? 10 : 6, false);
  const view = viewOf(cpu, state.cpl);
  const newLimit = readLinear(cpu, address, 2, view);
  let low = readLinear(cpu, address + 2, 4, view);
  const high = long ? readLinear(cpu, address + 6, 4, view) : 0;
  if (!isCanonical(high)) cpu.raise(Exception.GP, 0);
  if (!long && argument(cpu, 2) === 16) low &= 0xffffff;
  state[limit] = newLimit;
  state.setHalves(base, low, high);
}

function storeTableRegister(cpu: Cpu, limit: "gdtrLimit" | "idtrLimit", base: number): void {
  const { state } = cpu;
  const long = isLong(cpu);
  const address = operandAddress(cpu, long ? 10 : 6, true);
  const view = viewOf(cpu, state.cpl);
  writeLinear(cpu, address + 2, 4, state.low(base), view);
  if (long) writeLinear(cpu, address + 6, 4, state.high(base), view);
  writeLinear(cpu, address, 2, state[limit], view);
}

function operandAddress(cpu: Cpu, bytes: number, write: boolean): number {
  return linearAddress(cpu, argument(cpu, 0), argument(cpu, 1), argumentHigh(cpu, 1), bytes, write);
}
