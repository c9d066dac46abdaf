/**
 * WebAssembly functions as text, for people: the names of the core specification's text format, one instruction a line,
 * indented by block. It reads what writer.ts writes, by the same tables; nothing else is expected.
 */

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
  WITH_IMMEDIATE,
} from "./opcodes.ts";
import type { Signature } from "./writer.ts";

type Names = ReadonlyMap<number, string>;

function inverse(table: Readonly<Record<string, number>>): Names {
  return new Map(Object.entries(table).map(([name, opcode]) => [opcode, name]));
}

const NAMES = {
  plain: inverse(PLAIN),
  memory: inverse(MEMORY),
  immediate: inverse(WITH_IMMEDIATE) as ReadonlyMap<number, keyof typeof WITH_IMMEDIATE>,
  simd: inverse(SIMD),
  simdMemory: inverse(SIMD_MEMORY),
  simdLane: inverse(SIMD_LANE),
  types: inverse(VALUE_TYPE),
} as const;

const OPENS = new Set(["block", "loop", "if", "else"]);
const CLOSES = new Set(["else", "end"]);

/** The text of a function's body as `FunctionWriter.body` gives it, with the size in front. */
export function functionText(body: Uint8Array, { parameters, results }: Signature): string[] {
  const reader = new BodyReader(body);
  const sizeBytes = reader.unsigned();
  invariant(reader.at + sizeBytes === body.length, `a body of ${sizeBytes} bytes`);
  const part = (name: string, types: readonly string[]) =>
    types.length > 0 ? ` (${name} ${types.join(" ")})` : "";
  const lines = [`(func${part("param", parameters)}${part("result", results)}`];
  let local = parameters.length;
  for (let runs = reader.unsigned(); runs > 0; runs--) {
    const count = reader.unsigned();
    const last = count > 1 ? `..$${local + count - 1}` : "";
    lines.push(`  (local $${local}${last} ${reader.type()})`);
    local += count;
  }
  let depth = 1;
  while (depth > 0) {
    const line = reader.instruction();
    const [name] = line.split(" ");
    if (CLOSES.has(name)) depth--;
    // The last `end` closes the function itself.
    lines.push(depth === 0 ? ")" : "  ".repeat(depth) + line);
    if (OPENS.has(name)) depth++;
  }
  invariant(reader.at === body.length, `a body that ends at ${reader.at}, of ${body.length}`);
  return lines;
}

/** Reads instructions one after the other. */
class BodyReader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  instruction(): string {
    const opcode = this.#byte();
    if (opcode === SIMD_PREFIX) return this.#vector();
    if (opcode === BULK_PREFIX) return this.#bulk();
    const memory = NAMES.memory.get(opcode);
    if (memory !== undefined) return this.#access(memory);
    const name = NAMES.immediate.get(opcode);
    if (name !== undefined) return `${name}${this.#immediate(name)}`;
    return this.#named(NAMES.plain, opcode);
  }

  type(): string {
    return this.#named(NAMES.types, this.#byte());
  }

  /** An unsigned LEB128 number below 2^53. */
  unsigned(): number {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  #immediate(name: keyof typeof WITH_IMMEDIATE): string {
    switch (name) {
      case "block":
      case "loop":
      case "if":
        return this.#blockType();
      case "br_table": {
        const count = this.unsigned();
        return Array.from({ length: count + 1 }, () => ` ${this.unsigned()}`).join("");
      }
      case "i32.const":
      case "i64.const":
        return ` ${this.#signed()}`;
      case "call_indirect":
      case "return_call_indirect": {
        const type = this.unsigned();
        invariant(this.unsigned() === 0, "calls go through table 0");
        return ` (type ${type})`;
      }
      default:
        return ` ${this.unsigned()}`;
    }
  }

  #blockType(): string {
    const type = this.#byte();
    return type === NO_RESULT ? "" : ` (result ${this.#named(NAMES.types, type)})`;
  }

  #vector(): string {
    const opcode = this.unsigned();
    const memory = NAMES.simdMemory.get(opcode);
    if (memory !== undefined) return this.#access(memory);
    const lane = NAMES.simdLane.get(opcode);
    if (lane !== undefined) return `${lane} ${this.#byte()}`;
    return this.#named(NAMES.simd, opcode);
  }

  #bulk(): string {
    const opcode = this.unsigned();
    const found = Object.entries(BULK).find(([, [number]]) => number === opcode);
    invariant(found !== undefined, `bulk opcode ${opcode} before byte ${this.at}`);
    const [name, [, memories]] = found;
    for (let i = 0; i < memories; i++) invariant(this.unsigned() === 0, "there is one memory");
    return name;
  }

  #access(name: string): string {
    invariant(this.unsigned() === 0, "accesses promise no alignment");
    const offset = this.unsigned();
    // An alignment is told where it is not the access's own width.
    const align = /8(_[su])?$/.test(name) ? "" : " align=1";
    return `${name}${offset === 0 ? "" : ` offset=${offset}`}${align}`;
  }

  #signed(): bigint {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(Number(shift) + 7, value);
    }
  }

  #named(names: Names, opcode: number): string {
    const name = names.get(opcode);
    invariant(name !== undefined, `opcode 0x${opcode.toString(16)} before byte ${this.at}`);
    return name;
  }

  #byte(): number {
    invariant(this.at < this.bytes.length, "a body that ends within an instruction");
    return this.bytes[this.at++];
  }
}
