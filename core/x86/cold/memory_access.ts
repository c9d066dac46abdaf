/**
 * Memory accesses of generated code: addresses from records, segments, the TLB's fast path, and the slow path
 * into TypeScript.
 */

import type { FunctionWriter } from "../../lib/wasm/writer.ts";
import type { Form } from "../ir/form.ts";
import type { I64, PlaceWidth, SegmentRef, Statement } from "../ir/ir.ts";
import { DATA_ENTRIES, TlbEntry } from "../paging/tlb.ts";
import { offsetOf, SEGMENT_REGISTERS } from "../state/layout.ts";
import type { ExpressionWriter } from "./expressions.ts";
import { Record } from "./record.ts";
import { CPU, pushState, RECORD, returnOnFault } from "./handler_code.ts";
import type { Runtime } from "./runtime.ts";

/** Offsets of a segment's parts from its first part. */
export const SEGMENT = {
  base: offsetOf("esBase") - offsetOf("esSelector"),
  first: offsetOf("esFirst") - offsetOf("esSelector"),
  last: offsetOf("esLast") - offsetOf("esSelector"),
  access: offsetOf("esAccess") - offsetOf("esSelector"),
} as const;

const STACK_ACCESS = 0x100;
export const ARGUMENT0 = offsetOf("argument0");
export const RESULT = offsetOf("result");

/** Loads and stores by width. */
export const LOADS: { readonly [W in PlaceWidth]: string } = {
  8: "i64.load8_u",
  16: "i64.load16_u",
  32: "i64.load32_u",
  64: "i64.load",
  128: "v128.load",
};
export const STORES: { readonly [W in PlaceWidth]: string } = {
  8: "i64.store8",
  16: "i64.store16",
  32: "i64.store32",
  64: "i64.store",
  128: "v128.store",
};

type Load = Extract<Statement, { kind: "load" }>;
type Store = Extract<Statement, { kind: "store" }>;

/**
 * With the data TLB's place on the stack: leaves the entry of `linear` in the local `entry` and pushes whether its
 * tag at `part` matches.
 */
export function pushTlbHit(
  code: FunctionWriter,
  linear: number,
  bytes: number,
  part: number,
  entry: number,
): void {
  code.get(linear);
  code.i64(BigInt(12 - TlbEntry.sizeShift));
  code.op("i64.shr_u");
  code.i64(BigInt((DATA_ENTRIES - 1) << TlbEntry.sizeShift));
  code.op("i64.and");
  code.op("i64.add");
  code.tee(entry);
  code.memory("i64.load", part);
  // The page of the last byte: an access that crosses into another page finds another tag there.
  code.get(linear);
  if (bytes > 1) {
    code.i64(BigInt(bytes - 1));
    code.op("i64.add");
  }
  code.i64(-4096n);
  code.op("i64.and");
  code.op("i64.eq");
}

/** Pushes the linear offset that `linear` has by its TLB entry. */
export function pushHostAddress(code: FunctionWriter, linear: number, entry: number): void {
  code.get(linear);
  code.get(entry);
  code.memory("i64.load", TlbEntry.addend);
  code.op("i64.add");
}

/** Writes the accesses of one handler. */
export class MemoryAccessWriter {
  constructor(
    private readonly code: FunctionWriter,
    private readonly values: ExpressionWriter,
    private readonly form: Form,
    private readonly runtime: Runtime,
  ) {}

  /** Pushes the offset that the record's addressing form gives. */
  pushAddress(): void {
    const { code } = this;
    const register = (part: number) => {
      code.get(CPU);
      code.get(RECORD);
      code.memory("i64.load16_u", part);
      code.op("i64.add");
      code.memory("i64.load", 0);
    };
    register(Record.base);
    register(Record.index);
    code.get(RECORD);
    code.memory("i64.load8_u", Record.scale);
    code.op("i64.shl");
    code.op("i64.add");
    code.get(RECORD);
    code.memory("i64.load", Record.displacement);
    code.op("i64.add");
    code.get(RECORD);
    code.memory("i64.load", Record.addressMask);
    code.op("i64.and");
  }

  /** Pushes the address of a segment's parts. */
  #pushSegment(segment: SegmentRef): void {
    const { code } = this;
    code.get(CPU);
    if (segment === "operand") {
      code.get(RECORD);
      code.memory("i64.load16_u", Record.segment);
      code.op("i64.add");
    } else {
      code.i64(
        BigInt(offsetOf(`${SEGMENT_REGISTERS[SEGMENT_REGISTERS.indexOf(segment)]}Selector`)),
      );
      code.op("i64.add");
    }
  }

  /** Leaves the linear address of an access in a local. */
  #linear(segment: SegmentRef, offset: I64, bytes: number, write: boolean): number {
    const { code, form } = this;
    const isBased = form.access === "longBased" &&
      (segment === "operand" || segment === "fs" || segment === "gs");
    if (form.access !== "checked" && !isBased) return this.values.localOf(offset);
    const parts = code.local("i64");
    this.#pushSegment(segment);
    code.set(parts);
    const at = this.values.localOf(offset);
    if (form.access === "checked") this.#checkSegment(segment, parts, at, bytes, write);
    const linear = code.local("i64");
    code.get(at);
    code.get(parts);
    code.memory("i64.load", SEGMENT.base);
    code.op("i64.add");
    if (form.access === "checked") {
      code.i64(0xffffffffn);
      code.op("i64.and");
    }
    code.set(linear);
    return linear;
  }

  #checkSegment(
    segment: SegmentRef,
    parts: number,
    at: number,
    bytes: number,
    write: boolean,
  ): void {
    const { code } = this;
    code.get(parts);
    code.memory("i32.load", SEGMENT.access);
    code.i32(write ? 2 : 1);
    code.op("i32.and");
    code.op("i32.eqz");
    code.get(at);
    code.get(parts);
    code.memory("i64.load", SEGMENT.first);
    code.op("i64.lt_u");
    code.op("i32.or");
    code.get(at);
    code.i64(BigInt(bytes - 1));
    code.op("i64.add");
    code.get(parts);
    code.memory("i64.load", SEGMENT.last);
    code.op("i64.gt_u");
    code.op("i32.or");
    code.block("if");
    pushState(code);
    this.#pushStackVector(segment);
    code.i32(0);
    code.call(this.runtime.raise);
    code.op("return");
    code.op("end");
  }

  /** Pushes 12 (#SS) for accesses through SS, else 13 (#GP). */
  #pushStackVector(segment: SegmentRef): void {
    const { code } = this;
    if (segment !== "operand") return code.i32(segment === "ss" ? 12 : 13);
    code.i32(13);
    code.get(RECORD);
    code.memory("i32.load8_u", Record.isStack);
    code.op("i32.sub");
  }

  /** Pushes the size argument of slow paths: bytes, and STACK_ACCESS for accesses through SS. */
  #pushSize(segment: SegmentRef, stack: boolean, bytes: number): void {
    const { code } = this;
    if (segment !== "operand" || stack) {
      return code.i32(bytes | (stack || segment === "ss" ? STACK_ACCESS : 0));
    }
    code.get(RECORD);
    code.memory("i64.load8_u", Record.isStack);
    code.i64(8n);
    code.op("i64.shl");
    code.op("i32.wrap_i64");
    code.i32(bytes);
    code.op("i32.or");
  }

  #pushTlbHit(linear: number, bytes: number, part: number): number {
    const { code } = this;
    const entry = code.local("i64");
    code.get(CPU);
    code.memory("i64.load", offsetOf("dataTlb"));
    pushTlbHit(code, linear, bytes, part, entry);
    return entry;
  }

  /** Emits a load, and keeps its result. */
  load({ segment, offset, width, forWrite, stack, result }: Load): void {
    const { code, runtime } = this;
    const bytes = width >> 3;
    const linear = this.#linear(segment, offset, bytes, forWrite);
    const tag = forWrite ? TlbEntry.writeTag : TlbEntry.readTag;
    const entry = this.#pushTlbHit(linear, bytes, tag);
    code.block("if", width === 128 ? "v128" : "i64");
    pushHostAddress(code, linear, entry);
    code.memory(LOADS[width], 0);
    code.op("else");
    pushState(code);
    code.get(linear);
    this.#pushSize(segment, stack, bytes);
    code.call(forWrite ? runtime.slow.readForWrite : runtime.slow.read);
    returnOnFault(code);
    code.get(CPU);
    code.memory(LOADS[width === 128 ? 128 : 64], RESULT);
    code.op("end");
    this.values.keep(result);
  }

  /** Emits a store. */
  store({ segment, offset, width, stack, value }: Store): void {
    const { code, runtime } = this;
    const bytes = width >> 3;
    const local = this.values.localOf(value);
    const linear = this.#linear(segment, offset, bytes, true);
    const entry = this.#pushTlbHit(linear, bytes, TlbEntry.writeTag);
    code.block("if");
    pushHostAddress(code, linear, entry);
    code.get(local);
    code.memory(STORES[width], 0);
    code.op("else");
    code.get(CPU);
    code.get(local);
    code.memory(STORES[width === 128 ? 128 : 64], ARGUMENT0);
    pushState(code);
    code.get(linear);
    this.#pushSize(segment, stack, bytes);
    code.call(runtime.slow.write);
    returnOnFault(code);
    code.op("end");
  }
}
