/**
 * A stack that system code pushes to or pops from. The stack pointer of the CPU changes on
 * {@link Stack.commit} only, so that a fault midway leaves it as it was.
 */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Exception } from "../state/bits.ts";
import {
  highHalf,
  isCanonicalRange,
  readLinear,
  registerNumber,
  viewOf,
  writeLinear,
} from "./memory_access.ts";
import { isLong } from "./mode.ts";
import {
  attributesOf,
  baseOf,
  type Descriptor,
  limitOf,
  Segment,
  SEGMENT_FIELDS,
  segmentBase,
} from "./segment_fields.ts";

const RSP = offsetOf("rsp");

/** Bytes of one pushed item. */
export type ItemBytes = 2 | 4 | 8;

/** One stack, current or about to become so. */
export class Stack {
  /** Bits 63..32 of what {@link pop} returned last, signed. */
  high = 0;

  /** `error` is the error code of the #SS that a bad access raises. */
  constructor(
    readonly cpu: Cpu,
    /** The stack pointer: a linear address in 64-bit mode, else an unsigned offset. */
    public pointer: number,
    readonly base: number,
    readonly width: 16 | 32 | 64,
    readonly first: number,
    readonly last: number,
    readonly view: number,
    readonly error: number,
  ) {}

  /** The stack in use. */
  static current(cpu: Cpu, error = 0): Stack {
    const { state } = cpu;
    const { u32 } = state;
    const view = viewOf(cpu, state.cpl);
    if (isLong(cpu)) return Stack.flat64(cpu, registerNumber(state, RSP), view, error);
    const fields = SEGMENT_FIELDS[Segment.ss];
    const width = (u32[fields.attributes] & Attribute.big) !== 0 ? 32 : 16;
    const first = u32[fields.first] + u32[fields.first + 1] * 0x1_0000_0000;
    const pointer = u32[RSP >> 2];
    const base = segmentBase(state, Segment.ss);
    return new Stack(cpu, pointer, base, width, first, u32[fields.last], view, error);
  }

  /** A stack in 64-bit mode. */
  static flat64(cpu: Cpu, pointer: number, view: number, error: number): Stack {
    return new Stack(cpu, pointer, 0, 64, 0, 0, view, error);
  }

  /** The stack that a writable data segment holds, for privilege level `cpl`. */
  static inSegment(
    cpu: Cpu,
    descriptor: Descriptor,
    pointer: number,
    cpl: number,
    error: number,
  ): Stack {
    const attributes = attributesOf(descriptor);
    const big = (attributes & Attribute.big) !== 0;
    const down = (attributes & Attribute.expandDownOrConforming) !== 0;
    const limit = limitOf(descriptor);
    const first = down ? limit + 1 : 0;
    const last = down ? (big ? 0xffffffff : 0xffff) : limit;
    const view = viewOf(cpu, cpl);
    return new Stack(cpu, pointer, baseOf(descriptor), big ? 32 : 16, first, last, view, error);
  }

  push(bytes: ItemBytes, low: number, high = 0): void {
    this.#move(-bytes);
    const at = this.#check(bytes);
    if (bytes === 8) {
      writeLinear(this.cpu, at, 4, low, this.view);
      writeLinear(this.cpu, at + 4, 4, high, this.view);
    } else writeLinear(this.cpu, at, bytes, low, this.view);
  }

  /** Returns the low 32 bits, unsigned; the others are in {@link high}. */
  pop(bytes: ItemBytes): number {
    const at = this.#check(bytes);
    this.#move(bytes);
    if (bytes !== 8) {
      this.high = 0;
      return readLinear(this.cpu, at, bytes, this.view);
    }
    this.high = readLinear(this.cpu, at + 4, 4, this.view) | 0;
    return readLinear(this.cpu, at, 4, this.view);
  }

  /** Moves the stack pointer up by `bytes` without reading. */
  skip(bytes: number): void {
    this.#move(bytes);
  }

  /** Makes the pointer that of the CPU; of a 16-bit stack only its low half. */
  commit(): void {
    const { state } = this.cpu;
    if (this.width === 64) state.setHalves(RSP, this.pointer | 0, highHalf(this.pointer));
    else if (this.width === 32) state.setHalves(RSP, this.pointer, 0);
    else state.u16[RSP >> 1] = this.pointer;
  }

  #move(bytes: number): void {
    const pointer = this.pointer + bytes;
    if (this.width === 64) this.pointer = pointer;
    else if (this.width === 32) this.pointer = pointer >>> 0;
    else this.pointer = ((this.pointer & 0xffff0000) | (pointer & 0xffff)) >>> 0;
  }

  /** The linear address of the item that the pointer points to; raises #SS unless it is valid. */
  #check(bytes: number): number {
    if (this.width === 64) {
      if (!isCanonicalRange(this.pointer, bytes)) this.cpu.raise(Exception.SS, this.error);
      return this.pointer;
    }
    const offset = this.width === 32 ? this.pointer : this.pointer & 0xffff;
    if (offset < this.first || offset + bytes - 1 > this.last) {
      this.cpu.raise(Exception.SS, this.error);
    }
    return (this.base + offset) >>> 0;
  }
}
