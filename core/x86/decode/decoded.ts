/**
 * What decoding finds out about one instruction, as plain numbers: one object that a decoder fills again and again.
 *
 * Engines that keep decoded code in a form of their own read it at once; for all others it becomes an
 * {@link Instruction}.
 */

import { invariant } from "../../lib/assert.ts";
import type { BoundForm, Instruction } from "../ir/instruction.ts";

/** Most operands of an encoding. */
export const MOST_OPERANDS = 4;

/** One decoded instruction, until the next is decoded. */
export class Decoded {
  #bound: BoundForm | null = null;
  lengthBytes = 0;
  operands = 0;
  /** For each operand that is a register: its offset in the CPU state; else -1. */
  readonly registers: Int32Array = new Int32Array(MOST_OPERANDS);
  /** There is a memory operand; the fields down to `addressWidth` are about it. */
  hasAddress = false;
  /** Register numbers, or -1. */
  base = -1;
  index = -1;
  scale = 0;
  displacementLow = 0;
  displacementHigh = 0;
  ripRelative = false;
  /** The displacement is the whole address, and unsigned. */
  absolute = false;
  addressWidth: 16 | 32 | 64 = 32;
  segment = 0;
  /** The first immediate, as {@link Instruction} has it. */
  immediateLow = 0;
  immediateHigh = 0;
  immediate2 = 0;

  get bound(): BoundForm {
    invariant(this.#bound !== null, "nothing was decoded yet");
    return this.#bound;
  }

  set bound(bound: BoundForm) {
    this.#bound = bound;
  }

  /** Forgets the previous instruction's operands. */
  reset(): void {
    this.operands = 0;
    this.hasAddress = false;
    this.base = -1;
    this.index = -1;
    this.scale = 0;
    this.displacementLow = 0;
    this.displacementHigh = 0;
    this.ripRelative = false;
    this.absolute = false;
    this.immediateLow = 0;
    this.immediateHigh = 0;
    this.immediate2 = 0;
  }

  /** Makes a displacement of 32 bits, sign-extended. */
  setDisplacement(value: number): void {
    this.displacementLow = value;
    this.displacementHigh = value >> 31;
  }

  /** A copy that stays. */
  toInstruction(): Instruction {
    return {
      bound: this.bound,
      length: this.lengthBytes,
      registers: Array.from(this.registers.subarray(0, this.operands)),
      addressing: this.hasAddress
        ? {
          base: this.base,
          index: this.index,
          scale: this.scale,
          displacement: this.absolute
            ? unsigned(this.displacementLow, this.displacementHigh)
            : BigInt(this.displacementLow),
          ripRelative: this.ripRelative,
          width: this.addressWidth,
        }
        : null,
      segment: this.segment,
      immediate: unsigned(this.immediateLow, this.immediateHigh),
      immediate2: this.immediate2,
    };
  }
}

function unsigned(low: number, high: number): bigint {
  if (high === 0) return BigInt(low >>> 0);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
