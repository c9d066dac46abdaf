/** Sizes and limits of the modelled file system: those of Linux 2.4.21 with ext3 on blocks of 4 KiB. */

/** A page of the cache and a block of the disk, in bytes. */
export const PAGE_BYTES = 4096;
/** Sectors of 512 bytes in a block. */
export const BLOCK_SECTORS = 8;

/** Blocks of a request at most: 2.4's `MAX_SECTORS` is 255 sectors. */
export const MAX_REQUEST_BLOCKS = 31;
/** How many requests may overtake one in the queue (`elvset`'s default for writes). */
export const MAX_PASSES = 8192;

/** Blocks of a group: as many as a block of bitmap has bits. */
export const GROUP_BLOCKS = 32_768;
/** Inodes of a group, and those that one block of the table holds (128 bytes each). */
export const GROUP_INODES = 16_384;
export const BLOCK_INODES = 32;
/** Blocks that an inode names itself, and that a block of pointers names. */
export const DIRECT_BLOCKS = 12;
export const POINTER_BLOCKS = 1024;
/** An entry of a directory is 8 bytes and the name, rounded up to 4. */
export const ENTRY_BYTES = 8;

/** The journal's size in blocks: 32 MiB, `mke2fs -j` on a large disk. */
export const JOURNAL_BLOCKS = 8192;
/** A transaction that grows as large as this is committed (`j_max_transaction_buffers`: a quarter of the journal). */
export const MAX_TRANSACTION_BLOCKS = JOURNAL_BLOCKS / 4;
/** Blocks that one descriptor block of the journal describes: 8 bytes each. */
export const DESCRIPTOR_BLOCKS = 511;

/** `bdflush`'s parameters (`/proc/sys/vm/bdflush`), in percent of the memory that the cache may have. */
export const DIRTY_PERCENT = { start: 30, stop: 20, writersWait: 60 } as const;
/** How often dirty pages are looked through, how old they get, and how often the journal commits; in milliseconds. */
export const WRITE_BACK_MS = { interval: 5000, age: 30_000, commit: 5000 } as const;
/** Pages read ahead of a sequential reader at most (`vm_max_readahead`, 31), and at first. */
export const READ_AHEAD = { most: 31, first: 3 } as const;
