/**
 * From programs to handlers: the statements of one form become one WebAssembly function that reads its
 * operands from a record.
 */

import { unreachable } from "../../lib/assert.ts";
import type { FunctionWriter } from "../../lib/wasm/writer.ts";
import type { BoundForm } from "../ir/instruction.ts";
import type { Form } from "../ir/form.ts";
import {
  containsStatement,
  type I64,
  type Node,
  type Place,
  type PlaceWidth,
  type Statement,
} from "../ir/ir.ts";
import { quickEntry } from "../quick/quick_functions.ts";
import { offsetOf } from "../state/layout.ts";
import { ExpressionWriter } from "./expressions.ts";
import { ARGUMENT0, LOADS, MemoryAccessWriter, RESULT, STORES } from "./memory_access.ts";
import { FIRST_QUICK_ENTRY, Record, RECORD_BYTES } from "./record.ts";
import {
  BUDGET,
  CPU,
  dispatch,
  pushIp,
  pushState,
  RECORD,
  returnIfSpent,
  returnIfStopped,
  returnOnFault,
} from "./handler_code.ts";
import type { Runtime } from "./runtime.ts";

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
  return containsStatement(statements, (s) => s.kind === "system" && s.endsBlock);
}

class HandlerWriter {
  readonly #values: ExpressionWriter;
  readonly #memory: MemoryAccessWriter;

  constructor(
    private readonly code: FunctionWriter,
    form: Form,
    private readonly runtime: Runtime,
    private readonly systemId: (name: string) => number,
  ) {
    this.#values = new ExpressionWriter(code);
    this.#memory = new MemoryAccessWriter(code, this.#values, form, runtime);
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
      pushState(code);
      code.returnCall(this.runtime.next);
      return;
    }
    code.get(BUDGET);
    code.i32(0);
    code.op("i32.le_s");
    code.block("if");
    pushState(code);
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
        else code.memory("i64.load16_u", Record.immediate2);
        return values.keep(statement.result);
      case "address":
        this.#memory.pushAddress();
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
        return this.#memory.load(statement);
      case "store":
        return this.#memory.store(statement);
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

  // ---- control ----

  #raise(vector: number, errorCode: number): void {
    const { code } = this;
    pushState(code);
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
    pushState(code);
    code.i32(this.systemId(statement.name));
    const quick = quickEntry(statement.name);
    if (quick >= 0) {
      code.i32(FIRST_QUICK_ENTRY + quick);
      code.call(this.runtime.quickSystem);
    } else code.call(this.runtime.system);
    returnOnFault(code);
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
      pushState(code);
      code.returnCall(runtime.next);
      return;
    }
    const link = code.local("i64");
    code.get(RECORD);
    code.memory("i64.load32_u", Record.link);
    code.tee(link);
    code.op("i64.eqz");
    code.block("if");
    pushState(code);
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
