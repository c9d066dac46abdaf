/**
 * Passing through: how code is executed the first times it is met. Most code of a boot runs once or a few times, and a
 * block's records cost more than that: memory that is touched for the first time, tables to be found by, a watch on
 * the page. So an instruction is completed in its template (templates.ts) right before it is executed, and executed there. Behind
 * the template stands a handler that does the same with the next instruction; a jump arrives here again by look-up.
 *
 * Nothing is kept but how often control arrived at a place, so nothing has to notice when the code changes. A place at
 * which it arrived often gets a block.
 */

import {
  add,
  and,
  below,
  constant,
  differ,
  hasAny,
  load,
  or,
  Routine,
  shl,
  shr,
  sub,
  type Value,
} from "../../lib/wasm/routine.ts";
import type { ModuleWriter, Signature } from "../../lib/wasm/writer.ts";
import { FRAME_BYTES, FRAME_SHIFT } from "../../memory/machine_memory.ts";
import { offsetOf } from "../state/layout.ts";
import { Counter, PASSED_PLACES, PASSED_SHIFT, TablePart } from "./block_table.ts";
import { type CodeCachePlan, templatesBase } from "./code_cache.ts";
import { CPU, dispatch, HANDLER, pushState, RECORD } from "./handler_code.ts";
import { writeInPlace } from "./quick_decoder.ts";
import { FixedHandler, Record, RECORD_BYTES } from "./record.ts";

/** Of arriving and finding: (page, offset, mode key); of dropping: (page, offset, length). */
export const QUICK_BLOCKS: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };

/** Arrivals at a place before its code gets a block: making one costs about as much as so many executions save. */
export const DEFAULT_PASSES = 8;
/** As many as nobody counts: no code gets a block that way, but what takes TypeScript. */
export const ALWAYS_PASSES = 256;

/** Functions of a module: what a look-up without success calls, and the handler behind a template. */
export interface Passing {
  readonly arrive: number;
  readonly pass: number;
}

/** Defines both; `find` is the function that finds a block or makes it, which arrival number `passes` + 1 leads to. */
export function definePassing(
  module: ModuleWriter,
  plan: CodeCachePlan,
  find: number,
  passes: number,
): Passing {
  return { arrive: defineArrive(module, plan, find, passes), pass: definePass(module, plan) };
}

function counter(plan: CodeCachePlan, name: keyof typeof Counter): Value {
  return constant(plan.tablesBase + TablePart.counters + 4 * Counter[name]);
}

/** Writes the code that completes the record of the instruction at a linear offset; gives up where that takes TypeScript. */
function complete(r: Routine, plan: CodeCachePlan, place: Value, modeKey: Value): Value {
  r.giveUpIf(differ(load(counter(plan, "hasStops"), 32), constant(0)));
  const record = writeInPlace(r, templatesBase(plan), place, modeKey);
  r.store(counter(plan, "passed"), 64, place);
  return record;
}

/** Control arrives at a place by look-up: the completed record of the instruction there, or the first of its block. */
function defineArrive(
  module: ModuleWriter,
  plan: CodeCachePlan,
  find: number,
  passes: number,
): number {
  const { index, writer: code } = module.define(QUICK_BLOCKS);
  const r = new Routine(code);
  const place = r.let(or(shl(r.parameter(0), constant(FRAME_SHIFT)), r.parameter(1)));
  const number = and(shr(place, constant(PASSED_SHIFT)), constant(PASSED_PLACES - 1));
  const arrivals = r.let(add(number, constant(plan.tablesBase + TablePart.passes)));
  const count = r.let(load(arrivals, 8));
  r.if(below(count, constant(passes)), () => {
    const record = complete(r, plan, place, r.parameter(2));
    r.store(arrivals, 8, add(count, constant(1)));
    r.result(record);
    code.op("return");
  });
  for (let i = 0; i < QUICK_BLOCKS.parameters.length; i++) code.get(i);
  code.call(find);
  return index;
}

/** The handler behind a template: completes and executes the next instruction, or continues by look-up. */
function definePass(module: ModuleWriter, plan: CodeCachePlan): number {
  const { index, writer: code } = module.define(HANDLER);
  const type = module.type(HANDLER);
  const cpu: Value = (writer) => writer.get(CPU);
  const r = new Routine(code, () => {
    r.store(cpu, 64, rip, offsetOf("rip"));
    pushState(code);
    code.i32(FixedHandler.next);
    code.returnCallIndirect(type);
  });
  const before = sub(r.wide(RECORD), constant(RECORD_BYTES));
  const length = r.let(load(before, 16, Record.nextOffset));
  const whole = r.let(add(load(cpu, 64, offsetOf("blockRip")), length));
  const rip = r.let(and(whole, load(cpu, 64, offsetOf("ipMask"))));
  const place = r.let(add(load(counter(plan, "passed"), 64), length));
  // Behind the end of the page, or of what the instruction pointer counts to, lies other code.
  r.giveUpUnless(hasAny(place, FRAME_BYTES - 1));
  r.giveUpIf(differ(rip, whole));
  const record = complete(r, plan, place, load(cpu, 32, offsetOf("modeKey")));
  const last = sub(add(rip, load(record, 32, Record.blockBytes)), constant(1));
  r.giveUpIf(below(load(cpu, 64, offsetOf("codeLast")), last));
  r.store(cpu, 64, rip, offsetOf("blockRip"));
  record(code);
  code.set(RECORD);
  dispatch(code, type);
  return index;
}
