/**
 * A modelled file system: names, inodes, blocks, a page cache and a journal, as ext3 under Linux 2.4.
 *
 * Its operations happen at once and count their work. One that needs the disk starts what it needs and answers what it
 * waits for: the name of a wait queue. Whoever called waits there and calls again; a thing that is done is not done twice.
 */

import { ERRNO } from "../../../core/abi/errno.ts";
import { BlockAllocator } from "./block_allocator.ts";
import { type BlockDriver, BlockLayer, type Ticket } from "./block_layer.ts";
import { FileData } from "./file_data.ts";
import { directoryBlocks, type Inode, Inodes, ROOT_INODE } from "./inodes.ts";
import { Journal } from "./journal.ts";
import { JOURNAL_BLOCKS } from "./limits.ts";
import { PageCache } from "./page_cache.ts";
import type { FileMeter } from "./work.ts";

/** The wait queue of those who wait for a transaction to be committed. */
export const COMMIT_QUEUE = "journal commit";

/** A wait queue's name: the operation is to be called again after a wake-up there. */
export interface MustWait {
  readonly queue: string;
}

/** What an operation answers: a figure, negative for an error (`errno`), or what it waits for. */
export type FileResult = number | MustWait;

/** What a file system is put on. */
export interface FileSystemOptions {
  readonly driver: BlockDriver;
  /** The partition's first sector and its size in blocks of 4 KiB. */
  readonly firstSector?: number;
  readonly blocks: number;
  /** What its page cache may hold. */
  readonly cachePages: number;
  /** Wakes all that wait on a queue. */
  wake(queue: string): void;
}

/** See the module comment. */
export class FileSystem {
  readonly cache: PageCache;
  readonly layer: BlockLayer;
  readonly allocator: BlockAllocator;
  readonly inodes: Inodes;
  readonly journal: Journal;
  readonly data: FileData;
  readonly #wake: (queue: string) => void;
  #nameBytes = 8;

  constructor(options: FileSystemOptions) {
    const { driver, firstSector, blocks, cachePages, wake } = options;
    this.#wake = wake;
    this.cache = new PageCache(cachePages);
    this.layer = new BlockLayer(
      driver,
      (page, write) => this.data.blockDone(page, write),
      firstSector,
    );
    this.allocator = new BlockAllocator(blocks);
    this.inodes = new Inodes(this.allocator);
    const host = {
      flushInode: (inode: number, ticket: Ticket, meter: FileMeter) =>
        this.data.queueDirty(inode, ticket, meter),
    };
    // The journal is an inode too: the first blocks of the first group's data.
    const start = this.allocator.dataStart(0);
    for (let block = 0; block < JOURNAL_BLOCKS; block++) this.allocator.take(start);
    this.journal = new Journal(this.layer, host, start);
    this.data = new FileData({ ...this.#parts, wake });
  }

  /** The inode of a path; `ENOENT`. */
  lookup(path: string, meter: FileMeter): number {
    let inode = ROOT_INODE;
    for (const name of componentsOf(path)) {
      meter.work("pathComponent");
      if (this.inodes.get(inode)?.kind !== "directory") return ERRNO.ENOTDIR;
      const found = this.inodes.entries(inode).get(name);
      if (found === undefined) return ERRNO.ENOENT;
      inode = found;
    }
    return inode;
  }

  /** Makes a file or a directory; answers its inode. `EEXIST` if there is one of that name. */
  create(path: string, kind: Inode["kind"], meter: FileMeter): number {
    const parent = this.lookup(parentOf(path), meter);
    if (parent < 0) return parent;
    if (this.inodes.get(parent)?.kind !== "directory") return ERRNO.ENOTDIR;
    const entries = this.inodes.entries(parent);
    const name = nameOf(path);
    meter.work("pathComponent");
    if (name === "" || entries.has(name)) return ERRNO.EEXIST;
    // All names are compared before one is added: directories have no index.
    meter.work("entryScan", entries.size);
    meter.work("journalHandle");
    meter.work("inodeCreate");
    const inode = this.inodes.create(kind, parent);
    const head = this.allocator.headOf(this.inodes.tableBlock(inode.number));
    inode.transaction = this.#join([head.inodeBitmap, head.descriptor], meter);
    this.#touch(inode, meter);
    this.#enter(parent, name, inode.number, meter);
    if (kind === "directory") this.#grow(inode, meter);
    return inode.number;
  }

  /**
   * A file that was there before the system came up: it costs nothing, and its blocks are on the disk. `cached`: its pages
   * are in memory too, as far as there is room. Answers its inode; throws `RangeError` if the disk is too small.
   */
  place(path: string, sizeBytes: number, cached: boolean): number {
    const directories = componentsOf(path).slice(0, -1);
    directories.forEach((_, depth) => {
      this.create(directories.slice(0, depth + 1).join("/"), "directory", SILENT);
    });
    const number = this.create(path, "file", SILENT);
    if (number < 0) throw new RangeError(`${path} cannot be placed: error ${number}`);
    const placed = this.data.place(this.inodes.get(number)!, sizeBytes, cached);
    if (!placed) throw new RangeError(`the disk has no room for ${sizeBytes} bytes of ${path}`);
    this.journal.settle();
    return number;
  }

  /** Takes a name away; the file goes when nobody uses it any more. */
  unlink(path: string, meter: FileMeter): number {
    const number = this.lookup(path, meter);
    if (number < 0) return number;
    const inode = this.inodes.get(number)!;
    const isDirectory = inode.kind === "directory";
    if (isDirectory && this.inodes.entries(number).size > 0) return ERRNO.ENOTEMPTY;
    if (number === ROOT_INODE) return ERRNO.EBUSY;
    meter.work("journalHandle");
    this.#leave(this.lookup(parentOf(path), SILENT), nameOf(path), meter);
    inode.links--;
    inode.transaction = this.#join([this.inodes.tableBlock(number)], meter);
    this.#dropIfUnused(inode, meter);
    return 0;
  }

  /** Gives a file another name; whatever had that name goes. */
  rename(from: string, to: string, meter: FileMeter): number {
    const number = this.lookup(from, meter);
    if (number < 0) return number;
    const parent = this.lookup(parentOf(to), meter);
    if (parent < 0) return parent;
    const there = this.lookup(to, SILENT);
    if (there === number) return 0;
    if (there >= 0) {
      const gone = this.unlink(to, meter);
      if (gone < 0) return gone;
    }
    meter.work("journalHandle");
    meter.work("entryScan", this.inodes.entries(parent).size);
    this.#leave(this.lookup(parentOf(from), SILENT), nameOf(from), meter);
    this.#enter(parent, nameOf(to), number, meter);
    return 0;
  }

  /** Somebody uses a file from now on. */
  open(number: number, meter: FileMeter): void {
    meter.work("fileOpen");
    this.inodes.get(number)!.users++;
  }

  /** Somebody uses a file no more. */
  close(number: number, meter: FileMeter): void {
    meter.work("fileOpen");
    const inode = this.inodes.get(number)!;
    inode.users--;
    this.#dropIfUnused(inode, meter);
  }

  /** Cuts a file to `sizeBytes`, or makes it longer by a hole. */
  truncate(number: number, sizeBytes: number, meter: FileMeter): void {
    const inode = this.inodes.get(number)!;
    if (sizeBytes < inode.sizeBytes) {
      meter.work("journalHandle");
      this.#freeBlocks(inode, sizeBytes, meter);
    }
    inode.sizeBytes = sizeBytes;
    this.#touch(inode, meter);
  }

  /** Reads; answers how many bytes were there. */
  read(number: number, offset: number, bytes: number, meter: FileMeter): FileResult {
    return this.data.read(this.inodes.get(number)!, offset, bytes, meter);
  }

  /** Writes into the cache; answers `bytes`, or `ENOSPC`. */
  write(number: number, offset: number, bytes: number, now: number, meter: FileMeter): FileResult {
    const inode = this.inodes.get(number)!;
    const done = this.data.write(inode, offset, bytes, now, meter);
    if (typeof done === "number" && done > 0) {
      inode.sizeBytes = Math.max(inode.sizeBytes, offset + bytes);
      this.#touch(inode, meter);
    }
    return done;
  }

  /** Brings a file to the disk: its data, and the transaction that changed its inode. Answers 0. */
  sync(number: number, meter: FileMeter): FileResult {
    const inode = this.inodes.get(number)!;
    const waits = this.data.flush(inode, meter);
    if (waits) return waits;
    const { journal } = this;
    if (inode.transaction <= journal.committed) return 0;
    journal.request(inode.transaction, meter);
    return inode.transaction <= journal.committed ? 0 : { queue: COMMIT_QUEUE };
  }

  /** The driver is through with a request. */
  complete(id: number, meter: FileMeter): void {
    const { committed } = this.journal;
    this.layer.complete(id, meter);
    this.journal.advance(meter);
    if (this.journal.committed > committed) this.#wake(COMMIT_QUEUE);
  }

  save() {
    return {
      cache: this.cache.save(),
      layer: this.layer.save(),
      allocator: this.allocator.save(),
      inodes: this.inodes.save(),
      journal: this.journal.save(),
      data: this.data.save(),
    };
  }

  restore(state: ReturnType<FileSystem["save"]>): void {
    this.cache.restore(state.cache);
    this.layer.restore(state.layer);
    this.allocator.restore(state.allocator);
    this.inodes.restore(state.inodes);
    this.journal.restore(state.journal);
    this.data.restore(state.data);
  }

  get #parts() {
    const { cache, layer, allocator, inodes, journal } = this;
    return { cache, layer, allocator, inodes, journal };
  }

  /** Blocks of metadata change; answers the transaction that they belong to. */
  #join(blocks: readonly number[], meter: FileMeter): number {
    for (const block of blocks) this.journal.join(block, meter);
    return this.journal.running;
  }

  /** `mtime` changes: 2.4 makes the inode dirty each time, whether the second is another or not. */
  #touch(inode: Inode, meter: FileMeter): void {
    inode.transaction = this.#join([this.inodes.tableBlock(inode.number)], meter);
  }

  #enter(directory: number, name: string, inode: number, meter: FileMeter): void {
    const entries = this.inodes.entries(directory);
    entries.set(name, inode);
    meter.work("entryChange");
    const parent = this.inodes.get(directory)!;
    this.#nameBytes = Math.max(1, Math.round((this.#nameBytes * 15 + name.length) / 16));
    while (parent.blocks.length < directoryBlocks(entries.size, this.#nameBytes)) {
      if (!this.#grow(parent, meter)) break;
    }
    this.#join(parent.blocks.slice(-1), meter);
    this.#touch(parent, meter);
  }

  #leave(directory: number, name: string, meter: FileMeter): void {
    const parent = this.inodes.get(directory)!;
    this.inodes.entries(directory).delete(name);
    meter.work("entryChange");
    this.#join(parent.blocks.slice(0, 1), meter);
    this.#touch(parent, meter);
  }

  /** One more block for a directory. */
  #grow(directory: Inode, meter: FileMeter): boolean {
    const index = directory.blocks.length;
    const block = this.allocator.take(this.inodes.goal(directory, index));
    if (block === null) return false;
    meter.work("blockAllocate");
    directory.blocks.push(block);
    directory.sizeBytes += 4096;
    const head = this.allocator.headOf(block);
    directory.transaction = this.#join([block, head.blockBitmap, head.descriptor], meter);
    return true;
  }

  #dropIfUnused(inode: Inode, meter: FileMeter): void {
    if (inode.links > 0 || inode.users > 0) return;
    this.#freeBlocks(inode, 0, meter);
    meter.work("inodeDelete");
    const head = this.allocator.headOf(this.inodes.tableBlock(inode.number));
    this.#join([head.inodeBitmap, head.descriptor], meter);
    this.journal.forget(inode.number);
    this.inodes.delete(inode);
  }

  #freeBlocks(inode: Inode, sizeBytes: number, meter: FileMeter): void {
    const freed = this.data.cut(inode, sizeBytes, meter);
    for (const block of freed) {
      this.allocator.release(block);
      meter.work("blockFree");
    }
    if (freed.length === 0) return;
    const head = this.allocator.headOf(freed[0]);
    inode.transaction = this.#join([
      head.blockBitmap,
      head.descriptor,
      this.inodes.tableBlock(inode.number),
    ], meter);
  }
}

/** Counts nothing: for what has been counted already. */
const SILENT: FileMeter = { work: () => {} };

function componentsOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

function parentOf(path: string): string {
  return componentsOf(path).slice(0, -1).join("/");
}

function nameOf(path: string): string {
  return componentsOf(path).at(-1) ?? "";
}
