/**
 * Segment registers by number: where their parts lie in the CPU state, and how a descriptor fills them.
 *
 * Bounds are kept as the first and last valid offset, so that an engine needs no case for
 * expand-down segments (SDM vol. 3, "Segment Descriptors").
 */

import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf, SEGMENT_REGISTERS, SegmentAccess } from "../state/layout.ts";
import { Attribute } from "../state/bits.ts";

/** Numbers of the segment registers: encodings, then the two system segments. */
export const Segment = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;

/** Where one segment register's parts lie, as indexes into `state.u32`; 64-bit parts take two words. */
export interface SegmentFields {
  readonly selector: number;
  readonly attributes: number;
  readonly base: number;
  readonly first: number;
  readonly last: number;
  readonly limit: number;
  readonly access: number;
}

/** The parts of each segment register, by {@link Segment} number. */
export const SEGMENT_FIELDS: readonly SegmentFields[] = SEGMENT_REGISTERS.map((name) => ({
  selector: offsetOf(`${name}Selector`) >> 2,
  attributes: offsetOf(`${name}Attributes`) >> 2,
  base: offsetOf(`${name}Base`) >> 2,
  first: offsetOf(`${name}First`) >> 2,
  last: offsetOf(`${name}Last`) >> 2,
  limit: offsetOf(`${name}Limit`) >> 2,
  access: offsetOf(`${name}Access`) >> 2,
}));

/** A segment descriptor as two words, and where it came from (SDM vol. 3, "Segment Descriptors"). */
export interface Descriptor {
  /** Bits 31..0, unsigned. */
  readonly low: number;
  /** Bits 63..32, unsigned. */
  readonly high: number;
  /** Linear address of the descriptor. */
  readonly address: number;
}

/** Attributes (see layout.ts) of a descriptor. */
export function attributesOf(descriptor: Descriptor): number {
  return (descriptor.high >>> 8) & 0xf0ff;
}

/** Privilege level of a descriptor or of attributes. */
export function dplOf(attributes: number): number {
  return (attributes >>> 5) & 3;
}

/** Limit in bytes of a descriptor, scaled by G. */
export function limitOf(descriptor: Descriptor): number {
  const raw = (descriptor.low & 0xffff) | (descriptor.high & 0xf0000);
  return (descriptor.high & 0x800000) === 0 ? raw : ((raw << 12) | 0xfff) >>> 0;
}

/** Base address of a descriptor, bits 31..0, unsigned. */
export function baseOf(descriptor: Descriptor): number {
  return ((descriptor.low >>> 16) | ((descriptor.high & 0xff) << 16) |
    (descriptor.high & 0xff000000)) >>> 0;
}

/** Whether attributes are those of a code segment. */
export function isCode(attributes: number): boolean {
  return (attributes & (Attribute.codeOrData | Attribute.code)) === 0x18;
}

/** Whether attributes are those of a conforming code segment. */
export function isConforming(attributes: number): boolean {
  return (attributes & 0x1c) === 0x1c;
}

/** Whether attributes are those of a writable data segment. */
export function isWritableData(attributes: number): boolean {
  return (attributes & 0x1a) === 0x12;
}

/** Linear base address of a segment register, as a number: sign-extended where it has 64 bits. */
export function segmentBase(state: CpuState, index: number): number {
  const at = SEGMENT_FIELDS[index].base;
  return state.i32[at + 1] * 0x1_0000_0000 + state.u32[at];
}

/** Fills a segment register from a code, data, LDT or TSS descriptor that passed its checks. */
export function installDescriptor(
  state: CpuState,
  index: number,
  selector: number,
  descriptor: Descriptor,
): void {
  const { u32 } = state;
  const fields = SEGMENT_FIELDS[index];
  u32[fields.selector] = selector;
  u32[fields.base] = baseOf(descriptor);
  u32[fields.base + 1] = 0;
  setBounds(state, index, attributesOf(descriptor), limitOf(descriptor));
}

/** Sets attributes and limit of a segment register and all that follows from them. */
export function setBounds(
  state: CpuState,
  index: number,
  attributes: number,
  limit: number,
): void {
  const { u32 } = state;
  const fields = SEGMENT_FIELDS[index];
  u32[fields.attributes] = attributes;
  u32[fields.limit] = limit;
  let first = 0;
  let last = limit;
  let access: number = SegmentAccess.usable;
  if ((attributes & Attribute.codeOrData) !== 0) {
    if ((attributes & Attribute.code) !== 0) {
      if ((attributes & Attribute.readWrite) !== 0) access |= SegmentAccess.readable;
    } else {
      access |= SegmentAccess.readable;
      if ((attributes & Attribute.readWrite) !== 0) access |= SegmentAccess.writable;
      if ((attributes & Attribute.expandDownOrConforming) !== 0) {
        // With a limit of 4 GiB - 1 nothing is valid, and the first offset does not fit 32 bits.
        first = limit + 1;
        last = (attributes & Attribute.big) !== 0 ? 0xffffffff : 0xffff;
      }
    }
  }
  u32[fields.first] = first;
  u32[fields.first + 1] = first > 0xffffffff ? 1 : 0;
  u32[fields.last] = last;
  u32[fields.last + 1] = 0;
  u32[fields.access] = access;
}

/** Makes a segment register null: no offset is valid. `attributes` matter for SS only (its DPL). */
export function installNull(
  state: CpuState,
  index: number,
  selector: number,
  attributes = 0,
): void {
  const { u32 } = state;
  const fields = SEGMENT_FIELDS[index];
  u32[fields.selector] = selector;
  u32[fields.attributes] = attributes;
  u32[fields.base] = u32[fields.base + 1] = 0;
  u32[fields.limit] = 0;
  u32[fields.first] = 1;
  u32[fields.first + 1] = u32[fields.last] = u32[fields.last + 1] = 0;
  u32[fields.access] = 0;
}

/**
 * Loads a segment register as real mode does: base and type change, limit and size stay (SDM vol. 3,
 * "Switching Back to Real-Address Mode": they keep what protected mode left).
 */
export function installReal(state: CpuState, index: number, selector: number): void {
  const { u32 } = state;
  const fields = SEGMENT_FIELDS[index];
  u32[fields.selector] = selector;
  u32[fields.base] = selector << 4;
  u32[fields.base + 1] = 0;
  const kept = u32[fields.attributes] & (Attribute.big | Attribute.granularity);
  setBounds(state, index, 0x93 | kept, u32[fields.limit]);
}

/** Loads a segment register as virtual-8086 mode does (SDM vol. 3, "8086 Emulation"). */
export function installVirtual(state: CpuState, index: number, selector: number): void {
  const { u32 } = state;
  const fields = SEGMENT_FIELDS[index];
  u32[fields.selector] = selector;
  u32[fields.base] = selector << 4;
  u32[fields.base + 1] = 0;
  setBounds(state, index, 0xf3, 0xffff);
}
