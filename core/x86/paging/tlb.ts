/**
 * The translation look-aside buffers of one CPU, in linear memory where generated code reads them.
 *
 * A bank belongs to a virtual machine (the VM id is its tag) and has one data TLB for each view of
 * memory (supervisor, user, supervisor under SMAP) and one code TLB for each of supervisor and user. All are
 * direct-mapped by page number. Every engine uses these same entries, so they cannot disagree about
 * a stale translation.
 *
 * An entry, 32 bytes:
 *
 * ```text
 *  0  i64  read tag (code TLB: fetch tag)   page address | 0x800 if loads must take the slow path
 *  8  i64  write tag                        page address | 0x800 if stores must take the slow path
 * 16  i64  addend                           linear offset minus virtual address
 * 24  u32  physical page number
 * 28  u32  bits                             1 valid, 2 writable, 4 global, 8 holds code
 * ```
 *
 * Generated code compares the page of an access's last byte with the tag in the entry of its first byte: a
 * miss, a slow page and a page crossing all fail that one comparison. Where alignment is checked (#AC), a
 * view of its own sends every access through the slow path.
 */

/** Bytes in one entry and offsets of its parts. */
export const TlbEntry = {
  sizeShift: 5,
  readTag: 0,
  writeTag: 8,
  addend: 16,
  frame: 24,
  bits: 28,
} as const;

/**
 * Bits of an entry's last word. `holdsCode`: stores take the slow path only because the page holds code, and those
 * that touch none of its code lines may go directly.
 */
export const TlbBits = { valid: 1, writable: 2, global: 4, holdsCode: 8 } as const;

/** What may bypass the slow path through an entry; `storesBesideCode`: those that touch no code line. */
export const Direct = { loads: 1, stores: 2, storesBesideCode: 4 } as const;

/** In an entry's bits: its index stands in the log of filled entries that are not global, or are. */
export const LOGGED_LOCAL = 0x80;
export const LOGGED_GLOBAL = 0x100;

/** In a tag: the page needs the slow path. */
export const SLOW_TAG = 0x800;

export const DATA_ENTRIES = 4096;
export const CODE_ENTRIES = 1024;
/** Logarithm of the bytes of a data TLB. */
export const DATA_SHIFT: number = Math.log2(DATA_ENTRIES) + TlbEntry.sizeShift;
export const DATA_BYTES: number = 1 << DATA_SHIFT;
export const CODE_BYTES: number = CODE_ENTRIES << TlbEntry.sizeShift;

/** Views of memory: the index of a data TLB within its bank. */
export const View = { supervisor: 0, user: 1, supervisorSmap: 2, userAligned: 3 } as const;
export const DATA_VIEWS = 4;
export const CODE_VIEWS = 2;

/** VM ids whose translations are kept at once. */
export const BANKS = 4;
/** Bytes of a bank's entries; behind them lie the logs of its tables, data TLBs first. */
export const ENTRIES_BYTES: number = DATA_VIEWS * DATA_BYTES + CODE_VIEWS * CODE_BYTES;
/** Where the parts of a table's log lie: how many entries of each kind were filled, and their numbers (u16 each). */
export const TlbLog = {
  locals: 0,
  globals: 4,
  local: 64,
  global: 64 + 2 * DATA_ENTRIES,
} as const;
export const LOG_BYTES: number = TlbLog.global + 2 * DATA_ENTRIES;
export const BANK_BYTES: number = ENTRIES_BYTES + (DATA_VIEWS + CODE_VIEWS) * LOG_BYTES;
/** Bytes that the TLBs of one CPU take. */
export const TLB_SIZE_BYTES: number = BANKS * BANK_BYTES;

/** The tables of a bank: where they and their logs lie in it; those of data come first, by view. */
export const TABLES: readonly {
  readonly at: number;
  readonly log: number;
  readonly entries: number;
}[] = Array.from({ length: DATA_VIEWS + CODE_VIEWS }, (_, i) => {
  const log = ENTRIES_BYTES + i * LOG_BYTES;
  return i < DATA_VIEWS
    ? { at: i * DATA_BYTES, log, entries: DATA_ENTRIES }
    : { at: DATA_VIEWS * DATA_BYTES + (i - DATA_VIEWS) * CODE_BYTES, log, entries: CODE_ENTRIES };
});

/** One direct-mapped table and the logs of what was filled since it was last empty. */
export class TlbTable {
  readonly #words: Int32Array;
  /** Global entries are logged apart, so that a flush which keeps them does not even look at them. */
  readonly #local: Uint16Array;
  readonly #global: Uint16Array;
  /** Lengths of the two logs. */
  readonly #lengths: Uint32Array;

  /** `base` and `log` are the linear offsets of the table and its log, where all bytes are 0; `entries` a power of two. */
  constructor(
    buffer: ArrayBufferLike,
    readonly base: number,
    log: number,
    readonly entries: number,
  ) {
    this.#words = new Int32Array(buffer, base, entries * 8);
    this.#local = new Uint16Array(buffer, log + TlbLog.local, entries);
    this.#global = new Uint16Array(buffer, log + TlbLog.global, entries);
    this.#lengths = new Uint32Array(buffer, log, 2);
    // A tag of 0 fits page 0 alone, which is looked for in the first entry, and in the last by an access that
    // crosses the end of the address space. The memory of all others is not touched.
    this.#invalidate(0, 0);
    this.#invalidate((entries - 1) * 8, 0);
  }

  /** The word index of the entry for page (low, high) if it is valid, else -1. `low` is page-aligned or not. */
  find(low: number, high: number): number {
    const at = ((low >>> 12) & (this.entries - 1)) * 8;
    const words = this.#words;
    return (words[at] & ~SLOW_TAG) === (low & 0xfffff000) && words[at + 1] === high &&
        (words[at + 7] & TlbBits.valid) !== 0
      ? at
      : -1;
  }

  bits(at: number): number {
    return this.#words[at + 7];
  }

  frame(at: number): number {
    return this.#words[at + 6] >>> 0;
  }

  /**
   * Enters a translation of page (low, high) to physical page `frame`. `linearPage` is where it lies in linear
   * memory, or -1 if it is not memory; `direct` says what may bypass the slow path: bits of {@link Direct}.
   */
  fill(
    low: number,
    high: number,
    frame: number,
    bits: number,
    linearPage: number,
    direct: number,
  ): void {
    const page = low & 0xfffff000;
    const index = (low >>> 12) & (this.entries - 1);
    const at = index * 8;
    const words = this.#words;
    let logged = words[at + 7] & (LOGGED_LOCAL | LOGGED_GLOBAL);
    if ((bits & TlbBits.global) !== 0) {
      if ((logged & LOGGED_GLOBAL) === 0) this.#global[this.#lengths[1]++] = index;
      logged |= LOGGED_GLOBAL;
    } else {
      if ((logged & LOGGED_LOCAL) === 0) this.#local[this.#lengths[0]++] = index;
      logged |= LOGGED_LOCAL;
    }
    words[at] = page;
    words[at + 1] = high;
    words[at + 2] = page;
    words[at + 3] = high;
    this.leadTo(at, linearPage);
    words[at + 6] = frame | 0;
    words[at + 7] = bits | TlbBits.valid | logged;
    this.setDirect(at, direct);
  }

  /** Lets accesses through a valid entry go to a page of linear memory; -1 for none. */
  leadTo(at: number, linearPage: number): void {
    const words = this.#words;
    const page = words[at] & 0xfffff000;
    // addend = linear - virtual, in two halves.
    const linearLow = linearPage << 12;
    const borrow = (linearLow >>> 0) < (page >>> 0) ? 1 : 0;
    words[at + 4] = (linearLow - page) | 0;
    words[at + 5] = ((linearPage >> 20) - words[at + 1] - borrow) | 0;
  }

  /** Lets what `direct` (bits of {@link Direct}) says of a valid entry bypass the slow path, and nothing else. */
  setDirect(at: number, direct: number): void {
    const words = this.#words;
    const page = words[at] & ~SLOW_TAG;
    words[at] = (direct & Direct.loads) !== 0 ? page : page | SLOW_TAG;
    words[at + 2] = (direct & Direct.stores) !== 0 ? page : page | SLOW_TAG;
    const holdsCode = (direct & Direct.storesBesideCode) !== 0 ? TlbBits.holdsCode : 0;
    words[at + 7] = (words[at + 7] & ~TlbBits.holdsCode) | holdsCode;
  }

  /** Calls `visit` with each valid entry, the page that it translates, and the bits that either of its tags has. */
  eachValid(visit: (at: number, low: number, high: number, tags: number) => void): void {
    const words = this.#words;
    const look = (index: number) => {
      const at = index * 8;
      if ((words[at + 7] & TlbBits.valid) === 0) return;
      visit(at, words[at] & ~SLOW_TAG, words[at + 1], (words[at] | words[at + 2]) & SLOW_TAG);
    };
    for (let i = 0; i < this.#lengths[0]; i++) look(this.#local[i]);
    for (let i = 0; i < this.#lengths[1]; i++) look(this.#global[i]);
  }

  /** The linear page where a load from (low, high) may go directly; -1 if it needs the slow path. */
  readablePage(low: number, high: number): number {
    const at = ((low >>> 12) & (this.entries - 1)) * 8;
    const words = this.#words;
    const fits = words[at] === (low & 0xfffff000) && words[at + 1] === high;
    return fits ? this.#linearPage(at, low, high) : -1;
  }

  /** The linear page where a store to (low, high) may go directly; -1 if it needs the slow path. */
  writablePage(low: number, high: number): number {
    const at = ((low >>> 12) & (this.entries - 1)) * 8;
    const words = this.#words;
    const fits = words[at + 2] === (low & 0xfffff000) && words[at + 3] === high;
    return fits ? this.#linearPage(at, low, high) : -1;
  }

  /** Virtual address plus addend, in pages. */
  #linearPage(at: number, low: number, high: number): number {
    const words = this.#words;
    const sum = (words[at + 4] + low) | 0;
    const carry = (sum >>> 0) < (low >>> 0) ? 1 : 0;
    return ((words[at + 5] + high + carry) << 20) | (sum >>> 12);
  }

  /** Drops the translation of one page, global or not. */
  drop(low: number, high: number): void {
    const at = this.find(low, high);
    if (at >= 0) this.#invalidate(at, this.#words[at + 7] & (LOGGED_LOCAL | LOGGED_GLOBAL));
  }

  /** Drops all translations; global ones stay if `keepGlobal`. */
  flush(keepGlobal: boolean): void {
    const words = this.#words;
    for (let i = 0; i < this.#lengths[0]; i++) {
      const at = this.#local[i] * 8;
      const bits = words[at + 7];
      if ((bits & TlbBits.valid) !== 0 && (bits & TlbBits.global) !== 0) {
        words[at + 7] = bits & ~LOGGED_LOCAL;
      } else this.#invalidate(at, bits & LOGGED_GLOBAL);
    }
    this.#lengths[0] = 0;
    if (keepGlobal) return;
    for (let i = 0; i < this.#lengths[1]; i++) this.#invalidate(this.#global[i] * 8, 0);
    this.#lengths[1] = 0;
  }

  /** Sends stores to linear page `linearPage` through the slow path from now on; `onlyForCode` as `holdsCode`. */
  slowWrites(linearPage: number, onlyForCode: boolean): void {
    for (let i = 0; i < this.#lengths[0]; i++) {
      this.#slowWrite(this.#local[i] * 8, linearPage, onlyForCode);
    }
    for (let i = 0; i < this.#lengths[1]; i++) {
      this.#slowWrite(this.#global[i] * 8, linearPage, onlyForCode);
    }
  }

  /** As {@link slowWrites} for every page on which `watches` tells of a watch. */
  slowWatchedWrites(watches: (linearPage: number) => number, onlyForCode: number): void {
    const slow = (at: number) => {
      const page = this.#fastWritePage(at);
      const watch = page < 0 ? 0 : watches(page);
      if (watch !== 0) this.#setSlow(at, watch === onlyForCode);
    };
    for (let i = 0; i < this.#lengths[0]; i++) slow(this.#local[i] * 8);
    for (let i = 0; i < this.#lengths[1]; i++) slow(this.#global[i] * 8);
  }

  #slowWrite(at: number, linearPage: number, onlyForCode: boolean): void {
    if (this.#fastWritePage(at) === linearPage) this.#setSlow(at, onlyForCode);
  }

  /** The linear page that stores through an entry may reach directly, be it only where no code is; else -1. */
  #fastWritePage(at: number): number {
    const words = this.#words;
    const bits = words[at + 7];
    const isSlow = (words[at + 2] & SLOW_TAG) !== 0;
    if ((bits & TlbBits.valid) === 0 || (isSlow && (bits & TlbBits.holdsCode) === 0)) return -1;
    const page = words[at + 2] & ~SLOW_TAG;
    const low = (page + words[at + 4]) >>> 0;
    const carry = (page >>> 0) + (words[at + 4] >>> 0) > 0xffffffff ? 1 : 0;
    const high = (words[at + 3] + words[at + 5] + carry) >>> 0;
    return high * 0x100000 + (low >>> 12);
  }

  #setSlow(at: number, onlyForCode: boolean): void {
    const words = this.#words;
    const bits = words[at + 7];
    words[at + 2] |= SLOW_TAG;
    words[at + 7] = onlyForCode ? bits | TlbBits.holdsCode : bits & ~TlbBits.holdsCode;
  }

  /** Lets stores through this entry bypass the slow path again. */
  fastWrites(at: number): void {
    this.#words[at + 2] &= ~SLOW_TAG;
    this.#words[at + 7] &= ~TlbBits.holdsCode;
  }

  /** Nothing but code asks for the slow path of stores through this entry. */
  slowWritesForCode(at: number): void {
    this.#words[at + 7] |= TlbBits.holdsCode;
  }

  #invalidate(at: number, bits: number): void {
    const words = this.#words;
    words[at] =
      words[at + 1] =
      words[at + 2] =
      words[at + 3] =
        -1;
    words[at + 7] = bits;
  }
}

/** The TLBs that one VM id uses. */
export class TlbBank {
  readonly data: readonly TlbTable[];
  readonly code: readonly TlbTable[];

  constructor(buffer: ArrayBufferLike, base: number) {
    const tables = TABLES.map(({ at, log, entries }) =>
      new TlbTable(buffer, base + at, base + log, entries)
    );
    this.data = tables.slice(0, DATA_VIEWS);
    this.code = tables.slice(DATA_VIEWS);
  }

  flush(keepGlobal: boolean): void {
    for (const table of this.data) table.flush(keepGlobal);
    for (const table of this.code) table.flush(keepGlobal);
  }

  drop(low: number, high: number): void {
    for (const table of this.data) table.drop(low, high);
    for (const table of this.code) table.drop(low, high);
  }

  slowWrites(linearPage: number, onlyForCode: boolean): void {
    for (const table of this.data) table.slowWrites(linearPage, onlyForCode);
  }

  /** Fetches from the physical pages that `isMoved` names go to page `home` of linear memory from now on. */
  leadFetches(isMoved: (frame: number) => boolean, home: number): void {
    for (const table of this.code) {
      table.eachValid((at) => {
        if (isMoved(table.frame(at))) table.leadTo(at, home);
      });
    }
  }

  slowWatchedWrites(watches: (linearPage: number) => number, onlyForCode: number): void {
    for (const table of this.data) table.slowWatchedWrites(watches, onlyForCode);
  }
}
