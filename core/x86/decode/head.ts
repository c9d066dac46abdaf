/**
 * Heads of instructions: what prefixes, opcode and ModRM byte decide together, kept once they have been decoded.
 *
 * Code is made of few heads. One that is met again leaves no more to do than to read what follows it: SIB,
 * displacement, immediates.
 */

import type { BoundForm } from "../ir/instruction.ts";
import type { Decoded } from "./decoded.ts";
import type { DecodeMode } from "./mode.ts";
import type { OperandRow } from "./operand_row.ts";
import type { InstructionReader } from "./reader.ts";

/** One head. */
export interface Head {
  /** See {@link headKey}. */
  readonly key: number;
  readonly bound: BoundForm;
  readonly operands: number;
  /** State offsets of the register operands, or -1. */
  readonly register0: number;
  readonly register1: number;
  readonly register2: number;
  readonly register3: number;
  /** A memory operand follows. */
  readonly isMemory: boolean;
  /** An address alone follows. */
  readonly isAbsolute: boolean;
  readonly addressWidth: 16 | 32 | 64;
  /** Operand size. */
  readonly width: number;
  /** Operands that follow. */
  readonly numbers: readonly OperandRow[];
}

/** Heads kept for each mode. */
const HEADS = 4096;
const MODES = 32;

/** Where the parts of a key lie: ModRM byte, opcode, map, REX. */
export const KeyShift = { modrm: 0, opcode: 8, map: 16, rex: 18 } as const;
/** Bits of a key that prefixes of one kind replace: REX, F2 and F3, segments. */
export const KEY_REX: number = 0x1f << KeyShift.rex;
export const KEY_REPEAT: number = 3 << 26;
export const KEY_SEGMENT: number = 7 << 28;

/** Prefixes, opcode and ModRM byte that a reader has read, as one number. */
export function headKey(reader: InstructionReader, map: number, opcode: number): number {
  const { modrm, rex, repeat, segment } = reader;
  return modrm | (opcode << 8) | (map << 16) | ((rex & 0xf) << 18) | (rex !== 0 ? 1 << 22 : 0) |
    (reader.operandSize ? 1 << 23 : 0) | (reader.addressSize ? 1 << 24 : 0) |
    (reader.lock ? 1 << 25 : 0) | (repeat !== 0 ? (repeat & 3) << 26 : 0) | ((segment + 1) << 28);
}

/** The heads that one decoder has met, a bounded number. */
export class Heads {
  /** By mode, then by key, direct-mapped. */
  readonly #tables: (Head | null)[][] = Array.from({ length: MODES }, () => []);

  /** The head of `key` in code of `mode`, if it is kept. */
  find(mode: DecodeMode, key: number): Head | null {
    const head = this.#tables[modeIndex(mode)][slot(key)];
    return head !== undefined && head !== null && head.key === key ? head : null;
  }

  /** Keeps what was decoded behind `key`. */
  keep(
    mode: DecodeMode,
    key: number,
    { bound, operands, registers, addressWidth, hasAddress, absolute }: Decoded,
    width: number,
    numbers: readonly OperandRow[],
  ): Head {
    const table = this.#tables[modeIndex(mode)];
    if (table.length === 0) { for (let i = 0; i < HEADS; i++) table.push(null); }
    const register = (i: number) => i < operands ? registers[i] : -1;
    const head: Head = {
      key,
      bound,
      operands,
      register0: register(0),
      register1: register(1),
      register2: register(2),
      register3: register(3),
      isMemory: hasAddress && !absolute,
      isAbsolute: absolute,
      addressWidth,
      width,
      numbers,
    };
    table[slot(key)] = head;
    return head;
  }
}

function slot(key: number): number {
  return (key ^ (key >>> 12) ^ (key >>> 18)) & (HEADS - 1);
}

function modeIndex({ long, defaultSize, flat, stackSize }: DecodeMode): number {
  return (long ? 1 : 0) | (defaultSize === 32 ? 2 : 0) | (flat ? 4 : 0) | ((stackSize >> 5) << 3);
}
