/**
 * Decodes and evaluates single instructions on a CPU state of their own, for table-driven tests.
 *
 * Memory is a plain buffer at linear address 0 without paging; an access outside it is a page fault.
 * System functions are recorded, and carried out only where a test says how.
 *
 * ```ts
 * check({ code: "01 d8", before: { rax: 1, rbx: 2 }, after: { rax: 3, flags: "" } });
 * ```
 */

import { assertEquals } from "@std/assert";
import { invariant } from "../../../lib/assert.ts";
import { Decoder } from "../../decode/decoder.ts";
import type { DecodeMode } from "../../decode/mode.ts";
import type { Instruction } from "../../ir/instruction.ts";
import type { SystemCatalogue } from "../../ir/builder.ts";
import { type EvaluationPort, Outcome, prepare } from "../../ir/evaluate.ts";
import type { Statement } from "../../ir/ir.ts";
import { type CpuState, openCpuState } from "../../state/cpu_state.ts";
import {
  type FieldName,
  GENERAL_REGISTERS,
  offsetOf,
  SEGMENT_REGISTERS,
  STATE_FIELDS,
  STATE_SIZE_BYTES,
  Status,
} from "../../state/layout.ts";
import { readFlags, writeFlags } from "../../system/flags_image.ts";
import { ENCODINGS } from "../table.ts";

/** Bytes of memory, from linear address 0. */
export const MEMORY_SIZE_BYTES = 0x20000;
/** Where the instruction under test lies unless `rip` says otherwise. */
export const CODE_ADDRESS = 0x1000n;

/** Values of state fields by name. `flags` is all of EFLAGS: a number, or letters of {@link FLAG_LETTERS}. */
export type FieldValues =
  & { readonly [F in Exclude<FieldName, "flags">]?: number | bigint }
  & { readonly flags?: string | number };

/** Status and control flags by the first letter of their names (D is DF). */
export const FLAG_LETTERS: Readonly<Record<string, number>> = {
  C: 0x1,
  P: 0x4,
  A: 0x10,
  Z: 0x40,
  S: 0x80,
  I: 0x200,
  D: 0x400,
  O: 0x800,
};

/** What a system function of a test does; it returns its result, or null for a fault that it made pending. */
export type SystemStub = (machine: TestMachine, ...args: bigint[]) => bigint | number | null | void;

/** One row of a table. */
export interface Case {
  readonly name?: string;
  /** Instruction bytes in hexadecimal; spaces do not matter. */
  readonly code: string;
  /** Code size; 64 unless said. 16 is real mode, 32 flat protected mode. */
  readonly bits?: 16 | 32 | 64;
  readonly before?: FieldValues;
  /** Fields afterwards; general registers that are not named must not have changed. */
  readonly after?: FieldValues;
  /** Memory before and after: hexadecimal bytes by linear address. */
  readonly memory?: Readonly<Record<number, string>>;
  readonly memoryAfter?: Readonly<Record<number, string>>;
  /** The vector of the exception expected; then nothing may have changed. */
  readonly fault?: number;
  readonly errorCode?: number;
  /** `repeat` when iterations remain; `next` and `jump` follow from RIP and are not told apart. */
  readonly repeats?: boolean;
  /** The instruction pointer afterwards; the following instruction unless said. */
  readonly rip?: number | bigint;
  /** Calls of system functions expected, with their arguments. */
  readonly calls?: readonly (readonly [name: string, ...args: (number | bigint)[]])[];
  readonly system?: Readonly<Record<string, SystemStub>>;
  /** Executes again while iterations remain, at most this often. */
  readonly times?: number;
}

const PERMISSIVE: SystemCatalogue = () => ({ endsBlock: true });
const decoder = new Decoder(ENCODINGS, () => true, PERMISSIVE);

/** Decode modes of the three code sizes of {@link Case}. */
export const MODES: Readonly<Record<16 | 32 | 64, DecodeMode>> = {
  16: { long: false, defaultSize: 16, stackSize: 16, flat: false },
  32: { long: false, defaultSize: 32, stackSize: 32, flat: true },
  64: { long: true, defaultSize: 32, stackSize: 64, flat: true },
};

/** Bytes of hexadecimal text. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/g, "");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A CPU state and memory on which instructions are evaluated. */
export class TestMachine implements EvaluationPort {
  readonly memory = new Uint8Array(MEMORY_SIZE_BYTES);
  readonly state: CpuState = openCpuState(new ArrayBuffer(STATE_SIZE_BYTES), 0);
  readonly calls: [name: string, ...args: bigint[]][] = [];
  #instruction: Instruction | null = null;

  constructor(
    readonly bits: 16 | 32 | 64 = 64,
    private readonly stubs: Readonly<Record<string, SystemStub>> = {},
  ) {
    const { state } = this;
    const last = bits === 16 ? 0xffffn : bits === 32 ? 0xffffffffn : (1n << 64n) - 1n;
    state.ipMask = state.codeLast = last;
    for (const segment of SEGMENT_REGISTERS) {
      setField(state, `${segment}Last`, bits === 16 ? 0xffff : 0xffffffff);
      setField(state, `${segment}Access`, 7);
    }
    state.rip = CODE_ADDRESS;
    state.rsp = 0x8000n;
    state.budget = 1000;
    writeFlags(state, 0, 0xffffffff);
    this.set({ flags: 0 });
  }

  /** Sets fields of the state. */
  set(values: FieldValues): void {
    for (const [name, value] of Object.entries(values)) {
      if (name === "flags") writeFlags(this.state, flagsOf(value as string | number), -1 >>> 0);
      else setField(this.state, name as FieldName, value as number | bigint);
    }
  }

  /** Decodes `code` (hexadecimal) as it stands at RIP; throws if it is no instruction. */
  decode(code: string): Instruction {
    const bytes = hex(code);
    const instruction = decoder.decode(bytes, 0, bytes.length, MODES[this.bits]);
    invariant(typeof instruction !== "string", `${code} is ${instruction}`);
    invariant(instruction.length === bytes.length, `${code} has ${instruction.length} bytes`);
    return instruction;
  }

  /** Executes one instruction at RIP; returns a value of `Outcome`. */
  execute(code: string): number {
    const { state } = this;
    const instruction = this.decode(code);
    this.#instruction = instruction;
    state.status = Status.none;
    state.nextRip = (state.rip + BigInt(instruction.length)) & state.ipMask;
    const { program, form } = instruction.bound;
    const outcome = prepare(program, form)(this, instruction);
    if (outcome === Outcome.next || outcome === Outcome.jump) state.rip = state.nextRip;
    return outcome;
  }

  load(linear: bigint, size: number): boolean {
    const bytes = size & 0xff;
    if (!this.#mapped(linear, bytes)) return false;
    this.state.set128(offsetOf("result"), this.read(Number(linear), bytes));
    return true;
  }

  store(linear: bigint, size: number): boolean {
    const bytes = size & 0xff;
    if (!this.#mapped(linear, bytes)) return false;
    const argument = offsetOf("argument0");
    this.memory.set(this.state.u8.subarray(argument, argument + bytes), Number(linear));
    return true;
  }

  system(name: string): boolean {
    const count = argumentsOf(this.#instruction!.bound.program.statements, name);
    const args = Array.from(
      { length: count },
      (_, i) => this.state.u64[(offsetOf("argument0") >> 3) + 2 * i],
    );
    this.calls.push([name, ...args]);
    const result = this.stubs[name]?.(this, ...args);
    if (result === null) return false;
    this.state.set128(offsetOf("result"), BigInt.asUintN(64, BigInt(result ?? 0)));
    return true;
  }

  /** The little-endian number of `bytes` bytes at linear address `at`. */
  read(at: number, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.memory[at + i]);
    return value;
  }

  #mapped(linear: bigint, bytes: number): boolean {
    if (linear + BigInt(bytes) <= BigInt(MEMORY_SIZE_BYTES)) return true;
    const { state } = this;
    state.status = Status.exception;
    state.vector = 14;
    state.hasErrorCode = 1;
    state.errorCode = 0;
    state.faultAddress = linear;
    return false;
  }
}

/** Runs one row and compares everything that it states. */
export function check(row: Case): void {
  const machine = new TestMachine(row.bits, row.system);
  const { state } = machine;
  const name = row.name ?? row.code;
  machine.set(row.before ?? {});
  writeMemory(machine, row.memory ?? {});
  const untouched = GENERAL_REGISTERS.map((register) => state[register]);
  const [start, flags] = [state.rip, readFlags(state)];
  let outcome = machine.execute(row.code);
  for (let i = 1; i < (row.times ?? 1) && outcome === Outcome.repeat; i++) {
    outcome = machine.execute(row.code);
  }
  if (row.fault !== undefined || outcome === Outcome.fault) {
    assertEquals(outcome === Outcome.fault ? state.vector : "no fault", row.fault, name);
    assertEquals(state.hasErrorCode ? state.errorCode : undefined, row.errorCode, name);
    assertEquals(hexes(GENERAL_REGISTERS.map((r) => state[r])), hexes(untouched), name);
    assertEquals([state.rip, readFlags(state)], [start, flags], name);
  } else {
    assertEquals(outcome === Outcome.repeat, row.repeats ?? false, `${name}: repeats`);
    const length = BigInt(hex(row.code).length);
    const next = row.repeats ? start : (start + length) & state.ipMask;
    assertEquals(hexes([state.rip]), hexes([BigInt(row.rip ?? next)]), `${name}: rip`);
    checkState(row, state, untouched, name);
  }
  for (const [at, bytes] of Object.entries(row.memoryAfter ?? {})) {
    const expected = hex(bytes);
    const found = machine.memory.subarray(Number(at), Number(at) + expected.length);
    assertEquals([...found], [...expected], `${name}: memory at ${at}`);
  }
  if (row.calls) {
    const calls = row.calls.map(([f, ...args]) => [f, ...args.map(BigInt)]);
    assertEquals(machine.calls as unknown[], calls, name);
  }
}

/** Runs each row of a table. */
export function checkAll(rows: readonly Case[]): void {
  for (const row of rows) check(row);
}

function checkState(row: Case, state: CpuState, untouched: bigint[], name: string): void {
  const { flags, ...fields } = row.after ?? {};
  GENERAL_REGISTERS.forEach((register, i) => {
    const expected = BigInt.asUintN(64, BigInt(fields[register] ?? untouched[i]));
    assertEquals(hexes([state[register]]), hexes([expected]), `${name}: ${register}`);
  });
  for (const [field, value] of Object.entries(fields)) {
    const found = BigInt((state as unknown as Record<string, number | bigint>)[field]);
    assertEquals(hexes([found]), hexes([BigInt.asUintN(64, BigInt(value!))]), `${name}: ${field}`);
  }
  if (flags !== undefined) {
    const expected = lettersOf(flagsOf(flags));
    assertEquals(lettersOf(readFlags(state)), expected, `${name}: flags`);
  }
}

function setField(state: CpuState, name: FieldName, value: number | bigint): void {
  const spec = STATE_FIELDS.get(name)!;
  const fields = state as unknown as Record<string, number | bigint>;
  if (spec.type === "u32") fields[name] = Number(value);
  else if (spec.type === "i64") fields[name] = BigInt.asUintN(64, BigInt(value));
  else state.set128(spec.offset, BigInt(value));
}

function writeMemory(machine: TestMachine, memory: Readonly<Record<number, string>>): void {
  for (const [at, bytes] of Object.entries(memory)) machine.memory.set(hex(bytes), Number(at));
}

function flagsOf(flags: string | number): number {
  if (typeof flags === "number") return flags;
  return [...flags].reduce((all, letter) => {
    invariant(letter in FLAG_LETTERS, `no flag has the letter ${letter}`);
    return all | FLAG_LETTERS[letter];
  }, 0);
}

function lettersOf(flags: number): string {
  const known = Object.entries(FLAG_LETTERS).filter(([, bit]) => (flags & bit) !== 0);
  const rest = Object.values(FLAG_LETTERS).reduce((left, bit) => left & ~bit, flags & ~2);
  return known.map(([letter]) => letter).join("") + (rest ? ` 0x${(rest >>> 0).toString(16)}` : "");
}

function hexes(values: readonly bigint[]): string[] {
  return values.map((value) => `0x${value.toString(16)}`);
}

/** How many arguments a program passes to a system function. */
function argumentsOf(statements: readonly Statement[], name: string): number {
  for (const statement of statements) {
    if (statement.kind === "system" && statement.name === name) return statement.args.length;
    const inner = statement.kind === "if"
      ? [statement.then, statement.otherwise]
      : statement.kind === "loop"
      ? [statement.body]
      : [];
    for (const body of inner) {
      const count = argumentsOf(body, name);
      if (count >= 0) return count;
    }
  }
  return -1;
}
