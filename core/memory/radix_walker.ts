/**
 * The radix walker: one walk for every table-shaped translation (guest paging of all formats, EPT,
 * NPT, IOMMU). It reads entries and accumulates what they say; the caller judges permissions.
 *
 * 64-bit quantities travel as two 32-bit halves, so that a walk allocates nothing.
 */

/** One level of a radix table, from the root down. */
export interface RadixLevel {
  /** Lowest address bit that indexes this level; at most 30 where an entry may map memory. */
  readonly shift: number;
  readonly indexBits: number;
  /** Whether an entry here may map memory: by its bit 7, always, or never. */
  readonly leaf: "never" | "bit7" | "always";
  /** Bits 31..0 that must be zero in a leaf of this level with bit 7 set. */
  readonly leafReservedLow: number;
  /** Whether entries of this level carry permissions and an accessed bit. */
  readonly hasFlags: boolean;
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

/** Where the walker finds tables, by guest-physical frame; a second stage translates them first where one applies. */
export interface TableReader {
  /** 32 bits at the 4-byte aligned byte `offset` of frame `frame`, signed; without a meaning if `failed`. */
  readTable(frame: number, offset: number): number;
  /** Whether the last `readTable` was refused by a second stage. */
  readonly failed: boolean;
}

export const WalkOutcome = { mapped: 0, notPresent: 1, reserved: 2, refused: 3 } as const;

const FRAME_SHIFT = 12;
/** Frame numbers have at most 31 bits: every format reserves the address bits above. */
const HIGH_FRAME_MASK = 0x7ff;

/** A walk in progress and its result; one object is reused for every walk. */
export class RadixWalk {
  /** Entries visited, by level: the frames of their tables, their byte offsets there, and their values. */
  readonly frames = new Int32Array(6);
  readonly offsets = new Int32Array(6);
  readonly low = new Int32Array(6);
  readonly high = new Int32Array(6);
  /** The level behind the last that the walk visited. */
  depth = 0;
  /** The leaf's page: log2 of its size, and its first guest-physical frame. */
  pageShift = 0;
  pageFrame = 0;
  /** AND of the low halves and OR of the high halves of all entries with flags. */
  allLow = 0;
  anyHigh = 0;

  /**
   * Walks `format` for the address (low, high) from the table at byte `rootOffset` of frame `rootFrame`. Returns
   * a WalkOutcome.
   */
  walk(
    reader: TableReader,
    format: RadixFormat,
    rootFrame: number,
    rootOffset: number,
    low: number,
    high: number,
  ): number {
    const { levels } = format;
    const wide = format.entryBytes === 8;
    let frame = rootFrame;
    let offset = rootOffset;
    this.allLow = -1;
    this.anyHigh = 0;
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i];
      offset += bitsOf(low, high, level.shift, level.indexBits) << (wide ? 3 : 2);
      const entryLow = reader.readTable(frame, offset);
      if (reader.failed) return WalkOutcome.refused;
      const entryHigh = wide ? reader.readTable(frame, offset + 4) : 0;
      this.depth = i + 1;
      this.frames[i] = frame;
      this.offsets[i] = offset;
      this.low[i] = entryLow;
      this.high[i] = entryHigh;
      if ((entryLow & format.presentMask) === 0) return WalkOutcome.notPresent;
      const large = (entryLow & 0x80) !== 0;
      const isLeaf = level.leaf === "always" || (large && level.leaf === "bit7");
      const reservedLow = level.reservedLow | (isLeaf && large ? level.leafReservedLow : 0);
      if ((entryLow & reservedLow) !== 0 || (entryHigh & level.reservedHigh) !== 0) {
        return WalkOutcome.reserved;
      }
      if (level.hasFlags) this.allLow &= entryLow;
      this.anyHigh |= entryHigh;
      frame = ((entryHigh & HIGH_FRAME_MASK) << (32 - FRAME_SHIFT)) | (entryLow >>> FRAME_SHIFT);
      offset = 0;
      if (isLeaf) {
        this.#leaf(wide, level.shift, frame);
        return WalkOutcome.mapped;
      }
    }
    return WalkOutcome.notPresent;
  }

  #leaf(wide: boolean, shift: number, frame: number): void {
    this.pageShift = shift;
    const first = frame & -(1 << (shift - FRAME_SHIFT));
    // PSE-36: bits 20..13 of a 4 MiB entry are address bits 39..32.
    const pse36 = !wide && shift === 22 ? ((frame >>> 1) & 0xff) << (32 - FRAME_SHIFT) : 0;
    this.pageFrame = first | pse36;
  }

  /** The guest-physical frame of the address whose low half is `low`, within the page that was found. */
  frameOf(low: number): number {
    return this.pageFrame + ((low & ((1 << this.pageShift) - 1)) >>> FRAME_SHIFT);
  }
}

/** Bits [shift + count - 1 .. shift] of the 64-bit value (low, high); count at most 31. */
export function bitsOf(low: number, high: number, shift: number, count: number): number {
  const mask = (1 << count) - 1;
  if (shift + count <= 32) return (low >>> shift) & mask;
  if (shift >= 32) return (high >>> (shift - 32)) & mask;
  return ((low >>> shift) | (high << (32 - shift))) & mask;
}
