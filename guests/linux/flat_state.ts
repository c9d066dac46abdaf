/**
 * The GDT, page tables and register state in which boot protocols start a kernel. The selectors are
 * those that Linux asks for, __BOOT_CS and __BOOT_DS (Documentation/arch/x86/boot.rst, "32-bit Boot
 * Protocol" and "64-bit Boot Protocol"); the task register is what PVH asks for (Documentation of Xen,
 * "x86/HVM direct boot ABI").
 */

import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { ByteView } from "./layout.ts";
import {
  type EntryRegisters,
  type LoadSegment,
  type LongModeEntry,
  type ProtectedEntry,
  ramSegment,
  type SegmentState,
} from "./load_plan.ts";
import type { FreeMemory } from "./memory_map.ts";

const CODE_32: SegmentState = {
  selector: 0x10,
  base: 0,
  limit: 0xffff_ffff,
  accessRights: 0xc09b,
};
const CODE_64: SegmentState = { ...CODE_32, accessRights: 0xa09b };
const DATA: SegmentState = { selector: 0x18, base: 0, limit: 0xffff_ffff, accessRights: 0xc093 };
const TASK: SegmentState = { selector: 0x20, base: 0, limit: 0x67, accessRights: 0x008b };

/** Two null entries, code, data, and a task descriptor of two slots (its 64-bit form). */
const GDT_BYTES = 0x30;
const STACK_BYTES = 0x1000;

const CR0_PE_ET = 0x11;
const CR0_PG = 0x8000_0000;
const CR4_PAE = 0x20;
const EFER_LME_LMA = 0x500;
const EFLAGS_FIXED = 2;

/** A start state and the segments that it refers to. */
export interface Start<Entry> {
  readonly entry: Entry;
  readonly segments: readonly LoadSegment[];
}

/** Protected mode, flat, paging off, entered at `instructionPointer`. */
export function startProtected(
  memory: FreeMemory,
  instructionPointer: number,
  registers: EntryRegisters,
): Start<ProtectedEntry> {
  const gdt = placeGdt(memory, CODE_32);
  const entry: ProtectedEntry = {
    kind: "protected32",
    instructionPointer,
    registers: { esp: placeStack(memory), ...registers },
    gdt: { base: gdt.address, limit: GDT_BYTES - 1 },
    code: CODE_32,
    data: DATA,
    task: TASK,
    cr0: CR0_PE_ET,
    cr4: 0,
    eflags: EFLAGS_FIXED,
  };
  return { entry, segments: [gdt] };
}

/** 64-bit mode with the first 4 GiB mapped to themselves, entered at `instructionPointer`. */
export function startLong(
  memory: FreeMemory,
  instructionPointer: number,
  registers: EntryRegisters,
): Start<LongModeEntry> {
  const gdt = placeGdt(memory, CODE_64);
  const tables = placeIdentityMap(memory);
  const entry: LongModeEntry = {
    kind: "long64",
    instructionPointer,
    registers: { esp: placeStack(memory), ...registers },
    gdt: { base: gdt.address, limit: GDT_BYTES - 1 },
    code: CODE_64,
    data: DATA,
    task: TASK,
    cr0: CR0_PE_ET + CR0_PG,
    cr3: tables.address,
    cr4: CR4_PAE,
    efer: EFER_LME_LMA,
    eflags: EFLAGS_FIXED,
  };
  return { entry, segments: [gdt, tables] };
}

function placeGdt(memory: FreeMemory, code: SegmentState): LoadSegment {
  const bytes = new Uint8Array(GDT_BYTES);
  for (const segment of [code, DATA, TASK]) writeDescriptor(bytes, segment);
  return ramSegment("GDT", lowPlace(memory, "GDT", GDT_BYTES), bytes);
}

/** The address just past a stack of one page. */
function placeStack(memory: FreeMemory): number {
  return lowPlace(memory, "boot stack", STACK_BYTES) + STACK_BYTES;
}

/** A place in conventional memory, which no kernel's image covers. */
export function lowPlace(memory: FreeMemory, name: string, sizeBytes: number): PhysicalAddress {
  return memory.place({ name, sizeBytes, below: 0xa_0000, advice: "conventional memory is full" });
}

/** Writes the descriptor of `segment` into its slot of a GDT (Intel SDM, "Segment Descriptors"). */
function writeDescriptor(gdt: Uint8Array, segment: SegmentState): void {
  const { selector, base, limit, accessRights } = segment;
  const granular = (accessRights & 0x8000) !== 0;
  const field = granular ? Math.floor(limit / 0x1000) : limit;
  const view = new ByteView(gdt, "GDT");
  view.write(selector, 4, (field & 0xffff) + (base & 0xffff) * 0x1_0000);
  const high = ((base >>> 16) & 0xff) | ((accessRights & 0xff) << 8) | (field & 0xf_0000) |
    ((accessRights & 0xf000) << 8) | (base & 0xff00_0000);
  view.write(selector + 4, 4, high >>> 0);
}

const PAGE = 0x1000;
const PRESENT_WRITABLE = 0x3;
const LARGE_PAGE = 0x80;
const DIRECTORIES = 4;

/** PML4, one page-directory-pointer table and four page directories of 2 MiB pages. */
function placeIdentityMap(memory: FreeMemory): LoadSegment {
  const sizeBytes = (2 + DIRECTORIES) * PAGE;
  const address = lowPlace(memory, "page tables", sizeBytes);
  const bytes = new Uint8Array(sizeBytes);
  const view = new ByteView(bytes, "page tables");
  view.write(0, 8, address + PAGE + PRESENT_WRITABLE);
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    view.write(PAGE + directory * 8, 8, address + (2 + directory) * PAGE + PRESENT_WRITABLE);
  }
  for (let page = 0; page < DIRECTORIES * 512; page++) {
    view.write(2 * PAGE + page * 8, 8, page * 0x20_0000 + PRESENT_WRITABLE + LARGE_PAGE);
  }
  return ramSegment("page tables", address, bytes);
}
