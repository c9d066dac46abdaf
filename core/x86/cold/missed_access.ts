/**
 * Accesses whose fast path failed, as far as they need no TypeScript: after a TLB miss whose translation is found in page
 * tables in RAM; and on a page whose stores take the slow path only because it holds code: they drop the blocks that they
 * change, where nobody else must be told, or else touch none of its code lines.
 */

import type { FunctionWriter } from "../../lib/wasm/writer.ts";
import { CODE_LINE_SHIFT, CODE_LINES_BYTES_PER_PAGE } from "../../memory/code_lines.ts";
import { SLOW_TAG, TlbBits, TlbEntry } from "../paging/tlb.ts";
import { translationEntry } from "../quick/quick_functions.ts";
import { Translated } from "../quick/translation.ts";
import { offsetOf } from "../state/layout.ts";
import { pushTlbEntry } from "./handler_code.ts";
import { FIRST_QUICK_ENTRY, QuickBlocksEntry } from "./record.ts";

/** Parameters of the function that is written. */
const CPU = 0;
const RECORD = 1;
const BUDGET = 2;

/** The slow paths: a load, the load of a read-modify-write, a store. */
export type MissedAccess = "read" | "readForWrite" | "write";

/** What the function that is written knows. */
export interface MissedContext {
  /** Locals: the linear address, and the bytes in its low 8 bits. */
  readonly linear: number;
  readonly size: number;
  /** The function that completes the state. */
  readonly sync: number;
  /** Type of a translation. */
  readonly translateType: number;
  /** As {@link MachineMemory.codeLinesOfPage0}. */
  readonly codeLinesOfPage0: number;
  /** Type of the function that drops the blocks which a store changes; -1 where TypeScript does. */
  readonly dropType: number;
}

/** Locals: linear offset of the accessed bytes, and their number. */
interface Place {
  readonly host: number;
  readonly bytes: number;
}

const WIDTHS = [
  { bytes: 4, load: "i64.load32_u", store: "i64.store32", value: "i64.load" },
  { bytes: 8, load: "i64.load", store: "i64.store", value: "i64.load" },
  { bytes: 2, load: "i64.load16_u", store: "i64.store16", value: "i64.load" },
  { bytes: 1, load: "i64.load8_u", store: "i64.store8", value: "i64.load" },
] as const;
const WIDEST = { bytes: 16, load: "v128.load", store: "v128.store", value: "v128.load" } as const;

/**
 * Does the access, between the state's `argument0` or `result` and memory, and returns 1; returns 0 with #PF pending;
 * or goes on behind what is written, having changed nothing but the TLB.
 */
export function writeMissedAccess(
  code: FunctionWriter,
  access: MissedAccess,
  context: MissedContext,
): void {
  const entry = code.local("i64");
  const lastPage = code.local("i64");
  const tag = code.local("i64");
  const place: Place = { host: code.local("i64"), bytes: code.local("i64") };
  const move = access === "write" ? storeArgument : loadResult;
  code.block("block");
  findEntry(code, context, entry, lastPage, place.bytes);
  translate(code, access, context);
  code.get(entry);
  code.memory("i64.load", access === "read" ? TlbEntry.readTag : TlbEntry.writeTag);
  code.set(tag);
  code.get(context.linear);
  code.get(entry);
  code.memory("i64.load", TlbEntry.addend);
  code.op("i64.add");
  code.set(place.host);
  code.get(tag);
  code.get(lastPage);
  code.op("i64.eq");
  code.block("if");
  move(code, place);
  code.op("end");
  if (access !== "read") {
    requireCodePage(code, entry, tag, lastPage);
    if (access === "write") passCode(code, place, context);
    move(code, place);
  }
  code.op("end");
}

/** Finds the data TLB's entry; branches out by depth 0 unless the bytes lie within one page. */
function findEntry(
  code: FunctionWriter,
  { linear, size }: MissedContext,
  entry: number,
  lastPage: number,
  bytes: number,
): void {
  code.get(size);
  code.op("i64.extend_i32_u");
  code.i64(0xffn);
  code.op("i64.and");
  code.set(bytes);
  code.get(linear);
  code.get(bytes);
  code.op("i64.add");
  code.i64(1n);
  code.op("i64.sub");
  code.i64(-4096n);
  code.op("i64.and");
  code.tee(lastPage);
  code.get(linear);
  code.i64(-4096n);
  code.op("i64.and");
  code.op("i64.ne");
  code.branchIf(0);
  pushTlbEntry(code, "dataTlb", linear);
  code.set(entry);
}

/** Tries to have the page's translation entered; returns 0 if that raised #PF. */
function translate(
  code: FunctionWriter,
  access: MissedAccess,
  { linear, sync, translateType }: MissedContext,
): void {
  code.get(CPU);
  code.get(linear);
  code.i32(FIRST_QUICK_ENTRY + translationEntry(access === "read" ? "read" : "write"));
  code.callIndirect(translateType);
  code.i32(Translated.fault);
  code.op("i32.eq");
  code.block("if");
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.call(sync);
  code.i32(0);
  code.op("return");
  code.op("end");
}

/** Branches out by depth 0 unless the page is slow for its code alone. */
function requireCodePage(
  code: FunctionWriter,
  entry: number,
  tag: number,
  lastPage: number,
): void {
  code.get(entry);
  code.memory("i32.load", TlbEntry.bits);
  code.i32(TlbBits.holdsCode);
  code.op("i32.and");
  code.op("i32.eqz");
  code.branchIf(0);
  code.get(lastPage);
  code.i64(BigInt(SLOW_TAG));
  code.op("i64.or");
  code.get(tag);
  code.op("i64.ne");
  code.branchIf(0);
}

/** Drops the blocks that a store of other bytes than are there changes; or branches out by depth 0 where TypeScript must. */
function passCode(code: FunctionWriter, place: Place, context: MissedContext): void {
  const { host, bytes } = place;
  const { codeLinesOfPage0, dropType } = context;
  const lines = code.local("i64");
  code.get(host);
  code.i64(12n);
  code.op("i64.shr_u");
  code.i64(BigInt(CODE_LINES_BYTES_PER_PAGE));
  code.op("i64.mul");
  code.i64(BigInt(codeLinesOfPage0));
  code.op("i64.add");
  code.memory("i64.load", 0);
  code.tee(lines);
  // Without any code the watch must end at last, which TypeScript decides.
  code.op("i64.eqz");
  code.branchIf(0);
  // Shifts take their count modulo 64, the lines in a page.
  pushLineBit(code, lines, () => code.get(host));
  pushLineBit(code, lines, () => {
    code.get(host);
    code.get(bytes);
    code.op("i64.add");
    code.i64(1n);
    code.op("i64.sub");
  });
  code.op("i64.or");
  code.i64(1n);
  code.op("i64.and");
  code.op("i64.eqz");
  code.op("i32.eqz");
  if (dropType < 0) return code.branchIf(0);
  code.block("if");
  pushDiffers(code, place);
  code.block("if");
  code.get(host);
  code.i64(12n);
  code.op("i64.shr_u");
  code.op("i32.wrap_i64");
  code.get(host);
  code.op("i32.wrap_i64");
  code.i32(4095);
  code.op("i32.and");
  code.get(bytes);
  code.op("i32.wrap_i64");
  code.i32(QuickBlocksEntry.drop);
  code.callIndirect(dropType);
  code.op("i32.eqz");
  code.branchIf(2);
  code.op("end");
  code.op("end");
}

/** Pushes whether other bytes are to be stored than are there; for 16 bytes always 1. */
function pushDiffers(code: FunctionWriter, { host, bytes }: Place): void {
  code.get(host);
  code.memory("i64.load", 0);
  code.get(CPU);
  code.memory("i64.load", offsetOf("argument0"));
  code.op("i64.xor");
  code.i64(64n);
  code.get(bytes);
  code.i64(3n);
  code.op("i64.shl");
  code.op("i64.sub");
  code.op("i64.shl");
  code.i64(0n);
  code.op("i64.ne");
  code.get(bytes);
  code.i64(8n);
  code.op("i64.gt_u");
  code.op("i32.or");
}

/** Pushes `lines` shifted right by the number of the line of a linear offset. */
function pushLineBit(code: FunctionWriter, lines: number, pushOffset: () => void): void {
  code.get(lines);
  pushOffset();
  code.i64(BigInt(CODE_LINE_SHIFT));
  code.op("i64.shr_u");
  code.op("i64.shr_u");
}

/** Loads into the state's `result`; returns 1. */
function loadResult(code: FunctionWriter, { host, bytes }: Place): void {
  for (const width of [...WIDTHS, WIDEST]) {
    ifBytes(code, bytes, width.bytes, () => {
      code.get(CPU);
      code.get(host);
      code.memory(width.load, 0);
      code.memory(width.bytes === 16 ? "v128.store" : "i64.store", offsetOf("result"));
    });
  }
}

/** Stores the state's `argument0`; returns 1. */
function storeArgument(code: FunctionWriter, { host, bytes }: Place): void {
  for (const width of [...WIDTHS, WIDEST]) {
    ifBytes(code, bytes, width.bytes, () => {
      code.get(host);
      code.get(CPU);
      code.memory(width.value, offsetOf("argument0"));
      code.memory(width.store, 0);
    });
  }
}

function ifBytes(code: FunctionWriter, bytes: number, expected: number, then: () => void): void {
  code.get(bytes);
  code.i64(BigInt(expected));
  code.op("i64.eq");
  code.block("if");
  then();
  // Callers reload the budget after every slow path.
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  code.i32(1);
  code.op("return");
  code.op("end");
}
