/**
 * The hot tier: the cold tier, with what is executed often translated into regions.
 *
 * Each block of the cold tier counts its executions. When one has become hot, all that have become warm are
 * translated with it, in one module, and the records where a region may be entered lead to its function. A region is
 * dropped when its code is stored to; all are when they have become too many.
 */

import type { LinearMemory, WasmHost } from "../lib/wasm/port.ts";
import { type FunctionWriter, ModuleWriter } from "../lib/wasm/writer.ts";
import { FRAME_BYTES } from "../memory/machine_memory.ts";
import type { Block, CodeOverlay, Counted } from "../x86/cold/code_cache.ts";
import { ColdEngine, type ColdEngineParts } from "../x86/cold/cold_engine.ts";
import {
  FIRST_TRANSLATION,
  FixedHandler,
  HANDLER_TABLE_ENTRIES,
  Record,
} from "../x86/cold/record.ts";
import { HANDLER } from "../x86/cold/handler_code.ts";
import { DEFAULT_PASSES } from "../x86/cold/passing.ts";
import { WARM_EXECUTIONS } from "../x86/cold/runtime.ts";
import type { Cpu } from "../x86/cpu.ts";
import { decodeMode } from "../x86/decode/mode.ts";
import type { Engine } from "../x86/engine.ts";
import { ModeKey } from "../x86/system/mode.ts";
import { formRegion, type Region } from "./region.ts";
import { type RegionCount, RegionProfile } from "./region_profile.ts";
import { writeRegion, type WrittenRegion } from "./region_writer.ts";
import { type Translation, Translations } from "./translations.ts";

/** Executions after which a block is hot. */
const HOT_EXECUTIONS = 2 * WARM_EXECUTIONS;
/** Executions that make a block a likely target of a computed jump. */
const WORTH_ENTERING = 16;
/** Modes whose code is translated: 64-bit, and 32-bit with a code segment of 4 GiB. */
const TRANSLATED_MODES = ModeKey.long | ModeKey.wholeCode;
/** Default bound of the code cache. */
const DEFAULT_CACHE_BYTES = 256 * 1024 * 1024;
/** Most regions in one module. */
const BATCH = 32;

/** Options of the hot tier. */
export interface HotEngineOptions {
  /** Count how often regions are entered and left, and why; and keep their WebAssembly for {@link HotEngine.regions}. */
  readonly profile?: boolean;
  /** Executions after which a block is translated (default 2048); 1 forces the hot tier. */
  readonly hotAfter?: number;
  /**
   * Arrivals at a place before its code gets a block (core/x86/cold/passing.ts): 0 for a block at once, 256 for none (default 8, and fewer than
   * `hotAfter`).
   */
  readonly passes?: number;
  /** Bytes of translations, as WebAssembly, from which on nothing is added without a flush (default 256 MiB). */
  readonly cacheBytes?: number;
}

/** A region of the module that is being written. */
interface Made {
  readonly region: Region;
  readonly written: WrittenRegion;
  readonly handler: number;
  readonly spans: Translation["spans"];
  readonly writer: FunctionWriter;
}

/** A region as it stands, for those who want to look at it. */
export interface TranslatedRegion {
  readonly region: Region;
  /** Its function's body as WebAssembly, of the signature {@link HANDLER}; null unless the engine profiles. */
  readonly body: Uint8Array | null;
  /** How often it was entered and left; empty unless the engine profiles. */
  readonly counts: readonly RegionCount[];
}

/** Executes by regions of translated code, and by the cold tier where there is none. */
export class HotEngine implements Engine, CodeOverlay {
  readonly name = "hot";
  readonly counted: Counted;
  readonly cold: ColdEngine;
  /** How often regions were entered and left; empty unless the engine was told to profile. */
  readonly profile: RegionProfile;
  /** What the translator did so far. */
  readonly counters = {
    regions: 0,
    instructions: 0,
    modules: 0,
    bytes: 0,
    dropped: 0,
    flushes: 0,
  };
  readonly #host: WasmHost;
  readonly #linear: LinearMemory;
  readonly #parts: ColdEngineParts;
  readonly #view: DataView;
  readonly #u8: Uint8Array;
  readonly #cacheBytes: number;
  readonly #keepsBodies: boolean;
  readonly #translations: Translations;
  /** Blocks that have become warm, by their first record. */
  readonly #warm = new Map<number, Block>();
  readonly #freeHandlers: number[] = [];
  #nextHandler = FIRST_TRANSLATION;
  /** Bytes of code in modules since the last flush. */
  #bytes = 0;

  constructor(parts: ColdEngineParts, options: HotEngineOptions = {}) {
    this.#host = parts.host;
    this.#linear = parts.linear;
    this.#parts = parts;
    this.counted = {
      modes: TRANSLATED_MODES,
      executions: options.hotAfter ?? HOT_EXECUTIONS,
    };
    this.#keepsBodies = options.profile ?? false;
    this.#cacheBytes = options.cacheBytes ?? DEFAULT_CACHE_BYTES;
    this.#view = new DataView(parts.linear.buffer);
    this.#u8 = new Uint8Array(parts.linear.buffer);
    this.#translations = new Translations(parts.linear.buffer);
    const passes = options.passes ?? Math.min(DEFAULT_PASSES, this.counted.executions - 1);
    this.cold = new ColdEngine({ ...parts, overlay: this, passes });
    this.profile = new RegionProfile(
      parts.linear.buffer,
      options.profile ? (bytes) => this.cold.cache.reserve(bytes) : () => -1,
    );
  }

  run(cpu: Cpu): void {
    this.cold.run(cpu);
  }

  invalidate(): void {
    this.cold.invalidate();
  }

  /** Translates the code at linear offsets `codes`, hot or not, in one module: for those who want to force it. */
  translate(codes: readonly number[], modeKey: number): void {
    const { cache } = this.cold;
    for (const code of codes) cache.find(code, modeKey);
    const blocks = codes.map((code) => cache.peek(code, modeKey)).filter((block) => block !== null);
    this.cold.compilePending();
    if (blocks.length > 0) this.#translate(blocks);
  }

  /** The regions that there are at present. */
  regions(): TranslatedRegion[] {
    return this.#translations.all().map(({ region, body }) => ({
      region,
      body,
      counts: this.profile.countsOf(region),
    }));
  }

  // ---- what the cold tier reports ----

  blockMade(block: Block): void {
    this.#translations.adopt(block);
  }

  hot(block: Block): void {
    if (this.#view.getUint16(block.record + Record.counter, true) > 0) {
      this.#warm.set(block.record, block);
      return;
    }
    // A full cache is flushed before it takes more: what was translated last is executed at least once.
    if (this.#bytes >= this.#cacheBytes) return this.invalidate();
    this.#translations.restore(block.record);
    const blocks = this.#takeBlocks(block);
    if (blocks.length > 0) this.#translate(blocks);
  }

  codeChanged(page: number, offset: number, length: number): void {
    const { cache } = this.cold;
    for (const { handler, heads } of this.#translations.dropIn(page, offset, length, cache)) {
      this.counters.dropped++;
      this.#freeHandlers.push(handler);
      // What was translated with the changed code may well be as hot as before.
      for (const head of heads) cache.count(head);
    }
  }

  cleared(): void {
    this.#translations.clear(({ handler }) => this.#freeHandlers.push(handler));
    this.profile.clear();
    this.#warm.clear();
    this.#bytes = 0;
    this.counters.flushes++;
  }

  // ---- translating ----

  /** The blocks to translate with the hot one, which comes first: those that are warm. */
  #takeBlocks(hottest: Block): Block[] {
    const { cache } = this.cold;
    this.#warm.delete(hottest.record);
    const blocks: Block[] = [];
    for (const block of [hottest, ...this.#warm.values()]) {
      this.#warm.delete(block.record);
      if (cache.peek(block.code, block.modeKey)?.record !== block.record) continue;
      blocks.push(block);
      if (blocks.length === BATCH) break;
    }
    return blocks;
  }

  #translate(blocks: readonly Block[]): void {
    const module = new ModuleWriter(this.#linear.buffer.byteLength / 65536, HANDLER_TABLE_ENTRIES);
    const made: Made[] = [];
    const isComplete = this.#write(blocks, module, made);
    // The cold tier may have met new forms, whatever became of the regions.
    this.cold.compilePending();
    if (!isComplete) { for (const { handler } of made) this.#freeHandlers.push(handler); }
    else if (made.length > 0) this.#install(module.toBytes(), made);
  }

  /** Writes the regions of blocks into a module; false if everything was displaced meanwhile. */
  #write(blocks: readonly Block[], module: ModuleWriter, made: Made[]): boolean {
    const { cache } = this.cold;
    const { evictions } = cache;
    const handlerType = module.type(HANDLER);
    for (const block of blocks) {
      // What is reached from inside a region need not be entered from outside, unless it becomes hot even so.
      const isInside = made.some((other) => holds(other.region, block)) ||
        this.#translations.contains(block);
      if (block !== blocks[0] && isInside) continue;
      const region = this.#form(block);
      if (region === null) {
        this.#translations.restore(block.record);
        continue;
      }
      if (this.#freeHandlers.length === 0 && this.#nextHandler === HANDLER_TABLE_ENTRIES) {
        this.invalidate();
        return false;
      }
      const handler = this.#freeHandlers.pop() ?? this.#nextHandler++;
      const { index, writer } = module.define(HANDLER);
      made.push({ region, handler, writer, ...this.#writeRegion(writer, region, handlerType) });
      module.element(handler, [index]);
      // Records that were made meanwhile may have displaced everything.
      if (cache.evictions !== evictions) return false;
    }
    return true;
  }

  #writeRegion(
    writer: FunctionWriter,
    region: Region,
    handlerType: number,
  ): Pick<Made, "written" | "spans"> {
    const { cache } = this.cold;
    const spans: { offset: number; end: number }[] = [];
    const written = writeRegion(writer, region, {
      recordOf: (offset) => {
        const record = cache.find(region.page + offset, region.modeKey);
        const found = cache.peek(region.page + offset, region.modeKey);
        spans.push({ offset, end: offset + (found?.codeBytes ?? 0) });
        return record;
      },
      reserveEntryTable: (bytes) => cache.reserve(bytes),
      counterOf: (reason, offset) => this.profile.counterOf(region, reason, offset),
    }, handlerType);
    return { written, spans };
  }

  #install(module: Uint8Array, made: readonly Made[]): void {
    const { counters } = this;
    this.#host.instantiate(module, { memory: this.#linear.handle, table: this.cold.table });
    counters.modules++;
    counters.bytes += module.length;
    this.#bytes += module.length;
    for (const { region, written, handler, spans, writer } of made) {
      const { entries, entryTable } = written;
      counters.regions++;
      for (const block of region.blocks.values()) {
        counters.instructions += block.instructions.length;
      }
      if (entryTable) this.#u8.set(entryTable.bytes, entryTable.at);
      const body = this.#keepsBodies ? writer.body() : null;
      this.#translations.add({ handler, region, entries, spans, body }, this.cold.cache);
    }
  }

  #form({ code, modeKey }: Block): Region | null {
    const { cache } = this.cold;
    const page = Math.floor(code / FRAME_BYTES) * FRAME_BYTES;
    const mode = decodeMode(modeKey);
    const end = page + FRAME_BYTES;
    return formRegion(page, modeKey, code - page, {
      decode: (offset) => {
        if (this.#parts.stops?.isPlace(page + offset)) return null;
        const found = this.#parts.decoder.decode(this.#u8, page + offset, end, mode);
        return typeof found === "string" ? null : found;
      },
      isWarm: (offset) => this.#wasExecuted(cache.peek(page + offset, modeKey)),
      warm: () =>
        cache.blocksIn(page / FRAME_BYTES, 0, FRAME_BYTES)
          .filter((block) => block.modeKey === modeKey && this.#counted(block) >= WORTH_ENTERING)
          .map((block) => block.code - page),
    });
  }

  /** Executions of a block that is not translated. */
  #counted({ record }: Block): number {
    if (this.#view.getUint16(record + Record.handler, true) !== FixedHandler.count) return 0;
    return this.counted.executions - this.#view.getUint16(record + Record.counter, true);
  }

  /** Whether a block was ever executed. */
  #wasExecuted(block: Block | null): boolean {
    if (block === null) return false;
    const handler = this.#view.getUint16(block.record + Record.handler, true);
    return handler !== FixedHandler.count || this.#counted(block) > 0;
  }
}

function holds(region: Region, { code, modeKey }: Block): boolean {
  return region.modeKey === modeKey && region.blocks.has(code - region.page);
}
