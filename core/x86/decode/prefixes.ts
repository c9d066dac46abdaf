/** The bytes of an instruction before and behind its opcode: a reader with an end, and prefixes (SDM vol. 2, 2.1.1). */

import type { DecodeMode } from "./decoder.ts";

/** Which segment a prefix names, or -1. */
function segmentPrefix(byte: number): number {
  if ((byte & 0xe7) === 0x26) return (byte >> 3) & 3;
  return (byte & 0xfe) === 0x64 ? byte - 0x60 : -1;
}

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

  /** Reads 1 to 4 bytes as an unsigned number. */
  #number(width: number): number {
    let value = this.byte();
    for (let shift = 8; shift < width; shift += 8) value |= this.byte() << shift;
    return value >>> 0;
  }

  unsigned(width: number): bigint {
    if (width <= 32) return BigInt(this.#number(width));
    const low = this.#number(32);
    return BigInt(low) | BigInt(this.#number(width - 32)) << 32n;
  }

  signed(width: number): bigint {
    if (width > 32) return BigInt.asIntN(width, this.unsigned(width));
    return BigInt((this.#number(width) << (32 - width)) >> (32 - width));
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
    else {
      const segment = segmentPrefix(byte);
      if (segment < 0) return { prefixes, opcode: byte };
      // In 64-bit mode only FS and GS override anything.
      if (!mode.long || segment >= 4) prefixes.segment = segment;
    }
    // A REX that is not the last prefix is ignored.
    prefixes.rex = 0;
    if (reader.failed) return { prefixes, opcode: 0x90 };
  }
}
