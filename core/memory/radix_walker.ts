/**
 * The radix walker: one walk for every table-shaped translation (guest paging of all formats, EPT,
 * NPT, IOMMU). It reads entries and accumulates what they say; the caller judges permissions.
 *
 * 64-bit quantities travel as two 32-bit halves, so that a walk allocates nothing.
 */

/** One level of a radix table, from the root down. */
export interface RadixLevel {
  /** Lowest address bit that indexes this level. */
  readonly shift: number;
  readonly indexBits: number;
  /** Whether an entry here may map memory: by its bit 7, always, or never. */
  readonly leaf: "never" | "bit7" | "always";
  /** Bits 31..0 that must be zero in a leaf of this level with bit 7 set. */
  readonly leafReservedLow: number;
  /** Bits that must be zero in any entry of this level: low and high half. */
  readonly reservedLow: number;
  readonly reservedHigh: number;
}

/** A table format. */
export interface RadixFormat {
  readonly name: string;
  readonly entryBytes: 4 | 8;
  /** An entry is present if any of these low bits is set. */
  readonly presentMask: number;
  readonly levels: readonly RadixLevel[];
}

/** Reads table memory; translates addresses first where a second stage applies. */
export interface TableReader {
  /** 32 bits at a guest-physical address that is 4-byte aligned, or -1 through `failed`. */
  readTable(address: number): number;
  /** Whether the last `readTable` was refused by a second stage. */
  readonly failed: boolean;
}

export const WalkOutcome = { mapped: 0, notPresent: 1, reserved: 2, refused: 3 } as const;

/** A walk in progress and its result; one object is reused for every walk. */
export class RadixWalk {
  /** Entries visited: their addresses and values. */
  readonly addresses = new Float64Array(6);
  readonly low = new Int32Array(6);
  readonly high = new Int32Array(6);
  /** How many entries were visited. */
  depth = 0;
  /** The leaf's page: log2 of its size, and the guest-physical address of its first byte. */
  pageShift = 0;
  pageBase = 0;
  /** AND of the low halves and OR of the high halves of all visited entries. */
  allLow = 0;
  anyHigh = 0;

  /** Walks `format` from `root` for the address (low, high). Returns a WalkOutcome. */
  walk(reader: TableReader, format: RadixFormat, root: number, low: number, high: number): number {
    const levels = format.levels;
    let table = root;
    this.allLow = -1;
    this.anyHigh = 0;
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i];
      const index = bitsOf(low, high, level.shift, level.indexBits);
      const address = table + index * format.entryBytes;
      const entryLow = reader.readTable(address);
      if (reader.failed) return WalkOutcome.refused;
      const entryHigh = format.entryBytes === 8 ? reader.readTable(address + 4) : 0;
      this.depth = i + 1;
      this.addresses[i] = address;
      this.low[i] = entryLow;
      this.high[i] = entryHigh;
      if ((entryLow & format.presentMask) === 0) return WalkOutcome.notPresent;
      const isLeaf = level.leaf === "always" || (level.leaf === "bit7" && (entryLow & 0x80) !== 0);
      const reservedLow = level.reservedLow |
        (isLeaf && (entryLow & 0x80) !== 0 ? level.leafReservedLow : 0);
      if ((entryLow & reservedLow) !== 0 || (entryHigh & level.reservedHigh) !== 0) {
        return WalkOutcome.reserved;
      }
      this.allLow &= entryLow;
      this.anyHigh |= entryHigh;
      const highFrame = format.entryBytes === 8 ? (entryHigh & 0xfffff) * 0x1_0000_0000 : 0;
      if (isLeaf) {
        this.#leaf(format, level.shift, entryLow, highFrame);
        return WalkOutcome.mapped;
      }
      table = highFrame + ((entryLow & 0xfffff000) >>> 0);
    }
    return WalkOutcome.notPresent;
  }

  #leaf(format: RadixFormat, shift: number, entryLow: number, highFrame: number): void {
    this.pageShift = shift;
    const offsetMask = shift >= 32 ? 0 : -(2 ** shift) | 0;
    // PSE-36: bits 20..13 of a 4 MiB entry are address bits 39..32.
    const pse36 = format.entryBytes === 4 && shift === 22
      ? ((entryLow >>> 13) & 0xff) * 0x1_0000_0000
      : 0;
    this.pageBase = highFrame + pse36 + ((entryLow & offsetMask & 0xfffff000) >>> 0);
  }
}

/** Bits [shift + count - 1 .. shift] of the 64-bit value (low, high); count at most 31. */
export function bitsOf(low: number, high: number, shift: number, count: number): number {
  const mask = (1 << count) - 1;
  if (shift >= 32) return (high >>> (shift - 32)) & mask;
  if (shift + count <= 32) return (low >>> shift) & mask;
  return ((low >>> shift) | (high << (32 - shift))) & mask;
}
