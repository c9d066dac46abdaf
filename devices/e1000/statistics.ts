/** How frames move the statistics registers (8254x manual, section 13.7). Octets include the check sequence. */

import { destinationKind } from "./receive_filter.ts";
import { type RegisterFile, STATISTIC } from "./registers.ts";

const CHECK_SEQUENCE_BYTES = 4;
/** The greatest size of each counter by size, in bytes, and the register's name after PRC or PTC. */
const SIZES: readonly (readonly [mostBytes: number, suffix: string])[] = [
  [64, "64"],
  [127, "127"],
  [255, "255"],
  [511, "511"],
  [1023, "1023"],
  [Infinity, "1522"],
];

/** Counts a good frame (without check sequence) that was received. */
export function countReceived(registers: RegisterFile, frame: Uint8Array): void {
  const bytes = frame.length + CHECK_SEQUENCE_BYTES;
  registers.count(STATISTIC.GPRC);
  registers.count(STATISTIC.TPR);
  registers.count(STATISTIC[`PRC${sizeSuffix(bytes)}`]);
  registers.count64(STATISTIC.GORCL, bytes);
  registers.count64(STATISTIC.TORL, bytes);
  const kind = destinationKind(frame);
  if (kind === "broadcast") registers.count(STATISTIC.BPRC);
  if (kind === "multicast") registers.count(STATISTIC.MPRC);
}

/** Counts a frame (without check sequence) that was sent. */
export function countTransmitted(registers: RegisterFile, frame: Uint8Array): void {
  const bytes = frame.length + CHECK_SEQUENCE_BYTES;
  registers.count(STATISTIC.GPTC);
  registers.count(STATISTIC.TPT);
  registers.count(STATISTIC[`PTC${sizeSuffix(bytes)}`]);
  registers.count64(STATISTIC.GOTCL, bytes);
  registers.count64(STATISTIC.TOTL, bytes);
  const kind = destinationKind(frame);
  if (kind === "broadcast") registers.count(STATISTIC.BPTC);
  if (kind === "multicast") registers.count(STATISTIC.MPTC);
}

/** Reads a counter and clears it; the low half of a pair is cleared with its high half. */
export function readCounter(registers: RegisterFile, offset: number): number {
  const value = registers.get(offset);
  if (LOW_HALVES.has(offset)) return value;
  registers.set(offset, 0);
  if (LOW_HALVES.has(offset - 4)) registers.set(offset - 4, 0);
  return value;
}

const LOW_HALVES = new Set(
  ["GORCL", "GOTCL", "TORL", "TOTL"].map((name) => STATISTIC[name]),
);

function sizeSuffix(bytes: number): string {
  return SIZES.find(([most]) => bytes <= most)![1];
}
