/**
 * Records: decoded instructions as the cold tier reads them, 64 bytes each, one behind the other for
 * the instructions of a block.
 *
 * Offsets into the CPU state stand for registers, so that a handler needs no tables. The base of a
 * memory operand without one is the state's `zero` field; that of a RIP-relative operand is `blockRip`.
 */

import { QUICK_ENTRIES } from "../quick/quick_functions.ts";

/** Byte offsets of a record's parts. */
export const Record = {
  /** u16: entry of the handler table. */
  handler: 0,
  /** u16: the cold tier's entry for the instruction, also while the block is dropped. */
  ownHandler: 2,
  /** u16: offset of the instruction from the block's start. */
  offset: 4,
  /** u16: offset of the following instruction from the block's start. */
  nextOffset: 6,
  /** u16 each: state offsets of the register operands, by slot. */
  registers: 8,
  /** u16: state offsets of base and index. */
  base: 16,
  index: 18,
  /** u16: state offset of the parts of the operand's segment. */
  segment: 20,
  /** u8: left shift of the index. */
  scale: 22,
  /** u8: 1 if the operand's segment is SS. */
  isStack: 23,
  /** i64: displacement. */
  displacement: 24,
  /** i64: mask of the address size. */
  addressMask: 32,
  /** i64: immediate. */
  immediate: 40,
  /** u16: second immediate. */
  immediate2: 48,
  /** u16: what the cold tier enters, where `handler` leads to a translation instead. */
  coldHandler: 50,
  /** u32: linear offset of the record that a direct jump within the page leads to, or 0. */
  link: 52,
  /** u16: 1 if `link` may be filled. */
  linkable: 56,
  /** u16: the translation's entry that the record leads to, where `handler` is a translation. */
  entry: 58,
  /** u16: in a block's first record, the bytes of code in the block. */
  blockBytes: 60,
  /** u16: in a block's first record, executions until it counts as hot. */
  counter: 62,
} as const;

export const RECORD_BYTES = 64;

/** Handlers that every table starts with. */
export const FixedHandler = {
  /** The block ends here without a branch: continue with the block at the next offset. */
  fallThrough: 0,
  /** The block was dropped: look up again at this instruction. */
  stale: 1,
  /** Counts an execution of the block, then goes on as the cold tier does. */
  count: 2,
  /** Continues at the state's `rip`. */
  next: 3,
  /** The same, and links the record, a direct jump, to what is found. */
  link: 4,
} as const;
/** Behind them stand what executes code in passing (passing.ts) and the quick twins of the code cache (quick_blocks.ts), */
export const QuickBlocksEntry = { arrive: 5, drop: 6, pass: 7, jump: 8 } as const;
/** the quick functions (quick_functions.ts), */
export const FIRST_QUICK_ENTRY = 9;
/** and the handlers of forms. */
export const FIRST_FORM_HANDLER: number = FIRST_QUICK_ENTRY + QUICK_ENTRIES;
/** Where the entries of translations begin. */
export const FIRST_TRANSLATION = 16384;

/** Entries of the handler table; a record names one with 16 bits. */
export const HANDLER_TABLE_ENTRIES = 65536;

/** The lookup table from code to blocks: direct-mapped by linear offset and mode. */
export const LookupEntry = {
  /** i64: linear offset of the code | mode key << 40, or -1. */
  key: 0,
  /** u32: linear offset of the block's first record. */
  record: 8,
  sizeShift: 4,
} as const;
export const LOOKUP_ENTRIES = 65536;
/**
 * The byte offset of an entry is the code's linear offset shifted left by `near` and by `low`, and right by `far`, exclusively
 * or'ed: code that lies side by side has entries side by side, and what differs in the lowest two bits alone does not collide.
 */
export const LookupHash = { near: 2, low: 18, far: 14 } as const;
export const LOOKUP_BYTES: number = LOOKUP_ENTRIES << LookupEntry.sizeShift;
/** Where the mode key starts in a lookup key; linear offsets lie below 2^40. */
export const MODE_KEY_SHIFT = 40;
