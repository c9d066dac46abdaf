/** Initial page tables of a paravirtual domain: entries name machine frames, tables are mapped read-only. */

import type { DataModel } from "../../core/abi/struct_layout.ts";

const ENTRIES = 512n;
const PAGE_SHIFT = 12n;
const PAGE_BYTES = 4096;

/** Present, accessed; writable; the entry of a table; that of a page-directory pointer, which has no other bits. */
const MAPPED = 0x21n;
const WRITABLE = 0x42n;
const TABLE = 0x67n;
const PAE_POINTER = 0x1n;

/** Levels of tables by the guest's data model. */
const LEVELS: Readonly<Record<DataModel, bigint>> = { lp64: 4n, ilp32: 3n };
/** The last GiB of a 32-bit guest, where the hypervisor's own entries go: it must have a level-2 table. */
const LAST_GIB = 0xc000_0000n;
const GIB_SHIFT = 30n;

/** Hands out the next pseudo-physical frame for a table. */
export type TableSource = () => number;

/** Tables under construction, by pseudo-physical frame number. */
export class PvTables {
  readonly #views = new Map<number, DataView>();
  readonly #levels: bigint;
  readonly root: number;

  constructor(
    private readonly model: DataModel,
    private readonly mfnOf: (pfn: number) => number,
    private readonly newTable: TableSource,
  ) {
    this.#levels = LEVELS[model];
    this.root = this.#table();
    if (model === "ilp32") this.#below(this.root, indexOf(LAST_GIB, this.#levels), this.#levels);
  }

  /** The tables so far. */
  get frames(): readonly number[] {
    return [...this.#views.keys()];
  }

  /** Maps linear address `address` to pseudo-physical frame `pfn`. */
  map(address: bigint, pfn: number, writable: boolean): void {
    let table = this.root;
    for (let level = this.#levels; level > 1n; level--) {
      table = this.#below(table, indexOf(address, level), level);
    }
    const flags = MAPPED | (writable ? WRITABLE : 0n);
    this.#set(table, indexOf(address, 1n), pfn, flags);
  }

  /** The contents of each table. */
  *contents(): IterableIterator<{ pfn: number; bytes: Uint8Array }> {
    for (const [pfn, view] of this.#views) yield { pfn, bytes: new Uint8Array(view.buffer) };
  }

  #below(table: number, index: number, level: bigint): number {
    const view = this.#views.get(table)!;
    const known = this.#children.get(`${table}.${index}`);
    if (known !== undefined && view.getUint32(8 * index, true) !== 0) return known;
    const child = this.#table();
    this.#children.set(`${table}.${index}`, child);
    const isPointer = this.model === "ilp32" && level === this.#levels;
    this.#set(table, index, child, isPointer ? PAE_POINTER : TABLE);
    return child;
  }

  readonly #children = new Map<string, number>();

  #table(): number {
    const pfn = this.newTable();
    this.#views.set(pfn, new DataView(new ArrayBuffer(PAGE_BYTES)));
    return pfn;
  }

  #set(table: number, index: number, pfn: number, flags: bigint): void {
    const entry = (BigInt(this.mfnOf(pfn)) << PAGE_SHIFT) | flags;
    this.#views.get(table)!.setBigUint64(8 * index, entry, true);
  }
}

function indexOf(address: bigint, level: bigint): number {
  return Number((address >> (PAGE_SHIFT + 9n * (level - 1n))) % ENTRIES);
}

/** How many tables, the top one aside, map the `bytes` bytes from `address`, if none of them exists yet. */
export function tablesFor(model: DataModel, address: bigint, bytes: bigint): number {
  let count = 0;
  const last = address + bytes - 1n;
  for (let level = 1n; level < LEVELS[model]; level++) {
    const shift = PAGE_SHIFT + 9n * level;
    count += Number((last >> shift) - (address >> shift)) + 1;
  }
  return count;
}

/** Tables that a domain has without mapping anything, the top one aside and those that map `bytes` from `address`. */
export function standingTables(model: DataModel, address: bigint, bytes: bigint): number {
  const coversLast = (address + bytes - 1n) >> GIB_SHIFT >= LAST_GIB >> GIB_SHIFT;
  return model === "lp64" || coversLast ? 0 : 1;
}
