/**
 * From which page code is fetched: pages with the same bytes have one home among them, where engines keep what they
 * made of the code of all.
 *
 * One word for each page, in linear memory where generated code reads it: the number of its home plus one, or 0 for a
 * page that stands alone. A home's own word is not 0, so that a store to any page of a group is seen to concern others.
 */

const FRAME_BYTES = 4096;
/** Bytes of linear memory for each page. */
export const CODE_HOME_BYTES_PER_PAGE = 4;

/** The homes of a range of linear pages. */
export class CodeHomes {
  readonly #words: Int32Array;
  /** Where the word of linear page 0 would be. */
  readonly wordOfPage0: number;

  /** `base` is the linear offset, a multiple of 4, of zero bytes for each of `pages` pages from `first` on. */
  constructor(
    buffer: ArrayBufferLike,
    base: number,
    private readonly first: number,
    pages: number,
  ) {
    this.#words = new Int32Array(buffer, base, pages);
    this.wordOfPage0 = base - first * CODE_HOME_BYTES_PER_PAGE;
  }

  /** The page that code of linear page `page` is fetched from. */
  of(page: number): number {
    const word = this.#words[page - this.first];
    return word === 0 ? page : word - 1;
  }

  /** Linear offset that code at linear offset `code` is fetched from. */
  codeAt(code: number): number {
    const offset = code % FRAME_BYTES;
    return this.of((code - offset) / FRAME_BYTES) * FRAME_BYTES + offset;
  }

  /** Whether a page has a home elsewhere, or is one. */
  isShared(page: number): boolean {
    return this.#words[page - this.first] !== 0;
  }

  /** Code of `page` is fetched from `home`, which may be the page itself, as the home of others. */
  set(page: number, home: number): void {
    this.#words[page - this.first] = home + 1;
  }

  /** A page stands alone again. */
  clear(page: number): void {
    this.#words[page - this.first] = 0;
  }
}
