/** LAR, LSL, VERR, VERW and ARPL: they set ZF and never fault on a bad selector (SDM vol. 2). */

import type { Cpu } from "../cpu.ts";
import { findDescriptor, isNull, requireProtected } from "./descriptor_tables.ts";
import { writeZeroFlag } from "./flags_image.ts";
import { argument, setResult } from "./memory_access.ts";
import { isLongActive } from "./mode.ts";
import { attributesOf, type Descriptor, dplOf, isConforming, limitOf } from "./segment_fields.ts";

/** System types of which LAR and LSL speak, as bit masks; long mode has fewer. */
const LAR_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 9) | (1 << 11) |
  (1 << 12);
const LAR_TYPES_LONG = (1 << 2) | (1 << 9) | (1 << 11) | (1 << 12);
const LSL_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 11);
const LSL_TYPES_LONG = (1 << 2) | (1 << 9) | (1 << 11);

/** The descriptor of `selector` if the present CPL and the selector's RPL may see it, else `null`. */
function visible(cpu: Cpu, selector: number): Descriptor | null {
  if (isNull(selector)) return null;
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === null) return null;
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  if (isConforming(attributes)) return descriptor;
  return cpu.state.cpl <= dpl && (selector & 3) <= dpl ? descriptor : null;
}

function hasType(cpu: Cpu, attributes: number, types: number, longTypes: number): boolean {
  if ((attributes & 0x10) !== 0) return true;
  return (((isLongActive(cpu) ? longTypes : types) >>> (attributes & 15)) & 1) !== 0;
}

/** LAR: argument 0 is the selector; the result is the access rights, and ZF says whether there are any. */
export function loadAccessRights(cpu: Cpu): void {
  requireProtected(cpu);
  const descriptor = visible(cpu, argument(cpu, 0) & 0xffff);
  const found = descriptor !== null &&
    hasType(cpu, attributesOf(descriptor), LAR_TYPES, LAR_TYPES_LONG);
  writeZeroFlag(cpu.state, found);
  setResult(cpu, found ? descriptor.high & 0x00f0ff00 : 0);
}

/** LSL: argument 0 is the selector; the result is the limit, and ZF says whether there is one. */
export function loadSegmentLimit(cpu: Cpu): void {
  requireProtected(cpu);
  const descriptor = visible(cpu, argument(cpu, 0) & 0xffff);
  const found = descriptor !== null &&
    hasType(cpu, attributesOf(descriptor), LSL_TYPES, LSL_TYPES_LONG);
  writeZeroFlag(cpu.state, found);
  setResult(cpu, found ? limitOf(descriptor) : 0);
}

/** VERR: argument 0 is the selector. */
export function verifyReadable(cpu: Cpu): void {
  requireProtected(cpu);
  const descriptor = visible(cpu, argument(cpu, 0) & 0xffff);
  const attributes = descriptor === null ? 0 : attributesOf(descriptor);
  // Data, or readable code.
  writeZeroFlag(cpu.state, (attributes & 0x10) !== 0 && (attributes & 0xa) !== 0x8);
}

/** VERW: argument 0 is the selector. */
export function verifyWritable(cpu: Cpu): void {
  requireProtected(cpu);
  const descriptor = visible(cpu, argument(cpu, 0) & 0xffff);
  const attributes = descriptor === null ? 0 : attributesOf(descriptor);
  writeZeroFlag(cpu.state, (attributes & 0x1a) === 0x12);
}

/**
 * ARPL: arguments are destination and source selector; the result is the destination to write. ZF, which is set if
 * that is another one, waits for the write.
 */
export function adjustRequestedLevel(cpu: Cpu): void {
  requireProtected(cpu);
  const destination = argument(cpu, 0) & 0xffff;
  const rpl = argument(cpu, 1) & 3;
  const raised = (destination & 3) < rpl;
  setResult(cpu, raised ? (destination & 0xfffc) | rpl : destination);
}
