/**
 * Memory as system code sees it: linear addresses as numbers, faults as {@link GUEST_FAULT}.
 *
 * A linear address is a number: 0 to 2^32 - 1 outside long mode; in long mode the 64-bit address
 * sign-extended, which is exact for canonical addresses.
 */

import { type Cpu, GUEST_FAULT } from "../cpu.ts";
import { Access } from "../paging/mmu.ts";
import { View } from "../paging/tlb.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";
import { Cr4, Efer, Eflags, Exception } from "../state/bits.ts";
import { ModeKey } from "./mode.ts";
import { Segment, SEGMENT_FIELDS, segmentBase } from "./segment_fields.ts";

const TWO_32 = 0x1_0000_0000;
/** Canonical addresses lie from -2^47 to 2^47 - 1. */
const CANONICAL_END = 2 ** 47;

/** Arguments of a system function, as byte offsets into the state. */
export const ARGUMENTS: readonly number[] = [
  offsetOf("argument0"),
  offsetOf("argument1"),
  offsetOf("argument2"),
  offsetOf("argument3"),
];
const RESULT = offsetOf("result");

/** The low 32 bits of argument `n`, unsigned. */
export function argument(cpu: Cpu, n: 0 | 1 | 2 | 3): number {
  return cpu.state.u32[ARGUMENTS[n] >> 2];
}

/** Bits 63..32 of argument `n`, unsigned. */
export function argumentHigh(cpu: Cpu, n: 0 | 1 | 2 | 3): number {
  return cpu.state.u32[(ARGUMENTS[n] >> 2) + 1];
}

/** Sets the result, 64 bits in halves; the upper 64 bits of the field become zero. */
export function setResult(cpu: Cpu, low: number, high = 0): void {
  const { u32 } = cpu.state;
  const at = RESULT >> 2;
  u32[at] = low;
  u32[at + 1] = high;
  u32[at + 2] = u32[at + 3] = 0;
}

/** The number that the halves of a 64-bit address stand for. */
export function linear(low: number, high: number): number {
  return (high | 0) * TWO_32 + (low >>> 0);
}

/** Bits 63..32 of a linear address, signed. */
export function highHalf(address: number): number {
  return Math.floor(address / TWO_32) | 0;
}

/** Whether the address whose bits 63..32 are `high` is canonical: bits 63..47 are equal. */
export function isCanonical(high: number): boolean {
  return (high << 16) >> 16 === (high | 0);
}

/** Whether all `bytes` bytes from a linear address are canonical. */
export function isCanonicalRange(address: number, bytes: number): boolean {
  return address >= -CANONICAL_END && address + bytes <= CANONICAL_END;
}

/** Reads 1, 2 or 4 bytes through `view`; raises what the access raises. */
export function readLinear(cpu: Cpu, address: number, size: 1 | 2 | 4, view: number): number {
  const high = (cpu.state.efer & Efer.LMA) !== 0 ? Math.floor(address / TWO_32) : 0;
  const value = cpu.mmu.readSystem(address | 0, high, size, view);
  if (value < 0) throw GUEST_FAULT;
  return value;
}

/** Writes 1, 2 or 4 bytes through `view`; raises what the access raises. */
export function writeLinear(
  cpu: Cpu,
  address: number,
  size: 1 | 2 | 4,
  value: number,
  view: number,
): void {
  const high = (cpu.state.efer & Efer.LMA) !== 0 ? Math.floor(address / TWO_32) : 0;
  if (!cpu.mmu.writeSystem(address | 0, high, size, value, view)) throw GUEST_FAULT;
}

/** Raises what an access to any of `bytes` bytes (at most a page) from `address` would raise. */
export function probeLinear(
  cpu: Cpu,
  address: number,
  bytes: number,
  write: boolean,
  view: number,
): void {
  const access = write ? Access.write : Access.read;
  const lma = (cpu.state.efer & Efer.LMA) !== 0;
  const { mmu } = cpu;
  if (mmu.translate(address | 0, lma ? highHalf(address) : 0, access, view) < 0) throw GUEST_FAULT;
  const last = address + bytes - 1;
  if (((address ^ last) & 0xfffff000) === 0) return;
  const page = last - (last >>> 0) % 4096;
  if (mmu.translate(page | 0, lma ? highHalf(page) : 0, access, view) < 0) throw GUEST_FAULT;
}

/** The view of explicit accesses at privilege level `cpl`. */
export function viewOf(cpu: Cpu, cpl: number): number {
  if (cpl === 3) return View.user;
  const { state } = cpu;
  return (state.cr4 & Cr4.SMAP) !== 0 && (state.flags & Eflags.AC) === 0
    ? View.supervisorSmap
    : View.supervisor;
}

/**
 * The linear address of `bytes` bytes at an offset (in halves) in a segment, after the checks of an
 * ordinary access: limit and type outside 64-bit mode, canonical form in it. Raises #SS(0) or #GP(0).
 */
export function linearAddress(
  cpu: Cpu,
  segment: number,
  low: number,
  high: number,
  bytes: number,
  write: boolean,
): number {
  const { state } = cpu;
  const vector = segment === Segment.ss ? Exception.SS : Exception.GP;
  if ((state.modeKey & ModeKey.long) !== 0) {
    let address = linear(low, high);
    if (!isCanonicalRange(address, bytes)) cpu.raise(vector, 0);
    if (segment >= Segment.fs) address += segmentBase(state, segment);
    if (!isCanonicalRange(address, bytes)) cpu.raise(vector, 0);
    return address;
  }
  const fields = SEGMENT_FIELDS[segment];
  const { u32 } = state;
  const offset = low >>> 0;
  if (
    (u32[fields.access] & (write ? 2 : 1)) === 0 || u32[fields.first + 1] !== 0 ||
    offset < u32[fields.first] || offset + bytes - 1 > u32[fields.last]
  ) cpu.raise(vector, 0);
  return (u32[fields.base] + offset) >>> 0;
}

/** The number of a general register that holds an address, sign-extended from 64 bits. */
export function registerNumber(state: CpuState, offset: number): number {
  return state.high(offset) * TWO_32 + (state.low(offset) >>> 0);
}
