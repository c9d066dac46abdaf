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
  load,
  Routine,
  select,
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

/** (CPU, linear offset of the code at its `rip`): a record, or 0 where that takes TypeScript. */
export const ARRIVE: Signature = { parameters: ["i64", "i64"], results: ["i32"] };
/** Of finding: (page, offset, mode key); of dropping: (page, offset, length). */
export const QUICK_BLOCKS: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };

/** Arrivals at a place before its code gets a block: making one costs about as much as so many executions save. */
export const DEFAULT_PASSES = 8;
/** As many as nobody counts: no code gets a block that way, but what takes TypeScript. */
export const ALWAYS_PASSES = 256;

/** Functions of a module: what a look-up without success calls, and the handlers behind a template and a direct jump in passing. */
export interface Passing {
  readonly arrive: number;
  readonly pass: number;
  readonly jump: number;
}

/** Defines all; `find` is the function that finds a block or makes it, which arrival number `passes` + 1 leads to. */
export function definePassing(
  module: ModuleWriter,
  plan: CodeCachePlan,
  find: number,
  passes: number,
): Passing {
  return {
    arrive: defineArrive(module, plan, find, passes),
    pass: definePass(module, plan),
    jump: defineJump(module, plan, passes),
  };
}

function counter(plan: CodeCachePlan, name: keyof typeof Counter): Value {
  return constant(plan.tablesBase + TablePart.counters + 4 * Counter[name]);
}

function counted(plan: CodeCachePlan, name: "passDistance" | "passFirst" | "passLast"): Value {
  return load(counter(plan, name), 64);
}

const field = (name: Parameters<typeof offsetOf>[0], width: 32 | 64 = 64): Value =>
  load((code) => code.get(CPU), width, offsetOf(name));

/** Where the arrivals at a place are counted. */
function arrivalsAt(r: Routine, plan: CodeCachePlan, place: Value): Value {
  const number = and(shr(place, constant(PASSED_SHIFT)), constant(PASSED_PLACES - 1));
  return r.let(add(number, constant(plan.tablesBase + TablePart.passes)));
}

/** Completes the record of the instruction at `rip`, whose code lies at `place`; gives up where that takes TypeScript, or another page. */
function complete(r: Routine, plan: CodeCachePlan, rip: Value, place: Value, modeKey: Value) {
  const completed = writeInPlace(r, templatesBase(plan), place, modeKey);
  const last = sub(add(rip, completed.length), constant(1));
  r.giveUpIf(below(counted(plan, "passLast"), last));
  return completed;
}

/** Control arrives at a place by look-up: the completed record of the instruction there, or the first of its block. */
function defineArrive(
  module: ModuleWriter,
  plan: CodeCachePlan,
  find: number,
  passes: number,
): number {
  const { index, writer: code } = module.define(ARRIVE);
  const r = new Routine(code);
  const place = r.wide(1);
  const offset = r.let(and(place, constant(FRAME_BYTES - 1)));
  const modeKey = r.let(field("modeKey", 32));
  const arrivals = arrivalsAt(r, plan, place);
  const count = r.let(load(arrivals, 8));
  r.if(below(count, constant(passes)), () => {
    r.giveUpIf(differ(load(counter(plan, "hasStops"), 32), constant(0)));
    const rip = r.let(field("rip"));
    beginPassing(r, plan, rip, place, offset);
    const { record, length } = complete(r, plan, rip, place, modeKey);
    // Who looks up asks for the whole block's.
    r.store(record, 16, length, Record.blockBytes);
    r.store(arrivals, 8, add(count, constant(1)));
    r.result(record);
    code.op("return");
  });
  for (const value of [shr(place, constant(FRAME_SHIFT)), offset, modeKey]) r.result(value);
  code.call(find);
  return index;
}

/** Notes the page that control passes through from now on, as far as CS and the instruction pointer's width reach. */
function beginPassing(
  r: Routine,
  plan: CodeCachePlan,
  rip: Value,
  place: Value,
  offset: Value,
): void {
  const least = (a: Value, b: Value) => r.let(select(below(a, b), a, b));
  const limit = least(r.let(field("codeLast")), r.let(field("ipMask")));
  const end = r.let(sub(add(rip, constant(FRAME_BYTES - 1)), offset));
  const first = select(below(rip, offset), constant(0), sub(rip, offset));
  r.store(counter(plan, "passDistance"), 64, sub(place, rip));
  r.store(counter(plan, "passFirst"), 64, first);
  r.store(counter(plan, "passLast"), 64, least(end, limit));
}

/**
 * Defines a handler that completes the instruction at an offset in CS, which `find` computes, and executes it; where anything gives
 * up it continues by look-up. `mayArrive` gives up at places where nothing can be executed in passing; its result is called when it was.
 */
function defineHandler(
  module: ModuleWriter,
  plan: CodeCachePlan,
  find: (r: Routine) => Value,
  mayArrive: (r: Routine, rip: Value, place: Value) => () => void,
): number {
  const { index, writer: code } = module.define(HANDLER);
  const type = module.type(HANDLER);
  const cpu: Value = (writer) => writer.get(CPU);
  const rip = new Routine(code).let(find(new Routine(code)));
  const r = new Routine(code, () => {
    r.store(cpu, 64, and(rip, field("ipMask")), offsetOf("rip"));
    pushState(code);
    code.i32(FixedHandler.next);
    code.returnCallIndirect(type);
  });
  const place = r.let(add(counted(plan, "passDistance"), rip));
  const arrived = mayArrive(r, rip, place);
  const { record } = complete(r, plan, rip, place, field("modeKey", 32));
  arrived();
  r.store(cpu, 64, rip, offsetOf("blockRip"));
  record(code);
  code.set(RECORD);
  dispatch(code, type);
  return index;
}

/** The handler behind a template: control goes on with the next instruction. */
function definePass(module: ModuleWriter, plan: CodeCachePlan): number {
  const before = (r: Routine) => sub(r.wide(RECORD), constant(RECORD_BYTES));
  return defineHandler(
    module,
    plan,
    (r) => add(field("blockRip"), load(before(r), 16, Record.nextOffset)),
    () => () => {},
  );
}

/** The handler that direct jumps in passing lead to: control arrives somewhere on the same page, perhaps. */
function defineJump(module: ModuleWriter, plan: CodeCachePlan, passes: number): number {
  return defineHandler(module, plan, () => field("blockRip"), (r, rip, place) => {
    r.giveUpIf(below(rip, counted(plan, "passFirst")));
    r.giveUpIf(below(counted(plan, "passLast"), rip));
    const arrivals = arrivalsAt(r, plan, place);
    const count = r.let(load(arrivals, 8));
    r.giveUpUnless(below(count, constant(passes)));
    return () => r.store(arrivals, 8, add(count, constant(1)));
  });
}
