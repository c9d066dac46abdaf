/**
 * The functions that every generated module contains beside its handlers: block look-up, the ways out,
 * and the slow paths into TypeScript.
 *
 * A handler is a function of (cpu, record, budget): the linear offsets of the CPU's state and of the
 * instruction's record, and the number of instructions that may still retire. It ends by a tail call to
 * the next handler, or by returning to the engine with the state complete (`rip`, `budget`, `status`).
 */

import type { ModuleWriter, Signature } from "../../lib/wasm/writer.ts";
import { offsetOf, Status } from "../state/layout.ts";
import { FAULT_ENTRY, QUICK_FUNCTION, TRANSLATE } from "../quick/quick_functions.ts";
import { type MissedAccess, writeMissedAccess } from "./missed_access.ts";
import { BUDGET, CPU, HANDLER, pushIp, pushState, RECORD } from "./handler_code.ts";
import { defineLookup, type RuntimePlaces } from "./lookup.ts";
import { QUICK_BLOCKS } from "./passing.ts";
import { FIRST_QUICK_ENTRY, Record } from "./record.ts";

/** Imported functions and their signatures; all take the CPU's number first. */
const IMPORTS = {
  /** (cpu, from): finds or makes the block at `rip`, links the jump in record `from` unless 0: its record, or 0 to leave. */
  findBlock: { parameters: ["i32", "i32"], results: ["i32"] },
  /** (cpu, low, high, size): as Mmu.readSlow and its siblings; 1 on success. */
  readSlow: { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] },
  readForWriteSlow: { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] },
  writeSlow: { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] },
  /** (cpu, record): the block of `record` has been executed often. */
  hot: { parameters: ["i32", "i32"], results: [] },
  /** (cpu, function): calls a system function; 1 on success. */
  system: { parameters: ["i32", "i32"], results: ["i32"] },
} as const satisfies { readonly [name: string]: Signature };

/** Function indices of the runtime within a module. */
export interface Runtime {
  readonly next: number;
  readonly link: number;
  readonly leave: number;
  readonly raise: number;
  readonly slow: { readonly read: number; readonly readForWrite: number; readonly write: number };
  readonly system: number;
  /** As `system`, with the table entry of a quick twin to try first. */
  readonly quickSystem: number;
  readonly fallThrough: number;
  readonly stale: number;
  readonly count: number;
  readonly handlerType: number;
}

/** Defines the runtime's functions; exports `enter(cpu, budget)`. */
export function defineRuntime(module: ModuleWriter, places: RuntimePlaces): Runtime {
  const imports = Object.fromEntries(
    Object.entries(IMPORTS).map(([name, signature]) => [name, module.import(name, signature)]),
  ) as { [K in keyof typeof IMPORTS]: number };
  const handlerType = module.type(HANDLER);
  const sync = defineSync(module);
  const leave = defineLeave(module, sync);
  const next = defineLookup(module, imports.findBlock, places, handlerType, false);
  const link = defineLookup(module, imports.findBlock, places, handlerType, true);
  const system = defineSystem(module, sync, imports.system);
  const slow = (access: MissedAccess, target: number) =>
    defineSlow(module, sync, target, access, places);
  const runtime: Runtime = {
    next,
    link,
    leave,
    raise: defineRaise(module, sync),
    slow: {
      read: slow("read", imports.readSlow),
      readForWrite: slow("readForWrite", imports.readForWriteSlow),
      write: slow("write", imports.writeSlow),
    },
    system,
    quickSystem: defineQuickSystem(module, system),
    fallThrough: defineContinuation(module, next, Record.offset),
    stale: defineContinuation(module, next, Record.offset),
    count: defineCount(module, imports.hot, next, handlerType),
    handlerType,
  };
  defineEnter(module, next);
  return runtime;
}

/** Completes the state for TypeScript: `rip`, `nextRip`, `budget`. */
function defineSync(module: ModuleWriter): number {
  const { index, writer: code } = module.define(HANDLER);
  code.get(CPU);
  pushIp(code, Record.offset);
  code.memory("i64.store", offsetOf("rip"));
  code.get(CPU);
  pushIp(code, Record.nextOffset);
  code.memory("i64.store", offsetOf("nextRip"));
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  return index;
}

/** Leaves after the record's instruction: the state's `rip` becomes the next instruction's. */
function defineLeave(module: ModuleWriter, sync: number): number {
  const { index, writer: code } = module.define(HANDLER);
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.call(sync);
  code.get(CPU);
  code.get(CPU);
  code.memory("i64.load", offsetOf("nextRip"));
  code.memory("i64.store", offsetOf("rip"));
  return index;
}

/** Continues at the block whose first instruction is the record's. */
function defineContinuation(module: ModuleWriter, next: number, part: number): number {
  const { index, writer: code } = module.define(HANDLER);
  code.get(CPU);
  pushIp(code, part);
  code.memory("i64.store", offsetOf("rip"));
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.returnCall(next);
  return index;
}

/** Executions between two reports of a block: the first says that it is warm, the second that it is hot. */
export const WARM_EXECUTIONS = 1024;

/** Counts an execution of a block, and reports it when it has become warm and when it has become hot. */
function defineCount(
  module: ModuleWriter,
  hot: number,
  next: number,
  handlerType: number,
): number {
  const { index, writer: code } = module.define(HANDLER);
  const left = code.local("i32");
  code.get(RECORD);
  code.get(RECORD);
  code.memory("i32.load16_u", Record.counter);
  code.i32(1);
  code.op("i32.sub");
  code.tee(left);
  code.memory("i32.store16", Record.counter);
  code.get(left);
  code.i32(WARM_EXECUTIONS - 1);
  code.op("i32.and");
  code.op("i32.eqz");
  code.block("if");
  // Afterwards the record may be another one's.
  code.get(CPU);
  pushIp(code, Record.offset);
  code.memory("i64.store", offsetOf("rip"));
  code.get(CPU);
  code.memory("i32.load", offsetOf("index"));
  code.get(RECORD);
  code.op("i32.wrap_i64");
  code.call(hot);
  pushState(code);
  code.returnCall(next);
  code.op("end");
  pushState(code);
  code.get(RECORD);
  code.memory("i32.load16_u", Record.coldHandler);
  code.returnCallIndirect(handlerType);
  return index;
}

/**
 * (cpu, record, budget, linear, size): does an access whose fast path failed, itself where it can; else syncs and calls a
 * slow path; its 1 or 0.
 */
function defineSlow(
  module: ModuleWriter,
  sync: number,
  target: number,
  access: MissedAccess,
  { codeLinesOfPage0, dropsBlocks }: RuntimePlaces,
): number {
  const { index, writer: code } = module.define({
    parameters: ["i64", "i64", "i32", "i64", "i32"],
    results: ["i32"],
  });
  writeMissedAccess(code, access, {
    linear: 3,
    size: 4,
    sync,
    translateType: module.type(TRANSLATE),
    codeLinesOfPage0,
    dropType: dropsBlocks ? module.type(QUICK_BLOCKS) : -1,
  });
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.call(sync);
  code.get(CPU);
  code.memory("i32.load", offsetOf("index"));
  code.get(3);
  code.op("i32.wrap_i64");
  code.get(3);
  code.i64(32n);
  code.op("i64.shr_u");
  code.op("i32.wrap_i64");
  code.get(4);
  code.call(target);
  return index;
}

/** (cpu, record, budget, function, table entry): as `system`, if the quick function at the entry gives up. */
function defineQuickSystem(module: ModuleWriter, system: number): number {
  const { index, writer: code } = module.define({
    parameters: ["i64", "i64", "i32", "i32", "i32"],
    results: ["i32"],
  });
  code.get(CPU);
  code.get(BUDGET);
  code.memory("i32.store", offsetOf("budget"));
  code.get(CPU);
  code.get(4);
  code.callIndirect(module.type(QUICK_FUNCTION));
  code.block("if");
  code.i32(1);
  code.op("return");
  code.op("end");
  pushState(code);
  code.get(3);
  code.call(system);
  return index;
}

/** (cpu, record, budget, function): syncs and calls a system function; its 1 or 0. */
function defineSystem(module: ModuleWriter, sync: number, target: number): number {
  const { index, writer: code } = module.define({
    parameters: ["i64", "i64", "i32", "i32"],
    results: ["i32"],
  });
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.call(sync);
  code.get(CPU);
  code.memory("i32.load", offsetOf("index"));
  code.get(3);
  code.call(target);
  return index;
}

/** (cpu, record, budget, vector, error code or -1): makes an exception pending. */
function defineRaise(module: ModuleWriter, sync: number): number {
  const { index, writer: code } = module.define({
    parameters: ["i64", "i64", "i32", "i32", "i32"],
    results: [],
  });
  code.get(CPU);
  code.get(RECORD);
  code.get(BUDGET);
  code.call(sync);
  const put = (field: "status" | "vector" | "errorCode" | "hasErrorCode", push: () => void) => {
    code.get(CPU);
    push();
    code.memory("i32.store", offsetOf(field));
  };
  put("status", () => code.i32(Status.exception));
  put("vector", () => code.get(3));
  put("hasErrorCode", () => {
    code.i32(-1);
    code.get(4);
    code.op("i32.lt_s");
  });
  put("errorCode", () => {
    code.get(4);
    code.i32(0);
    code.get(4);
    code.i32(0);
    code.op("i32.lt_s");
    code.op("i32.eqz");
    code.op("select");
  });
  return index;
}

/** enter(cpu, budget): runs from the state's `rip`, and on from the handlers of faults that are delivered without TypeScript. */
function defineEnter(module: ModuleWriter, next: number): void {
  const { index, writer: code } = module.define({ parameters: ["i32", "i32"], results: [] });
  const cpu = code.local("i64");
  code.get(0);
  code.op("i64.extend_i32_u");
  code.set(cpu);
  code.block("block");
  code.block("loop");
  code.get(cpu);
  code.i64(0n);
  code.get(1);
  code.call(next);
  code.get(cpu);
  code.memory("i32.load", offsetOf("status"));
  code.i32(Status.exception);
  code.op("i32.ne");
  code.branchIf(1);
  code.get(cpu);
  code.i32(FIRST_QUICK_ENTRY + FAULT_ENTRY);
  code.callIndirect(module.type(QUICK_FUNCTION));
  code.op("i32.eqz");
  code.branchIf(1);
  code.get(cpu);
  code.memory("i32.load", offsetOf("budget"));
  code.set(1);
  code.branch(0);
  code.op("end");
  code.op("end");
  module.export("enter", index);
}
