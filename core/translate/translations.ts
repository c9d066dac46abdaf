/**
 * Which regions are translated, and where they are entered: the cold tier's records of a region's entries lead to its
 * function instead of to their own handlers.
 *
 * Regions are found by physical page and mode, so that all address spaces and CPUs share them.
 */

import { FRAME_BYTES } from "../memory/machine_memory.ts";
import type { Block, CodeCache } from "../x86/cold/code_cache.ts";
import { Record, RECORD_BYTES } from "../x86/cold/record.ts";
import type { Region } from "./region.ts";

/** A region that has been translated. */
export interface Translation {
  /** Its entry of the handler table. */
  readonly handler: number;
  readonly region: Region;
  /** Offsets in the page of its entries, by number. */
  readonly entries: readonly number[];
  /** Bytes of the page that it depends on: those of every record that it may leave to. */
  readonly spans: readonly { readonly offset: number; readonly end: number }[];
  /** Its function's body as WebAssembly; null unless somebody may want to read it. */
  readonly body: Uint8Array | null;
}

/** A translation that was dropped: its entry of the handler table, and first records of blocks that led to it. */
export interface Dropped {
  readonly handler: number;
  readonly heads: readonly number[];
}

interface Entry {
  readonly translation: Translation;
  readonly number: number;
}

/** The translations of one machine. */
export class Translations {
  /** By mode key, then by linear offset of the code. */
  readonly #entries = new Map<number, Map<number, Entry>>();
  readonly #byPage = new Map<number, Translation[]>();
  readonly #view: DataView;

  constructor(buffer: ArrayBufferLike) {
    this.#view = new DataView(buffer);
  }

  /** All of them. */
  all(): Translation[] {
    return [...this.#byPage.values()].flat();
  }

  /** Whether a translation in this mode contains a block that starts at `code`. */
  contains({ code, modeKey }: Block): boolean {
    const page = Math.floor(code / FRAME_BYTES);
    const offset = code - page * FRAME_BYTES;
    return (this.#byPage.get(page) ?? []).some(({ region }) =>
      region.modeKey === modeKey && region.blocks.has(offset)
    );
  }

  /** Lets the records of a new block lead to what is translated. */
  adopt(block: Block): void {
    const entries = this.#entries.get(block.modeKey);
    if (!entries || !this.#byPage.has(Math.floor(block.code / FRAME_BYTES))) return;
    for (let i = 0; i < block.records; i++) {
      const record = block.record + i * RECORD_BYTES;
      const offset = this.#offsetOf(record);
      // The record that ends a block stands for no instruction of it.
      const entry = offset < block.codeBytes ? entries.get(block.code + offset) : undefined;
      if (entry) this.#lead(record, entry);
    }
  }

  add(translation: Translation, cache: CodeCache): void {
    const { region } = translation;
    const page = region.page / FRAME_BYTES;
    const onPage = this.#byPage.get(page);
    if (onPage) onPage.push(translation);
    else {
      this.#byPage.set(page, [translation]);
      cache.setOverlaid(page, true);
    }
    let entries = this.#entries.get(region.modeKey);
    if (!entries) this.#entries.set(region.modeKey, entries = new Map());
    for (const [number, offset] of translation.entries.entries()) {
      const code = region.page + offset;
      if (entries.has(code)) continue;
      const entry = { translation, number };
      entries.set(code, entry);
      for (const record of this.#recordsAt(region, offset, cache)) this.#lead(record, entry);
    }
  }

  /** Drops the translations that depend on bytes of a page. */
  dropIn(page: number, offset: number, length: number, cache: CodeCache): Dropped[] {
    const translations = this.#byPage.get(page);
    if (!translations) return [];
    const touched = translations.filter(({ spans }) =>
      spans.some((span) => span.offset < offset + length && span.end > offset)
    );
    if (touched.length === 0) return [];
    const kept = translations.filter((translation) => !touched.includes(translation));
    if (kept.length > 0) this.#byPage.set(page, kept);
    else {
      this.#byPage.delete(page);
      cache.setOverlaid(page, false);
    }
    return touched.map((translation) => this.#drop(translation, cache));
  }

  /** Forgets all translations, none of whose records exists any more. */
  clear(dropped: (translation: Translation) => void): void {
    for (const translations of this.#byPage.values()) translations.forEach(dropped);
    this.#byPage.clear();
    this.#entries.clear();
  }

  /** Lets a record lead to its cold handler. */
  restore(record: number): void {
    const cold = this.#view.getUint16(record + Record.coldHandler, true);
    this.#view.setUint16(record + Record.handler, cold, true);
  }

  #drop(translation: Translation, cache: CodeCache): Dropped {
    const { region, entries, handler } = translation;
    const known = this.#entries.get(region.modeKey)!;
    const heads: number[] = [];
    for (const offset of entries) {
      const code = region.page + offset;
      if (known.get(code)?.translation !== translation) continue;
      known.delete(code);
      for (const record of this.#recordsAt(region, offset, cache)) {
        if (this.#view.getUint16(record + Record.handler, true) !== handler) continue;
        this.restore(record);
        if (this.#offsetOf(record) === 0) heads.push(record);
      }
    }
    return { handler, heads };
  }

  /** Records of valid blocks in the region's mode whose instruction starts at `offset` of its page. */
  #recordsAt({ page, modeKey }: Region, offset: number, cache: CodeCache): number[] {
    const found: number[] = [];
    for (const block of cache.blocksIn(page / FRAME_BYTES, offset, 1)) {
      if (block.modeKey !== modeKey) continue;
      for (let i = 0; i < block.records; i++) {
        const record = block.record + i * RECORD_BYTES;
        const within = this.#offsetOf(record);
        if (within < block.codeBytes && block.code + within === page + offset) found.push(record);
      }
    }
    return found;
  }

  #offsetOf(record: number): number {
    return this.#view.getUint16(record + Record.offset, true);
  }

  #lead(record: number, { translation, number }: Entry): void {
    this.#view.setUint16(record + Record.handler, translation.handler, true);
    this.#view.setUint16(record + Record.entry, number, true);
  }
}
