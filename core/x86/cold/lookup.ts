/**
 * The look-up: from `rip` to the record of the block that starts there, by the code TLB and the look-up table; where these
 * fail, by the quick ways to a translation and to a block, and at last by TypeScript.
 */

import type { FunctionWriter, ModuleWriter } from "../../lib/wasm/writer.ts";
import { TlbEntry } from "../paging/tlb.ts";
import { TRANSLATE, translationEntry } from "../quick/quick_functions.ts";
import { Translated } from "../quick/translation.ts";
import { offsetOf } from "../state/layout.ts";
import {
  BUDGET,
  CPU,
  dispatch,
  HANDLER,
  pushTlbEntry,
  RECORD,
  reloadBudget,
  returnIfSpent,
} from "./handler_code.ts";
import { ARRIVE } from "./passing.ts";
import {
  FIRST_QUICK_ENTRY,
  LOOKUP_ENTRIES,
  LookupEntry,
  LookupHash,
  MODE_KEY_SHIFT,
  QuickBlocksEntry,
  Record,
} from "./record.ts";
import { TEMPLATES_BYTES } from "./templates.ts";

/** Where the runtime finds tables in linear memory. */
export interface RuntimePlaces {
  readonly lookupBase: number;
  /** Of the count of records that were overwritten (block_table.ts). */
  readonly reuses: number;
  /** As {@link MachineMemory.codeLinesOfPage0}. */
  readonly codeLinesOfPage0: number;
  /** Whether blocks are dropped when they are stored to without that TypeScript is told. */
  readonly dropsBlocks: boolean;
  /** Of the templates (templates.ts). */
  readonly templates: number;
}

/**
 * Continues at `rip`: code TLB, look-up table, and if either fails TypeScript. `linking`: the record is
 * a direct jump that may be linked to what is found.
 */
export function defineLookup(
  module: ModuleWriter,
  findBlock: number,
  places: RuntimePlaces,
  handlerType: number,
  linking: boolean,
): number {
  const { index, writer: code } = module.define(HANDLER);
  const rip = code.local("i64");
  const linear = code.local("i64");
  const entry = code.local("i64");
  const found = code.local("i64");
  const host = code.local("i64");
  /** Whether the record is still what it was. */
  const stays = code.local("i32");
  returnIfSpent(code);
  code.get(CPU);
  code.memory("i64.load", offsetOf("rip"));
  code.tee(rip);
  code.get(CPU);
  code.memory("i64.load", offsetOf("csBase"));
  code.op("i64.add");
  code.set(linear);
  code.block("block");
  pushTlbEntry(code, "codeTlb", linear);
  code.tee(entry);
  code.memory("i64.load", TlbEntry.readTag);
  code.get(linear);
  code.i64(-4096n);
  code.op("i64.and");
  code.op("i64.ne");
  code.block("if");
  translateFetch(code, linear, module.type(TRANSLATE));
  code.op("end");
  code.get(linear);
  code.get(entry);
  code.memory("i64.load", TlbEntry.addend);
  code.op("i64.add");
  code.set(host);
  code.i32(1);
  code.set(stays);
  pushLookupMisses(code, host, entry, places.lookupBase);
  code.block("if");
  arrive(code, host, found, stays, module.type(ARRIVE), places);
  code.op("else");
  loadFound(code, entry, found);
  code.op("end");
  // The whole block must lie within the code segment's limit.
  code.get(rip);
  code.get(found);
  code.memory("i64.load16_u", Record.blockBytes);
  code.op("i64.add");
  code.i64(1n);
  code.op("i64.sub");
  code.get(CPU);
  code.memory("i64.load", offsetOf("codeLast"));
  code.op("i64.gt_u");
  code.branchIf(0);
  enterBlock(code, rip, found, linking ? stays : -1);
  dispatch(code, handlerType);
  code.op("end");
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  code.get(CPU);
  code.memory("i32.load", offsetOf("index"));
  if (linking) {
    code.get(RECORD);
    code.op("i32.wrap_i64");
  } else code.i32(0);
  code.call(findBlock);
  code.op("i64.extend_i32_u");
  code.tee(found);
  code.op("i64.eqz");
  code.block("if");
  code.op("return");
  code.op("end");
  reloadBudget(code);
  code.get(CPU);
  code.memory("i64.load", offsetOf("rip"));
  code.set(rip);
  enterBlock(code, rip, found, -1);
  dispatch(code, handlerType);
  code.op("unreachable");
  return index;
}

/** Has the translation of the page at `linear` entered; returns on #PF, branches out by depth 1 where that takes TypeScript. */
function translateFetch(code: FunctionWriter, linear: number, type: number): void {
  const done = code.local("i32");
  code.get(CPU);
  code.get(linear);
  code.i32(FIRST_QUICK_ENTRY + translationEntry("fetch"));
  code.callIndirect(type);
  code.tee(done);
  code.op("i32.eqz");
  code.branchIf(1);
  code.get(done);
  code.i32(Translated.fault);
  code.op("i32.eq");
  code.block("if");
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  code.op("return");
  code.op("end");
}

/** Has the block at `host` made, or passed through; branches out by depth 1 where that takes TypeScript. */
function arrive(
  code: FunctionWriter,
  host: number,
  found: number,
  stays: number,
  type: number,
  { reuses, templates }: RuntimePlaces,
): void {
  code.i64(BigInt(reuses));
  code.memory("i32.load", 0);
  code.set(stays);
  code.get(CPU);
  code.get(host);
  code.i32(QuickBlocksEntry.arrive);
  code.callIndirect(type);
  code.op("i64.extend_i32_u");
  code.tee(found);
  code.op("i64.eqz");
  code.branchIf(1);
  code.get(stays);
  code.i64(BigInt(reuses));
  code.memory("i32.load", 0);
  code.op("i32.eq");
  // Nothing may lead to what is executed in passing.
  code.get(found);
  code.i64(BigInt(templates));
  code.op("i64.sub");
  code.i64(BigInt(TEMPLATES_BYTES - 1));
  code.op("i64.gt_u");
  code.op("i32.and");
  code.set(stays);
}

function loadFound(code: FunctionWriter, entry: number, found: number): void {
  code.get(entry);
  code.memory("i64.load32_u", LookupEntry.record);
  code.set(found);
}

/** Leaves the look-up entry of linear offset `host` in `entry` and pushes whether its key differs. */
function pushLookupMisses(
  code: FunctionWriter,
  host: number,
  entry: number,
  lookupBase: number,
): void {
  code.get(host);
  code.get(host);
  code.i64(BigInt(LookupHash.near));
  code.op("i64.shl");
  code.get(host);
  code.i64(BigInt(LookupHash.low));
  code.op("i64.shl");
  code.op("i64.xor");
  code.get(host);
  code.i64(BigInt(LookupHash.far));
  code.op("i64.shr_u");
  code.op("i64.xor");
  code.i64(BigInt((LOOKUP_ENTRIES - 1) << LookupEntry.sizeShift));
  code.op("i64.and");
  code.i64(BigInt(lookupBase));
  code.op("i64.add");
  code.set(entry);
  code.get(CPU);
  code.memory("i64.load32_u", offsetOf("modeKey"));
  code.i64(BigInt(MODE_KEY_SHIFT));
  code.op("i64.shl");
  code.op("i64.or");
  code.get(entry);
  code.memory("i64.load", LookupEntry.key);
  code.op("i64.ne");
}

/** Enters the block of record `found`; links the jump in RECORD to it if it may be, and local `linking`, unless -1, is 1. */
function enterBlock(code: FunctionWriter, rip: number, found: number, linking: number): void {
  if (linking >= 0) {
    code.get(RECORD);
    code.memory("i32.load16_u", Record.linkable);
    code.get(linking);
    code.op("i32.and");
    code.block("if");
    code.get(RECORD);
    code.get(found);
    code.memory("i64.store32", Record.link);
    code.op("end");
  }
  code.get(CPU);
  code.get(rip);
  code.memory("i64.store", offsetOf("blockRip"));
  code.get(found);
  code.set(RECORD);
}
