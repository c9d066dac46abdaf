/**
 * Instructions that cross the end of their page: blocks of one instruction each, beside those of the code cache.
 *
 * The two pages lie apart in linear memory, and either may be mapped elsewhere or stored to. So nothing leads to such a block but
 * this search, which fetches both pages each time, as the processor would, and compares the bytes.
 */

import type { Cpu } from "../cpu.ts";
import { decodeMode } from "../decode/mode.ts";
import type { Decoder } from "../decode/decoder.ts";
import { FRAME_BYTES } from "../../memory/machine_memory.ts";
import { type CodeCache, NO_BLOCK } from "./code_cache.ts";
import { codeOffset } from "./code_offset.ts";
import { RECORD_BYTES } from "./record.ts";

const LONGEST = 15;
/** The instruction's, and that which ends the block. */
const RECORDS = 2;

/** What stands for a place: the bytes of its instruction, and its records. */
interface CrossingBlock {
  readonly bytes: Uint8Array;
  readonly record: number;
  /** Whether `bytes` is an instruction that can be executed from a record. */
  isUsable: boolean;
}

/** The blocks of one machine. */
export class CrossingBlocks {
  readonly #u8: Uint8Array;
  readonly #blocks = new Map<number, CrossingBlock>();
  readonly #bytes = new Uint8Array(LONGEST);
  #clears = 0;

  constructor(
    buffer: ArrayBufferLike,
    private readonly cache: CodeCache,
    private readonly decoder: Decoder,
  ) {
    this.#u8 = new Uint8Array(buffer);
  }

  /**
   * The record of the instruction at `rip`, whose code starts at linear offset `code`. NO_BLOCK if it does not cross
   * the end of the page, is none, or may execute more than once; or with #PF of the second page pending.
   */
  find(cpu: Cpu, code: number): number {
    const { modeKey } = cpu.state;
    const tail = FRAME_BYTES - code % FRAME_BYTES;
    if (tail >= LONGEST) return NO_BLOCK;
    this.#forgetCleared();
    const key = code * FRAME_BYTES + modeKey;
    const known = this.#blocks.get(key);
    if (!(known ? this.#isAt(code, known.bytes, 0, tail) : this.#isCut(code, tail, modeKey))) {
      if (known) this.#blocks.delete(key);
      return NO_BLOCK;
    }
    const second = codeOffset(cpu, tail);
    if (second < 0) return NO_BLOCK;
    if (known && this.#isAt(second, known.bytes, tail, LONGEST)) {
      return known.isUsable ? known.record : NO_BLOCK;
    }
    for (let i = 0; i < LONGEST; i++) {
      this.#bytes[i] = this.#u8[i < tail ? code + i : second + i - tail];
    }
    return this.#make(key, modeKey, known?.record ?? this.cache.reserve(RECORDS * RECORD_BYTES));
  }

  /** Records are gone when the cache was cleared. */
  #forgetCleared(): void {
    if (this.#clears === this.cache.clears) return;
    this.#clears = this.cache.clears;
    this.#blocks.clear();
  }

  #make(key: number, modeKey: number, record: number): number {
    if (record < 0) return NO_BLOCK;
    const isUsable = this.cache.writeSingle(this.#bytes, modeKey, record);
    this.#blocks.set(key, { bytes: this.#bytes.slice(), record, isUsable });
    return isUsable ? record : NO_BLOCK;
  }

  /** Whether bytes [from, to) of an instruction are at linear offset `at`. */
  #isAt(at: number, bytes: Uint8Array, from: number, to: number): boolean {
    for (let i = from; i < to; i++) if (this.#u8[at + i - from] !== bytes[i]) return false;
    return true;
  }

  /** Whether the `tail` bytes at `code` are the beginning of an instruction. */
  #isCut(code: number, tail: number, modeKey: number): boolean {
    return this.decoder.read(this.#u8, code, code + tail, decodeMode(modeKey)) === "truncated";
  }
}
