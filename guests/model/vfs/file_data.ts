/** The contents of files as the page cache has them: reading with read-ahead, writing, and writing back. */

import { ERRNO } from "../../../core/abi/errno.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import type { BlockLayer, Ticket } from "./block_layer.ts";
import { type Inode, type Inodes, pointerBlocks } from "./inodes.ts";
import type { Journal } from "./journal.ts";
import { DIRTY_PERCENT, PAGE_BYTES, READ_AHEAD } from "./limits.ts";
import type { Page, PageCache } from "./page_cache.ts";
import type { FileMeter } from "./work.ts";

/** The wait queue of writers while too much is dirty, and of those for whom there is no page. */
export const CLEAN_QUEUE = "clean pages";

/** What it works on. */
export interface FileDataParts {
  readonly cache: PageCache;
  readonly layer: BlockLayer;
  readonly allocator: BlockAllocator;
  readonly inodes: Inodes;
  readonly journal: Journal;
  wake(queue: string): void;
}

interface MustWait {
  readonly queue: string;
}

/** See the module comment. */
export class FileData {
  /** Writes on their way, by file. */
  readonly #writes = new Map<number, number>();

  constructor(private readonly parts: FileDataParts) {}

  /** Whether so much is dirty that it should be written back soon, now that writers must wait, or enough. */
  dirtyLevel(): "low" | "start" | "writersWait" {
    const { dirtyCount, limitPages } = this.parts.cache;
    const percent = dirtyCount * 100 / limitPages;
    if (percent >= DIRTY_PERCENT.writersWait) return "writersWait";
    return percent >= DIRTY_PERCENT.start ? "start" : "low";
  }

  /** Reads what is there of `bytes`; answers how many. */
  read(inode: Inode, offset: number, bytes: number, meter: FileMeter): number | MustWait {
    const end = Math.min(offset + bytes, inode.sizeBytes);
    if (end <= offset) return 0;
    const last = Math.floor((end - 1) / PAGE_BYTES);
    for (let index = Math.floor(offset / PAGE_BYTES); index <= last; index++) {
      const waits = this.#need(inode, index, meter);
      if (waits) return waits;
      inode.nextIndex = index + 1;
    }
    return end - offset;
  }

  /** Makes pages dirty that hold `bytes` from `offset` on; answers `bytes`. */
  write(
    inode: Inode,
    offset: number,
    bytes: number,
    now: number,
    meter: FileMeter,
  ): number | MustWait {
    if (bytes <= 0) return 0;
    if (this.dirtyLevel() === "writersWait") {
      this.writeBack(now, meter);
      return { queue: CLEAN_QUEUE };
    }
    const [first, end] = [Math.floor(offset / PAGE_BYTES), offset + bytes];
    for (let index = first; index * PAGE_BYTES < end; index++) {
      const start = index * PAGE_BYTES;
      const whole = offset <= start && end >= Math.min(start + PAGE_BYTES, inode.sizeBytes);
      const page = this.#pageToWrite(inode, index, whole, meter);
      if (typeof page === "number" || "queue" in page) return page;
      this.parts.cache.markDirty(page, now);
    }
    this.parts.journal.order(inode.number);
    return bytes;
  }

  /** Gives a file blocks, and clean pages if `cached` and while there is room; false if the disk is full. */
  place(inode: Inode, sizeBytes: number, cached: boolean): boolean {
    const { allocator, cache, inodes } = this.parts;
    const pages = Math.ceil(sizeBytes / PAGE_BYTES);
    const take = (index: number) => allocator.take(inodes.goal(inode, index)) ?? -1;
    inode.sizeBytes = sizeBytes;
    for (let index = 0; index < pages; index++) {
      inode.blocks.push(take(index));
      while (inode.pointers.length < pointerBlocks(index + 1)) inode.pointers.push(take(index));
      if (inode.blocks[index] < 0 || inode.pointers.at(-1) === -1) return false;
      if (!cached || cache.size >= cache.limitPages) continue;
      const page = cache.add(inode.number, index)!;
      page.upToDate = true;
      page.block = inode.blocks[index];
    }
    return true;
  }

  /** Starts writing a file's dirty pages; answers what to wait for while writes are on their way. */
  flush(inode: Inode, meter: FileMeter): MustWait | null {
    if (this.queueDirty(inode.number, null, meter) > 0) this.parts.layer.unplug(meter);
    return (this.#writes.get(inode.number) ?? 0) > 0 ? { queue: writesOf(inode.number) } : null;
  }

  /** Queues a file's dirty pages; answers how many. */
  queueDirty(inode: number, ticket: Ticket | null, meter: FileMeter): number {
    const pages = this.parts.cache.dirtyPagesOf(inode).sort((a, b) => a.index - b.index);
    for (const page of pages) this.#writeOut(page, ticket, meter);
    return pages.length;
  }

  /** Writes the oldest dirty pages: those of before `before`, or until few enough are dirty. Answers how many. */
  writeBack(before: number, meter: FileMeter, most = Infinity): number {
    const { cache, layer } = this.parts;
    const enough = Math.floor(cache.limitPages * DIRTY_PERCENT.stop / 100);
    let done = 0;
    for (const page of cache.dirtyPages) {
      if (done >= most || page.dirtySince! > before) break;
      if (most === Infinity && cache.dirtyCount <= enough) break;
      this.#writeOut(page, null, meter);
      done++;
    }
    if (done > 0) layer.unplug(meter);
    return done;
  }

  /** Forgets what is beyond `sizeBytes`; answers the blocks that held it. */
  cut(inode: Inode, sizeBytes: number, meter: FileMeter): number[] {
    const pages = Math.ceil(sizeBytes / PAGE_BYTES);
    for (const page of this.parts.cache.pagesOf(inode.number, pages)) {
      meter.work("pageRelease");
      this.parts.cache.remove(page);
    }
    const blocks = inode.blocks.splice(pages).filter((block) => block >= 0);
    const pointers = inode.pointers.splice(pointerBlocks(pages));
    return [...blocks, ...pointers];
  }

  /** A block is through: the page that it was for is told. */
  blockDone(key: number | null, write: boolean): void {
    if (key === null) return;
    const { cache, wake } = this.parts;
    const page = cache.byKey(key);
    if (page) page.transfers = Math.max(0, page.transfers - 1);
    if (!write) {
      if (page) page.upToDate = true;
      wake(pageQueue(key));
      return;
    }
    const inode = Math.floor(key / (1 << 20));
    const left = (this.#writes.get(inode) ?? 1) - 1;
    if (left > 0) this.#writes.set(inode, left);
    else this.#writes.delete(inode);
    if (left === 0) wake(writesOf(inode));
    if (this.dirtyLevel() !== "writersWait") wake(CLEAN_QUEUE);
  }

  save() {
    return { writes: [...this.#writes] };
  }

  restore({ writes }: { readonly writes: readonly (readonly [number, number])[] }): void {
    this.#writes.clear();
    for (const [inode, count] of writes) this.#writes.set(inode, count);
  }

  /** Sees to it that a page can be read. */
  #need(inode: Inode, index: number, meter: FileMeter): MustWait | null {
    const { cache, layer } = this.parts;
    meter.work("pageFind");
    const page = cache.find(inode.number, index);
    if (page?.upToDate) return null;
    if (!page && (inode.blocks[index] ?? -1) < 0) return this.#hole(inode, index, meter);
    if (!page && !this.#readAhead(inode, index, meter)) return { queue: CLEAN_QUEUE };
    layer.unplug(meter);
    return { queue: pageQueue(inode.number * (1 << 20) + index) };
  }

  /** A page of a hole reads as zeroes, without the disk. */
  #hole(inode: Inode, index: number, meter: FileMeter): MustWait | null {
    const page = this.#insert(inode, index, meter);
    if (!page) return { queue: CLEAN_QUEUE };
    page.upToDate = true;
    return null;
  }

  /** Starts reading a page and, for a sequential reader, those that follow: twice as many each time. */
  #readAhead(inode: Inode, index: number, meter: FileMeter): boolean {
    const sequential = index === inode.nextIndex;
    const { first, most } = READ_AHEAD;
    inode.ahead = sequential ? Math.min(most, Math.max(first, inode.ahead * 2)) : 0;
    for (let each = index; each <= index + inode.ahead; each++) {
      const block = inode.blocks[each] ?? -1;
      if (block < 0 || this.parts.cache.byKey(inode.number * (1 << 20) + each)) break;
      const page = this.#insert(inode, each, meter);
      if (!page) return each > index;
      page.block = block;
      page.transfers++;
      this.parts.layer.queue(block, false, page.key, null, meter);
    }
    return true;
  }

  #insert(inode: Inode, index: number, meter: FileMeter): Page | null {
    const page = this.parts.cache.add(inode.number, index);
    if (page) meter.work("pageInsert");
    return page;
  }

  /** The page to write to: found, read first if only a part of it changes, or new with a block of its own. */
  #pageToWrite(
    inode: Inode,
    index: number,
    whole: boolean,
    meter: FileMeter,
  ): Page | MustWait | number {
    meter.work("pageFind");
    let page = this.parts.cache.find(inode.number, index);
    const exists = (inode.blocks[index] ?? -1) >= 0;
    if (exists && !whole && !page?.upToDate) {
      const waits = this.#need(inode, index, meter);
      if (waits) return waits;
    }
    page ??= this.#insert(inode, index, meter) ?? undefined;
    if (!page) {
      this.writeBack(Infinity, meter, 32);
      return { queue: CLEAN_QUEUE };
    }
    page.upToDate = true;
    if (!exists && !this.#allocate(inode, index, meter)) return ERRNO.ENOSPC;
    page.block = inode.blocks[index];
    return page;
  }

  /** A block for a page, and blocks for the pointers to it. */
  #allocate(inode: Inode, index: number, meter: FileMeter): boolean {
    const { allocator, inodes, journal } = this.parts;
    meter.work("journalHandle");
    while (inode.blocks.length <= index) inode.blocks.push(-1);
    const goal = inodes.goal(inode, index);
    const block = allocator.take(goal);
    if (block === null) return false;
    meter.work("blockAllocate");
    inode.blocks[index] = block;
    while (inode.pointers.length < pointerBlocks(index + 1)) {
      const pointer = allocator.take(goal);
      if (pointer === null) return false;
      meter.work("blockAllocate");
      inode.pointers.push(pointer);
    }
    const head = allocator.headOf(block);
    const changed = [head.blockBitmap, head.descriptor, ...inode.pointers.slice(-1)];
    changed.push(inodes.tableBlock(inode.number));
    for (const each of changed) journal.join(each, meter);
    journal.order(inode.number);
    inode.transaction = journal.running;
    return true;
  }

  #writeOut(page: Page, ticket: Ticket | null, meter: FileMeter): void {
    const { cache, layer } = this.parts;
    cache.markClean(page);
    page.transfers++;
    this.#writes.set(page.inode, (this.#writes.get(page.inode) ?? 0) + 1);
    layer.queue(page.block, true, page.key, ticket, meter);
  }
}

export function pageQueue(key: number): string {
  return `page ${key}`;
}

function writesOf(inode: number): string {
  return `writes of ${inode}`;
}
