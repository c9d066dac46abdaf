/**
 * Templates of records: what the head of an instruction decides of its record, in linear memory, where the quick decoder
 * (quick_decoder.ts) finds it. It copies the template, and reads what follows the head.
 *
 * The plain decoder makes a template when it meets a head. Heads whose numbers are unusual have none.
 */

import type { Decoder } from "../decode/decoder.ts";
import { type Head, headKey, KEY_REPEAT, KEY_REX, KEY_SEGMENT } from "../decode/head.ts";
import { type DecodeMode, decodeMode } from "../decode/mode.ts";
import { immediateShape } from "../decode/operand_row.ts";
import { InstructionReader } from "../decode/reader.ts";
import { QuickBlocksEntry, Record, RECORD_BYTES } from "./record.ts";

/** Byte offsets of a template's parts. */
export const Template = {
  /** The record; an instruction that is executed in passing (passing.ts) is completed and executed right here, */
  record: 0,
  /** and this is the handler of the record behind it. */
  afterwards: RECORD_BYTES + Record.handler,
  /** u64: the head's key, with bit 32 set. */
  key: 72,
  /** u64: which bits of the immediate, sign-extended, stay. */
  immediateMask: 80,
  /** u8 each, from here on. Control never continues with the following record. */
  leaves: 88,
  /** A direct jump of 32 or 64 bits (1), or of 16 (2). */
  jumps: 89,
  displacementBytes: 90,
  /** A SIB byte follows. */
  hasSib: 91,
  isRipRelative: 92,
  immediateBytes: 95,
  /** A base of 5 in the SIB byte means none. */
  sibMayLackBase: 96,
  hasSegment: 97,
  /** The displacement is a whole address, and unsigned. */
  isAbsolute: 98,
} as const;

export const TEMPLATE_SHIFT = 7;
/** Templates kept for each mode, a power of two, and the bits of a mode key that make the mode. */
export const TEMPLATES_OF_MODE = 4096;
export const MODE_BITS = 0xf;
/** Leads to the other maps of opcodes. */
const ESCAPE = 0x0f;
const PREFIX_BYTES = 2 * 256 * 8;
const KIND_BYTES = 4 * 256;
const FIRST_BYTES = 2 * 256;
/**
 * Byte offsets of the tables: prefixes outside and in 64-bit code; kinds of opcodes; kinds of first bytes that are opcodes, outside
 * and in 64-bit code, others being 0; the record that direct jumps in passing lead to; templates.
 */
export const TemplatePart = {
  prefixes: 0,
  kinds: PREFIX_BYTES,
  firsts: PREFIX_BYTES + KIND_BYTES,
  jump: PREFIX_BYTES + KIND_BYTES + FIRST_BYTES,
  templates: PREFIX_BYTES + KIND_BYTES + FIRST_BYTES + RECORD_BYTES,
} as const;
export const TEMPLATES_BYTES: number = TemplatePart.templates +
  ((MODE_BITS + 1) * TEMPLATES_OF_MODE << TEMPLATE_SHIFT);

/** What writing a block asks of a form: its handler, and these bits. */
export const Trait = { handler: 0xffff, leaves: 0x1_0000, jumpsDirectly: 0x2_0000 } as const;

/** Records' words that differ between instructions of one head. */
const VARIABLE_WORDS = [Record.offset, Record.link, Record.linkable, Record.blockBytes]
  .map((offset) => offset >> 2);

/** The templates of one code cache. */
export class Templates {
  readonly #words: Int32Array;
  readonly #u8: Uint8Array;

  /** `base` is the linear offset, a multiple of 64, of {@link TEMPLATES_BYTES} zero bytes. */
  constructor(private readonly buffer: ArrayBufferLike, readonly base: number) {
    this.#words = new Int32Array(buffer, base, TEMPLATES_BYTES >> 2);
    this.#u8 = new Uint8Array(buffer, base, TEMPLATES_BYTES);
  }

  /** Writes the tables that depend on the decoder alone. */
  prepare(decoder: Decoder): void {
    const prefixes = new Int32Array(this.buffer, this.base + TemplatePart.prefixes, 2 * 256 * 2);
    const kinds = decoder.opcodeKinds();
    this.#u8.set(kinds, TemplatePart.kinds);
    this.#words[TemplatePart.jump + Record.handler >> 2] = QuickBlocksEntry.jump;
    for (const long of [0, 1]) {
      const mode = decodeMode(long);
      for (let byte = 0; byte < 256; byte++) {
        const [clear, set] = prefixEffect(byte, mode);
        prefixes[(long * 256 + byte) * 2] = clear;
        prefixes[(long * 256 + byte) * 2 + 1] = set;
        const leadsOn = clear !== 0 || byte === ESCAPE;
        this.#u8[TemplatePart.firsts + long * 256 + byte] = leadsOn ? 0 : kinds[byte];
      }
    }
  }

  /** Keeps the record at word `at` of `words`, which the decoder's last instruction made, as the template of its head. */
  keep(decoder: Decoder, modeKey: number, traits: number, words: Int32Array, at: number): void {
    const { head } = decoder;
    if (head === null) return;
    const template = templateOf(modeKey, head.key);
    const word = template >> 2;
    const place = word + (Template.key >> 2);
    if (this.#words[place] === head.key && this.#words[place + 1] === 1) return;
    this.#words.fill(0, word, word + ((1 << TEMPLATE_SHIFT) >> 2));
    const shape = shapeOf(head);
    if (shape === null) return;
    const record = (template + Template.record) >> 2;
    for (let i = 0; i < RECORD_BYTES >> 2; i++) this.#words[record + i] = words[at + i];
    for (const i of VARIABLE_WORDS) this.#words[record + i] = 0;
    if ((traits & Trait.jumpsDirectly) !== 0) {
      this.#words[record + (Record.link >> 2)] = this.base + TemplatePart.jump;
    }
    const narrow = head.width === 16;
    const mask = immediateMask(head.width, shape);
    this.#words[(template + Template.immediateMask) >> 2] = Number(BigInt.asIntN(32, mask));
    this.#words[(template + Template.immediateMask + 4) >> 2] = Number(mask >> 32n);
    const put = (part: number, value: number | boolean) =>
      this.#u8[template + part] = Number(value);
    put(Template.leaves, (traits & Trait.leaves) !== 0);
    put(Template.jumps, (traits & Trait.jumpsDirectly) === 0 ? 0 : narrow ? 2 : 1);
    put(Template.displacementBytes, shape.displacementBytes);
    put(Template.isAbsolute, head.isAbsolute);
    put(Template.hasSib, shape.hasSib);
    put(Template.sibMayLackBase, shape.hasSib && ((head.key >> 6) & 3) === 0);
    put(Template.isRipRelative, decoder.decoded.ripRelative);
    put(Template.hasSegment, (head.key & KEY_SEGMENT) !== 0);
    put(Template.immediateBytes, shape.immediateBytes);
    this.#words[template + Template.afterwards >> 2] = QuickBlocksEntry.pass;
    this.#words[place] = head.key;
    this.#words[place + 1] = 1;
  }
}

/** Which bits of a sign-extended immediate of an instruction of `width` stay. */
function immediateMask(
  width: number,
  { immediateBytes, isSigned }: { readonly immediateBytes: number; readonly isSigned: boolean },
): bigint {
  const kept = width === 16 || width === 32 ? width : 64;
  return BigInt.asIntN(
    64,
    (1n << BigInt(isSigned ? kept : Math.min(kept, 8 * immediateBytes))) - 1n,
  );
}

/** Byte offset of the template of a head. */
function templateOf(modeKey: number, key: number): number {
  const slot = (key ^ (key >>> 12) ^ (key >>> 18)) & (TEMPLATES_OF_MODE - 1);
  return TemplatePart.templates +
    (((modeKey & MODE_BITS) * TEMPLATES_OF_MODE + slot) << TEMPLATE_SHIFT);
}

/** What a prefix clears and sets of a head's key; nothing if the byte is no prefix. */
function prefixEffect(byte: number, mode: DecodeMode): [clear: number, set: number] {
  const reader = new InstructionReader();
  reader.open(Uint8Array.of(byte, 0x90), 0, 2);
  reader.opcode(mode);
  if (reader.at === 1) return [0, 0];
  const set = headKey(reader, 0, 0);
  const repeat = (set & KEY_REPEAT) !== 0 ? KEY_REPEAT : 0;
  const segment = (set & KEY_SEGMENT) !== 0 ? KEY_SEGMENT : 0;
  return [KEY_REX | repeat | segment, set];
}

/** What follows a head; null if the quick decoder does not read it. */
function shapeOf(head: Head): {
  readonly hasSib: boolean;
  readonly displacementBytes: number;
  readonly immediateBytes: number;
  readonly isSigned: boolean;
} | null {
  const { isMemory, isAbsolute, addressWidth, width, numbers, key } = head;
  if (numbers.length > 1) return null;
  const plain = { hasSib: false, displacementBytes: 0, immediateBytes: 0, isSigned: false };
  if (isAbsolute) return { ...plain, displacementBytes: addressWidth >> 3 };
  const immediate = numbers.length === 0
    ? { bytes: 0, signed: false }
    : immediateShape(numbers[0], width);
  if (immediate === null) return null;
  const shape = { ...plain, immediateBytes: immediate.bytes, isSigned: immediate.signed };
  if (!isMemory) return shape;
  const mod = (key >> 6) & 3;
  const rm = key & 7;
  const isNarrow = addressWidth === 16;
  const wide = isNarrow ? 2 : 4;
  const lacksBase = mod === 0 && rm === (isNarrow ? 6 : 5);
  return {
    ...shape,
    hasSib: !isNarrow && rm === 4,
    displacementBytes: lacksBase || mod === 2 ? wide : mod,
  };
}
