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
/** Bytes of linear memory for each page: for the bits, and for the counts of its lines (u32 each). */
export const CODE_LINES_BYTES_PER_PAGE = 8;
export const LINE_COUNTS_BYTES_PER_PAGE = 256;
const LINES = 64;

/** The code lines of a range of pages, which are numbered from 0 here. */
export class CodeLines {
  /** Two words for each page. */
  readonly #bits: Int32Array;
  /** {@link LINES} words for each page. */
  readonly #counts: Uint32Array;

  /** `base` and `countsBase` are the linear offsets, multiples of 8, of zero bytes for each page. */
  constructor(buffer: ArrayBufferLike, base: number, countsBase: number, pages: number) {
    this.#bits = new Int32Array(buffer, base, pages * (CODE_LINES_BYTES_PER_PAGE / 4));
    this.#counts = new Uint32Array(buffer, countsBase, pages * LINES);
  }

  /** Bytes [offset, offset + length) of `page` hold a piece of code. */
  add(page: number, offset: number, length: number): void {
    const last = (offset + length - 1) >> CODE_LINE_SHIFT;
    for (let line = offset >> CODE_LINE_SHIFT; line <= last; line++) {
      if (this.#counts[page * LINES + line]++ === 0) {
        this.#bits[2 * page + (line >> 5)] |= 1 << (line & 31);
      }
    }
  }

  /** One piece of code that {@link add} told of is no more. */
  remove(page: number, offset: number, length: number): void {
    const last = (offset + length - 1) >> CODE_LINE_SHIFT;
    for (let line = offset >> CODE_LINE_SHIFT; line <= last; line++) {
      const at = page * LINES + line;
      invariant(this.#counts[at] > 0, `there is no code in line ${line} of page ${page}`);
      if (--this.#counts[at] === 0) this.#bits[2 * page + (line >> 5)] &= ~(1 << (line & 31));
    }
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
