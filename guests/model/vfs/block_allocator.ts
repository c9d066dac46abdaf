/**
 * Which blocks of a disk are free: ext2's groups, each with a bitmap, and the search for the next free one.
 *
 * A group's bitmap is made when the group is used first: a disk of 146 GB has over a thousand.
 */

import { GROUP_BLOCKS } from "./limits.ts";

/** Blocks at the beginning of each group that hold no data: descriptors, bitmaps, table of inodes. */
const GROUP_HEAD = {
  descriptor: 1,
  blockBitmap: 2,
  inodeBitmap: 3,
  inodeTable: 4,
  data: 516,
} as const;

/** Bitmaps of groups in use, as plain data. */
export interface AllocatorState {
  readonly groups: readonly {
    readonly group: number;
    readonly bitmap: Uint8Array;
    readonly free: number;
  }[];
}

interface Group {
  readonly bitmap: Uint8Array;
  free: number;
}

/** See the module comment. */
export class BlockAllocator {
  readonly groupCount: number;
  readonly #groups = new Map<number, Group>();

  /** `blocks` is the size of the disk, or of the partition. */
  constructor(blocks: number) {
    this.groupCount = Math.floor(blocks / GROUP_BLOCKS);
    if (this.groupCount < 1) {
      throw new RangeError(`a file system needs at least ${GROUP_BLOCKS} blocks, found ${blocks}`);
    }
  }

  /** The metadata blocks of the group that `block` is in. */
  headOf(block: number): { descriptor: number; blockBitmap: number; inodeBitmap: number } {
    const start = Math.floor(block / GROUP_BLOCKS) * GROUP_BLOCKS;
    const { descriptor, blockBitmap, inodeBitmap } = GROUP_HEAD;
    return {
      descriptor: start + descriptor,
      blockBitmap: start + blockBitmap,
      inodeBitmap: start + inodeBitmap,
    };
  }

  /** The first block of a group's table of inodes. */
  inodeTable(group: number): number {
    return group * GROUP_BLOCKS + GROUP_HEAD.inodeTable;
  }

  /** Where the data of a group's files begin. */
  dataStart(group: number): number {
    return group * GROUP_BLOCKS + GROUP_HEAD.data;
  }

  /** Takes the first free block at or after `goal`, in its group or in those that follow; `null` if the disk is full. */
  take(goal: number): number | null {
    const first = Math.min(this.groupCount - 1, Math.floor(goal / GROUP_BLOCKS));
    for (let tried = 0; tried < this.groupCount; tried++) {
      const number = (first + tried) % this.groupCount;
      const group = this.#group(number);
      if (group.free === 0) continue;
      const from = tried === 0 ? goal - number * GROUP_BLOCKS : GROUP_HEAD.data;
      const bit = nextClear(group.bitmap, from) ?? nextClear(group.bitmap, GROUP_HEAD.data);
      if (bit === null) continue;
      group.bitmap[bit >> 3] |= 1 << (bit & 7);
      group.free--;
      return number * GROUP_BLOCKS + bit;
    }
    return null;
  }

  release(block: number): void {
    const number = Math.floor(block / GROUP_BLOCKS);
    const group = this.#group(number);
    const bit = block - number * GROUP_BLOCKS;
    const mask = 1 << (bit & 7);
    if ((group.bitmap[bit >> 3] & mask) === 0) return;
    group.bitmap[bit >> 3] &= ~mask;
    group.free++;
  }

  /** Free blocks of a group. */
  freeOf(group: number): number {
    return this.#groups.get(group)?.free ?? GROUP_BLOCKS - GROUP_HEAD.data;
  }

  save(): AllocatorState {
    const groups = Array.from(this.#groups, ([group, { bitmap, free }]) => ({
      group,
      bitmap: bitmap.slice(),
      free,
    }));
    return { groups };
  }

  restore(state: AllocatorState): void {
    this.#groups.clear();
    for (const { group, bitmap, free } of state.groups) {
      this.#groups.set(group, { bitmap: bitmap.slice(), free });
    }
  }

  #group(number: number): Group {
    let group = this.#groups.get(number);
    if (group) return group;
    const bitmap = new Uint8Array(GROUP_BLOCKS / 8);
    for (let bit = 0; bit < GROUP_HEAD.data; bit++) bitmap[bit >> 3] |= 1 << (bit & 7);
    group = { bitmap, free: GROUP_BLOCKS - GROUP_HEAD.data };
    this.#groups.set(number, group);
    return group;
  }
}

/** The first clear bit at or after `from`. */
function nextClear(bitmap: Uint8Array, from: number): number | null {
  const start = Math.max(from, 0);
  for (let bit = start; bit < GROUP_BLOCKS;) {
    const byte = bitmap[bit >> 3];
    if (byte === 0xff) bit = (bit | 7) + 1;
    else if ((byte >> (bit & 7)) & 1) bit++;
    else return bit;
  }
  return null;
}
