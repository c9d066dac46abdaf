/** The bytes of an instruction before and behind its opcode: a reader with an end, and prefixes (SDM vol. 2, 2.1.1). */

import type { DecodeMode } from "./decoder.ts";

const SEGMENT_PREFIXES: Record<number, number> = {
  0x26: 0,
  0x2e: 1,
  0x36: 2,
  0x3e: 3,
  0x64: 4,
  0x65: 5,
};
/** Prefixes of one instruction. */
export interface Prefixes {
  operandSize: boolean;
  addressSize: boolean;
  lock: boolean;
  /** The last of F2 and F3, or 0. */
  repeat: number;
  /** Overriding segment, or -1. */
  segment: number;
  /** REX byte, or 0. */
  rex: number;
}

/** Reads bytes up to an end; `failed` once it was asked for more. */
export class ByteReader {
  failed = false;
  constructor(readonly bytes: Uint8Array, public at: number, readonly end: number) {}

  byte(): number {
    if (this.at >= this.end) {
      this.failed = true;
      return 0;
    }
    return this.bytes[this.at++];
  }

  unsigned(width: number): bigint {
    let value = 0n;
    for (let shift = 0; shift < width; shift += 8) value |= BigInt(this.byte()) << BigInt(shift);
    return value;
  }

  signed(width: number): bigint {
    return BigInt.asIntN(width, this.unsigned(width));
  }
}

/** Reads prefixes and the first byte of the opcode. */
export function readPrefixes(
  reader: ByteReader,
  mode: DecodeMode,
): { prefixes: Prefixes; opcode: number } {
  const prefixes: Prefixes = {
    operandSize: false,
    addressSize: false,
    lock: false,
    repeat: 0,
    segment: -1,
    rex: 0,
  };
  for (;;) {
    const byte = reader.byte();
    if (mode.long && (byte & 0xf0) === 0x40) {
      prefixes.rex = byte;
      continue;
    }
    if (byte === 0x66) prefixes.operandSize = true;
    else if (byte === 0x67) prefixes.addressSize = true;
    else if (byte === 0xf0) prefixes.lock = true;
    else if (byte === 0xf2 || byte === 0xf3) prefixes.repeat = byte;
    else if (byte in SEGMENT_PREFIXES) {
      // In 64-bit mode only FS and GS override anything.
      if (!mode.long || byte >= 0x64) prefixes.segment = SEGMENT_PREFIXES[byte];
    } else return { prefixes, opcode: byte };
    // A REX that is not the last prefix is ignored.
    prefixes.rex = 0;
    if (reader.failed) return { prefixes, opcode: 0x90 };
  }
}
