/**
 * The page cache: pages of files by inode and index, in two lists by how recently they were used, as in Linux 2.4.
 *
 * A page that is used again while on the inactive list becomes active; when room is needed the oldest clean inactive
 * page goes. What pages hold is of no interest here, only that they are there.
 */

/** A page of a file. */
export interface Page {
  readonly key: number;
  readonly inode: number;
  readonly index: number;
  /** Its block on the disk; -1 while it has none. */
  block: number;
  /** It holds what the disk holds, or newer. */
  upToDate: boolean;
  /** Cycle since when it is newer than the disk, or null. */
  dirtySince: number | null;
  /** Transfers on their way. */
  transfers: number;
  referenced: boolean;
  active: boolean;
}

/** The cache as plain data, least recently used first. */
export interface PageCacheState {
  readonly limitPages: number;
  readonly active: readonly Readonly<Page>[];
  readonly inactive: readonly Readonly<Page>[];
  /** Keys, in the order in which they became dirty. */
  readonly dirty: readonly number[];
}

/** Indexes of a file are below this: 4 GiB. */
const INDEXES = 1 << 20;

/** The key of a page. */
export function pageKey(inode: number, index: number): number {
  return inode * INDEXES + index;
}

/** See the module comment. */
export class PageCache {
  readonly #pages = new Map<number, Page>();
  /** Sets keep the order of insertion: least recently used first. */
  #active = new Set<Page>();
  #inactive = new Set<Page>();
  #dirty = new Set<Page>();
  readonly #dirtyOf = new Map<number, Set<Page>>();
  readonly #of = new Map<number, Set<Page>>();

  /** `limitPages` is how many it may hold; the kernel's memory manager changes it. */
  constructor(public limitPages: number) {}

  get size(): number {
    return this.#pages.size;
  }

  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** Dirty pages, the one that is dirty for longest first. */
  get dirtyPages(): Iterable<Page> {
    return this.#dirty;
  }

  byKey(key: number): Page | undefined {
    return this.#pages.get(key);
  }

  /** The page, marked as used. */
  find(inode: number, index: number): Page | undefined {
    const page = this.#pages.get(pageKey(inode, index));
    if (page) this.#use(page);
    return page;
  }

  /** A new page, after as many old ones as needed have gone; `null` if all are dirty or on their way. */
  add(inode: number, index: number): Page | null {
    if (this.size >= this.limitPages && this.reclaim(this.size - this.limitPages + 1) === 0) {
      return null;
    }
    const page: Page = {
      key: pageKey(inode, index),
      inode,
      index,
      block: -1,
      upToDate: false,
      dirtySince: null,
      transfers: 0,
      referenced: false,
      active: false,
    };
    this.#insert(page);
    return page;
  }

  markDirty(page: Page, now: number): void {
    if (page.dirtySince !== null) return;
    page.dirtySince = now;
    this.#dirty.add(page);
    setOf(this.#dirtyOf, page.inode).add(page);
  }

  markClean(page: Page): void {
    if (page.dirtySince === null) return;
    page.dirtySince = null;
    this.#dirty.delete(page);
    this.#dirtyOf.get(page.inode)?.delete(page);
  }

  /** Dirty pages of a file. */
  dirtyPagesOf(inode: number): Page[] {
    return [...this.#dirtyOf.get(inode) ?? []];
  }

  /** All pages of a file from `index` on. */
  pagesOf(inode: number, index = 0): Page[] {
    return [...this.#of.get(inode) ?? []].filter((page) => page.index >= index);
  }

  remove(page: Page): void {
    this.markClean(page);
    this.#pages.delete(page.key);
    (page.active ? this.#active : this.#inactive).delete(page);
    const others = this.#of.get(page.inode)!;
    others.delete(page);
    if (others.size > 0) return;
    this.#of.delete(page.inode);
    this.#dirtyOf.delete(page.inode);
  }

  /** Lets go of up to `count` pages that nobody needs most; answers how many went. */
  reclaim(count: number): number {
    this.#balance();
    let gone = 0;
    for (const list of [this.#inactive, this.#active]) {
      for (const page of list) {
        if (gone >= count) return gone;
        if (page.dirtySince !== null || page.transfers > 0) continue;
        this.remove(page);
        gone++;
      }
    }
    return gone;
  }

  save(): PageCacheState {
    const copies = (pages: Iterable<Page>) => Array.from(pages, (page) => ({ ...page }));
    return {
      limitPages: this.limitPages,
      active: copies(this.#active),
      inactive: copies(this.#inactive),
      dirty: Array.from(this.#dirty, ({ key }) => key),
    };
  }

  restore(state: PageCacheState): void {
    this.limitPages = state.limitPages;
    for (const each of [this.#pages, this.#active, this.#inactive]) each.clear();
    for (const each of [this.#dirty, this.#dirtyOf, this.#of]) each.clear();
    for (const page of [...state.inactive, ...state.active]) this.#insert({ ...page });
    for (const key of state.dirty) {
      const page = this.#pages.get(key)!;
      const since = page.dirtySince!;
      page.dirtySince = null;
      this.markDirty(page, since);
    }
  }

  #insert(page: Page): void {
    this.#pages.set(page.key, page);
    (page.active ? this.#active : this.#inactive).add(page);
    setOf(this.#of, page.inode).add(page);
  }

  #use(page: Page): void {
    if (page.active || !page.referenced) {
      page.referenced = true;
      return;
    }
    this.#inactive.delete(page);
    page.active = true;
    page.referenced = false;
    this.#active.add(page);
  }

  /** Active pages are at most two thirds; those beyond that were not used for longest, unless they were since. */
  #balance(): void {
    const most = Math.floor(this.limitPages * 2 / 3);
    let looks = this.#active.size;
    for (const page of this.#active) {
      if (this.#active.size <= most || looks-- <= 0) return;
      this.#active.delete(page);
      if (page.referenced) {
        page.referenced = false;
        this.#active.add(page);
        continue;
      }
      page.active = false;
      this.#inactive.add(page);
    }
  }
}

function setOf(map: Map<number, Set<Page>>, key: number): Set<Page> {
  let set = map.get(key);
  if (!set) map.set(key, set = new Set());
  return set;
}
