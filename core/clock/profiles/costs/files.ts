/** Costs of a kernel's file system and block layer: the plain instructions of each kind of work. */

/** What has a price, and for what unit. */
export const FILE_COSTS = {
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
