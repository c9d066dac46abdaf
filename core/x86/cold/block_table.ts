/**
 * What the code cache knows about its blocks, as columns of numbers: cold code makes more blocks than there is time to
 * allocate objects for.
 *
 * A block is found by its place (linear page, offset, mode key) and by the line of 64 bytes in which it starts. One
 * place has one block in the table's chains; blocks that were there before hang behind it as older versions.
 */

import { CODE_LINE_SHIFT } from "../../memory/code_lines.ts";
import { FRAME_BYTES } from "../../memory/machine_memory.ts";

/** Words of a block's entry. */
export const Column = {
  page: 0,
  offset: 1,
  modeKey: 2,
  /** Word of its first record. */
  record: 3,
  records: 4,
  /** Most records that fit there. */
  roomRecords: 5,
  codeBytes: 6,
  /** 1 if it may be entered. */
  valid: 7,
  /** Next block in the chain of its place's bucket, and in that of its line's while valid. */
  nextPlace: 8,
  nextInLine: 9,
  /** Next older version of the same place. */
  older: 10,
  /** Where its code was saved when it was dropped, and how many bytes fit there. */
  saved: 11,
  savedRoomBytes: 12,
} as const;

export const BLOCK_WORDS = 13;
const WORDS = BLOCK_WORDS;
export const PLACE_BUCKETS: number = 1 << 17;
export const LINE_BUCKETS: number = 1 << 15;
/** Factors of a place's hash. */
export const HASH_OF_PAGE = 0x9e3779b1;
export const HASH_OF_MODE = 0xc2b2ae35;
/** No block. */
export const NONE = 0;

/** Words that the cache counts with. */
export const Counter = {
  /** Blocks made since the table was last empty. */
  blocks: 0,
  /** Words of the arena in use. */
  usedWords: 1,
  /** Most lines that a block spans beyond its first. */
  longestLines: 2,
  /** How often records were written where others had been: a record from before is no longer what it was. */
  reuses: 3,
  /** 1 while code must be decoded the plain way, which knows where a debugger wants to stop. */
  hasStops: 4,
  /** 64 bits each, of the page that control passes through (passing.ts): what linear offsets exceed offsets in CS by, */
  passDistance: 6,
  /** and the first and last offset in CS that belong to it. */
  passFirst: 8,
  passLast: 10,
} as const;
const COUNTER_WORDS = 16;
/** Places whose executions in passing are counted: by these bits of their linear offset over {@link PASSED_SHIFT}. */
export const PASSED_PLACES: number = 1 << 20;
export const PASSED_SHIFT = 2;
/** Pages are told apart by their low bits in what says whether something stands above their blocks. */
export const OVERLAID_PAGES: number = 1 << 14;

/** Byte offsets of the parts of a table in linear memory; the blocks come last. */
export const TablePart = {
  counters: 0,
  places: 4 * COUNTER_WORDS,
  lines: 4 * (COUNTER_WORDS + PLACE_BUCKETS),
  overlaid: 4 * (COUNTER_WORDS + PLACE_BUCKETS + LINE_BUCKETS),
  passes: 4 * (COUNTER_WORDS + PLACE_BUCKETS + LINE_BUCKETS + OVERLAID_PAGES),
  blocks: 4 * (COUNTER_WORDS + PLACE_BUCKETS + LINE_BUCKETS + OVERLAID_PAGES) + PASSED_PLACES,
} as const;

/** Bytes of linear memory that a table of `capacity` blocks takes. */
export function blockTableBytes(capacity: number): number {
  return 64 * Math.ceil((TablePart.blocks + 4 * BLOCK_WORDS * (capacity + 1)) / 64);
}

/** The number of a block, from 1 on. */
export type BlockId = number;

/** Blocks by number, place and line. */
export class BlockTable {
  readonly #words: Int32Array;
  readonly #places: Int32Array;
  readonly #lines: Int32Array;
  /** How many of the pages that share a number have an overlay. */
  readonly #overlaid: Int32Array;
  /** By {@link Counter}. */
  readonly counters: Int32Array;

  /** Room for `capacity` blocks at linear offset `base`, a multiple of 4, where all bytes are 0. */
  constructor(buffer: ArrayBufferLike, base: number, private readonly capacity: number) {
    this.counters = new Int32Array(buffer, base + TablePart.counters, COUNTER_WORDS);
    this.#places = new Int32Array(buffer, base + TablePart.places, PLACE_BUCKETS);
    this.#lines = new Int32Array(buffer, base + TablePart.lines, LINE_BUCKETS);
    this.#overlaid = new Int32Array(buffer, base + TablePart.overlaid, OVERLAID_PAGES);
    this.#words = new Int32Array(buffer, base + TablePart.blocks, (capacity + 1) * WORDS);
  }

  /** Whoever is passing through code looks up where it goes on. */
  endPassing(): void {
    this.counters.fill(-1, Counter.passFirst, Counter.passFirst + 2);
    this.counters.fill(0, Counter.passLast, Counter.passLast + 2);
  }

  /** Blocks made since the table was last empty. */
  get count(): number {
    return this.counters[Counter.blocks];
  }

  get #longestLines(): number {
    return this.counters[Counter.longestLines];
  }

  get isFull(): boolean {
    return this.count >= this.capacity;
  }

  /** Counts a page more or less that has an overlay. */
  countOverlaid(page: number, by: 1 | -1): void {
    this.#overlaid[page & (OVERLAID_PAGES - 1)] += by;
  }

  page(id: BlockId): number {
    return this.#words[id * WORDS + Column.page];
  }

  offset(id: BlockId): number {
    return this.#words[id * WORDS + Column.offset];
  }

  modeKey(id: BlockId): number {
    return this.#words[id * WORDS + Column.modeKey];
  }

  record(id: BlockId): number {
    return this.#words[id * WORDS + Column.record];
  }

  records(id: BlockId): number {
    return this.#words[id * WORDS + Column.records];
  }

  roomRecords(id: BlockId): number {
    return this.#words[id * WORDS + Column.roomRecords];
  }

  codeBytes(id: BlockId): number {
    return this.#words[id * WORDS + Column.codeBytes];
  }

  isValid(id: BlockId): boolean {
    return this.#words[id * WORDS + Column.valid] !== 0;
  }

  older(id: BlockId): BlockId {
    return this.#words[id * WORDS + Column.older];
  }

  saved(id: BlockId): number {
    return this.#words[id * WORDS + Column.saved];
  }

  savedRoomBytes(id: BlockId): number {
    return this.#words[id * WORDS + Column.savedRoomBytes];
  }

  setSaved(id: BlockId, saved: number, roomBytes: number): void {
    this.#words[id * WORDS + Column.saved] = saved;
    this.#words[id * WORDS + Column.savedRoomBytes] = roomBytes;
  }

  setOlder(id: BlockId, older: BlockId): void {
    this.#words[id * WORDS + Column.older] = older;
  }

  /** The block that stands for a place, valid or not; NONE if none ever was there. */
  find(page: number, offset: number, modeKey: number): BlockId {
    const words = this.#words;
    let id = this.#places[placeBucket(page, offset, modeKey)];
    while (id !== NONE) {
      const at = id * WORDS;
      if (
        words[at + Column.offset] === offset && words[at + Column.page] === page &&
        words[at + Column.modeKey] === modeKey
      ) break;
      id = words[at + Column.nextPlace];
    }
    return id;
  }

  /** A new block at a place, in no chain yet, with room for `roomRecords` records from word `record` on. */
  create(
    page: number,
    offset: number,
    modeKey: number,
    record: number,
    roomRecords: number,
  ): BlockId {
    const id = ++this.counters[Counter.blocks];
    const words = this.#words;
    const at = id * WORDS;
    words[at + Column.page] = page;
    words[at + Column.offset] = offset;
    words[at + Column.modeKey] = modeKey;
    words[at + Column.record] = record;
    words[at + Column.roomRecords] = roomRecords;
    words[at + Column.valid] = 0;
    words[at + Column.older] = NONE;
    words[at + Column.saved] = 0;
    words[at + Column.savedRoomBytes] = 0;
    return id;
  }

  /** What the records of a block hold now. */
  fill(id: BlockId, records: number, codeBytes: number): void {
    this.#words[id * WORDS + Column.records] = records;
    this.#words[id * WORDS + Column.codeBytes] = codeBytes;
  }

  /** Lets `id` stand for its place instead of `before`, which may be NONE. */
  standFor(id: BlockId, before: BlockId): void {
    const words = this.#words;
    const bucket = placeBucket(this.page(id), this.offset(id), this.modeKey(id));
    if (before === NONE) {
      words[id * WORDS + Column.nextPlace] = this.#places[bucket];
      this.#places[bucket] = id;
      return;
    }
    words[id * WORDS + Column.nextPlace] = words[before * WORDS + Column.nextPlace];
    let previous = NONE;
    for (let at = this.#places[bucket]; at !== before; at = words[at * WORDS + Column.nextPlace]) {
      previous = at;
    }
    if (previous === NONE) this.#places[bucket] = id;
    else words[previous * WORDS + Column.nextPlace] = id;
  }

  /** A block becomes valid: it is found by its line from now on. */
  validate(id: BlockId): void {
    const words = this.#words;
    const at = id * WORDS;
    const offset = words[at + Column.offset];
    const line = offset >> CODE_LINE_SHIFT;
    const last = (offset + words[at + Column.codeBytes] - 1) >> CODE_LINE_SHIFT;
    this.counters[Counter.longestLines] = Math.max(this.#longestLines, last - line);
    const bucket = lineBucket(words[at + Column.page], line);
    words[at + Column.valid] = 1;
    words[at + Column.nextInLine] = this.#lines[bucket];
    this.#lines[bucket] = id;
  }

  /** Makes every valid block that has one of bytes [offset, offset + length) of `page` invalid, and tells of it. */
  invalidate(page: number, offset: number, length: number, told: (id: BlockId) => void): void {
    const end = Math.min(offset + length, FRAME_BYTES);
    const first = Math.max((offset >> CODE_LINE_SHIFT) - this.#longestLines, 0);
    for (let line = first; line <= (end - 1) >> CODE_LINE_SHIFT; line++) {
      this.#invalidateLine(page, line, offset, end, told);
    }
  }

  /** Tells of every valid block that has one of bytes [offset, offset + length) of `page`. */
  eachValid(page: number, offset: number, length: number, told: (id: BlockId) => void): void {
    const words = this.#words;
    const end = Math.min(offset + length, FRAME_BYTES);
    const first = Math.max((offset >> CODE_LINE_SHIFT) - this.#longestLines, 0);
    for (let line = first; line <= (end - 1) >> CODE_LINE_SHIFT; line++) {
      let id = this.#lines[lineBucket(page, line)];
      for (; id !== NONE; id = words[id * WORDS + Column.nextInLine]) {
        const at = id * WORDS;
        const start = words[at + Column.offset];
        if (
          words[at + Column.page] === page && start >> CODE_LINE_SHIFT === line && start < end &&
          start + words[at + Column.codeBytes] > offset
        ) told(id);
      }
    }
  }

  #invalidateLine(
    page: number,
    line: number,
    start: number,
    end: number,
    told: (id: BlockId) => void,
  ): void {
    const words = this.#words;
    const bucket = lineBucket(page, line);
    let previous = NONE;
    let id = this.#lines[bucket];
    while (id !== NONE) {
      const at = id * WORDS;
      const next = words[at + Column.nextInLine];
      const offset = words[at + Column.offset];
      if (
        words[at + Column.page] !== page || offset >= end ||
        offset + words[at + Column.codeBytes] <= start
      ) previous = id;
      else {
        if (previous === NONE) this.#lines[bucket] = next;
        else words[previous * WORDS + Column.nextInLine] = next;
        words[at + Column.valid] = 0;
        told(id);
      }
      id = next;
    }
  }

  /** Gives a block another place for its records. */
  move(id: BlockId, record: number, roomRecords: number): void {
    this.#words[id * WORDS + Column.record] = record;
    this.#words[id * WORDS + Column.roomRecords] = roomRecords;
  }

  /** Forgets all blocks. */
  clear(): void {
    this.#places.fill(NONE);
    this.#lines.fill(NONE);
    this.#overlaid.fill(0);
    this.counters[Counter.blocks] = 0;
    this.counters[Counter.longestLines] = 0;
  }
}

/** Places that lie side by side have buckets side by side, so that straight code walks through the table. */
function placeBucket(page: number, offset: number, modeKey: number): number {
  const hash = Math.imul(page, HASH_OF_PAGE) ^ Math.imul(modeKey, HASH_OF_MODE);
  return ((hash >>> 12) + (offset >> 2)) & (PLACE_BUCKETS - 1);
}

function lineBucket(page: number, line: number): number {
  return (page * 64 + line) & (LINE_BUCKETS - 1);
}
