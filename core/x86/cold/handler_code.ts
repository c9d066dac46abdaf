/**
 * Pieces of code that handlers and the runtime's functions share: a function of (cpu, record, budget) ends by a tail call
 * to the next handler, or by returning to the engine with the state complete.
 */

import type { FunctionWriter, Signature } from "../../lib/wasm/writer.ts";
import { CODE_ENTRIES, DATA_ENTRIES, TlbEntry } from "../paging/tlb.ts";
import { offsetOf } from "../state/layout.ts";
import { Record } from "./record.ts";

/** (cpu, record, budget). */
export const HANDLER: Signature = { parameters: ["i64", "i64", "i32"], results: [] };
export const CPU = 0;
export const RECORD = 1;
export const BUDGET = 2;

/** Pushes `(blockRip + offset in the record) & ipMask`. */
export function pushIp(code: FunctionWriter, part: number): void {
  code.get(CPU);
  code.memory("i64.load", offsetOf("blockRip"));
  code.get(RECORD);
  code.memory("i64.load16_u", part);
  code.op("i64.add");
  code.get(CPU);
  code.memory("i64.load", offsetOf("ipMask"));
  code.op("i64.and");
}

/** Continues with the handler of the record in RECORD. */
export function dispatch(code: FunctionWriter, handlerType: number): void {
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.get(RECORD);
  code.memory("i32.load16_u", Record.handler);
  code.returnCallIndirect(handlerType);
}

/** Returns to the engine if the budget is used up, with `rip` as the state has it. */
export function returnIfSpent(code: FunctionWriter): void {
  code.get(BUDGET);
  code.i32(0);
  code.op("i32.le_s");
  code.block("if");
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  code.op("return");
  code.op("end");
}

/** Returns to the engine if the instruction that has just ended asked for it by the state's `status`. */
export function returnIfStopped(code: FunctionWriter): void {
  code.get(CPU);
  code.memory("i32.load", offsetOf("status"));
  code.block("if");
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  code.op("return");
  code.op("end");
}

/** Pushes the arguments that handlers and runtime functions share. */
export function pushState(code: FunctionWriter): void {
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
}

/** Pops the 1 or 0 of a call into TypeScript: reloads the budget, or returns with the exception pending. */
export function returnOnFault(code: FunctionWriter): void {
  code.op("i32.eqz");
  code.block("if");
  code.op("return");
  code.op("end");
  reloadBudget(code);
}

/** Leaves the address of the entry that linear address `linear` (a local) has in a TLB. */
export function pushTlbEntry(
  code: FunctionWriter,
  table: "codeTlb" | "dataTlb",
  linear: number,
): void {
  const entries = table === "codeTlb" ? CODE_ENTRIES : DATA_ENTRIES;
  code.get(CPU);
  code.memory("i64.load", offsetOf(table));
  code.get(linear);
  code.i64(BigInt(12 - TlbEntry.sizeShift));
  code.op("i64.shr_u");
  code.i64(BigInt((entries - 1) << TlbEntry.sizeShift));
  code.op("i64.and");
  code.op("i64.add");
}

/** Reloads the budget after TypeScript may have changed it. */
export function reloadBudget(code: FunctionWriter): void {
  code.get(CPU);
  code.memory("i32.load", offsetOf("budget"));
  code.set(BUDGET);
}
