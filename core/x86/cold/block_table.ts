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
const Column = {
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

const WORDS = 13;
const PLACE_BUCKETS = 1 << 17;
const LINE_BUCKETS = 1 << 15;
/** No block. */
export const NONE = 0;

/** The number of a block, from 1 on. */
export type BlockId = number;

/** Blocks by number, place and line. */
export class BlockTable {
  readonly #words: Int32Array;
  readonly #places = new Int32Array(PLACE_BUCKETS);
  readonly #lines = new Int32Array(LINE_BUCKETS);
  #count = 0;
  /** Most lines that a block spans beyond its first. */
  #longestLines = 0;

  /** Room for `capacity` blocks. */
  constructor(private readonly capacity: number) {
    this.#words = new Int32Array((capacity + 1) * WORDS);
  }

  /** Blocks made since the table was last empty. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.capacity;
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
    const id = ++this.#count;
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
    this.#longestLines = Math.max(this.#longestLines, last - line);
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
    this.#count = 0;
    this.#longestLines = 0;
  }
}

/** Places that lie side by side have buckets side by side, so that straight code walks through the table. */
function placeBucket(page: number, offset: number, modeKey: number): number {
  const hash = Math.imul(page, 0x9e3779b1) ^ Math.imul(modeKey, 0xc2b2ae35);
  return ((hash >>> 12) + (offset >> 2)) & (PLACE_BUCKETS - 1);
}

function lineBucket(page: number, line: number): number {
  return (page * 64 + line) & (LINE_BUCKETS - 1);
}
