/** The two layouts of a task state segment, as tables (SDM vol. 3, "Task-State Segment (TSS)"). */

import { Segment } from "./segment_fields.ts";

/** Byte offsets in a task state segment; registers and segments in the order of their encodings. */
export interface TssLayout {
  /** Size of each saved register in bytes. */
  readonly bytes: 2 | 4;
  /** The least limit that a task switch accepts. */
  readonly minimumLimit: number;
  /** CR3, or -1. */
  readonly cr3: number;
  readonly ip: number;
  readonly flags: number;
  /** Of AX/EAX; the others follow. */
  readonly registers: number;
  /** Segment registers by number and the offset of their selector. */
  readonly segments: readonly (readonly [index: number, offset: number])[];
  readonly ldt: number;
  /** The T bit, or -1. */
  readonly trap: number;
}

/** The 32-bit TSS. */
export const TSS32: TssLayout = {
  bytes: 4,
  minimumLimit: 0x67,
  cr3: 28,
  ip: 32,
  flags: 36,
  registers: 40,
  segments: [
    [Segment.es, 72],
    [Segment.cs, 76],
    [Segment.ss, 80],
    [Segment.ds, 84],
    [Segment.fs, 88],
    [Segment.gs, 92],
  ],
  ldt: 96,
  trap: 100,
};

/** The 16-bit TSS. */
export const TSS16: TssLayout = {
  bytes: 2,
  minimumLimit: 0x2b,
  cr3: -1,
  ip: 14,
  flags: 16,
  registers: 18,
  segments: [[Segment.es, 34], [Segment.cs, 36], [Segment.ss, 38], [Segment.ds, 40]],
  ldt: 42,
  trap: -1,
};

/** The layout that a TSS descriptor's attributes select. */
export function tssLayout(attributes: number): TssLayout {
  return (attributes & 8) !== 0 ? TSS32 : TSS16;
}
