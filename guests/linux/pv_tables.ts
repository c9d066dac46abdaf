/** Initial page tables of a paravirtual domain: entries name machine frames, tables are mapped read-only. */

const ENTRIES = 512n;
const PAGE_SHIFT = 12n;
const PAGE_BYTES = 4096;

/** Present, accessed; writable; the entry of a table. */
const MAPPED = 0x21n;
const WRITABLE = 0x42n;
const TABLE = 0x67n;

/** Hands out the next pseudo-physical frame for a table. */
export type TableSource = () => number;

/** Four-level tables under construction, by pseudo-physical frame number. */
export class PvTables {
  readonly #views = new Map<number, DataView>();
  readonly root: number;

  constructor(
    private readonly mfnOf: (pfn: number) => number,
    private readonly newTable: TableSource,
  ) {
    this.root = this.#table();
  }

  /** The tables so far. */
  get frames(): readonly number[] {
    return [...this.#views.keys()];
  }

  /** Maps linear address `address` to pseudo-physical frame `pfn`. */
  map(address: bigint, pfn: number, writable: boolean): void {
    let table = this.root;
    for (let level = 4n; level > 1n; level--) table = this.#below(table, indexOf(address, level));
    const flags = MAPPED | (writable ? WRITABLE : 0n);
    this.#set(table, indexOf(address, 1n), pfn, flags);
  }

  /** The contents of each table. */
  *contents(): IterableIterator<{ pfn: number; bytes: Uint8Array }> {
    for (const [pfn, view] of this.#views) yield { pfn, bytes: new Uint8Array(view.buffer) };
  }

  #below(table: number, index: number): number {
    const view = this.#views.get(table)!;
    const known = this.#children.get(`${table}.${index}`);
    if (known !== undefined && view.getUint32(8 * index, true) !== 0) return known;
    const child = this.#table();
    this.#children.set(`${table}.${index}`, child);
    this.#set(table, index, child, TABLE);
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
export function tablesFor(address: bigint, bytes: bigint): number {
  let count = 0;
  for (let level = 1n; level < 4n; level++) {
    const shift = PAGE_SHIFT + 9n * level;
    count += Number(((address + bytes - 1n) >> shift) - (address >> shift)) + 1;
  }
  return count;
}
