/**
 * The second-level cache of one CPU: 512 KiB, 8 ways, lines of 64 bytes, physically indexed. A page can be in one sixteenth of it
 * only: its colour. Pages of one colour displace each other, least recently used first, however empty the rest is.
 */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";

const LINES_OF_PAGE = 64;
const COLOURS = 16;
const WAYS = 8;
const LINES_OF_COLOUR = LINES_OF_PAGE * WAYS;

/** Lines of one page. */
interface Held {
  readonly frame: number;
  lines: number;
}

/** See the module comment. */
export class Cache {
  /** By colour, least recently used first. */
  readonly #colours: Held[][] = Array.from({ length: COLOURS }, () => []);
  readonly #lines = new Uint16Array(COLOURS);

  /** The first `lines` lines of a page are used; returns how many had to be fetched. */
  touch(frame: number, lines: number): number {
    const colour = frame % COLOURS;
    const held = this.#colours[colour];
    let place = held.length - 1;
    while (place >= 0 && held[place].frame !== frame) place--;
    const found = place >= 0 ? held[place] : { frame, lines: 0 };
    const missing = Math.max(0, lines - found.lines);
    if (place >= 0 && place < held.length - 1) held.splice(place, 1);
    if (place < 0 || place < held.length) {
      if (held[held.length - 1] !== found) held.push(found);
    }
    found.lines += missing;
    this.#lines[colour] += missing;
    while (this.#lines[colour] > LINES_OF_COLOUR) this.#displace(colour);
    return missing;
  }

  /** Something else used the cache: the share of it, between 0 and 1, that is left goes by age. */
  displace(share: number): void {
    for (let colour = 0; colour < COLOURS; colour++) {
      const least = Math.round(LINES_OF_COLOUR * (1 - share));
      while (this.#lines[colour] > least && this.#colours[colour].length > 0) {
        this.#displace(colour);
      }
    }
  }

  save(): SnapshotRecord {
    const colours = this.#colours.map((held) => held.map(({ frame, lines }) => [frame, lines]));
    return { kind: "cache", version: 1, state: { colours } };
  }

  restore(record: SnapshotRecord): void {
    const { colours } = expectRecord(record, "cache", 1);
    (colours as number[][][]).forEach((held, colour) => {
      this.#colours[colour] = held.map(([frame, lines]) => ({ frame, lines }));
      this.#lines[colour] = held.reduce((sum, [, lines]) => sum + lines, 0);
    });
  }

  /** The page that was used least recently loses its lines, as far as there are too many. */
  #displace(colour: number): void {
    const [oldest] = this.#colours[colour];
    const excess = Math.max(1, this.#lines[colour] - LINES_OF_COLOUR);
    const lost = Math.min(oldest.lines, excess);
    oldest.lines -= lost;
    this.#lines[colour] -= lost;
    if (oldest.lines === 0) this.#colours[colour].shift();
  }
}

/** Lines of the cache that so many bytes of a page take. */
export function linesOf(bytes: number): number {
  return Math.min(LINES_OF_PAGE, Math.ceil(bytes / 64));
}
