/**
 * Machine code as text, by iced-x86.
 *
 * The package compiles its WebAssembly when it is loaded, so it is loaded at the first use.
 */

import type { DisassembledLine } from "./machine_api.ts";

/** The longest instruction. SDM volume 3, "Instruction Format". */
export const MAX_INSTRUCTION_BYTES = 15;

/** How instructions are written. */
export type Syntax = "intel" | "att";

/**
 * Decodes up to `count` instructions of `bytes`, which lie at the linear address `address`, as code of the
 * given width. Bytes that are no instruction are listed as `(bad)`, one at a time.
 */
export async function disassembleBytes(
  bytes: Uint8Array,
  address: bigint,
  codeBits: 16 | 32 | 64,
  count = Infinity,
  syntax: Syntax = "intel",
): Promise<DisassembledLine[]> {
  const iced = await import("iced-x86");
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax } = iced;
  const decoder = new Decoder(codeBits, bytes, DecoderOptions.None);
  const formatter = new Formatter(syntax === "att" ? FormatterSyntax.Gas : FormatterSyntax.Nasm);
  formatter.spaceAfterOperandSeparator = true;
  formatter.hexPrefix = "0x";
  formatter.hexSuffix = "";
  formatter.uppercaseHex = false;
  formatter.branchLeadingZeros = false;
  const lines: DisassembledLine[] = [];
  try {
    decoder.ip = address;
    while (decoder.canDecode && lines.length < count) {
      const start = decoder.position;
      const instruction = decoder.decode();
      const bad = instruction.isInvalid;
      const text = bad ? "(bad)" : formatter.format(instruction);
      instruction.free();
      if (bad) decoder.position = start + 1;
      lines.push({
        address: address + BigInt(start),
        bytes: bytes.slice(start, decoder.position),
        text,
      });
      decoder.ip = address + BigInt(decoder.position);
    }
  } finally {
    formatter.free();
    decoder.free();
  }
  return lines;
}
