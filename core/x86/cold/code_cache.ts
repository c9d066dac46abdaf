/**
 * The cold tier's code cache: blocks of records, found by the physical place and the mode of their code.
 *
 * A block is straight-line code within one page. Conditional branches do not end it: their records hand
 * over to the target, or fall through to the next record. Blocks are shared by all CPUs and all
 * address spaces of a machine. A store to code drops the blocks that it touches: their records are made
 * stale, so that whoever is inside continues by looking up again.
 */

import { FRAME_BYTES, FrameWatch, type MachineMemory } from "../../memory/machine_memory.ts";
import type { CodeStops } from "../debugging/code_stops.ts";
import { CodeSharing } from "./code_sharing.ts";
import type { Decoder } from "../decode/decoder.ts";
import type { BoundForm } from "../ir/instruction.ts";
import { type BlockId, BlockTable, blockTableBytes, Counter, NONE } from "./block_table.ts";
import {
  FixedHandler,
  LOOKUP_BYTES,
  LOOKUP_ENTRIES,
  LookupEntry,
  LookupHash,
  MODE_KEY_SHIFT,
  Record,
  RECORD_BYTES,
} from "./record.ts";
import {
  MAX_BLOCK_INSTRUCTIONS,
  RECORD_WORDS,
  RecordWriter,
  redirectRecord,
  reviveRecord,
} from "./record_writer.ts";
import { Templates, TEMPLATES_BYTES } from "./templates.ts";

/** Blocks kept for one place: code that patches its operands returns to few versions of itself. */
export const MAX_VERSIONS = 8;
export const MAX_BLOCK_RECORDS: number = MAX_BLOCK_INSTRUCTIONS + 1;
/** Records of the shortest blocks that there are many of. */
const MIN_BLOCK_RECORDS = 2;
/** Words of a record: `linkable` in the low half, `link`. */
const LINKABLE = Record.linkable >> 2;
const LINK = Record.link >> 2;

/** Where the cache lies in linear memory. */
export interface CodeCachePlan {
  readonly lookupBase: number;
  readonly arenaBase: number;
  readonly arenaBytes: number;
  /** Place of {@link codeTablesBytes} bytes, a multiple of 64. */
  readonly tablesBase: number;
}

/** Most blocks that an arena of `arenaBytes` holds. */
export function mostBlocks(arenaBytes: number): number {
  return Math.floor(arenaBytes / (MIN_BLOCK_RECORDS * RECORD_BYTES));
}

/** Linear offset of a cache's templates. */
export function templatesBase({ tablesBase, arenaBytes }: CodeCachePlan): number {
  return tablesBase + blockTableBytes(mostBlocks(arenaBytes));
}

/** Bytes of the tables that belong to an arena of `arenaBytes`: those of blocks, and the templates behind them. */
export function codeTablesBytes(arenaBytes: number): number {
  return blockTableBytes(mostBlocks(arenaBytes)) + TEMPLATES_BYTES;
}

/** A wasm twin of {@link CodeCache}'s search: takes page, offset and mode key, returns a record or 0, having given up. */
export type QuickFind = (page: number, offset: number, modeKey: number) => number;

/** A valid block, for those who stand above the cold tier. */
export interface Block {
  /** Linear offset and bytes of its code, and the mode it is decoded in. */
  readonly code: number;
  readonly codeBytes: number;
  readonly modeKey: number;
  /** Linear offset of its first record, and how many there are, that which ends it included if there is one. */
  readonly record: number;
  readonly records: number;
}

/** Which blocks count their executions: those with one of `modes` in their mode key, from `executions` down to 0. */
export interface Counted {
  readonly modes: number;
  readonly executions: number;
}

/** Who may lead records elsewhere than to their cold handlers. */
export interface CodeOverlay {
  readonly counted: Counted;
  /** Told of a block that has become valid, or valid again, on an overlaid page. */
  blockMade(block: Block): void;
  /** Told that a block's execution count has reached a mark. */
  hot(block: Block): void;
  /** Told that bytes of code are about to change, while their blocks are still valid; it may miss pages not overlaid. */
  codeChanged(page: number, offset: number, length: number): void;
  /** Told that no block exists any more. */
  cleared(): void;
}

/** What a look-up can be told besides a record's offset. */
export const NO_BLOCK = 0;

/** Blocks of one machine. */
export class CodeCache {
  readonly #u8: Uint8Array;
  readonly #view: DataView;
  /** The arena: records, and code of dropped blocks. */
  readonly #words: Int32Array;
  readonly #lookup: Int32Array;
  readonly #blocks: BlockTable;
  readonly #writer: RecordWriter;
  /** What decoding leaves to its quick twin. */
  readonly templates: Templates;
  readonly #drop = (id: BlockId) => this.#dropped(id);
  /** Pages with the same bytes, which have their blocks in common. */
  readonly sharing: CodeSharing;
  /** How often the arena overflowed and everything was dropped. */
  evictions = 0;
  /** How often everything was dropped. */
  clears = 0;
  /** The quick twin of what makes a block, where there is one. */
  quickFind: QuickFind | null = null;

  /** `handlerOf` gives the handler table entry of a form, making the handler if need be. */
  constructor(
    private readonly memory: MachineMemory,
    private readonly plan: CodeCachePlan,
    decoder: Decoder,
    handlerOf: (bound: BoundForm) => number,
    private readonly overlay: CodeOverlay | null = null,
    private readonly stops: CodeStops | null = null,
  ) {
    this.#u8 = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#words = new Int32Array(memory.buffer, plan.arenaBase, plan.arenaBytes >> 2);
    this.#lookup = new Int32Array(memory.buffer, plan.lookupBase, LOOKUP_BYTES >> 2);
    this.#lookup.fill(-1);
    const capacity = mostBlocks(plan.arenaBytes);
    this.#blocks = new BlockTable(memory.buffer, plan.tablesBase, capacity);
    this.templates = new Templates(memory.buffer, templatesBase(plan));
    this.#writer = new RecordWriter(this.#words, decoder, this.templates, handlerOf, stops);
    memory.observe({
      beforeStore: (page, watch, offset, length) => {
        if ((watch & FrameWatch.code) === 0) return;
        this.sharing.part(page);
        this.#invalidate(page, offset, length);
      },
    });
    if (stops !== null) stops.onPlaceChange = (place) => this.#stopChanged(place);
    this.sharing = new CodeSharing(
      memory,
      (page) => this.#dropPage(page),
      () => stops?.any === true,
    );
  }

  get #usedWords(): number {
    return this.#blocks.counters[Counter.usedWords];
  }

  set #usedWords(words: number) {
    this.#blocks.counters[Counter.usedWords] = words;
  }

  /** How often records were written where others had been: a record from before is no longer what it was. */
  get reuses(): number {
    return this.#blocks.counters[Counter.reuses];
  }

  #noteReuse(): void {
    this.#blocks.counters[Counter.reuses]++;
  }

  /** Bytes of the arena in use. */
  get usedBytes(): number {
    return this.#usedWords * 4;
  }

  /**
   * The record of the block whose code starts at linear offset `code`; decodes it if it is new. NO_BLOCK if
   * the first instruction there does not lie within the page or is none.
   */
  find(code: number, modeKey: number): number {
    const page = Math.floor(code / FRAME_BYTES);
    const offset = code - page * FRAME_BYTES;
    let id = this.#blocks.find(page, offset, modeKey);
    if (id === NONE || !this.#blocks.isValid(id)) {
      if ((this.memory.watches(page) & FrameWatch.code) === 0 && this.sharing.join(page)) {
        return this.find(this.memory.codeHomes.codeAt(code), modeKey);
      }
      id = this.#make(code, page, offset, modeKey, id);
      if (id === NONE) return NO_BLOCK;
    }
    const record = this.plan.arenaBase + this.#blocks.record(id) * 4;
    this.#enter(code, modeKey, record);
    return record;
  }

  /** What holds the code at linear offset `place`, and what ends right before it, is decoded anew when next executed. */
  #stopChanged(place: number): void {
    this.sharing.partAll();
    this.#blocks.endPassing();
    this.#blocks.counters[Counter.hasStops] = this.stops!.isPlaceWithin(0, Infinity) ? 1 : 0;
    const page = Math.floor(place / FRAME_BYTES);
    const from = Math.max(page * FRAME_BYTES, place - 1);
    this.#invalidate(page, from - page * FRAME_BYTES, place + 1 - from);
  }

  #invalidate(page: number, offset: number, length: number): void {
    this.overlay?.codeChanged(page, offset, length);
    this.#blocks.invalidate(page, offset, length, this.#drop);
  }

  /** Nobody who executes blocks of `page` goes on with them. */
  #dropPage(page: number): void {
    this.#invalidate(page, 0, FRAME_BYTES);
    this.#blocks.endPassing();
    this.#noteReuse();
  }

  /** As `RecordWriter.writeSingle`, at linear offset `record` of the arena. */
  writeSingle(bytes: Uint8Array, modeKey: number, record: number): boolean {
    return this.#writer.writeSingle(bytes, modeKey, (record - this.plan.arenaBase) >> 2);
  }

  /** Links the direct jump in record `from` to `record`, if it may be linked. */
  link(from: number, record: number): void {
    const at = (from - this.plan.arenaBase) >> 2;
    if ((this.#words[at + LINKABLE] & 0xffff) !== 0) this.#words[at + LINK] = record;
  }

  /** Drops everything. */
  clear(): void {
    const blocks = this.#blocks;
    this.sharing.partAll();
    blocks.endPassing();
    if (blocks.count === 0) return;
    for (let id = 1; id <= blocks.count; id++) {
      if (!blocks.isValid(id)) continue;
      this.memory.unwatchCode(blocks.page(id), blocks.offset(id), blocks.codeBytes(id));
      this.#makeStale(id);
    }
    blocks.clear();
    this.#lookup.fill(-1);
    this.#usedWords = 0;
    this.clears++;
    this.#noteReuse();
    this.overlay?.cleared();
  }

  /** The valid block that starts at linear offset `code`, if there is one. */
  peek(code: number, modeKey: number): Block | null {
    const page = Math.floor(code / FRAME_BYTES);
    const id = this.#blocks.find(page, code - page * FRAME_BYTES, modeKey);
    return id !== NONE && this.#blocks.isValid(id) ? this.#describe(id) : null;
  }

  /** The valid blocks with code in bytes [offset, offset + length) of a page. */
  blocksIn(page: number, offset: number, length: number): Block[] {
    const found: Block[] = [];
    this.#blocks.eachValid(page, offset, length, (id) => found.push(this.#describe(id)));
    return found;
  }

  /** Linear offset of `bytes` of the arena that stay as they are until everything is dropped; -1 if there is no room. */
  reserve(bytes: number): number {
    const words = Math.ceil(bytes / RECORD_BYTES) * RECORD_WORDS;
    if (this.#usedWords + words > this.#words.length) return -1;
    const at = this.plan.arenaBase + this.#usedWords * 4;
    this.#usedWords += words;
    return at;
  }

  #makeStale(id: BlockId): void {
    const start = this.#blocks.record(id);
    const end = start + this.#blocks.records(id) * RECORD_WORDS;
    for (let at = start; at < end; at += RECORD_WORDS) {
      redirectRecord(this.#words, at, FixedHandler.stale);
    }
  }

  #describe(id: BlockId): Block {
    const blocks = this.#blocks;
    return {
      code: blocks.page(id) * FRAME_BYTES + blocks.offset(id),
      codeBytes: blocks.codeBytes(id),
      modeKey: blocks.modeKey(id),
      record: this.plan.arenaBase + blocks.record(id) * 4,
      records: blocks.records(id),
    };
  }

  #enter(code: number, modeKey: number, record: number): void {
    const slot = this.#slot(code);
    const high = Math.floor(code / 0x1_0000_0000) | (modeKey << (MODE_KEY_SHIFT - 32));
    this.#lookup[slot] = code | 0;
    this.#lookup[slot + 1] = high;
    this.#lookup[slot + 2] = record;
  }

  /** The word index of a code address's look-up entry; the generated look-up computes the same. */
  #slot(code: number): number {
    const low = code | 0;
    const far = Math.floor(code / 2 ** LookupHash.far) | 0;
    const hash = (low << LookupHash.near) ^ (low << LookupHash.low) ^ far;
    return (hash & ((LOOKUP_ENTRIES - 1) << LookupEntry.sizeShift)) >> 2;
  }

  /**
   * Makes a valid block for a place that `before`, which is not valid or is NONE, stands for: a version that was dropped
   * comes back if its code is there again, else the code is decoded. NONE if it is no code.
   */
  #make(code: number, page: number, offset: number, modeKey: number, before: BlockId): BlockId {
    const blocks = this.#blocks;
    if (this.quickFind !== null && this.quickFind(page, offset, modeKey) !== 0) {
      const made = blocks.find(page, offset, modeKey);
      return made;
    }
    let first = before;
    if (!this.#hasRoom()) {
      const isShared = this.memory.codeHomes.isShared(page);
      this.clear();
      this.evictions++;
      // Who asked may come from another page, which stands alone now.
      if (isShared) return NONE;
      first = NONE;
    }
    let id = this.#takeVersion(code, first);
    if (id === NONE) {
      id = this.#decode(code, page, offset, modeKey, first);
      if (id === NONE) return NONE;
    }
    if (id !== first) {
      blocks.setOlder(id, first);
      blocks.standFor(id, first);
    }
    blocks.validate(id);
    this.memory.watchCode(page, offset, blocks.codeBytes(id));
    if (this.overlay !== null) this.#announce(id, this.overlay);
    return id;
  }

  #announce(id: BlockId, overlay: CodeOverlay): void {
    const block = this.#describe(id);
    if ((block.modeKey & overlay.counted.modes) !== 0) this.count(block.record);
    overlay.blockMade(block);
  }

  /** Lets a block count its executions, from none on. */
  count(record: number): void {
    const { executions } = this.overlay!.counted;
    this.#view.setUint16(record + Record.handler, FixedHandler.count, true);
    this.#view.setUint16(record + Record.counter, executions, true);
  }

  /** Something stands above the blocks of linear page `page` from now on, or does no longer. */
  setOverlaid(page: number, isOverlaid: boolean): void {
    this.#blocks.countOverlaid(page, isOverlaid ? 1 : -1);
  }

  /** Takes a version of `first` whose code is there again out of the older ones, as it was; or NONE. */
  #takeVersion(code: number, first: BlockId): BlockId {
    const blocks = this.#blocks;
    let newer = NONE;
    for (let id = first; id !== NONE; newer = id, id = blocks.older(id)) {
      if (!this.#isAt(code, id)) continue;
      if (newer !== NONE) blocks.setOlder(newer, blocks.older(id));
      const start = blocks.record(id);
      const end = start + blocks.records(id) * RECORD_WORDS;
      for (let at = start; at < end; at += RECORD_WORDS) reviveRecord(this.#words, at);
      return id;
    }
    return NONE;
  }

  /** Whether the code that a dropped block was made from is there. */
  #isAt(code: number, id: BlockId): boolean {
    const saved = this.#blocks.saved(id);
    if (saved === 0) return false;
    const length = this.#blocks.codeBytes(id);
    if (this.stops?.isPlaceWithin(code, code + length)) return false;
    for (let i = 0; i < length; i++) if (this.#u8[code + i] !== this.#u8[saved + i]) return false;
    return true;
  }

  /** Decodes a block, in the place of the oldest version if there are many; NONE if there is no code. */
  #decode(code: number, page: number, offset: number, modeKey: number, first: BlockId): BlockId {
    const blocks = this.#blocks;
    let versions = 0;
    let beforeLast = NONE;
    let last = first;
    for (let id = first; id !== NONE; id = blocks.older(id)) {
      versions++;
      if (blocks.older(id) !== NONE) beforeLast = id;
      last = id;
    }
    const record = this.#usedWords;
    const records = this.#writer.write(this.#u8, code, offset, modeKey, record);
    if (records === 0) return NONE;
    const { codeBytes } = this.#writer;
    let id = last;
    if (versions < MAX_VERSIONS) {
      id = blocks.create(page, offset, modeKey, record, records);
      this.#usedWords += records * RECORD_WORDS;
    } else {
      blocks.setOlder(beforeLast, NONE);
      this.#overwrite(id, record, records, codeBytes);
    }
    blocks.fill(id, records, codeBytes);
    return id;
  }

  /** Gives a dropped block the records that were written at word `record`: in its own place if they fit there. */
  #overwrite(id: BlockId, record: number, records: number, codeBytes: number): void {
    const blocks = this.#blocks;
    const words = records * RECORD_WORDS;
    if (records <= blocks.roomRecords(id)) {
      const place = blocks.record(id);
      for (let i = 0; i < words; i++) this.#words[place + i] = this.#words[record + i];
    } else {
      blocks.move(id, record, records);
      this.#usedWords += words;
    }
    if (blocks.savedRoomBytes(id) < codeBytes) blocks.setSaved(id, 0, 0);
    this.#noteReuse();
  }

  /** Whether a block of any length and the code of a dropped one still fit. */
  #hasRoom(): boolean {
    const room = this.#words.length - this.#usedWords;
    return room >= MAX_BLOCK_RECORDS * RECORD_WORDS && !this.#blocks.isFull;
  }

  /** A store is about to change the code of a block: it is no longer valid. */
  #dropped(id: BlockId): void {
    const blocks = this.#blocks;
    const page = blocks.page(id);
    const offset = blocks.offset(id);
    const codeBytes = blocks.codeBytes(id);
    const code = page * FRAME_BYTES + offset;
    const slot = this.#slot(code);
    if (this.#lookup[slot + 2] === this.plan.arenaBase + blocks.record(id) * 4) {
      this.#lookup[slot] = this.#lookup[slot + 1] = -1;
    }
    this.#makeStale(id);
    this.memory.unwatchCode(page, offset, codeBytes);
    this.#save(id, code, codeBytes);
  }

  /** Keeps the code of a dropped block, by which it is known if it comes back. */
  #save(id: BlockId, code: number, codeBytes: number): void {
    const blocks = this.#blocks;
    if (blocks.saved(id) === 0) {
      const roomWords = Math.ceil(codeBytes / RECORD_BYTES) * RECORD_WORDS;
      if (this.#usedWords + roomWords > this.#words.length) return;
      blocks.setSaved(id, this.plan.arenaBase + this.#usedWords * 4, roomWords * 4);
      this.#usedWords += roomWords;
    }
    const saved = blocks.saved(id);
    for (let i = 0; i < codeBytes; i++) this.#u8[saved + i] = this.#u8[code + i];
  }
}
