/**
 * The evaluator: gives programs their effect directly, one operation at a time, in BigInt.
 *
 * It is the plain reading of the intermediate representation, the twin of all others. A program is turned
 * once into a tree of functions; that is all the optimization there is.
 */

import { invariant, unreachable } from "../../lib/assert.ts";
import type { Instruction } from "./instruction.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf, SEGMENT_REGISTERS, Status } from "../state/layout.ts";
import type { Form } from "./form.ts";
import type { Bool, I64, Node, Place, PlaceWidth, Program, SegmentRef, Statement } from "./ir.ts";
import { simdOperation } from "./simd.ts";

/** How one step of an instruction ended. */
export const Outcome = { next: 0, fault: 1, jump: 2, repeat: 3 } as const;

/** What the evaluator needs around it; the reference engine provides it. */
export interface EvaluationPort {
  readonly state: CpuState;
  /**
   * Loads into the state's `result`, or stores from `argument0`, at a linear address. `size` is in bytes plus
   * STACK_ACCESS. Returns false with an exception pending.
   */
  load(linear: bigint, size: number, forWrite: boolean): boolean;
  store(linear: bigint, size: number): boolean;
  /** Calls a system function on the state's arguments; false with an exception pending. */
  system(name: string): boolean;
}

/** What changes from instruction to instruction while one program is evaluated. */
interface Frame {
  readonly port: EvaluationPort;
  readonly state: CpuState;
  readonly instruction: Instruction;
  readonly values: (bigint | boolean)[];
  readonly variables: (bigint | boolean)[];
}

type Value = (frame: Frame) => bigint;
type Condition = (frame: Frame) => boolean;
type Step = (frame: Frame) => number;

/** A program ready to run. */
export type Evaluation = (port: EvaluationPort, instruction: Instruction) => number;

const STACK_ACCESS = 0x100;
const ALL = (1n << 64n) - 1n;
const RESULT = offsetOf("result");
const ARGUMENTS = [0, 1, 2, 3].map((n) => offsetOf(`argument${n}` as "argument0"));

/** Prepares `program` of `form` for evaluation. The returned function gives an Outcome. */
export function prepare(program: Program, form: Form): Evaluation {
  const steps = sequence(program.statements, form);
  return (port, instruction) =>
    steps({
      port,
      state: port.state,
      instruction,
      values: new Array(program.nodeCount),
      variables: new Array(program.variables.length),
    });
}

function sequence(statements: readonly Statement[], form: Form): Step {
  const steps = statements.map((statement) => step(statement, form));
  return (frame) => {
    for (const each of steps) {
      const outcome = each(frame);
      if (outcome !== Outcome.next) return outcome;
    }
    return Outcome.next;
  };
}

function step(statement: Statement, form: Form): Step {
  switch (statement.kind) {
    case "define": {
      const { node } = statement;
      const compute = node.type === "bool" ? expand(node as Bool) : expand(node as I64);
      return keep(node, compute as (frame: Frame) => bigint);
    }
    case "read": {
      const read = reader(statement.place, statement.width);
      return keep(statement.result, read);
    }
    case "write":
      return writer(statement.place, statement.width, value(statement.value as I64));
    case "immediate": {
      const second = statement.field === "immediate2";
      return keep(
        statement.result,
        ({ instruction }) => second ? BigInt(instruction.immediate2) : instruction.immediate,
      );
    }
    case "address":
      return keep(statement.result, effectiveAddress);
    case "operandSegment":
      return keep(statement.result, ({ instruction }) => BigInt(instruction.segment));
    case "ip": {
      const offset = offsetOf(statement.which === "current" ? "rip" : "nextRip") >> 3;
      return keep(statement.result, ({ state }) => state.u64[offset]);
    }
    case "load":
      return loadStep(statement, form);
    case "store":
      return storeStep(statement, form);
    case "getVariable": {
      const { index } = statement.variable;
      return keep(statement.result, ({ variables }) => variables[index] as bigint);
    }
    case "setVariable": {
      const { index } = statement.variable;
      const compute = value(statement.value as I64);
      return (frame) => {
        frame.variables[index] = compute(frame);
        return Outcome.next;
      };
    }
    case "if": {
      const condition = truth(statement.condition);
      const then = sequence(statement.then, form);
      const otherwise = sequence(statement.otherwise, form);
      return (frame) => condition(frame) ? then(frame) : otherwise(frame);
    }
    case "loop": {
      const body = sequence(statement.body, form);
      const condition = truth(statement.condition);
      return (frame) => {
        do {
          const outcome = body(frame);
          if (outcome !== Outcome.next) return outcome;
        } while (condition(frame));
        return Outcome.next;
      };
    }
    case "raise": {
      const { vector, errorCode } = statement;
      return ({ state }) => raise(state, vector, errorCode);
    }
    case "system":
      return systemStep(statement);
    case "jump": {
      const target = value(statement.target);
      return (frame) => {
        frame.state.nextRip = target(frame);
        return Outcome.jump;
      };
    }
    case "repeat":
      return () => Outcome.repeat;
    case "retire": {
      const extra = value(statement.extra);
      return (frame) => {
        frame.state.budget -= Number(extra(frame));
        return Outcome.next;
      };
    }
    case "budget":
      return keep(statement.result, ({ state }) => BigInt(state.i32[offsetOf("budget") >> 2]));
    default:
      return unreachable(statement, "statement");
  }
}

/** A step that keeps what `compute` gives as the value of `node`. */
function keep(node: Node, compute: (frame: Frame) => bigint | boolean): Step {
  const { id } = node;
  return (frame) => {
    frame.values[id] = compute(frame);
    return Outcome.next;
  };
}

// ---- pure values ----

/** The value of a node: kept if it was defined by a statement, else computed in place. */
function value(node: Node): Value {
  if (node.expression.op === "const") {
    const constant = node.expression.value;
    return () => constant;
  }
  if (node.expression.op === "result" || node.uses > 1) {
    const { id } = node;
    return ({ values }) => values[id] as bigint;
  }
  return expand(node) as Value;
}

function truth(node: Bool): Condition {
  return value(node) as unknown as Condition;
}

const INTEGER = {
  add: (a: bigint, b: bigint) => (a + b) & ALL,
  sub: (a: bigint, b: bigint) => (a - b) & ALL,
  mul: (a: bigint, b: bigint) => (a * b) & ALL,
  and: (a: bigint, b: bigint) => a & b,
  or: (a: bigint, b: bigint) => a | b,
  xor: (a: bigint, b: bigint) => a ^ b,
  shl: (a: bigint, b: bigint) => (a << (b & 63n)) & ALL,
  shr_u: (a: bigint, b: bigint) => a >> (b & 63n),
  shr_s: (a: bigint, b: bigint) => (signed(a) >> (b & 63n)) & ALL,
  rotl: (a: bigint, b: bigint) => ((a << (b & 63n)) | (a >> (64n - (b & 63n)))) & ALL,
  rotr: (a: bigint, b: bigint) => ((a >> (b & 63n)) | (a << (64n - (b & 63n)))) & ALL,
  div_u: (a: bigint, b: bigint) => a / b,
  div_s: (a: bigint, b: bigint) => (signed(a) / signed(b)) & ALL,
  rem_u: (a: bigint, b: bigint) => a % b,
  rem_s: (a: bigint, b: bigint) => (signed(a) % signed(b)) & ALL,
} as const;

const UNARY = {
  clz: (a: bigint) => BigInt(64 - (a === 0n ? 0 : a.toString(2).length)),
  ctz: (a: bigint) => a === 0n ? 64n : BigInt((a & -a).toString(2).length - 1),
  popcnt: (a: bigint) => BigInt(a.toString(2).replaceAll("0", "").length),
  zext8: (a: bigint) => a & 0xffn,
  zext16: (a: bigint) => a & 0xffffn,
  zext32: (a: bigint) => a & 0xffffffffn,
  sext8: (a: bigint) => BigInt.asUintN(64, BigInt.asIntN(8, a)),
  sext16: (a: bigint) => BigInt.asUintN(64, BigInt.asIntN(16, a)),
  sext32: (a: bigint) => BigInt.asUintN(64, BigInt.asIntN(32, a)),
} as const;

const COMPARE = {
  eq: (a: bigint, b: bigint) => a === b,
  ne: (a: bigint, b: bigint) => a !== b,
  lt_u: (a: bigint, b: bigint) => a < b,
  lt_s: (a: bigint, b: bigint) => signed(a) < signed(b),
  le_u: (a: bigint, b: bigint) => a <= b,
  le_s: (a: bigint, b: bigint) => signed(a) <= signed(b),
} as const;

/** What the first operand settles, the second is not computed for: it may be a fast path's, which has no evaluation. */
const BOOL = {
  and: (a: Condition, b: Condition): Condition => (frame) => a(frame) && b(frame),
  or: (a: Condition, b: Condition): Condition => (frame) => a(frame) || b(frame),
  xor: (a: Condition, b: Condition): Condition => (frame) => a(frame) !== b(frame),
} as const;

function signed(a: bigint): bigint {
  return BigInt.asIntN(64, a);
}

/** Computes an expression from the values of its parts. */
function expand(node: Node): Value | Condition {
  const { expression } = node;
  switch (expression.op) {
    case "const":
    case "result":
      return value(node);
    case "integer": {
      const [a, b, operation] = [
        value(expression.a),
        value(expression.b),
        INTEGER[expression.integer],
      ];
      return (frame) => operation(a(frame), b(frame));
    }
    case "unary": {
      const [a, operation] = [value(expression.a), UNARY[expression.unary]];
      return (frame) => operation(a(frame));
    }
    case "compare": {
      const [a, b, operation] = [
        value(expression.a),
        value(expression.b),
        COMPARE[expression.compare],
      ];
      return (frame) => operation(a(frame), b(frame));
    }
    case "bool":
      return BOOL[expression.bool](truth(expression.a), truth(expression.b));
    case "not": {
      const a = truth(expression.a);
      return (frame) => !a(frame);
    }
    case "fromBool": {
      const a = truth(expression.a);
      return (frame) => a(frame) ? 1n : 0n;
    }
    case "select": {
      const [condition, a, b] = [
        truth(expression.condition),
        value(expression.a),
        value(expression.b),
      ];
      return (frame) => condition(frame) ? a(frame) : b(frame);
    }
    case "makeVector": {
      const [low, high] = [value(expression.low), value(expression.high)];
      return (frame) => low(frame) | (high(frame) << 64n);
    }
    case "simd": {
      const args = expression.args.map(value);
      const operation = simdOperation(expression.simd);
      const { lane } = expression;
      return (frame) => operation(args.map((arg) => arg(frame)), lane);
    }
    default:
      return unreachable(expression, "expression");
  }
}

// ---- state ----

function placeOffset(place: Place): (frame: Frame) => number {
  switch (place.kind) {
    case "fixed": {
      const { offset } = place;
      return () => offset;
    }
    case "operand": {
      const { slot } = place;
      return ({ instruction }) => instruction.registers[slot];
    }
    case "indexed": {
      const index = value(place.index);
      const { base } = place;
      return (frame) => base + 16 * Number(index(frame));
    }
  }
}

function reader(place: Place, width: PlaceWidth): Value {
  const at = placeOffset(place);
  switch (width) {
    case 8:
      return (frame) => BigInt(frame.state.u8[at(frame)]);
    case 16:
      return (frame) => BigInt(frame.state.u16[at(frame) >> 1]);
    case 32:
      return (frame) => BigInt(frame.state.u32[at(frame) >> 2]);
    case 64:
      return (frame) => frame.state.u64[at(frame) >> 3];
    case 128:
      return (frame) => frame.state.get128(at(frame));
  }
}

function writer(place: Place, width: PlaceWidth, compute: Value): Step {
  const at = placeOffset(place);
  return (frame) => {
    put(frame.state, at(frame), width, compute(frame));
    return Outcome.next;
  };
}

function put(state: CpuState, offset: number, width: PlaceWidth, bits: bigint): void {
  if (width === 128) state.set128(offset, bits);
  else if (width === 64) state.u64[offset >> 3] = bits;
  else if (width === 32) state.u32[offset >> 2] = Number(bits & 0xffffffffn);
  else if (width === 16) state.u16[offset >> 1] = Number(bits & 0xffffn);
  else state.u8[offset] = Number(bits & 0xffn);
}

function raise(state: CpuState, vector: number, errorCode: number): number {
  state.status = Status.exception;
  state.vector = vector;
  state.hasErrorCode = errorCode < 0 ? 0 : 1;
  state.errorCode = Math.max(errorCode, 0);
  return Outcome.fault;
}

// ---- memory ----

function effectiveAddress({ state, instruction }: Frame): bigint {
  const addressing = instruction.addressing;
  invariant(addressing, "an instruction without memory operand computes an address");
  const { base, index, scale, displacement, ripRelative, width } = addressing;
  let address = displacement;
  if (ripRelative) address += state.nextRip;
  if (base >= 0) address += state.u64[base];
  if (index >= 0) address += state.u64[index] << BigInt(scale);
  return BigInt.asUintN(width, address);
}

function segmentNumber(segment: SegmentRef, instruction: Instruction): number {
  return segment === "operand" ? instruction.segment : SEGMENT_REGISTERS.indexOf(segment);
}

const SEGMENTS = SEGMENT_REGISTERS.map((name) => ({
  base: offsetOf(`${name}Base`) >> 3,
  first: offsetOf(`${name}First`) >> 3,
  last: offsetOf(`${name}Last`) >> 3,
  access: offsetOf(`${name}Access`) >> 2,
}));

/**
 * The linear address of an access, or null with #GP or #SS pending (SDM vol. 3, "Limit Checking" and "Type
 * Checking").
 */
function linearAddress(
  frame: Frame,
  form: Form,
  segment: SegmentRef,
  offset: bigint,
  bytes: number,
  write: boolean,
): bigint | null {
  const { state, instruction } = frame;
  const number = segmentNumber(segment, instruction);
  const { base, first, last, access } = SEGMENTS[number];
  switch (form.access) {
    case "long":
      return offset;
    case "longBased":
      return number >= 4 ? (offset + state.u64[base]) & ALL : offset;
    case "flat":
      return offset;
    case "checked": {
      const allowed = (state.u32[access] & (write ? 2 : 1)) !== 0;
      const end = offset + BigInt(bytes - 1);
      if (!allowed || offset < state.u64[first] || end > state.u64[last]) {
        raise(state, number === 2 ? 12 : 13, 0);
        return null;
      }
      return (offset + state.u64[base]) & 0xffffffffn;
    }
  }
}

function sizeCode(width: number, stack: boolean): number {
  return (width >> 3) | (stack ? STACK_ACCESS : 0);
}

function loadStep(statement: Extract<Statement, { kind: "load" }>, form: Form): Step {
  const { segment, width, forWrite, stack, result } = statement;
  const offset = value(statement.offset);
  const isStack = stack || segment === "ss";
  return (frame) => {
    const linear = linearAddress(frame, form, segment, offset(frame), width >> 3, forWrite);
    if (linear === null) return Outcome.fault;
    const throughStack = isStack || (segment === "operand" && frame.instruction.segment === 2);
    if (!frame.port.load(linear, sizeCode(width, throughStack), forWrite)) return Outcome.fault;
    frame.values[result.id] = width === 128
      ? frame.state.get128(RESULT)
      : frame.state.u64[RESULT >> 3];
    return Outcome.next;
  };
}

function storeStep(statement: Extract<Statement, { kind: "store" }>, form: Form): Step {
  const { segment, width, stack } = statement;
  const offset = value(statement.offset);
  const compute = value(statement.value);
  const isStack = stack || segment === "ss";
  return (frame) => {
    const linear = linearAddress(frame, form, segment, offset(frame), width >> 3, true);
    if (linear === null) return Outcome.fault;
    put(frame.state, ARGUMENTS[0], width, compute(frame));
    const throughStack = isStack || (segment === "operand" && frame.instruction.segment === 2);
    return frame.port.store(linear, sizeCode(width, throughStack)) ? Outcome.next : Outcome.fault;
  };
}

function systemStep(statement: Extract<Statement, { kind: "system" }>): Step {
  const { name, result } = statement;
  const args = statement.args.map((arg) => ({
    compute: value(arg),
    width: arg.type === "v128" ? 128 : 64,
  }));
  return (frame) => {
    args.forEach(({ compute, width }, i) => {
      put(frame.state, ARGUMENTS[i], width as PlaceWidth, compute(frame));
    });
    if (!frame.port.system(name)) return Outcome.fault;
    frame.values[result.id] = result.type === "v128"
      ? frame.state.get128(RESULT)
      : frame.state.u64[RESULT >> 3];
    return Outcome.next;
  };
}
