/**
 * From programs to handlers: the statements of one form become one WebAssembly function that reads its
 * operands from a record.
 */

import { unreachable } from "../../lib/assert.ts";
import type { FunctionWriter } from "../../lib/wasm/writer.ts";
import type { BoundForm } from "../ir/instruction.ts";
import type { Form } from "../ir/form.ts";
import type { I64, Node, Place, PlaceWidth, SegmentRef, Statement } from "../ir/ir.ts";
import { DATA_ENTRIES, TlbEntry } from "../paging/tlb.ts";
import { offsetOf, SEGMENT_REGISTERS } from "../state/layout.ts";
import { ExpressionWriter } from "./expressions.ts";
import { Record, RECORD_BYTES } from "./record.ts";
import {
  BUDGET,
  CPU,
  dispatch,
  pushIp,
  RECORD,
  reloadBudget,
  returnIfSpent,
  returnIfStopped,
  type Runtime,
} from "./runtime.ts";

/** Offsets of a segment's parts from its first part. */
const SEGMENT = {
  base: offsetOf("esBase") - offsetOf("esSelector"),
  first: offsetOf("esFirst") - offsetOf("esSelector"),
  last: offsetOf("esLast") - offsetOf("esSelector"),
  access: offsetOf("esAccess") - offsetOf("esSelector"),
} as const;

const STACK_ACCESS = 0x100;
const ARGUMENT0 = offsetOf("argument0");
const RESULT = offsetOf("result");

const LOADS: { readonly [W in PlaceWidth]: string } = {
  8: "i64.load8_u",
  16: "i64.load16_u",
  32: "i64.load32_u",
  64: "i64.load",
  128: "v128.load",
};
const STORES: { readonly [W in PlaceWidth]: string } = {
  8: "i64.store8",
  16: "i64.store16",
  32: "i64.store32",
  64: "i64.store",
  128: "v128.store",
};

type Load = Extract<Statement, { kind: "load" }>;
type Store = Extract<Statement, { kind: "store" }>;

/** How a program leaves its handler at the end of its statements. */
type Exit = "next record" | "look up nextRip";

/** Writes the handler of `bound` into `code`. `systemId` numbers the system functions. */
export function writeHandler(
  code: FunctionWriter,
  bound: BoundForm,
  runtime: Runtime,
  systemId: (name: string) => number,
): void {
  const writer = new HandlerWriter(code, bound.form, runtime, systemId);
  const looksUp = endsInSystemCall(bound.program.statements);
  // The call may lie in a branch that is not taken.
  if (looksUp) writer.setNextRip();
  writer.statements(bound.program.statements);
  writer.finish(looksUp ? "look up nextRip" : "next record");
}

/** Whether a system function that ends the block is called anywhere. */
function endsInSystemCall(statements: readonly Statement[]): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case "system":
        return statement.endsBlock;
      case "if":
        return endsInSystemCall(statement.then) || endsInSystemCall(statement.otherwise);
      case "loop":
        return endsInSystemCall(statement.body);
      default:
        return false;
    }
  });
}

class HandlerWriter {
  readonly #values: ExpressionWriter;

  constructor(
    private readonly code: FunctionWriter,
    private readonly form: Form,
    private readonly runtime: Runtime,
    private readonly systemId: (name: string) => number,
  ) {
    this.#values = new ExpressionWriter(code);
  }

  statements(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  /** Makes the state's `nextRip` the following instruction's. */
  setNextRip(): void {
    const { code } = this;
    code.get(CPU);
    pushIp(code, Record.nextOffset);
    code.memory("i64.store", offsetOf("nextRip"));
  }

  finish(exit: Exit): void {
    const { code } = this;
    this.#countOne();
    if (exit === "look up nextRip") {
      code.get(CPU);
      code.get(CPU);
      code.memory("i64.load", offsetOf("nextRip"));
      code.memory("i64.store", offsetOf("rip"));
      returnIfStopped(code);
      this.#state();
      code.returnCall(this.runtime.next);
      return;
    }
    code.get(BUDGET);
    code.i32(0);
    code.op("i32.le_s");
    code.block("if");
    this.#state();
    code.returnCall(this.runtime.leave);
    code.op("end");
    code.get(RECORD);
    code.i64(BigInt(RECORD_BYTES));
    code.op("i64.add");
    code.set(RECORD);
    dispatch(code, this.runtime.handlerType);
  }

  #statement(statement: Statement): void {
    const { code } = this;
    const values = this.#values;
    switch (statement.kind) {
      case "define":
        return values.define(statement.node);
      case "read":
        if (statement.result.uses === 0) return;
        this.#pushPlace(statement.place);
        code.memory(LOADS[statement.width], fixedOffset(statement.place));
        return values.keep(statement.result);
      case "write":
        return this.#write(statement.place, statement.width, statement.value);
      case "immediate":
        code.get(RECORD);
        if (statement.field === "immediate") code.memory("i64.load", Record.immediate);
        else code.memory("i64.load32_u", Record.immediate2);
        return values.keep(statement.result);
      case "address":
        this.#pushAddress();
        return values.keep(statement.result);
      case "operandSegment":
        code.get(RECORD);
        code.memory("i64.load16_u", Record.segment);
        code.i64(BigInt(offsetOf("esSelector")));
        code.op("i64.sub");
        code.i64(BigInt(offsetOf("csSelector") - offsetOf("esSelector")));
        code.op("i64.div_u");
        return values.keep(statement.result);
      case "ip":
        pushIp(code, statement.which === "current" ? Record.offset : Record.nextOffset);
        return values.keep(statement.result);
      case "load":
        return this.#load(statement);
      case "store":
        return this.#store(statement);
      case "getVariable":
        code.get(values.variable(statement.variable));
        return values.keep(statement.result);
      case "setVariable":
        values.push(statement.value);
        return code.set(values.variable(statement.variable));
      case "if":
        return this.#if(statement);
      case "loop":
        code.block("loop");
        this.statements(statement.body);
        values.push(statement.condition);
        code.branchIf(0);
        return code.op("end");
      case "raise":
        return this.#raise(statement.vector, statement.errorCode);
      case "system":
        return this.#system(statement);
      case "jump":
        return this.#jump(statement.target, statement.direct);
      case "repeat":
        return this.#repeat();
      case "retire":
        code.get(BUDGET);
        values.push(statement.extra);
        code.op("i32.wrap_i64");
        code.op("i32.sub");
        return code.set(BUDGET);
      case "budget":
        code.get(BUDGET);
        code.op("i64.extend_i32_s");
        return values.keep(statement.result);
      default:
        return unreachable(statement, "statement");
    }
  }

  #if(statement: Extract<Statement, { kind: "if" }>): void {
    const { code } = this;
    this.#values.push(statement.condition);
    code.block("if");
    this.statements(statement.then);
    if (statement.otherwise.length > 0) {
      code.op("else");
      this.statements(statement.otherwise);
    }
    code.op("end");
  }

  #countOne(): void {
    const { code } = this;
    code.get(BUDGET);
    code.i32(1);
    code.op("i32.sub");
    code.set(BUDGET);
  }

  /** Pushes the arguments that handlers and runtime functions share. */
  #state(): void {
    this.code.get(CPU);
    this.code.get(RECORD);
    this.code.get(BUDGET);
  }

  // ---- registers ----

  /** Pushes the address of a place, less its fixed offset. */
  #pushPlace(place: Place): void {
    const { code } = this;
    code.get(CPU);
    if (place.kind === "operand") {
      code.get(RECORD);
      code.memory("i64.load16_u", Record.registers + 2 * place.slot);
      code.op("i64.add");
    } else if (place.kind === "indexed") {
      this.#values.push(place.index);
      code.i64(4n);
      code.op("i64.shl");
      code.op("i64.add");
    }
  }

  #write(place: Place, width: PlaceWidth, value: Node): void {
    this.#pushPlace(place);
    this.#values.push(value);
    this.code.memory(STORES[width], fixedOffset(place));
  }

  // ---- memory ----

  #pushAddress(): void {
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
    if (form.access !== "checked" && !isBased) return this.#values.localOf(offset);
    const parts = code.local("i64");
    this.#pushSegment(segment);
    code.set(parts);
    const at = this.#values.localOf(offset);
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
    this.#state();
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

  /** Leaves the data TLB entry of `linear` in a local and pushes whether its tag at `part` matches. */
  #pushTlbHit(linear: number, bytes: number, part: number): number {
    const { code } = this;
    const entry = code.local("i64");
    code.get(CPU);
    code.memory("i64.load", offsetOf("dataTlb"));
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
    return entry;
  }

  #pushHostAddress(linear: number, entry: number): void {
    this.code.get(linear);
    this.code.get(entry);
    this.code.memory("i64.load", TlbEntry.addend);
    this.code.op("i64.add");
  }

  #load({ segment, offset, width, forWrite, stack, result }: Load): void {
    const { code, runtime } = this;
    const bytes = width >> 3;
    const linear = this.#linear(segment, offset, bytes, forWrite);
    const entry = this.#pushTlbHit(linear, bytes, forWrite ? TlbEntry.writeTag : TlbEntry.readTag);
    code.block("if", width === 128 ? "v128" : "i64");
    this.#pushHostAddress(linear, entry);
    code.memory(LOADS[width], 0);
    code.op("else");
    this.#state();
    code.get(linear);
    this.#pushSize(segment, stack, bytes);
    code.call(forWrite ? runtime.slow.readForWrite : runtime.slow.read);
    this.#returnOnFault();
    code.get(CPU);
    code.memory(LOADS[width === 128 ? 128 : 64], RESULT);
    code.op("end");
    this.#values.keep(result);
  }

  #store({ segment, offset, width, stack, value }: Store): void {
    const { code, runtime } = this;
    const bytes = width >> 3;
    const local = this.#values.localOf(value);
    const linear = this.#linear(segment, offset, bytes, true);
    const entry = this.#pushTlbHit(linear, bytes, TlbEntry.writeTag);
    code.block("if");
    this.#pushHostAddress(linear, entry);
    code.get(local);
    code.memory(STORES[width], 0);
    code.op("else");
    code.get(CPU);
    code.get(local);
    code.memory(STORES[width === 128 ? 128 : 64], ARGUMENT0);
    this.#state();
    code.get(linear);
    this.#pushSize(segment, stack, bytes);
    code.call(runtime.slow.write);
    this.#returnOnFault();
    code.op("end");
  }

  /** Pops the 1 or 0 of a call into TypeScript: reloads the budget, or returns with the exception pending. */
  #returnOnFault(): void {
    const { code } = this;
    code.op("i32.eqz");
    code.block("if");
    code.op("return");
    code.op("end");
    reloadBudget(code);
  }

  // ---- control ----

  #raise(vector: number, errorCode: number): void {
    const { code } = this;
    this.#state();
    code.i32(vector);
    code.i32(errorCode);
    code.call(this.runtime.raise);
    code.op("return");
  }

  #system(statement: Extract<Statement, { kind: "system" }>): void {
    const { code } = this;
    statement.args.forEach((arg, i) => {
      code.get(CPU);
      this.#values.push(arg);
      code.memory(arg.type === "v128" ? "v128.store" : "i64.store", ARGUMENT0 + 16 * i);
    });
    this.#state();
    code.i32(this.systemId(statement.name));
    code.call(this.runtime.system);
    this.#returnOnFault();
    if (statement.result.uses === 0) return;
    code.get(CPU);
    code.memory(statement.result.type === "v128" ? "v128.load" : "i64.load", RESULT);
    this.#values.keep(statement.result);
  }

  #jump(target: I64, direct: boolean): void {
    const { code, runtime } = this;
    const local = this.#values.localOf(target);
    this.#countOne();
    code.get(CPU);
    code.get(local);
    code.memory("i64.store", offsetOf("rip"));
    if (!direct) {
      this.#state();
      code.returnCall(runtime.next);
      return;
    }
    const link = code.local("i64");
    code.get(RECORD);
    code.memory("i64.load32_u", Record.link);
    code.tee(link);
    code.op("i64.eqz");
    code.block("if");
    this.#state();
    code.returnCall(runtime.link);
    code.op("end");
    returnIfSpent(code);
    code.get(CPU);
    code.get(local);
    code.memory("i64.store", offsetOf("blockRip"));
    code.get(link);
    code.set(RECORD);
    dispatch(code, runtime.handlerType);
  }

  #repeat(): void {
    const { code } = this;
    this.#countOne();
    code.get(CPU);
    pushIp(code, Record.offset);
    code.memory("i64.store", offsetOf("rip"));
    returnIfSpent(code);
    dispatch(code, this.runtime.handlerType);
  }
}

function fixedOffset(place: Place): number {
  switch (place.kind) {
    case "fixed":
      return place.offset;
    case "operand":
      return 0;
    case "indexed":
      return place.base;
  }
}
