/**
 * Executes single x87 instructions with their system functions, with fast paths or without, for tables of values.
 *
 * ```ts
 * checkX87([{ code: "d8 c1", stack: [ONE, TWO], after: { stack: [THREE, TWO] } }]);
 * ```
 */

import { assertEquals } from "@std/assert";
import { invariant } from "../../../lib/assert.ts";
import { Decoder } from "../../decode/decoder.ts";
import { decodeMode } from "../../decode/mode.ts";
import { type Evaluation, type EvaluationPort, Outcome, prepare } from "../../ir/evaluate.ts";
import type { CpuState } from "../../state/cpu_state.ts";
import { fprOffset, Status } from "../../state/layout.ts";
import { readFlags, writeFlags } from "../../system/flags_image.ts";
import { Rig } from "../../system/testing/rig.ts";
import { ENCODINGS } from "../table.ts";
import { hex } from "./harness.ts";

/** Where the instruction lies. */
export const CODE_ADDRESS = 0x5000;
/** Where RBX points; tests use it for memory operands. */
export const OPERAND_ADDRESS = 0x6000;
const OPERAND_BYTES = 16;
const INITIAL_FIP = 0x7777n;
const PE_NE = 0x21;
const ALL_ONES = (1n << 64n) - 1n;

/** Numbers in the register format. */
export const EXTENDED = {
  zero: 0n,
  one: 0x3fff8000000000000000n,
  two: 0x40008000000000000000n,
  three: 0x4000c000000000000000n,
  half: 0x3ffe8000000000000000n,
  infinity: 0x7fff8000000000000000n,
  indefinite: 0xffffc000000000000000n,
  signalling: 0x7fffa000000000000000n,
  denormal: 1n,
} as const;

/** Adds the sign. */
export function minus(bits: bigint): bigint {
  return bits | (1n << 79n);
}

/** The unit before an instruction. */
export interface X87Setup {
  /** Control word; 0x37f unless said. */
  readonly control?: number;
  /** Status word without TOP. */
  readonly status?: number;
  /** ST(0) first; null is an empty register, and so are those not named. TOP is 3. */
  readonly stack?: readonly (bigint | null)[];
  /** Bytes at RBX, as a little-endian number. */
  readonly memory?: bigint;
  /** Status flags. */
  readonly flags?: number;
}

/** Everything of the unit that instructions change. */
export interface X87Result {
  readonly stack: readonly (bigint | null)[];
  readonly status: number;
  readonly control: number;
  readonly memory: bigint;
  readonly flags: number;
  /** Whether FIP is the instruction's. */
  readonly recorded: boolean;
  /** The vector raised, or null. */
  readonly fault: number | null;
  /** Whether a system function was called. */
  readonly exact: boolean;
}

/** A CPU in 64-bit mode that evaluates one instruction at a time. */
export class X87Machine implements EvaluationPort {
  readonly state: CpuState;
  readonly #rig = new Rig();
  readonly #decoder = new Decoder(ENCODINGS, () => true, (name) => this.#rig.functions.find(name));
  readonly #evaluations = new Map<number, Evaluation>();
  #exact = false;

  constructor() {
    this.state = this.#rig.cpu.state;
    const { state } = this;
    state.ipMask = state.codeLast = ALL_ONES;
    state.modeKey = 1;
    state.csBase = 0n;
    state.cr0 = PE_NE;
    state.x87Trap = 0;
  }

  /** Executes `code` on a freshly set up unit. */
  run(code: string, setup: X87Setup = {}, fast = false): X87Result {
    this.#setUp(setup);
    const fault = this.#execute(hex(code), fast);
    return this.#result(fault);
  }

  load(linear: bigint, size: number, forWrite: boolean): boolean {
    const { mmu } = this.#rig.cpu;
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    return forWrite ? mmu.readForWriteSlow(low, high, size) : mmu.readSlow(low, high, size);
  }

  store(linear: bigint, size: number): boolean {
    const low = Number(BigInt.asIntN(32, linear));
    return this.#rig.cpu.mmu.writeSlow(low, Number(BigInt.asIntN(32, linear >> 32n)), size);
  }

  system(name: string): boolean {
    this.#exact = true;
    const { functions, cpu } = this.#rig;
    return functions.call(cpu, functions.idOf(name));
  }

  #setUp({ control = 0x37f, status = 0, stack = [], memory = 0n, flags = 0 }: X87Setup): void {
    const { state } = this;
    state.fpuControl = control;
    state.fpuStatus = status;
    state.fpuTop = 3;
    state.fpuTags = 0xff;
    state.fpuIp = INITIAL_FIP;
    for (let i = 0; i < 8; i++) {
      const register = (3 + i) & 7;
      const bits = stack[i] ?? null;
      state.set128(fprOffset(register), bits ?? 0n);
      if (bits !== null) state.fpuTags &= ~(1 << register);
    }
    writeFlags(state, flags, -1 >>> 0);
    state.rbx = BigInt(OPERAND_ADDRESS);
    for (let i = 0; i < OPERAND_BYTES; i++) {
      this.#rig.memory.write(OPERAND_ADDRESS + i, 1, Number((memory >> BigInt(8 * i)) & 0xffn));
    }
  }

  #execute(bytes: Uint8Array, fast: boolean): number | null {
    const { state } = this;
    bytes.forEach((byte, i) => this.#rig.memory.write(CODE_ADDRESS + i, 1, byte));
    const instruction = this.#decoder.decode(bytes, 0, bytes.length, decodeMode(state.modeKey));
    invariant(typeof instruction !== "string", "the bytes are no instruction");
    state.rip = BigInt(CODE_ADDRESS);
    state.nextRip = state.rip + BigInt(instruction.length);
    state.status = Status.none;
    state.fastPaths = fast ? 1 : 0;
    this.#exact = false;
    const { bound } = instruction;
    let evaluation = this.#evaluations.get(bound.index);
    if (!evaluation) {
      evaluation = prepare(bound.program, bound.form);
      this.#evaluations.set(bound.index, evaluation);
    }
    return evaluation(this, instruction) === Outcome.fault ? state.vector : null;
  }

  #result(fault: number | null): X87Result {
    const { state } = this;
    const stack = Array.from({ length: 8 }, (_, i) => {
      const register = (state.fpuTop + i) & 7;
      const isEmpty = ((state.fpuTags >> register) & 1) !== 0;
      return isEmpty ? null : state.get128(fprOffset(register));
    });
    while (stack.at(-1) === null) stack.pop();
    let memory = 0n;
    for (let i = OPERAND_BYTES - 1; i >= 0; i--) {
      memory = (memory << 8n) | BigInt(this.#rig.memory.read(OPERAND_ADDRESS + i, 1));
    }
    return {
      stack,
      status: state.fpuStatus,
      control: state.fpuControl,
      memory,
      flags: readFlags(state) & 0x8d5,
      recorded: state.fpuIp === BigInt(CODE_ADDRESS),
      fault,
      exact: this.#exact,
    };
  }
}

/** One row: an instruction, the unit before it, and what is expected afterwards. */
export interface X87Case extends X87Setup {
  readonly code: string;
  readonly after: Partial<X87Result>;
}

/** Runs each row with and without fast paths and compares what it states. */
export function checkX87(rows: readonly X87Case[]): void {
  const machine = new X87Machine();
  for (const row of rows) {
    for (const fast of [false, true]) {
      const found = machine.run(row.code, row, fast);
      const wanted = Object.fromEntries(
        Object.keys(row.after).map((key) => [key, found[key as keyof X87Result]]),
      );
      const name = `${row.code} ${fast ? "fast" : "exact"} ${readable(row.stack)}`;
      assertEquals(readable(wanted), readable(row.after), name);
    }
  }
}

/** Numbers as hexadecimal text, which makes differences legible. */
function readable(value: unknown): unknown {
  return JSON.stringify(
    value,
    (_, part) => typeof part === "bigint" || typeof part === "number" ? part.toString(16) : part,
  );
}
