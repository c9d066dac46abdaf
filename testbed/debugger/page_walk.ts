/** Walks of page tables, level by level, for people: nothing is changed by looking. */

import { physical } from "../../core/lib/brand.ts";
import type { RadixFormat, RadixLevel } from "../../core/memory/radix_walker.ts";
import { bitsOf } from "../../core/memory/radix_walker.ts";
import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { pagingFormat } from "../../core/x86/paging/formats.ts";
import { table } from "../tables.ts";

/** One entry on the way. */
export interface PageWalkStep {
  /** The manual's name of the entry: `PML4E`, `PDPTE`, `PDE`, `PTE`. */
  readonly name: string;
  readonly index: number;
  /** The entry's physical address, its size and its value. */
  readonly entryAddress: number;
  readonly entryBytes: 4 | 8;
  readonly entry: bigint;
  /** What its bits say, by the manual's letters. */
  readonly flags: readonly string[];
}

/** A walk as far as it goes. */
export interface PageWalk {
  readonly address: bigint;
  /** `32-bit`, `PAE`, `4-level` …, or `null` while paging is off. */
  readonly mode: string | null;
  readonly steps: readonly PageWalkStep[];
  /** Where the address leads, or `null` with the reason in `failure`. */
  readonly physical: number | null;
  readonly pageBytes: number;
  readonly failure: string | null;
}

/** Names of levels, counted from the last one. */
const NAMES = ["PTE", "PDE", "PDPTE", "PML4E"];
const PAGE = 4096;
/** Bits of an entry by letter. SDM vol. 3, "Paging", figures of the formats. */
const FLAGS: readonly (readonly [bit: bigint, name: string])[] = [
  [1n << 1n, "W"],
  [1n << 2n, "U"],
  [1n << 3n, "PWT"],
  [1n << 4n, "PCD"],
  [1n << 5n, "A"],
  [1n << 6n, "D"],
  [1n << 7n, "PS"],
  [1n << 8n, "G"],
  [1n << 63n, "NX"],
];
const FRAME_MASK = 0x000f_ffff_ffff_f000n;
const PSE36_MASK = 0x1f_e000n;

/** The tables of an address space. */
export interface TableRoot {
  readonly cr3: bigint;
  /** `null` while paging is off. */
  readonly format: RadixFormat | null;
}

/** The tables that a CPU uses now. */
export function tableRoot({ state }: CpuLook): TableRoot {
  return { cr3: state.cr3, format: pagingFormat(state.cr0, state.cr4, state.efer) };
}

/** Walks to a linear address as a CPU would, through its own tables or those of `root`. */
export function pageWalk(
  cpu: CpuLook,
  address: bigint,
  root: TableRoot = tableRoot(cpu),
): PageWalk {
  const { state, memory } = cpu;
  const { cr3, format } = root;
  const linear = BigInt.asUintN(format?.levels.length === 4 ? 64 : 32, address);
  const walk = { address: linear, mode: format?.name ?? null, pageBytes: PAGE };
  if (format === null) {
    return { ...walk, steps: [], physical: Number(linear) & state.a20Mask, failure: null };
  }
  const steps: PageWalkStep[] = [];
  const found = (at: number | null, pageBytes: number, failure: string | null) => ({
    ...walk,
    steps,
    physical: at,
    pageBytes,
    failure,
  });
  let base = Number(format.levels.length === 3 ? cr3 & 0xffff_ffe0n : cr3 & FRAME_MASK);
  for (const [i, level] of format.levels.entries()) {
    const index = bitsOf(
      Number(BigInt.asIntN(32, linear)),
      Number(BigInt.asIntN(32, linear >> 32n)),
      level.shift,
      level.indexBits,
    );
    const entryAddress = base + index * format.entryBytes;
    if (memory.readableLinear(entryAddress) < 0) {
      return found(null, PAGE, `table at 0x${base.toString(16)} is outside RAM`);
    }
    const entry = readEntry(cpu, entryAddress, format);
    const isLeaf = level.leaf === "always" || (level.leaf === "bit7" && (entry & 0x80n) !== 0n);
    const name = NAMES[format.levels.length - 1 - i];
    const flags = flagsOf(entry, format, level);
    steps.push({ name, index, entryAddress, entryBytes: format.entryBytes, entry, flags });
    if ((entry & BigInt(format.presentMask)) === 0n) {
      return found(null, PAGE, `${name} is not present`);
    }
    const frame = frameOf(entry, format);
    if (!isLeaf) {
      base = Number(frame);
      continue;
    }
    const pageBytes = 2 ** level.shift;
    return found(
      Number(pageOf(entry, frame, level, format)) + Number(linear % BigInt(pageBytes)),
      pageBytes,
      null,
    );
  }
  return found(null, PAGE, "the walk has no end");
}

function readEntry({ memory }: CpuLook, address: number, { entryBytes }: RadixFormat): bigint {
  const bytes = new Uint8Array(entryBytes);
  memory.readBytes(physical(address), bytes);
  const view = new DataView(bytes.buffer);
  return entryBytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
}

function frameOf(entry: bigint, { entryBytes }: RadixFormat): bigint {
  return entryBytes === 8 ? entry & FRAME_MASK : entry & 0xffff_f000n;
}

/** The first byte of the page that a leaf maps; PSE-36 keeps address bits 39..32 in bits 20..13. */
function pageOf(entry: bigint, frame: bigint, { shift }: RadixLevel, format: RadixFormat): bigint {
  if (shift === 12) return frame;
  const first = frame & ~((1n << BigInt(shift)) - 1n);
  return format.entryBytes === 4 ? first | ((entry & PSE36_MASK) << 19n) : first;
}

function flagsOf(entry: bigint, { presentMask, entryBytes }: RadixFormat, level: RadixLevel) {
  const present = (entry & BigInt(presentMask)) !== 0n ? ["P"] : ["not present"];
  const known = level.hasFlags ? FLAGS.filter(([bit]) => entryBytes === 8 || bit < 1n << 32n) : [];
  return [...present, ...known.filter(([bit]) => (entry & bit) !== 0n).map(([, name]) => name)];
}

/** A walk as a table, one level to a line. */
export function describePageWalk(walk: PageWalk): string {
  const hex = (value: number | bigint) => `0x${value.toString(16)}`;
  const head = walk.mode === null ? "paging is off" : `${walk.mode} paging`;
  const rows = walk.steps.map(({ name, index, entryAddress, entry, flags }) => [
    name,
    index,
    hex(entryAddress),
    hex(entry),
    flags.join(" "),
  ]);
  const end = walk.physical === null
    ? `${hex(walk.address)} is not mapped: ${walk.failure}`
    : `${hex(walk.address)} is physical ${hex(walk.physical)}, in a page of ${
      hex(walk.pageBytes)
    } bytes`;
  const lines = rows.length === 0 ? [] : [table(["entry", "index", "physical", "value", ""], rows)];
  return [head, ...lines, end].join("\n");
}
