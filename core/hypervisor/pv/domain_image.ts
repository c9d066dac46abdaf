/**
 * A paravirtual domain that has suspended itself, as a record, and such a record as a domain again, here or elsewhere.
 *
 * Machine frames become pseudo-physical ones wherever the hypervisor knows them to be frames: in page tables, in what
 * virtual CPUs hold, and in the guest's own list of machine frames (`p2m`). The guest closed its channels and grants
 * before it suspended, and opens new ones when it wakes.
 */

import { TWO_LEVEL } from "../../abi/event_channel.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import { SHARED_INFO, start_info, VCPU_INFO, VCPU_INFO_BYTES } from "../../abi/xen.ts";
import { isErrno } from "../../abi/errno.ts";
import type { EventPort, MachineFrame } from "../../abi/ids.ts";
import { invariant } from "../../lib/assert.ts";
import { expectRecord, type SnapshotRecord } from "../../lib/snapshot.ts";
import { openCpuState } from "../../x86/state/cpu_state.ts";
import type { Domain } from "../domain.ts";
import { FrameFlag, FrameType, levelOf } from "../memory/frame_table.ts";
import {
  ENTRY_BYTES,
  entryHigh,
  entryLow,
  frameOf,
  Pte,
  TABLE_ENTRIES,
} from "../memory/page_table_entry.ts";
import { GUEST_SPACES } from "../memory/guest_space.ts";
import { lastLevelEntry } from "../memory/table_walk.ts";
import type { Callback, CallbackName, TrapHandler, Vcpu } from "../vcpu.ts";
import { linearNumber } from "../memory/guest_access.ts";
import { frameOfPaeCr3 } from "./guest_context.ts";
import type { ImageParts } from "./image_parts.ts";

const PAGE_BYTES = 4096;
/** How a guest keeps its list, by its data model: `arch_shared_info` names a root table and a linear address behind `max_pfn`. */
const LISTS = {
  lp64: { cr3: 24, address: 32, entryBytes: 8, frameOfCr3: (cr3: bigint) => Number(cr3 >> 12n) },
  ilp32: {
    cr3: 12,
    address: 16,
    entryBytes: 4,
    frameOfCr3: (cr3: bigint) => frameOfPaeCr3(Number(cr3)),
  },
} as const;
/** Stands for the shared page in a table of the record: no domain has so many frames. */
const SHARED_PFN = 0xff_ffff_ffff;
/** Bits of a list entry that is no frame: invalid, foreign, or an identity. */
const NO_FRAME_HIGH = 0xc000_0000;
/** Frames that a record may have, 256 GiB of memory. */
const PFN_LIMIT = 2 ** 26;
const CR3_SHIFT = 12n;

interface SavedFrame {
  readonly pfn: number;
  /** 0, or the level of a page table. */
  readonly level: 0 | 1 | 2 | 3 | 4;
  readonly pinned: boolean;
  readonly bytes: Uint8Array;
}

interface SavedVcpu {
  readonly up: boolean;
  readonly initialised: boolean;
  readonly registers: Uint8Array;
  readonly root: number | null;
  readonly userRoot: number | null;
  readonly gdt: readonly number[];
  /** Its `vcpu_info` was not in the shared page. */
  readonly ownInfo: boolean;
  readonly traps: readonly TrapHandler[];
  readonly callbacks: Readonly<Record<CallbackName, Callback>>;
  readonly kernelStack: number;
  readonly kernelStackSelector: number;
  readonly kernelMode: boolean;
  readonly ldt: { readonly address: number; readonly entries: number };
  readonly taskSwitched: boolean;
  readonly cr4: number;
  readonly iopl: number;
}

interface SavedImage {
  readonly model: DataModel;
  readonly name: string;
  readonly maxPages: number;
  readonly vmAssist: bigint;
  readonly sharedInfo: Uint8Array;
  readonly startInfo: number;
  readonly p2m:
    | { readonly root: number; readonly address: number; readonly entries: number }
    | null;
  readonly frames: readonly SavedFrame[];
  readonly vcpus: readonly SavedVcpu[];
}

/** The channels that the restored domain is given. */
export interface RestoredPorts {
  readonly consolePort: EventPort;
  readonly storePort: EventPort;
}

/** The frames that a restored domain shares with its console and its store. */
export interface RestoredFrames {
  readonly consoleFrame: MachineFrame;
  readonly storeFrame: MachineFrame;
}

/** What a record says that a domain must be made with. */
export interface ImageSummary {
  readonly model: DataModel;
  readonly name: string;
  readonly vcpus: number;
  readonly maxPages: number;
}

/** Name and size of the domain in a record; throws `SnapshotError` if it is none. */
export function imageSummary(record: SnapshotRecord): ImageSummary {
  const { model, name, vcpus, maxPages } = imageOf(record);
  return { model, name, vcpus: vcpus.length, maxPages };
}

/** The record of a domain that shut down with reason `suspend`. Its virtual CPUs must be off the physical ones. */
export function saveImage(parts: ImageParts, domain: Domain): SnapshotRecord {
  invariant(domain.shutdown === "suspend", `${domain.name} has not suspended itself`);
  const { frames, memory, map } = parts;
  const pfns = new Map<number, number>();
  for (const frame of frames.framesOf(domain.id)) {
    const pfn = map.pfnOf(frame);
    if (pfn < PFN_LIMIT && (frames.flags[frame] & FrameFlag.allocated) !== 0) pfns.set(frame, pfn);
  }
  pfns.set(domain.sharedInfo, SHARED_PFN);
  const pfnOf = (frame: MachineFrame | null) => frame === null ? null : pfns.get(frame) ?? null;
  const sharedInfo = new Uint8Array(PAGE_BYTES);
  memory.readBytes(domain.sharedInfo, 0, sharedInfo);
  const saved: SavedFrame[] = [];
  for (const [number, pfn] of pfns) {
    const frame = number as MachineFrame;
    if (pfn === SHARED_PFN) continue;
    const bytes = new Uint8Array(PAGE_BYTES);
    memory.readBytes(frame, 0, bytes);
    const type = frames.typeCount[frame] > 0 ? frames.type[frame] : FrameType.none;
    const level = levelOf(type);
    if (level > 0) translate(bytes, (each) => pfns.get(each) ?? null);
    saved.push({ pfn, level, pinned: (frames.flags[frame] & FrameFlag.pinned) !== 0, bytes });
  }
  const [first] = domain.vcpus;
  const startInfo = Number(openCpuState(first.registers.buffer as ArrayBuffer, 0).rdx);
  const state: SavedImage = {
    model: domain.model,
    name: domain.name,
    maxPages: domain.maxPages,
    vmAssist: domain.vmAssist,
    sharedInfo,
    startInfo: pfns.get(startInfo) ?? 0,
    p2m: listPlace(domain.model, sharedInfo, pfns),
    frames: saved,
    vcpus: domain.vcpus.map((vcpu) => saveVcpu(vcpu, domain.sharedInfo, pfnOf)),
  };
  return { kind: "pvDomain", version: 2, state: state as unknown as SnapshotRecord["state"] };
}

/** Fills `domain`, new and without memory, from a record; it is ready to be unpaused. Throws `RangeError` for lack of memory. */
export function loadImage(
  parts: ImageParts,
  domain: Domain,
  record: SnapshotRecord,
  ports: RestoredPorts,
): RestoredFrames {
  const image = imageOf(record);
  const { reservations, map, memory, tables } = parts;
  const frames = new Map<number, MachineFrame>([[SHARED_PFN, domain.sharedInfo]]);
  for (const { pfn } of image.frames) {
    const frame = reservations.populate(domain);
    if (isErrno(frame)) {
      throw new RangeError(
        `the machine has no memory left for ${image.frames.length} pages of ${image.name}`,
      );
    }
    frames.set(pfn, frame);
    map.setPfn(frame, pfn);
  }
  for (const { pfn, level, bytes } of image.frames) {
    const copy = bytes.slice();
    if (level > 0) translate(copy, (each) => frames.get(each) ?? null);
    memory.writeBytes(frames.get(pfn)!, 0, copy);
  }
  writeList(parts, image, frames);
  for (const { pfn, level, pinned } of image.frames) {
    if (!pinned) continue;
    const failed = tables.pin(domain, level as 1 | 2 | 3 | 4, frames.get(pfn)!);
    invariant(failed === 0, `page table ${pfn} of ${image.name} does not fit: ${failed}`);
  }
  domain.vmAssist = image.vmAssist;
  restoreSharedInfo(parts, domain, image);
  domain.vcpus.forEach((vcpu, i) => loadVcpu(parts, vcpu, image.vcpus[i], frames));
  return restoreStartInfo(parts, domain, image, frames, ports);
}

function imageOf(record: SnapshotRecord): SavedImage {
  return expectRecord(record, "pvDomain", 2) as unknown as SavedImage;
}

/** Replaces the frame of each present entry of a table; an entry without replacement becomes absent. */
function translate(bytes: Uint8Array, of: (frame: number) => number | null): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index < TABLE_ENTRIES; index++) {
    const at = index * ENTRY_BYTES;
    const low = view.getUint32(at, true);
    if ((low & Pte.P) === 0) continue;
    const high = view.getUint32(at + 4, true);
    // What the hypervisor's own entries name are no frames of the guest's.
    const frame = of(frameOf(low, high));
    view.setUint32(at, frame === null ? 0 : entryLow(frame, low & 0xfff), true);
    view.setUint32(at + 4, frame === null ? 0 : entryHigh(frame, high & 0xfff0_0000), true);
  }
}

/** Where the guest keeps its list of machine frames, if it said so. */
function listPlace(
  model: DataModel,
  sharedInfo: Uint8Array,
  pfns: ReadonlyMap<number, number>,
): SavedImage["p2m"] {
  const list = LISTS[model];
  const { max_pfn } = SHARED_INFO[model];
  const view = new DataView(sharedInfo.buffer, sharedInfo.byteOffset);
  const long = (at: number) =>
    model === "lp64" ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
  const root = pfns.get(list.frameOfCr3(long(max_pfn + list.cr3)));
  if (root === undefined) return null;
  return {
    root,
    address: linearNumber(long(max_pfn + list.address)),
    entries: Number(long(max_pfn)),
  };
}

/** Writes the new machine frames into the guest's own list. */
function writeList(
  { memory }: ImageParts,
  { p2m, model }: SavedImage,
  frames: ReadonlyMap<number, MachineFrame>,
): void {
  if (p2m === null) return;
  const root = frames.get(p2m.root)!;
  const space = GUEST_SPACES[model];
  const { entryBytes } = LISTS[model];
  const perPage = PAGE_BYTES / entryBytes;
  for (let first = 0; first < Math.min(p2m.entries, PFN_LIMIT); first += perPage) {
    const place = lastLevelEntry(memory, space, root, p2m.address + entryBytes * first);
    if (place === null) continue;
    const at = place.index * ENTRY_BYTES;
    const low = memory.read32(place.table, at);
    if ((low & Pte.P) === 0) continue;
    const page = frameOf(low, memory.read32(place.table, at + 4)) as MachineFrame;
    for (let i = 0; i < perPage && first + i < p2m.entries; i++) {
      // Flags are an entry's highest bits.
      const high = memory.read32(page, entryBytes * (i + 1) - 4);
      const frame = frames.get(first + i);
      if ((high & NO_FRAME_HIGH) !== 0 || frame === undefined) continue;
      memory.write32(page, entryBytes * i, frame);
      if (entryBytes === 8) memory.write32(page, entryBytes * i + 4, 0);
    }
  }
}

/** The shared page as a domain finds it that wakes up: no event is pending, every channel masked. */
function restoreSharedInfo(
  { memory }: ImageParts,
  domain: Domain,
  { sharedInfo }: SavedImage,
): void {
  const fresh = new Uint8Array(PAGE_BYTES);
  memory.readBytes(domain.sharedInfo, 0, fresh);
  const bytes = sharedInfo.slice();
  const places = SHARED_INFO[domain.model];
  const { pending_sel, time } = VCPU_INFO[domain.model];
  const longBytes = TWO_LEVEL[domain.model].wordBits / 8;
  const clear = (at: number, count: number, value = 0) => bytes.fill(value, at, at + count);
  const renew = (from: number, to: number) => bytes.set(fresh.subarray(from, to), from);
  clear(places.evtchn_pending, places.evtchn_mask - places.evtchn_pending);
  clear(places.evtchn_mask, places.wc_version - places.evtchn_mask, 0xff);
  clear(places.pfn_to_mfn_frame_list_list, longBytes);
  renew(places.wc_version, places.wc_nsec + 4);
  renew(places.wc_sec_hi, places.wc_sec_hi + 4);
  domain.vcpus.forEach((_, i) => {
    const at = places.vcpu_info + i * VCPU_INFO_BYTES;
    clear(at + pending_sel, longBytes);
    renew(at + time, at + VCPU_INFO_BYTES);
  });
  memory.writeBytes(domain.sharedInfo, 0, bytes);
}

function restoreStartInfo(
  { memory }: ImageParts,
  domain: Domain,
  image: SavedImage,
  frames: ReadonlyMap<number, MachineFrame>,
  { consolePort, storePort }: RestoredPorts,
): RestoredFrames {
  const at = frames.get(image.startInfo);
  invariant(at !== undefined, `${image.name} suspended without its start information`);
  const { model } = image;
  const bytes = new Uint8Array(start_info.sizeBytes(model));
  memory.readBytes(at, 0, bytes);
  // The guest left pseudo-physical numbers there.
  const { console_mfn, store_mfn } = start_info.read(bytes, 0, model);
  const consoleFrame = frames.get(console_mfn);
  const storeFrame = frames.get(store_mfn);
  invariant(consoleFrame && storeFrame, `${image.name} does not say where its rings are`);
  start_info.write(
    bytes,
    {
      nr_pages: BigInt(image.frames.length),
      shared_info: BigInt(domain.sharedInfo) << CR3_SHIFT,
      flags: 0,
      console_mfn: consoleFrame,
      console_evtchn: consolePort,
      store_mfn: storeFrame,
      store_evtchn: storePort,
    },
    0,
    model,
  );
  memory.writeBytes(at, 0, bytes);
  const first = openCpuState(domain.vcpus[0].registers.buffer as ArrayBuffer, 0);
  first.rdx = BigInt(at);
  return { consoleFrame, storeFrame };
}

function saveVcpu(
  vcpu: Vcpu,
  sharedInfo: MachineFrame,
  pfnOf: (frame: MachineFrame | null) => number | null,
): SavedVcpu {
  const { info, traps, callbacks, ldt, taskSwitched, cr4, iopl } = vcpu;
  const { kernelStack, kernelStackSelector, kernelMode } = vcpu;
  return {
    up: vcpu.up,
    initialised: vcpu.initialised,
    registers: vcpu.registers.slice(),
    root: pfnOf(vcpu.root),
    userRoot: pfnOf(vcpu.userRoot),
    gdt: vcpu.gdtFrames.map((frame) => pfnOf(frame) ?? 0),
    ownInfo: info !== null && info.frame !== sharedInfo,
    traps: [...traps],
    callbacks: { ...callbacks },
    kernelStack,
    kernelStackSelector,
    kernelMode,
    ldt: { ...ldt },
    taskSwitched,
    cr4,
    iopl,
  };
}

function loadVcpu(
  parts: ImageParts,
  vcpu: Vcpu,
  saved: SavedVcpu,
  frames: ReadonlyMap<number, MachineFrame>,
): void {
  const { tables } = parts;
  const { kernelStack, kernelStackSelector, kernelMode } = saved;
  const { taskSwitched, cr4, iopl, initialised } = saved;
  Object.assign(vcpu, { kernelStack, kernelStackSelector, kernelMode });
  Object.assign(vcpu, { taskSwitched, cr4, iopl, initialised });
  vcpu.traps.splice(0, vcpu.traps.length, ...saved.traps);
  Object.assign(vcpu.callbacks, saved.callbacks);
  vcpu.registers.set(saved.registers);
  const gdt = saved.gdt.map((pfn) => frames.get(pfn) ?? -1);
  const done = [
    tables.setGdt(vcpu, gdt, gdt.length * TABLE_ENTRIES),
    saved.root === null ? 0 : tables.setRoot(vcpu, frames.get(saved.root)!),
    saved.userRoot === null ? 0 : tables.setUserRoot(vcpu, frames.get(saved.userRoot)!),
    tables.setLdt(vcpu, saved.ldt.address, saved.ldt.entries),
  ];
  invariant(done.every((each) => each === 0), `${vcpu.name} does not fit: ${done.join(", ")}`);
  // A 32-bit guest has one root for kernel and programs.
  const root = kernelMode || vcpu.domain.model === "ilp32" ? vcpu.root : vcpu.userRoot;
  const state = openCpuState(vcpu.registers.buffer as ArrayBuffer, 0);
  if (root !== null) state.cr3 = BigInt(tables.baseOf(vcpu, root)) << CR3_SHIFT;
  // A guest that had its words elsewhere registers them again; until then nothing must disturb it.
  if (saved.ownInfo) parts.upcalls.mask(vcpu, true);
  if (saved.up) parts.bringUp(vcpu);
}
