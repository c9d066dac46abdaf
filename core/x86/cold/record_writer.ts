/** From decoded instructions to records (see record.ts): straight from the decoder's numbers into linear memory. */

import type { CodeStops } from "../debugging/code_stops.ts";
import type { Decoded } from "../decode/decoded.ts";
import type { Decoder } from "../decode/decoder.ts";
import { decodeMode } from "../decode/mode.ts";
import type { BoundForm } from "../ir/instruction.ts";
import { containsStatement, type Statement } from "../ir/ir.ts";
import { offsetOf, registerOffset, SEGMENT_REGISTERS } from "../state/layout.ts";
import { ModeKey } from "../system/mode.ts";
import { FixedHandler, Record, RECORD_BYTES } from "./record.ts";
import { type Templates, Trait } from "./templates.ts";

/** Most instructions in a block. */
export const MAX_BLOCK_INSTRUCTIONS = 64;
/** Words in a record, and the words at which its parts lie. */
export const RECORD_WORDS: number = RECORD_BYTES >> 2;
const HANDLER = Record.handler >> 2;
const OFFSETS = Record.offset >> 2;
const REGISTERS = Record.registers >> 2;
const BASE_AND_INDEX = Record.base >> 2;
const SEGMENT = Record.segment >> 2;
const DISPLACEMENT = Record.displacement >> 2;
const ADDRESS_MASK = Record.addressMask >> 2;
const IMMEDIATE = Record.immediate >> 2;
const IMMEDIATE2 = Record.immediate2 >> 2;
const LINK = Record.link >> 2;
const LINKABLE = Record.linkable >> 2;
const BLOCK_BYTES = Record.blockBytes >> 2;

const SS = 2;
const PAGE_BYTES = 4096;
/** State offsets that records name. */
export const SEGMENT_OFFSETS: readonly number[] = SEGMENT_REGISTERS.map((name) =>
  offsetOf(`${name}Selector`)
);
export const ZERO: number = offsetOf("zero");
const BLOCK_RIP = offsetOf("blockRip");
/** Mode key bits that let a direct jump be linked: 64-bit code, or a code segment of 4 GiB. */
export const LINKABLE_MODES: number = ModeKey.long | ModeKey.wholeCode;

/** Lets the record at word `at` lead to `handler`, in the cold tier too; it goes back to its own by {@link reviveRecord}. */
export function redirectRecord(words: Int32Array, at: number, handler: number): void {
  words[at + HANDLER] = (words[at + HANDLER] & ~0xffff) | handler;
  words[at + IMMEDIATE2] = (words[at + IMMEDIATE2] & 0xffff) | (handler << 16);
}

/** Lets the record at word `at` lead to its own handler. */
export function reviveRecord(words: Int32Array, at: number): void {
  redirectRecord(words, at, words[at + HANDLER] >>> 16);
}

/** Writes the records of blocks. */
export class RecordWriter {
  /** Bytes of code in the block that {@link write} wrote. */
  codeBytes = 0;
  /** By the form's index; 0 for one that was not met. */
  readonly #traits: number[] = [];

  /** `words` is the memory that holds records; `handlerOf` gives the handler of a form, making it if need be. */
  constructor(
    private readonly words: Int32Array,
    private readonly decoder: Decoder,
    private readonly templates: Templates,
    private readonly handlerOf: (bound: BoundForm) => number,
    private readonly stops: CodeStops | null,
  ) {}

  /**
   * Decodes the instructions at `bytes[code]`, which lies `offset` bytes into its page, and writes their
   * records from word `at` on, and one that ends the block unless the last instruction always leaves. Returns their
   * number, 0 if there is no instruction.
   */
  write(
    bytes: Uint8Array,
    code: number,
    offset: number,
    modeKey: number,
    at: number,
  ): number {
    const { decoder, stops } = this;
    const { decoded } = decoder;
    const mode = decodeMode(modeKey);
    const linkable = (modeKey & LINKABLE_MODES) !== 0;
    const room = PAGE_BYTES - offset;
    const end = code + room;
    let done = 0;
    let records = 0;
    let word = at;
    let left = false;
    while (!left && records < MAX_BLOCK_INSTRUCTIONS && done < room) {
      if (stops !== null && stops.isPlace(code + done)) break;
      if (decoder.read(bytes, code + done, end, mode) !== null) break;
      const { bound } = decoded;
      const traits = this.#traits[bound.index] || this.#meet(bound);
      this.#record(word, decoded, done, traits & Trait.handler);
      this.templates.keep(decoder, modeKey, traits, this.words, word);
      word += RECORD_WORDS;
      records++;
      done += decoded.lengthBytes;
      if ((traits & Trait.jumpsDirectly) !== 0 && linkable) {
        const target = offset + done + displacement(decoded, bound.form.width);
        if (target >= 0 && target < PAGE_BYTES) this.words[word - RECORD_WORDS + LINKABLE] = 1;
      }
      left = (traits & Trait.leaves) !== 0;
    }
    if (records === 0) return 0;
    if (!left) this.#end(word, done);
    this.words[at + BLOCK_BYTES] = done;
    this.codeBytes = done;
    return left ? records : records + 1;
  }

  /**
   * Writes the records of the one instruction that `bytes` begin with, whose jumps are not linked. Returns whether there
   * is one that executes once.
   */
  writeSingle(bytes: Uint8Array, modeKey: number, at: number): boolean {
    const { decoder } = this;
    const { decoded } = decoder;
    if (decoder.read(bytes, 0, bytes.length, decodeMode(modeKey)) !== null) return false;
    const { bound } = decoded;
    if (bound.form.repeat !== "none") return false;
    const traits = this.#traits[bound.index] || this.#meet(bound);
    this.#record(at, decoded, 0, traits & Trait.handler);
    this.#end(at + RECORD_WORDS, decoded.lengthBytes);
    this.words[at + BLOCK_BYTES] = decoded.lengthBytes;
    return true;
  }

  /** What is asked of a form that no block held before. */
  #meet(bound: BoundForm): number {
    const { endsBlock, statements } = bound.program;
    const traits = this.handlerOf(bound) |
      (endsBlock && leaves(statements, true) ? Trait.leaves : 0) |
      (endsBlock && jumpsDirectly(statements) ? Trait.jumpsDirectly : 0);
    while (this.#traits.length < bound.index) this.#traits.push(0);
    this.#traits[bound.index] = traits;
    return traits;
  }

  #record(at: number, decoded: Decoded, offset: number, handler: number): void {
    const { words } = this;
    const { registers, operands, segment } = decoded;
    const next = offset + decoded.lengthBytes;
    words[at + HANDLER] = handler | (handler << 16);
    words[at + OFFSETS] = offset | (next << 16);
    words[at + REGISTERS] = (operands > 0 ? present(registers[0]) : 0) |
      (operands > 1 ? present(registers[1]) << 16 : 0);
    words[at + REGISTERS + 1] = (operands > 2 ? present(registers[2]) : 0) |
      (operands > 3 ? present(registers[3]) << 16 : 0);
    words[at + SEGMENT] = SEGMENT_OFFSETS[segment] | (decoded.scale << 16) |
      (segment === SS ? 1 << 24 : 0);
    if (decoded.hasAddress) this.#address(at, decoded, next);
    else this.#noAddress(at);
    words[at + IMMEDIATE] = decoded.immediateLow;
    words[at + IMMEDIATE + 1] = decoded.immediateHigh;
    words[at + IMMEDIATE2] = (decoded.immediate2 & 0xffff) | (handler << 16);
    words[at + LINK] = 0;
    words[at + LINKABLE] = 0;
    words[at + BLOCK_BYTES] = 0;
  }

  #address(at: number, decoded: Decoded, next: number): void {
    const { words } = this;
    const { base, index, addressWidth, displacementLow, ripRelative } = decoded;
    const baseOffset = ripRelative ? BLOCK_RIP : base < 0 ? ZERO : registerOffset(base);
    const indexOffset = index < 0 ? ZERO : registerOffset(index);
    words[at + BASE_AND_INDEX] = baseOffset | (indexOffset << 16);
    // What is relative to the next instruction becomes relative to the block.
    const low = ripRelative ? (displacementLow + next) | 0 : displacementLow;
    const carry = ripRelative && (low >>> 0) < next ? 1 : 0;
    words[at + DISPLACEMENT] = low;
    words[at + DISPLACEMENT + 1] = decoded.displacementHigh + carry;
    words[at + ADDRESS_MASK] = addressWidth === 16 ? 0xffff : -1;
    words[at + ADDRESS_MASK + 1] = addressWidth === 64 ? -1 : 0;
  }

  #noAddress(at: number): void {
    const { words } = this;
    words[at + BASE_AND_INDEX] = 0;
    words[at + DISPLACEMENT] = words[at + DISPLACEMENT + 1] = 0;
    words[at + ADDRESS_MASK] = words[at + ADDRESS_MASK + 1] = 0;
  }

  /** The record after the last instruction: control goes on with what follows. */
  #end(at: number, offset: number): void {
    this.words.fill(0, at, at + RECORD_WORDS);
    this.words[at + HANDLER] = FixedHandler.fallThrough | (FixedHandler.fallThrough << 16);
    this.words[at + IMMEDIATE2] = FixedHandler.fallThrough << 16;
    this.words[at + OFFSETS] = offset | (offset << 16);
  }
}

function present(register: number): number {
  return register < 0 ? 0 : register;
}

/** Of a relative jump. */
function displacement({ immediateLow }: Decoded, width: number): number {
  return width === 16 ? (immediateLow << 16) >> 16 : immediateLow;
}

/** Whether control never continues with the following record. */
function leaves(statements: readonly Statement[], outermost: boolean): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case "jump":
        return outermost;
      case "system":
        return statement.endsBlock;
      case "if":
        return leaves(statement.then, false) || leaves(statement.otherwise, false);
      case "loop":
        return leaves(statement.body, false);
      default:
        return false;
    }
  });
}

function jumpsDirectly(statements: readonly Statement[]): boolean {
  return containsStatement(statements, (s) => s.kind === "jump" && s.direct);
}
