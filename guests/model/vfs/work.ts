/**
 * What a file system does, in units that a cost profile prices: it counts, and never knows a time.
 *
 * The counts are what the code of a 2.4 kernel with ext3 does; a benchmark's result is their sum (DESIGN.md, 5).
 */

/** Kinds of work, each with what one unit of it is. */
export const FILE_WORK = {
  pathComponent: "a component of a path found in the cache of directory entries",
  entryScan: "an entry of a directory compared with a name",
  entryChange: "an entry written to, or taken from, a block of a directory",
  inodeCreate: "an inode found in a bitmap, set up and hashed",
  inodeDelete: "an inode given back",
  fileOpen: "an open file made, or let go",
  blockAllocate: "a block found in a bitmap and entered into an inode",
  blockFree: "a block given back",
  pageInsert: "a page taken from the free list and put into the page cache",
  pageFind: "a page found in the page cache",
  pageRelease: "a page taken out of the page cache",
  journalHandle: "a handle on the running transaction begun and ended",
  journalJoin: "a block of metadata made part of the running transaction",
  journalTouch: "a block changed that is part of it already",
  blockRequest: "a block put into the queue of a disk",
  requestStart: "a request handed to a disk's driver",
  requestDone: "a finished request taken apart, and its waiters told",
} as const;

/** See {@link FILE_WORK}. */
export type FileWork = keyof typeof FILE_WORK;

/** Where work is counted, on behalf of whoever asked for it. */
export interface FileMeter {
  /** `count` units of work, 1 by default. */
  work(kind: FileWork, count?: number): void;
}
