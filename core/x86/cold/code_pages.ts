/**
 * Stores beside code: on a page whose stores take the slow path only because it holds code, those that touch none of its
 * code lines are done at once, without TypeScript.
 */

import type { FunctionWriter } from "../../lib/wasm/writer.ts";
import { CODE_LINE_SHIFT, CODE_LINES_BYTES_PER_PAGE } from "../../memory/code_lines.ts";
import { DATA_ENTRIES, SLOW_TAG, TlbBits, TlbEntry } from "../paging/tlb.ts";
import { offsetOf } from "../state/layout.ts";

/** Parameters of the function that is written. */
const CPU = 0;
const BUDGET = 2;

/** Locals: linear offset of the accessed bytes, and their number. */
export interface CodePageAccess {
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
 * Writes `then` for an access at local `linear` of `size` (a local: bytes in its low 8 bits) that lies within one page
 * which is slow for its code alone; it may branch out by depth 0. Other accesses go on behind it.
 */
export function writeCodePageAccess(
  code: FunctionWriter,
  linear: number,
  size: number,
  then: (access: CodePageAccess) => void,
): void {
  const entry = code.local("i64");
  const host = code.local("i64");
  const bytes = code.local("i64");
  code.block("block");
  code.get(CPU);
  code.memory("i64.load", offsetOf("dataTlb"));
  code.get(linear);
  code.i64(BigInt(12 - TlbEntry.sizeShift));
  code.op("i64.shr_u");
  code.i64(BigInt((DATA_ENTRIES - 1) << TlbEntry.sizeShift));
  code.op("i64.and");
  code.op("i64.add");
  code.tee(entry);
  code.memory("i32.load", TlbEntry.bits);
  code.i32(TlbBits.holdsCode);
  code.op("i32.and");
  code.op("i32.eqz");
  code.branchIf(0);
  code.get(size);
  code.op("i64.extend_i32_u");
  code.i64(0xffn);
  code.op("i64.and");
  code.set(bytes);
  // As everywhere, the page of the last byte.
  code.get(linear);
  code.get(bytes);
  code.op("i64.add");
  code.i64(1n);
  code.op("i64.sub");
  code.i64(-4096n);
  code.op("i64.and");
  code.i64(BigInt(SLOW_TAG));
  code.op("i64.or");
  code.get(entry);
  code.memory("i64.load", TlbEntry.writeTag);
  code.op("i64.ne");
  code.branchIf(0);
  code.get(linear);
  code.get(entry);
  code.memory("i64.load", TlbEntry.addend);
  code.op("i64.add");
  code.set(host);
  then({ host, bytes });
  code.op("end");
}

/** The load of a read-modify-write into the state's `result`; returns 1. */
export function loadForStore(code: FunctionWriter, { host, bytes }: CodePageAccess): void {
  for (const width of [...WIDTHS, WIDEST]) {
    ifBytes(code, bytes, width.bytes, () => {
      code.get(CPU);
      code.get(host);
      code.memory(width.load, 0);
      code.memory(width.bytes === 16 ? "v128.store" : "i64.store", offsetOf("result"));
    });
  }
}

/** The store of the state's `argument0` unless it touches a code line; returns 1. Branches out by depth 0 if it does. */
export function storeBesideCode(
  code: FunctionWriter,
  { host, bytes }: CodePageAccess,
  codeLinesOfPage0: number,
): void {
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
  code.branchIf(0);
  for (const width of [...WIDTHS, WIDEST]) {
    ifBytes(code, bytes, width.bytes, () => {
      code.get(host);
      code.get(CPU);
      code.memory(width.value, offsetOf("argument0"));
      code.memory(width.store, 0);
    });
  }
}

/** Pushes `lines` shifted right by the number of the line of a linear offset. */
function pushLineBit(code: FunctionWriter, lines: number, pushOffset: () => void): void {
  code.get(lines);
  pushOffset();
  code.i64(BigInt(CODE_LINE_SHIFT));
  code.op("i64.shr_u");
  code.op("i64.shr_u");
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
