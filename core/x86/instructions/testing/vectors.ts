/** Tables of MMX and SSE instructions: one instruction on vector registers, with the system functions carried out. */

import { assertEquals } from "@std/assert";
import type { Cpu } from "../../cpu.ts";
import { Outcome } from "../../ir/evaluate.ts";
import { Cr0, Cr4 } from "../../state/bits.ts";
import { fprOffset, Status, xmmOffset } from "../../state/layout.ts";
import { SSE_FUNCTIONS } from "../../system/sse.ts";
import { type FieldValues, hex, TestMachine } from "./harness.ts";

/** Memory operands of tables lie here: RSI points to it. */
export const OPERAND = 0x2000;

type Values = Omit<FieldValues, "flags">;

/** One row: vectors as hexadecimal, most significant digit first, in registers `x0` to `x3` and `m0` to `m7`. */
export interface VectorCase {
  readonly code: string;
  /** The instruction, for messages. */
  readonly is: string;
  readonly vectors?: Readonly<Record<string, string>>;
  /** Memory at {@link OPERAND}, as a number is written. */
  readonly memory?: string;
  readonly before?: Values;
  readonly vectorsAfter?: Readonly<Record<string, string>>;
  readonly memoryAfter?: string;
  readonly after?: Values;
  /** The vector of the exception expected. */
  readonly fault?: number;
}

class VectorMachine extends TestMachine {
  override system(name: string): boolean {
    const fault = {};
    const cpu = {
      state: this.state,
      raise: (vector: number): never => {
        this.state.status = Status.exception;
        this.state.vector = vector;
        throw fault;
      },
    };
    try {
      SSE_FUNCTIONS[name as keyof typeof SSE_FUNCTIONS].run(cpu as unknown as Cpu);
      return true;
    } catch (error) {
      if (error !== fault) throw error;
      return false;
    }
  }
}

/** Runs each row. */
export function checkVectors(rows: readonly VectorCase[]): void {
  for (const row of rows) checkRow(row);
}

function checkRow(row: VectorCase): void {
  const machine = new VectorMachine();
  const { state } = machine;
  machine.set({ cr0: Cr0.NE, cr4: Cr4.OSFXSR | Cr4.OSXMMEXCPT, mxcsr: 0x1f80, rsi: OPERAND });
  machine.set({ ...row.before });
  for (const [name, value] of Object.entries(row.vectors ?? {})) {
    state.set128(offsetOfVector(name), BigInt(`0x${value}`));
  }
  const memory = (text: string) => hex(text).reverse();
  if (row.memory) machine.memory.set(memory(row.memory), OPERAND);
  const outcome = machine.execute(row.code);
  assertEquals(outcome === Outcome.fault ? state.vector : undefined, row.fault, row.is);
  for (const [name, value] of Object.entries(row.vectorsAfter ?? {})) {
    const digits = value.replaceAll(" ", "").length;
    const found = state.get128(offsetOfVector(name)).toString(16).padStart(digits, "0");
    assertEquals(found, value.replaceAll(" ", "").padStart(digits, "0"), `${row.is}: ${name}`);
  }
  const fields = state as unknown as Record<string, number | bigint>;
  for (const [name, value] of Object.entries(row.after ?? {})) {
    assertEquals(BigInt(fields[name]), BigInt(value!), `${row.is}: ${name}`);
  }
  if (row.memoryAfter) {
    const expected = memory(row.memoryAfter);
    const found = machine.memory.subarray(OPERAND, OPERAND + expected.length);
    assertEquals([...found], [...expected], `${row.is}: memory`);
  }
}

function offsetOfVector(name: string): number {
  const number = Number(name.slice(1));
  return name[0] === "x" ? xmmOffset(number) : fprOffset(number);
}
