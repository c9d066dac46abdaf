/**
 * The second-level cache of one CPU: 512 KiB, 8 ways, lines of 64 bytes, physically indexed. A page can be in one sixteenth of it
 * only: its colour. Pages of one colour displace each other, least recently used first, however empty the rest is.
 */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";

const LINES_OF_PAGE = 64;
const COLOURS = 16;
const WAYS = 8;
const LINES_OF_COLOUR = LINES_OF_PAGE * WAYS;
/** Pages of one colour that have lines in the cache at most, and the one that is being fetched. */
const MOST_PAGES = LINES_OF_COLOUR + 1;

/** The pages of one colour that have lines in the cache, least recently used first. */
class Colour {
  readonly frames = new Int32Array(MOST_PAGES);
  /** By place: lines of that page. */
  readonly lines = new Uint8Array(MOST_PAGES);
  pages = 0;
  /** Of all pages. */
  sum = 0;

  /** The first `lines` lines of a page are used; returns how many had to be fetched. */
  touch(frame: number, lines: number): number {
    const { frames } = this;
    const latest = this.pages - 1;
    let place = latest;
    while (place >= 0 && frames[place] !== frame) place--;
    const held = place >= 0 ? this.lines[place] : 0;
    const missing = Math.max(0, lines - held);
    if (place < 0) place = this.pages++;
    else for (; place < latest; place++) this.#copy(place + 1, place);
    frames[place] = frame;
    this.lines[place] = held + missing;
    this.sum += missing;
    if (this.sum > LINES_OF_COLOUR) this.shrinkTo(LINES_OF_COLOUR);
    return missing;
  }

  /** Pages that were used least recently lose lines until so many are left. */
  shrinkTo(most: number): void {
    let first = 0;
    while (this.sum > most && first < this.pages) {
      const lost = Math.min(this.lines[first], this.sum - most);
      this.lines[first] -= lost;
      this.sum -= lost;
      if (this.lines[first] === 0) first++;
    }
    if (first === 0) return;
    this.pages -= first;
    for (let place = 0; place < this.pages; place++) this.#copy(place + first, place);
  }

  #copy(from: number, to: number): void {
    this.frames[to] = this.frames[from];
    this.lines[to] = this.lines[from];
  }
}

/** See the module comment. */
export class Cache {
  readonly #colours = Array.from({ length: COLOURS }, () => new Colour());

  /** The first `lines` lines of a page are used; returns how many had to be fetched. */
  touch(frame: number, lines: number): number {
    return lines > 0 ? this.#colours[frame % COLOURS].touch(frame, lines) : 0;
  }

  /** Something else used the cache: the share of it, between 0 and 1, that is left goes by age. */
  displace(share: number): void {
    const most = Math.round(LINES_OF_COLOUR * (1 - share));
    for (const colour of this.#colours) colour.shrinkTo(most);
  }

  save(): SnapshotRecord {
    const colours = this.#colours.map(({ frames, lines, pages }) =>
      Array.from({ length: pages }, (_, place) => [frames[place], lines[place]])
    );
    return { kind: "cache", version: 1, state: { colours } };
  }

  restore(record: SnapshotRecord): void {
    const { colours } = expectRecord(record, "cache", 1);
    (colours as number[][][]).forEach((held, index) => {
      const colour = this.#colours[index];
      colour.shrinkTo(0);
      for (const [frame, lines] of held) colour.touch(frame, lines);
    });
  }
}

/** Lines of the cache that so many bytes of a page take. */
export function linesOf(bytes: number): number {
  return Math.min(LINES_OF_PAGE, Math.ceil(bytes / 64));
}
