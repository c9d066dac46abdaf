/**
 * Code that lies in several pages alike, made into blocks once: the kernels of many domains are one kernel.
 *
 * Pages with the same bytes form a group. One of them is its home: the code TLBs lead fetches from all others there, so
 * that look-ups find the home's blocks and translations, which know nothing of addresses but offsets in their page.
 * Records and translations of an idle domain are more than a processor's cache holds; those of sixteen are no more
 * than those of one, and become hot sixteen times as soon.
 *
 * A page looks for its equal when its first block is to be made, and when one of its blocks has become warm. Every line of a
 * page in a group counts as code: the first store that changes a byte parts it from the others. Whoever executes the
 * home's blocks then finds them stale, and looks up again where it is.
 */

import { FRAME_BYTES, type MachineMemory } from "../../memory/machine_memory.ts";

/** A page that was parted so often is left alone: data lies beside its code. */
const MOST_PARTINGS = 4;
/** Most contents that are known at a time. */
const MOST_CONTENTS = 1 << 16;
/** Of the hash by Fowler, Noll and Vo. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The groups of one machine. */
export class CodeSharing {
  /** The other pages of a group, by its home. */
  readonly #groups = new Map<number, Set<number>>();
  /** By the hash of its bytes at that time, a page that was looked at. */
  readonly #pages = new Map<number, number>();
  readonly #partings = new Map<number, number>();
  /** Told from which page the code of `page` is fetched from now on. */
  onMove: (page: number, home: number) => void = () => {};

  /** `drop` makes all blocks of a page stale; while `isOff` nothing is shared anew. */
  constructor(
    private readonly memory: MachineMemory,
    private readonly drop: (page: number) => void,
    private readonly isOff: () => boolean,
  ) {}

  /** How many pages have their code elsewhere. */
  get members(): number {
    return [...this.#groups.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Lets a page that stands alone share the code of one with the same bytes; false if there is none. */
  join(page: number): boolean {
    const { codeHomes } = this.memory;
    if (codeHomes.isShared(page) || !this.#mayShare(page) || this.isOff()) return false;
    const hash = this.#hash(page);
    const other = this.#pages.get(hash);
    if (other === undefined || !this.#mayShare(other) || !this.#areEqual(page, other)) {
      if (this.#pages.size >= MOST_CONTENTS) this.#pages.clear();
      this.#pages.set(hash, page);
      return false;
    }
    if (other === page) return false;
    const home = codeHomes.of(other);
    let group = this.#groups.get(home);
    if (!group) {
      this.#groups.set(home, group = new Set());
      this.#take(home, home);
    }
    this.drop(page);
    group.add(page);
    this.#take(page, home);
    this.onMove(page, home);
    return true;
  }

  /** A store is about to change a page: if it is in a group it leaves, and the others do if it was their home. */
  part(page: number): void {
    const { codeHomes } = this.memory;
    if (!codeHomes.isShared(page)) return;
    this.#partings.set(page, (this.#partings.get(page) ?? 0) + 1);
    const home = codeHomes.of(page);
    const group = this.#groups.get(home)!;
    for (const member of page === home ? [...group] : [page]) {
      group.delete(member);
      this.#release(member);
      this.onMove(member, member);
    }
    if (group.size === 0) {
      this.#groups.delete(home);
      this.#release(home);
    }
    this.drop(home);
  }

  /** Every page stands alone again, and what was known of them is forgotten. */
  partAll(): void {
    for (const home of [...this.#groups.keys()]) this.part(home);
    this.#pages.clear();
    this.#partings.clear();
  }

  #mayShare(page: number): boolean {
    return (this.#partings.get(page) ?? 0) < MOST_PARTINGS;
  }

  #take(page: number, home: number): void {
    this.memory.codeHomes.set(page, home);
    this.memory.watchCode(page, 0, FRAME_BYTES);
  }

  #release(page: number): void {
    this.memory.codeHomes.clear(page);
    this.memory.unwatchCode(page, 0, FRAME_BYTES);
  }

  #areEqual(page: number, other: number): boolean {
    const { memory } = this;
    for (let at = 0; at < FRAME_BYTES; at += 4) {
      if (memory.word(page, at) !== memory.word(other, at)) return false;
    }
    return true;
  }

  #hash(page: number): number {
    let hash = FNV_OFFSET;
    for (let at = 0; at < FRAME_BYTES; at += 4) {
      hash = Math.imul(hash ^ this.memory.word(page, at), FNV_PRIME);
    }
    return hash;
  }
}
