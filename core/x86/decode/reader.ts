/**
 * The bytes of one instruction, read in order, and what stands before its opcode: prefixes (SDM vol. 2, 2.1.1).
 *
 * A decoder has one reader and opens it for each instruction. Numbers come as 32-bit halves: an engine
 * decodes more instructions than it has time to allocate for.
 */

import type { DecodeMode } from "./mode.ts";

/** What a byte before an opcode is; bytes that are no prefix are 0. */
const Prefix = { none: 0, rex: 1, operandSize: 2, addressSize: 3, lock: 4, repeat: 5, segment: 6 };

const PREFIX_OF_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => {
  if ((byte & 0xf0) === 0x40) return Prefix.rex;
  if (byte === 0x66) return Prefix.operandSize;
  if (byte === 0x67) return Prefix.addressSize;
  if (byte === 0xf0) return Prefix.lock;
  if (byte === 0xf2 || byte === 0xf3) return Prefix.repeat;
  return (byte & 0xe7) === 0x26 || (byte & 0xfe) === 0x64 ? Prefix.segment : Prefix.none;
});

const NO_BYTES = new Uint8Array(0);

/** Reads one instruction's bytes up to an end; `failed` once it was asked for more. */
export class InstructionReader {
  bytes = NO_BYTES;
  at = 0;
  end = 0;
  failed = false;
  /** A 66 prefix; a 67 prefix; an F0 prefix. */
  operandSize = false;
  addressSize = false;
  lock = false;
  /** The last of F2 and F3, or 0. */
  repeat = 0;
  /** Overriding segment, or -1. */
  segment = -1;
  /** REX byte, or 0. */
  rex = 0;
  /** ModRM byte, where there is one. */
  modrm = 0;

  /** Starts an instruction at `bytes[at]`; bytes from `end` on do not exist. */
  open(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes as Uint8Array<ArrayBuffer>;
    this.at = at;
    this.end = end;
    this.failed = false;
    this.operandSize = false;
    this.addressSize = false;
    this.lock = false;
    this.repeat = 0;
    this.segment = -1;
    this.rex = 0;
    this.modrm = 0;
  }

  byte(): number {
    if (this.at >= this.end) {
      this.failed = true;
      return 0;
    }
    return this.bytes[this.at++];
  }

  /** The next byte, sign-extended. */
  signedByte(): number {
    return (this.byte() << 24) >> 24;
  }

  /** The next 16 bits, unsigned. */
  word(): number {
    const low = this.byte();
    return low | (this.byte() << 8);
  }

  /** The next 32 bits, signed. */
  doubleword(): number {
    const low = this.word();
    return low | (this.word() << 16);
  }

  /** Reads prefixes; returns the first byte of the opcode. */
  opcode(mode: DecodeMode): number {
    for (;;) {
      const byte = this.byte();
      const prefix = PREFIX_OF_BYTE[byte];
      if (prefix === Prefix.none) return byte;
      if (prefix === Prefix.rex) {
        if (!mode.long) return byte;
        this.rex = byte;
        continue;
      }
      this.#prefix(prefix, byte, mode.long);
      // A REX that is not the last prefix is ignored.
      this.rex = 0;
    }
  }

  #prefix(prefix: number, byte: number, long: boolean): void {
    if (prefix === Prefix.operandSize) this.operandSize = true;
    else if (prefix === Prefix.addressSize) this.addressSize = true;
    else if (prefix === Prefix.lock) this.lock = true;
    else if (prefix === Prefix.repeat) this.repeat = byte;
    else {
      const segment = byte < 0x60 ? (byte >> 3) & 3 : byte - 0x60;
      // In 64-bit mode only FS and GS override anything.
      if (!long || segment >= 4) this.segment = segment;
    }
  }
}
