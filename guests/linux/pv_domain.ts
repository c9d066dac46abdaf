/**
 * A paravirtual domain at its start of day: kernel, initramfs, list of machine frames, start information and
 * initial page tables, as frames of pseudo-physical memory. Nothing here touches a machine.
 *
 * Source: Xen 4.17's `xen.h`, "Start-of-day memory layout"; `elfnote.h`.
 */

import { SIF, start_info } from "../../core/abi/xen.ts";
import { BootError } from "./boot_error.ts";
import { parseElf } from "./elf.ts";
import { cString, utf8 } from "./layout.ts";
import { type PvNotes, pvNotes } from "./pv_notes.ts";
import { PvTables, standingTables, tablesFor } from "./pv_tables.ts";

const PAGE_BYTES = 4096;
const PAGE_SHIFT = 12n;
/** What differs by the kernel's words: `start_info.magic`, and the bytes of an entry in the list of machine frames. */
const MODELS = {
  lp64: { magic: "xen-3.0-x86_64", entryBytes: 8 },
  ilp32: { magic: "xen-3.0-x86_32p", entryBytes: 4 },
} as const;
const COMMAND_LINE_BYTES = 1024;
/** The initial mapping ends on such a boundary, with at least so many bytes to spare. */
const MAPPING_ALIGN = 4n * 1024n * 1024n;
const MAPPING_PAD = 512n * 1024n;

/** What a domain is built from. */
export interface PvRequest {
  /** An ELF kernel with Xen notes. */
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
  /** Frames of the domain. */
  readonly pages: number;
  /** The machine frame behind pseudo-physical frame `pfn`. */
  mfnOf(pfn: number): number;
  /** Machine frame of the shared page. */
  readonly sharedInfo: number;
  readonly consolePort: number;
  readonly storePort: number;
  readonly flags?: number;
}

/** Bytes from pseudo-physical frame `pfn` on. */
export interface PvWrite {
  readonly pfn: number;
  readonly bytes: Uint8Array;
}

/** A domain ready to be put into memory. */
export interface PvPlan {
  readonly notes: PvNotes;
  readonly writes: readonly PvWrite[];
  /** Pseudo-physical frame of the top-level table. */
  readonly rootPfn: number;
  readonly consolePfn: number;
  readonly storePfn: number;
  /** The frame that the hypervisor fills with hypercall stubs, or `null`. */
  readonly hypercallPfn: number | null;
  /** Linear addresses. */
  readonly entry: bigint;
  readonly stack: bigint;
  readonly startInfo: bigint;
}

/** A run of pseudo-physical frames. */
interface Place {
  readonly pfn: number;
  readonly frames: number;
}

/** Where everything lies. */
interface Layout {
  readonly initrd: Place | null;
  readonly p2m: Place;
  readonly startInfo: number;
  readonly store: number;
  readonly console: number;
  readonly tables: Place;
  readonly stack: number;
  /** Frames that the initial mapping shows, from 0. */
  readonly mapped: number;
  /** Tables that map the list of machine frames, if it is elsewhere. */
  readonly p2mTables: Place;
  readonly end: number;
}

/** Plans a domain; throws {@link BootError} if the kernel is not for Xen or does not fit. */
export function planPv(request: PvRequest): PvPlan {
  const elf = parseElf(request.kernel, "kernel");
  const notes = pvNotes(request.kernel, elf);
  const pfnOf = (address: number) => (address - Number(notes.paddrOffset)) / PAGE_BYTES;
  const kernelEnd = Math.ceil(
    Math.max(...elf.segments.map(({ address, sizeBytes }) => pfnOf(address + sizeBytes))),
  );
  const layout = layOut(request, notes, kernelEnd);
  if (layout.end > request.pages) {
    throw new BootError(
      `the domain has ${request.pages} pages of memory; kernel and initramfs need ${layout.end}`,
    );
  }
  const addressOf = (pfn: number) =>
    BigInt.asUintN(64, notes.virtBase + (BigInt(pfn) << PAGE_SHIFT));
  const inKernel = (address: bigint) =>
    Number(BigInt.asUintN(64, address - notes.virtBase) >> PAGE_SHIFT);
  const tables = buildTables(request, notes, layout);
  const kernel = elf.segments.filter(({ bytes }) => bytes.length > 0).map((segment) => {
    const from = pfnOf(segment.address);
    const lead = (from - Math.floor(from)) * PAGE_BYTES;
    const bytes = new Uint8Array(lead + segment.bytes.length);
    bytes.set(segment.bytes, lead);
    return { pfn: Math.floor(from), bytes, lead };
  });
  return {
    notes,
    writes: [
      ...kernel,
      ...(layout.initrd ? [{ pfn: layout.initrd.pfn, bytes: request.initrd! }] : []),
      { pfn: layout.p2m.pfn, bytes: frameList(request, notes) },
      { pfn: layout.startInfo, bytes: startInfoBytes(request, notes, layout, addressOf) },
      ...tables.contents(),
    ],
    rootPfn: tables.root,
    consolePfn: layout.console,
    storePfn: layout.store,
    hypercallPfn: notes.hypercallPage === null ? null : inKernel(notes.hypercallPage),
    entry: notes.entry,
    stack: addressOf(layout.stack + 1),
    startInfo: addressOf(layout.startInfo),
  };
}

/** Hands out frames one run after the other. */
function layOut(request: PvRequest, notes: PvNotes, kernelEnd: number): Layout {
  let next = kernelEnd;
  const take = (frames: number): Place => {
    const place = { pfn: next, frames };
    next += frames;
    return place;
  };
  const initrdFrames = Math.ceil((request.initrd?.length ?? 0) / PAGE_BYTES);
  const listFrames = Math.ceil((request.pages * MODELS[notes.model].entryBytes) / PAGE_BYTES);
  const mappedInitrd = notes.modStartPfn || initrdFrames === 0 ? null : take(initrdFrames);
  const mappedList = notes.initP2m === null ? take(listFrames) : null;
  const startInfo = take(1).pfn;
  const store = take(1).pfn;
  const console = take(1).pfn;
  const { tables, mapped } = tableFrames(notes, next);
  take(tables);
  const stack = take(1).pfn;
  next = mapped;
  const p2m = mappedList ?? take(listFrames);
  const p2mTables = take(
    notes.initP2m === null
      ? 0
      : tablesFor(notes.model, notes.initP2m, BigInt(listFrames * PAGE_BYTES)),
  );
  const freeInitrd = notes.modStartPfn && initrdFrames > 0 ? take(initrdFrames) : null;
  return {
    initrd: mappedInitrd ?? freeInitrd,
    p2m,
    startInfo,
    store,
    console,
    tables: { pfn: stack - tables, frames: tables },
    stack,
    mapped,
    p2mTables,
    end: next,
  };
}

/** How many tables the initial mapping needs, itself included, and how many frames it then shows. */
function tableFrames(notes: PvNotes, first: number): { tables: number; mapped: number } {
  let tables = 0;
  for (;;) {
    const used = BigInt(first + tables + 1) << PAGE_SHIFT;
    const end = (used + MAPPING_PAD + MAPPING_ALIGN - 1n) / MAPPING_ALIGN * MAPPING_ALIGN;
    const needed = 1 + tablesFor(notes.model, notes.virtBase, end) +
      standingTables(notes.model, notes.virtBase, end);
    if (needed === tables) return { tables, mapped: Number(end >> PAGE_SHIFT) };
    tables = needed;
  }
}

function buildTables(request: PvRequest, notes: PvNotes, layout: Layout): PvTables {
  let next = layout.tables.pfn;
  const mfnOf = (pfn: number) => request.mfnOf(pfn);
  const tables = new PvTables(notes.model, mfnOf, () => next++);
  const { tables: { pfn: first, frames } } = layout;
  for (let pfn = 0; pfn < layout.mapped; pfn++) {
    const isTable = pfn >= first && pfn < first + frames;
    const address = BigInt.asUintN(64, notes.virtBase + (BigInt(pfn) << PAGE_SHIFT));
    if (pfn < request.pages) tables.map(address, pfn, !isTable);
  }
  if (notes.initP2m !== null) {
    next = layout.p2mTables.pfn;
    for (let i = 0; i < layout.p2m.frames; i++) {
      tables.map(notes.initP2m + (BigInt(i) << PAGE_SHIFT), layout.p2m.pfn + i, true);
    }
  }
  return tables;
}

/** The machine frames of all pseudo-physical frames, in order. */
function frameList(request: PvRequest, { model }: PvNotes): Uint8Array {
  const { entryBytes } = MODELS[model];
  const view = new DataView(new ArrayBuffer(request.pages * entryBytes));
  for (let pfn = 0; pfn < request.pages; pfn++) {
    view.setUint32(entryBytes * pfn, request.mfnOf(pfn), true);
  }
  return new Uint8Array(view.buffer);
}

function startInfoBytes(
  request: PvRequest,
  notes: PvNotes,
  layout: Layout,
  addressOf: (pfn: number) => bigint,
): Uint8Array {
  const { initrd, p2m, p2mTables } = layout;
  const limit = COMMAND_LINE_BYTES - 1;
  const commandLine = cString(request.commandLine ?? "", "kernel command line", limit);
  const unmapped = notes.modStartPfn && initrd !== null;
  const { model } = notes;
  return start_info.toBytes({
    magic: [...utf8(MODELS[model].magic)],
    nr_pages: BigInt(request.pages),
    shared_info: BigInt(request.sharedInfo) << PAGE_SHIFT,
    flags: (request.flags ?? 0) | (unmapped ? SIF.MOD_START_PFN : 0),
    store_mfn: request.mfnOf(layout.store),
    store_evtchn: request.storePort,
    console_mfn: request.mfnOf(layout.console),
    console_evtchn: request.consolePort,
    pt_base: addressOf(layout.tables.pfn),
    nr_pt_frames: BigInt(layout.tables.frames),
    mfn_list: notes.initP2m ?? addressOf(p2m.pfn),
    mod_start: initrd === null ? 0n : unmapped ? BigInt(initrd.pfn) : addressOf(initrd.pfn),
    mod_len: BigInt(request.initrd?.length ?? 0),
    cmd_line: [...commandLine],
    first_p2m_pfn: BigInt(p2m.pfn),
    nr_p2m_frames: BigInt(notes.initP2m === null ? 0 : p2m.frames + p2mTables.frames),
  }, model);
}
