/** Loading ES, SS, DS, FS and GS: MOV, POP, LDS and its like (SDM vol. 2, "MOV", "LDS/LES/LFS/LGS/LSS"). */

import type { Cpu } from "../cpu.ts";
import { Inhibit, offsetOf, Status } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import { isNull, markAccessed, readDescriptor, selectorError } from "./descriptor_tables.ts";
import { argument } from "./memory_access.ts";
import { isLong, updateLevel } from "./mode.ts";
import {
  attributesOf,
  dplOf,
  installDescriptor,
  installNull,
  installReal,
  installVirtual,
  isConforming,
  isWritableData,
  Segment,
  SEGMENT_FIELDS,
} from "./segment_fields.ts";

const CPL = offsetOf("cpl") >> 2;

/** MOV or POP to a segment register: arguments are its number and the selector. SS starts a shadow. */
export function loadSegmentWithShadow(cpu: Cpu): void {
  const index = argument(cpu, 0);
  loadSegment(cpu, index, argument(cpu, 1) & 0xffff);
  if (index === Segment.ss) {
    cpu.state.inhibit = Inhibit.movSs;
    cpu.state.status = Status.stop;
  }
}

/** LDS, LES, LSS, LFS, LGS: arguments are the register's number and the selector. */
export function loadFarSegment(cpu: Cpu): void {
  loadSegment(cpu, argument(cpu, 0), argument(cpu, 1) & 0xffff);
}

/** Loads a data or stack segment register in any mode; raises what the load raises. */
export function loadSegment(cpu: Cpu, index: number, selector: number): void {
  const { state } = cpu;
  if (index === Segment.cs || index > Segment.gs) cpu.raise(Exception.UD);
  if ((state.cr0 & 1) === 0) installReal(state, index, selector);
  else if ((state.flags & Eflags.VM) !== 0) installVirtual(state, index, selector);
  else if (index === Segment.ss) loadStackSegment(cpu, selector);
  else loadDataSegment(cpu, index, selector);
  // The mode key says whether segments are flat; FS and GS take no part in it.
  if (index < Segment.fs) updateLevel(cpu);
}

function loadStackSegment(cpu: Cpu, selector: number): void {
  const { state } = cpu;
  const { cpl } = state;
  if (isNull(selector)) {
    if (!isLong(cpu) || cpl === 3 || (selector & 3) !== cpl) cpu.raise(Exception.GP, 0);
    installNull(state, Segment.ss, selector, cpl << 5);
    return;
  }
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const error = selectorError(selector, 0);
  if ((selector & 3) !== cpl || !isWritableData(attributes) || dplOf(attributes) !== cpl) {
    cpu.raise(Exception.GP, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.SS, error);
  installDescriptor(state, Segment.ss, selector, markAccessed(cpu, descriptor));
}

/**
 * @deviation A null selector clears the segment's base on AMD models too, where AMD keeps it; AMD APM vol. 2, "FS
 * and GS Registers in 64-Bit Mode".
 */
function loadDataSegment(cpu: Cpu, index: number, selector: number): void {
  const { state } = cpu;
  if (isNull(selector)) {
    installNull(state, index, selector);
    return;
  }
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const error = selectorError(selector, 0);
  // Data, or readable code.
  if ((attributes & 0x10) === 0 || (attributes & 0xa) === 0x8) cpu.raise(Exception.GP, error);
  if (!isConforming(attributes)) {
    const dpl = dplOf(attributes);
    if ((selector & 3) > dpl || state.cpl > dpl) cpu.raise(Exception.GP, error);
  }
  if ((attributes & 0x80) === 0) cpu.raise(Exception.NP, error);
  installDescriptor(state, index, selector, markAccessed(cpu, descriptor));
}

/** After a return to an outer level: drops data segments which the new CPL may not use. */
export function dropInnerSegments(cpu: Cpu): void {
  dropInnerSegment(cpu, Segment.es);
  dropInnerSegment(cpu, Segment.ds);
  dropInnerSegment(cpu, Segment.fs);
  dropInnerSegment(cpu, Segment.gs);
}

function dropInnerSegment({ state }: Cpu, index: number): void {
  const { u32 } = state;
  const fields = SEGMENT_FIELDS[index];
  const attributes = u32[fields.attributes];
  if (u32[fields.access] === 0) {
    // A null selector loses its RPL too.
    u32[fields.selector] = 0;
  } else if (!isConforming(attributes) && dplOf(attributes) < u32[CPL]) {
    installNull(state, index, 0);
  }
}
