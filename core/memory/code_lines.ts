/**
 * Which lines of 64 bytes hold code that an engine has decoded or translated.
 *
 * A page that holds code takes stores the slow way. Most of them touch no code: a BIOS keeps its stack beside its
 * code, a kernel its data. One bit for each line, in linear memory where generated code can test it, tells such a
 * store from one that changes code. Several pieces of code may share a line, so each line is counted.
 */

import { invariant } from "../lib/assert.ts";

/** Lines have 64 bytes, so that the lines of a page are the bits of one 64-bit word. */
export const CODE_LINE_SHIFT = 6;
/** Bytes of linear memory for each page. */
export const CODE_LINES_BYTES_PER_PAGE = 8;
const LINES = 64;

/** The code lines of a range of pages, which are numbered from 0 here. */
export class CodeLines {
  /** Two words for each page. */
  readonly #bits: Int32Array;
  readonly #counts = new Map<number, Uint32Array>();

  /** `base` is the linear offset, a multiple of 8, of CODE_LINES_BYTES_PER_PAGE zero bytes for each page. */
  constructor(buffer: ArrayBufferLike, base: number, pages: number) {
    this.#bits = new Int32Array(buffer, base, pages * (CODE_LINES_BYTES_PER_PAGE / 4));
  }

  /** Bytes [offset, offset + length) of `page` hold a piece of code. */
  add(page: number, offset: number, length: number): void {
    let counts = this.#counts.get(page);
    if (!counts) this.#counts.set(page, counts = new Uint32Array(LINES));
    const last = (offset + length - 1) >> CODE_LINE_SHIFT;
    for (let line = offset >> CODE_LINE_SHIFT; line <= last; line++) {
      if (counts[line]++ === 0) this.#bits[2 * page + (line >> 5)] |= 1 << (line & 31);
    }
  }

  /** One piece of code that {@link add} told of is no more. */
  remove(page: number, offset: number, length: number): void {
    const counts = this.#counts.get(page);
    invariant(counts, `no code was ever on page ${page}`);
    const last = (offset + length - 1) >> CODE_LINE_SHIFT;
    for (let line = offset >> CODE_LINE_SHIFT; line <= last; line++) {
      if (--counts[line] === 0) this.#bits[2 * page + (line >> 5)] &= ~(1 << (line & 31));
    }
  }

  /** Gives back what was kept for a page without code. */
  forget(page: number): void {
    this.#counts.delete(page);
  }

  /** Whether a line of bytes [offset, offset + length) holds code. */
  touches(page: number, offset: number, length: number): boolean {
    const low = this.#bits[2 * page];
    const high = this.#bits[2 * page + 1];
    if ((low | high) === 0) return false;
    const last = (offset + length - 1) >> CODE_LINE_SHIFT;
    for (let line = offset >> CODE_LINE_SHIFT; line <= last; line++) {
      if ((((line < 32 ? low : high) >> (line & 31)) & 1) !== 0) return true;
    }
    return false;
  }

  /** Whether no line of the page holds code. */
  isEmpty(page: number): boolean {
    return (this.#bits[2 * page] | this.#bits[2 * page + 1]) === 0;
  }
}
