/** Inodes and directories of the modelled file system, and where on the disk their blocks of metadata are. */

import type { BlockAllocator } from "./block_allocator.ts";
import {
  BLOCK_INODES,
  DIRECT_BLOCKS,
  ENTRY_BYTES,
  GROUP_INODES,
  PAGE_BYTES,
  POINTER_BLOCKS,
} from "./limits.ts";

/** The inode of the root directory (`EXT2_ROOT_INO`). */
export const ROOT_INODE = 2;

/** A file or a directory. */
export interface Inode {
  readonly number: number;
  readonly kind: "file" | "directory";
  sizeBytes: number;
  /** Its data's block for each page, -1 where there is none. */
  blocks: number[];
  /** Blocks that hold pointers to blocks. */
  pointers: number[];
  /** Names that lead to it. */
  links: number;
  /** Descriptors and mappings that use it. */
  users: number;
  /** The transaction that changed its metadata last; 0 if that is long past. */
  transaction: number;
  /** Where the last sequential reader is, and how far ahead of it has been read. */
  nextIndex: number;
  ahead: number;
}

/** The inodes of a file system, as plain data. */
export interface InodesState {
  readonly inodes: readonly Readonly<Inode>[];
  readonly directories: readonly {
    readonly inode: number;
    readonly entries: readonly (readonly [name: string, inode: number])[];
  }[];
  readonly nextInGroup: readonly (readonly [group: number, next: number])[];
  readonly freed: readonly number[];
}

/** See the module comment. */
export class Inodes {
  readonly #inodes = new Map<number, Inode>();
  readonly #entries = new Map<number, Map<string, number>>();
  readonly #nextInGroup = new Map<number, number>();
  /** Numbers that were given back, the last one first. */
  #freed: number[] = [];

  constructor(private readonly allocator: BlockAllocator) {
    this.#add(ROOT_INODE, "directory");
  }

  get(number: number): Inode | undefined {
    return this.#inodes.get(number);
  }

  /** The names in a directory; throws `TypeError` for one that is none. */
  entries(directory: number): Map<string, number> {
    const entries = this.#entries.get(directory);
    if (!entries) throw new TypeError(`inode ${directory} is no directory`);
    return entries;
  }

  /** A new inode: a file near its directory, a directory in the group that has most room. */
  create(kind: Inode["kind"], directory: number): Inode {
    const near = Math.floor((directory - 1) / GROUP_INODES);
    const group = kind === "file" ? near : this.#emptiest(near);
    const freed = this.#freed.findLastIndex((number) =>
      Math.floor((number - 1) / GROUP_INODES) === group
    );
    if (freed >= 0) return this.#add(this.#freed.splice(freed, 1)[0], kind);
    const next = this.#nextInGroup.get(group) ?? (group === 0 ? 11 : 1);
    this.#nextInGroup.set(group, next + 1);
    return this.#add(group * GROUP_INODES + next, kind);
  }

  delete({ number }: Inode): void {
    this.#inodes.delete(number);
    this.#entries.delete(number);
    this.#freed.push(number);
  }

  /** The block of the table that an inode is in. */
  tableBlock(number: number): number {
    const group = Math.floor((number - 1) / GROUP_INODES);
    const inGroup = (number - 1) % GROUP_INODES;
    return this.allocator.inodeTable(group) + Math.floor(inGroup / BLOCK_INODES);
  }

  /** Where a new block of a file is looked for: after its last one, or where its group's data begin. */
  goal({ number, blocks }: Inode, index: number): number {
    const before = index > 0 ? blocks[index - 1] ?? -1 : -1;
    if (before >= 0) return before + 1;
    return this.allocator.dataStart(Math.floor((number - 1) / GROUP_INODES));
  }

  save(): InodesState {
    const copy = (inode: Inode) => ({
      ...inode,
      blocks: [...inode.blocks],
      pointers: [...inode.pointers],
    });
    return {
      inodes: Array.from(this.#inodes.values(), copy),
      directories: Array.from(this.#entries, ([inode, entries]) => ({
        inode,
        entries: [...entries],
      })),
      nextInGroup: [...this.#nextInGroup],
      freed: [...this.#freed],
    };
  }

  restore(state: InodesState): void {
    for (const map of [this.#inodes, this.#entries, this.#nextInGroup]) map.clear();
    for (const each of state.inodes) {
      const copy = { ...each, blocks: [...each.blocks], pointers: [...each.pointers] };
      this.#inodes.set(each.number, copy);
    }
    for (const { inode, entries } of state.directories) this.#entries.set(inode, new Map(entries));
    for (const [group, next] of state.nextInGroup) this.#nextInGroup.set(group, next);
    this.#freed = [...state.freed];
  }

  #add(number: number, kind: Inode["kind"]): Inode {
    const inode: Inode = {
      number,
      kind,
      sizeBytes: 0,
      blocks: [],
      pointers: [],
      links: 1,
      users: 0,
      transaction: 0,
      nextIndex: 0,
      ahead: 0,
    };
    this.#inodes.set(number, inode);
    if (kind === "directory") this.#entries.set(number, new Map());
    return inode;
  }

  #emptiest(near: number): number {
    let best = near;
    const groups = Math.min(this.allocator.groupCount, 64);
    for (let tried = 0; tried < groups; tried++) {
      const group = (near + tried) % this.allocator.groupCount;
      const room = (each: number) =>
        this.allocator.freeOf(each) - (this.#nextInGroup.get(each) ?? 0);
      if (room(group) > room(best)) best = group;
    }
    return best;
  }
}

/** How many blocks a directory with `entries` names of `nameBytes` each takes. */
export function directoryBlocks(entries: number, nameBytes: number): number {
  const each = ENTRY_BYTES + Math.ceil(nameBytes / 4) * 4;
  return Math.max(1, Math.ceil(entries / Math.floor(PAGE_BYTES / each)));
}

/** How many blocks of pointers a file of `pages` pages has. */
export function pointerBlocks(pages: number): number {
  const single = Math.max(0, pages - DIRECT_BLOCKS);
  if (single === 0) return 0;
  if (single <= POINTER_BLOCKS) return 1;
  return 2 + Math.ceil((single - POINTER_BLOCKS) / POINTER_BLOCKS);
}
