/** Writes WebAssembly binary: bytes, function bodies, modules (core specification, "Binary Format"). */

import { invariant } from "../assert.ts";
import {
  BULK,
  BULK_PREFIX,
  MEMORY,
  NO_RESULT,
  PLAIN,
  SIMD,
  SIMD_LANE,
  SIMD_MEMORY,
  SIMD_PREFIX,
  VALUE_TYPE,
  type WasmType,
  WITH_IMMEDIATE,
} from "./opcodes.ts";

/** A growing byte string. */
export class Bytes {
  #data = new Uint8Array(256);
  length = 0;

  byte(value: number): void {
    if (this.length === this.#data.length) this.#grow(1);
    this.#data[this.length++] = value;
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#data.length) this.#grow(bytes.length);
    this.#data.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** An unsigned LEB128 number below 2^53. */
  unsigned(value: number): void {
    while (value >= 0x80) {
      this.byte((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    this.byte(value);
  }

  /** A signed LEB128 number of 32 bits. */
  signed32(value: number): void {
    for (;;) {
      const low = value & 0x7f;
      value >>= 7;
      if ((value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** A signed LEB128 number. */
  signed(value: bigint): void {
    if (value >= -0x8000_0000n && value < 0x8000_0000n) return this.signed32(Number(value));
    for (;;) {
      const low = Number(value & 0x7fn);
      value >>= 7n;
      if ((value === 0n && (low & 0x40) === 0) || (value === -1n && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  name(text: string): void {
    this.unsigned(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  toBytes(): Uint8Array {
    return this.#data.slice(0, this.length);
  }

  #grow(by: number): void {
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.length + by));
    larger.set(this.#data);
    this.#data = larger;
  }
}

/** A function type. */
export interface Signature {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
}

/** The body of one function under construction. */
export class FunctionWriter {
  readonly #code = new Bytes();
  readonly #locals: WasmType[] = [];

  constructor(readonly signature: Signature) {}

  /** A new local of the given type; returns its index. */
  local(type: WasmType): number {
    this.#locals.push(type);
    return this.signature.parameters.length + this.#locals.length - 1;
  }

  /** An instruction without immediates, vector or not. */
  op(name: string): void {
    const plain = PLAIN[name];
    if (plain !== undefined) return this.#code.byte(plain);
    const simd = SIMD[name];
    invariant(simd !== undefined, `no WebAssembly instruction is named ${name}`);
    this.#code.byte(SIMD_PREFIX);
    this.#code.unsigned(simd);
  }

  i32(value: number): void {
    this.#code.byte(WITH_IMMEDIATE["i32.const"]);
    this.#code.signed32(value | 0);
  }

  i64(value: bigint): void {
    this.#code.byte(WITH_IMMEDIATE["i64.const"]);
    this.#code.signed(BigInt.asIntN(64, value));
  }

  get(local: number): void {
    this.#code.byte(WITH_IMMEDIATE["local.get"]);
    this.#code.unsigned(local);
  }

  set(local: number): void {
    this.#code.byte(WITH_IMMEDIATE["local.set"]);
    this.#code.unsigned(local);
  }

  tee(local: number): void {
    this.#code.byte(WITH_IMMEDIATE["local.tee"]);
    this.#code.unsigned(local);
  }

  /** A load or store with a constant offset; no alignment is promised. */
  memory(name: string, offset: number): void {
    const plain = MEMORY[name];
    if (plain !== undefined) this.#code.byte(plain);
    else {
      const simd = SIMD_MEMORY[name];
      invariant(simd !== undefined, `no WebAssembly memory instruction is named ${name}`);
      this.#code.byte(SIMD_PREFIX);
      this.#code.unsigned(simd);
    }
    this.#code.unsigned(0);
    this.#code.unsigned(offset);
  }

  /** Copies or fills a stretch of memory. */
  bulk(name: string): void {
    const found = BULK[name];
    invariant(found !== undefined, `no WebAssembly bulk instruction is named ${name}`);
    const [opcode, memories] = found;
    this.#code.byte(BULK_PREFIX);
    this.#code.unsigned(opcode);
    for (let i = 0; i < memories; i++) this.#code.unsigned(0);
  }

  lane(name: string, lane: number): void {
    const opcode = SIMD_LANE[name];
    invariant(opcode !== undefined, `no WebAssembly lane instruction is named ${name}`);
    this.#code.byte(SIMD_PREFIX);
    this.#code.unsigned(opcode);
    this.#code.byte(lane);
  }

  /** Opens a structured instruction; `result` is its value's type, if it has one. */
  block(kind: "block" | "loop" | "if", result?: WasmType): void {
    this.#code.byte(WITH_IMMEDIATE[kind]);
    this.#code.byte(result ? VALUE_TYPE[result] : NO_RESULT);
  }

  branchIf(depth: number): void {
    this.#code.byte(WITH_IMMEDIATE.br_if);
    this.#code.unsigned(depth);
  }

  branch(depth: number): void {
    this.#code.byte(WITH_IMMEDIATE.br);
    this.#code.unsigned(depth);
  }

  /** Branches to the depth that the i32 on the stack selects, or to `otherwise`. */
  branchTable(depths: readonly number[], otherwise: number): void {
    this.#code.byte(WITH_IMMEDIATE.br_table);
    this.#code.unsigned(depths.length);
    for (const depth of depths) this.#code.unsigned(depth);
    this.#code.unsigned(otherwise);
  }

  call(functionIndex: number): void {
    this.#code.byte(WITH_IMMEDIATE.call);
    this.#code.unsigned(functionIndex);
  }

  /** Calls through table 0; the entry's index is on the stack, behind the arguments. */
  callIndirect(typeIndex: number): void {
    this.#code.byte(WITH_IMMEDIATE.call_indirect);
    this.#code.unsigned(typeIndex);
    this.#code.unsigned(0);
  }

  /** Replaces the running function by another one. */
  returnCall(functionIndex: number): void {
    this.#code.byte(WITH_IMMEDIATE.return_call);
    this.#code.unsigned(functionIndex);
  }

  /** The same through table 0; the entry's index is on the stack. */
  returnCallIndirect(typeIndex: number): void {
    this.#code.byte(WITH_IMMEDIATE.return_call_indirect);
    this.#code.unsigned(typeIndex);
    this.#code.unsigned(0);
  }

  /** The finished body: locals, code, end; with its size in front. */
  body(): Uint8Array {
    const inner = new Bytes();
    const runs: { type: WasmType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs[runs.length - 1];
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    inner.unsigned(runs.length);
    for (const { type, count } of runs) {
      inner.unsigned(count);
      inner.byte(VALUE_TYPE[type]);
    }
    inner.append(this.#code.toBytes());
    inner.byte(PLAIN.end);
    const outer = new Bytes();
    outer.unsigned(inner.length);
    outer.append(inner.toBytes());
    return outer.toBytes();
  }
}

const SECTION = { type: 1, import: 2, function: 3, export: 7, element: 9, code: 10 } as const;
const EXTERNAL = { function: 0, table: 1, memory: 2 } as const;

/** A module under construction. Imports come first; all are named `env.*`. */
export class ModuleWriter {
  readonly #types: Signature[] = [];
  readonly #imports: { name: string; type: number }[] = [];
  readonly #functions: { type: number; writer: FunctionWriter }[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  readonly #elements: { at: number; functions: number[] }[] = [];

  /** `tableEntries` is the size of the imported table `env.table`. */
  constructor(private readonly memoryPages: number, private readonly tableEntries: number) {}

  type(signature: Signature): number {
    const key = JSON.stringify(signature);
    const known = this.#types.findIndex((type) => JSON.stringify(type) === key);
    return known >= 0 ? known : this.#types.push(signature) - 1;
  }

  /** Imports a function; all imports must precede {@link define}. */
  import(name: string, signature: Signature): number {
    invariant(this.#functions.length === 0, "imports come before functions");
    return this.#imports.push({ name, type: this.type(signature) }) - 1;
  }

  /** Adds a function and returns its index; its body may be written later. */
  define(signature: Signature): { index: number; writer: FunctionWriter } {
    const writer = new FunctionWriter(signature);
    this.#functions.push({ type: this.type(signature), writer });
    return { index: this.#imports.length + this.#functions.length - 1, writer };
  }

  export(name: string, index: number): void {
    this.#exports.push({ name, index });
  }

  /** Places functions into the table from entry `at` on when the module is instantiated. */
  element(at: number, functions: number[]): void {
    this.#elements.push({ at, functions });
  }

  toBytes(): Uint8Array {
    const out = new Bytes();
    for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
    section(out, SECTION.type, this.#types, (type, bytes) => {
      bytes.byte(0x60);
      bytes.unsigned(type.parameters.length);
      for (const t of type.parameters) bytes.byte(VALUE_TYPE[t]);
      bytes.unsigned(type.results.length);
      for (const t of type.results) bytes.byte(VALUE_TYPE[t]);
    });
    section(out, SECTION.import, [null, undefined, ...this.#imports], (item, bytes) => {
      bytes.name("env");
      if (item === null) this.#importMemory(bytes);
      else if (item === undefined) this.#importTable(bytes);
      else {
        bytes.name(item.name);
        bytes.byte(EXTERNAL.function);
        bytes.unsigned(item.type);
      }
    });
    section(out, SECTION.function, this.#functions, ({ type }, bytes) => bytes.unsigned(type));
    section(out, SECTION.export, this.#exports, ({ name, index }, bytes) => {
      bytes.name(name);
      bytes.byte(EXTERNAL.function);
      bytes.unsigned(index);
    });
    section(out, SECTION.element, this.#elements, ({ at, functions }, bytes) => {
      bytes.byte(0);
      bytes.byte(0x41);
      bytes.signed(BigInt(at));
      bytes.byte(0x0b);
      bytes.unsigned(functions.length);
      for (const f of functions) bytes.unsigned(f);
    });
    section(out, SECTION.code, this.#functions, ({ writer }, bytes) => bytes.append(writer.body()));
    return out.toBytes();
  }

  /** A memory with 64-bit addresses and a fixed size. */
  #importMemory(bytes: Bytes): void {
    bytes.name("memory");
    bytes.byte(EXTERNAL.memory);
    bytes.byte(0x05);
    bytes.unsigned(this.memoryPages);
    bytes.unsigned(this.memoryPages);
  }

  #importTable(bytes: Bytes): void {
    bytes.name("table");
    bytes.byte(EXTERNAL.table);
    bytes.byte(0x70);
    bytes.byte(0x01);
    bytes.unsigned(this.tableEntries);
    bytes.unsigned(this.tableEntries);
  }
}

function section<T>(
  out: Bytes,
  id: number,
  items: readonly T[],
  write: (item: T, bytes: Bytes) => void,
): void {
  if (items.length === 0) return;
  const bytes = new Bytes();
  bytes.unsigned(items.length);
  for (const item of items) write(item, bytes);
  out.byte(id);
  out.unsigned(bytes.length);
  out.append(bytes.toBytes());
}
