/** What the TLBs of a CPU hold. */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { SLOW_TAG, TlbBits, type TlbTable, View } from "../../core/x86/paging/tlb.ts";
import { table } from "../tables.ts";

/** One translation. */
export interface TlbEntryView {
  /** Whose accesses use it: loads and stores of a ring or mode, or fetches. */
  readonly of: string;
  readonly virtual: bigint;
  readonly physical: number;
  readonly writable: boolean;
  readonly global: boolean;
  /** Whether some accesses through it are looked at one by one: devices, watched memory, code. */
  readonly slow: boolean;
}

/** The data TLBs by view. */
const VIEW_NAMES = Object.entries(View).sort(([, a], [, b]) => a - b).map(([name]) => name);
const CODE_NAMES = ["supervisor fetch", "user fetch"];
const LISTED = 40;

/** The translations of a bare machine, or of the host of virtual ones, in order of their addresses. */
export function tlbEntries({ mmu }: CpuLook): TlbEntryView[] {
  const [bank] = mmu.banks;
  return [
    ...bank.data.flatMap((each, view) => entriesOf(each, VIEW_NAMES[view])),
    ...bank.code.flatMap((each, view) => entriesOf(each, CODE_NAMES[view])),
  ];
}

function entriesOf(tlb: TlbTable, of: string): TlbEntryView[] {
  const found: TlbEntryView[] = [];
  const seen = new Set<number>();
  tlb.eachValid((at, low, high, tags) => {
    if (seen.has(at)) return;
    seen.add(at);
    const bits = tlb.bits(at);
    found.push({
      of,
      virtual: (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0),
      physical: tlb.frame(at) * 4096,
      writable: (bits & TlbBits.writable) !== 0,
      global: (bits & TlbBits.global) !== 0,
      slow: (tags & SLOW_TAG) !== 0,
    });
  });
  return found.sort((a, b) => a.virtual < b.virtual ? -1 : 1);
}

/** TLB contents as a table, at most `count` lines. */
export function describeTlb(entries: readonly TlbEntryView[], count = LISTED): string {
  const rows = entries.slice(0, count).map((entry) => [
    entry.of,
    `0x${entry.virtual.toString(16)}`,
    `0x${entry.physical.toString(16)}`,
    [entry.writable ? "W" : "", entry.global ? "G" : "", entry.slow ? "looked at" : ""]
      .filter((text) => text !== "").join(" "),
  ]);
  const rest = entries.length > count ? `\n${entries.length - count} more` : "";
  return rows.length === 0
    ? "the TLBs are empty"
    : table(["of", "virtual", "physical", ""], rows) + rest;
}
