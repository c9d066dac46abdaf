/**
 * The memory of a modelled kernel's processes: address spaces, page faults, fork with copy-on-write, mapped files, and the
 * caches that a process finds filled by others when its turn comes.
 */

import {
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Action, Arguments } from "../kernel/action.ts";
import { ERRNO } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelCpu } from "../kernel/kernel_cpu.ts";
import type { CallContext, KernelModule, Outcome } from "../kernel/module.ts";
import type { Process } from "../kernel/process.ts";
import {
  type AddressSpace,
  type Area,
  areaOf,
  makeTable,
  newArea,
  PAGE_BYTES,
  restoreSpace,
  saveSpace,
} from "./address_space.ts";
import { type Frame, Frames } from "./frames.ts";
import { imageAreas, MAPPINGS } from "./layout.ts";
import { WorkingSets } from "./working_sets.ts";

/** Cycles of the kernel's own instructions. */
const WORK = {
  fault: 1200,
  fileFault: 1700,
  copyFault: 1100,
  badFault: 420,
  areaCopied: 900,
  areaFreed: 450,
  entryCopied: 45,
  entryDropped: 60,
  map: 2200,
  unmap: 2600,
  protect: 1500,
};
/** Pages of the kernel's for each process: two of stack, two of descriptors and tables. */
const OWN_PAGES = 4;

/** Where pages of files come from. */
export interface FilePages {
  /** The frame that holds a page of a file, in the page cache already or brought there; 0 if memory is full. */
  frameOf(file: string, page: number): Frame;
}

/** See the module comment. */
export class Memory implements KernelModule {
  readonly name = "memory";
  readonly calls = {
    /** `{ pages, file?, offset?, shared?, readOnly? }`: returns the address. */
    mmap: (context: CallContext, args: Arguments) => this.#map(context, args),
    /** `{ address }`: the whole area that begins there. */
    munmap: (context: CallContext, args: Arguments) => this.#unmap(context, args),
    /** `{ address, writable }`: the whole area that begins there. */
    mprotect: (context: CallContext, args: Arguments) => this.#protect(context, args),
  };
  readonly frames: Frames;
  /** Asked for pages when there are none left: the page cache, then swapping. Returns how many became free. */
  reclaim: (pages: number) => number = () => 0;
  /** A process did what its memory does not allow. */
  onViolation: (process: Process) => void = () => {};
  /** A page that nobody gets: the process cannot go on. */
  onExhausted: (process: Process) => void = () => {};
  /** Where pages of files come from; at first, a cache that holds every page of every file. */
  files: FilePages;
  readonly #spaces = new Map<number, AddressSpace>();
  readonly #sets: WorkingSets;

  /** `seed` decides which frames are handed out first. */
  constructor(private readonly kernel: Kernel, pages: number, seed: number) {
    this.frames = new Frames(pages, seed);
    this.files = new EverythingCached(this.frames);
    this.#sets = new WorkingSets(kernel);
  }

  /** Pages of `process` that are in memory. */
  resident(process: Process): number {
    const areas = this.#spaces.get(process.memory)?.areas ?? [];
    return areas.reduce((sum, { resident }) => sum + resident, 0);
  }

  started(process: Process): void {
    this.#spaces.set(process.pid, this.#newSpace(process));
  }

  forked(parent: Process, child: Process): void {
    if (parent.memory === child.memory) return;
    const { kernel } = this;
    const from = this.#spaces.get(parent.memory)!;
    const areas = from.areas.map((area) => this.#copyArea(area));
    const to: AddressSpace = { areas, tables: [...from.tables], own: this.#ownPages() };
    this.#spaces.set(child.pid, to);
    kernel.charge("spacesMade");
    kernel.charge("tablesMade", to.tables.length);
    kernel.charge("clearedPages", to.tables.length);
    kernel.charge("spaceFlushes");
  }

  executed(process: Process): void {
    if (process.memory !== process.pid) {
      process.memory = process.pid;
    } else this.#freeSpace(process.pid);
    this.#spaces.set(process.pid, this.#newSpace(process));
    this.kernel.charge("spacesMade");
    this.kernel.charge("addressSpaceSwitch");
  }

  exited(process: Process): void {
    if (process.memory === process.pid) this.#freeSpace(process.pid);
  }

  switched(cpu: KernelCpu, from: Process | null, to: Process): void {
    if (from?.memory !== to.memory) this.#sets.enterSpace(cpu, to.memory);
    this.#sets.useOwn(cpu, this.#spaces.get(to.memory)!);
  }

  touched(cpu: KernelCpu, process: Process, what: Action & { does: "touch" }): void {
    const { address, bytes, write } = what;
    const space = this.#spaces.get(process.memory)!;
    const last = Math.floor((address + Math.max(1, bytes) - 1) / PAGE_BYTES);
    const first = Math.floor(address / PAGE_BYTES);
    let left = bytes;
    for (let page = first; page <= last; page++) {
      const area = areaOf(space, page);
      if (!area || (write && !area.writable)) {
        this.kernel.charge("fault");
        this.kernel.work(WORK.badFault);
        this.kernel.charge("locked", 2);
        return this.onViolation(process);
      }
      if (!this.#makePresent(process, space, area, page - area.start, write)) return;
      if (page === first) this.#sets.translate(cpu, area, last - first + 1);
      this.#sets.use(cpu, area, page - area.start, Math.min(left, PAGE_BYTES));
      left -= PAGE_BYTES;
    }
  }

  save(): SnapshotRecord {
    const spaces = [...this.#spaces].map(([pid, space]) => ({ pid, space: saveSpace(space) }));
    return {
      kind: "memory",
      version: 1,
      state: {
        spaces,
        frames: { ...this.frames.save() },
        sets: { ...this.#sets.save() },
        files: this.files instanceof EverythingCached ? this.files.save() : null,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "memory", 1);
    this.frames.restore(state.frames as unknown as SnapshotRecord);
    this.#sets.restore(state.sets as unknown as SnapshotRecord);
    if (this.files instanceof EverythingCached) this.files.restore(state.files);
    this.#spaces.clear();
    for (
      const { pid, space } of state.spaces as unknown as { pid: number; space: SnapshotValue }[]
    ) {
      this.#spaces.set(pid, restoreSpace(space));
    }
  }

  /** Has the page there, writable if need be; false if `process` cannot go on. */
  #makePresent(
    process: Process,
    space: AddressSpace,
    area: Area,
    index: number,
    write: boolean,
  ): boolean {
    const frame = area.frames[index];
    if (frame !== 0 && (!write || area.writes[index] === 1)) return true;
    const { kernel } = this;
    kernel.charge("fault");
    kernel.charge("calls", 6);
    kernel.charge("locked", 6);
    if (frame !== 0) return this.#breakSharing(process, area, index);
    if (makeTable(space, area.start + index)) {
      kernel.charge("tablesMade");
      kernel.charge("clearedPages");
    }
    const found = this.#pageFor(area, index, write);
    if (found === 0) {
      this.onExhausted(process);
      return false;
    }
    area.frames[index] = found;
    area.writes[index] = area.writable && (write || area.kind !== "private") ? 1 : 0;
    area.resident++;
    kernel.charge("entryWrites");
    return true;
  }

  /** The frame for a page that is not there; 0 if memory is full. */
  #pageFor(area: Area, index: number, write: boolean): Frame {
    const { kernel } = this;
    if (area.kind === "anonymous") {
      kernel.work(WORK.fault);
      kernel.charge("clearedPages");
      return this.#take();
    }
    kernel.work(WORK.fileFault);
    const frame = this.files.frameOf(area.file, area.offset + index);
    if (frame === 0) return 0;
    if (area.kind === "private" && write) {
      kernel.work(WORK.copyFault);
      kernel.charge("copiedPages");
      return this.#take();
    }
    this.frames.share(frame);
    return frame;
  }

  /** A write to a page that is there for reading only: alone with it, or a copy (`do_wp_page`). */
  #breakSharing(process: Process, area: Area, index: number): boolean {
    const { kernel, frames } = this;
    kernel.work(WORK.copyFault);
    const frame = area.frames[index];
    if (frames.references(frame) > 1) {
      const copy = this.#take();
      if (copy === 0) {
        this.onExhausted(process);
        return false;
      }
      kernel.charge("copiedPages");
      frames.drop(frame);
      area.frames[index] = copy;
    }
    area.writes[index] = 1;
    kernel.charge("entryWrites");
    kernel.charge("pageFlushes");
    return true;
  }

  #take(): Frame {
    const frame = this.frames.take();
    if (frame !== 0) return frame;
    return this.reclaim(1) > 0 ? this.frames.take() : 0;
  }

  /** The area of a forked process: what was writable is shared until one of them writes (`copy_page_range`). */
  #copyArea(area: Area): Area {
    const { kernel, frames } = this;
    const copy: Area = { ...area, frames: area.frames.slice(), writes: area.writes, usedAt: -1 };
    kernel.work(WORK.areaCopied);
    kernel.charge("locked", 4);
    if (area.resident > 0) {
      for (const frame of area.frames) if (frame !== 0) frames.share(frame);
      kernel.work(WORK.entryCopied * area.resident);
      // The kernel's record of each page is a line of its own.
      kernel.charge("lineRefills", area.resident);
      kernel.charge("newEntries", area.resident);
      kernel.charge("locked", area.resident);
    }
    if (area.kind !== "shared") {
      let protectedPages = 0;
      for (let i = 0; i < area.pages; i++) protectedPages += area.writes[i];
      area.writes.fill(0);
      kernel.charge("entryBatch", protectedPages);
    }
    return { ...copy, writes: area.writes.slice() };
  }

  #freeSpace(pid: number): void {
    const { kernel } = this;
    const space = this.#spaces.get(pid);
    if (!space) return;
    this.#spaces.delete(pid);
    for (const area of space.areas) {
      this.#freeArea(area);
      kernel.charge("droppedEntries", area.resident);
    }
    for (const frame of space.own) this.frames.drop(frame);
    kernel.charge("tablesFreed", space.tables.length);
    kernel.charge("spacesFreed");
  }

  /** Drops the pages of an area; its entries are the caller's to price. */
  #freeArea(area: Area): void {
    const { kernel, frames } = this;
    kernel.work(WORK.areaFreed);
    if (area.resident === 0) return;
    for (const frame of area.frames) if (frame !== 0) frames.drop(frame);
    kernel.work(WORK.entryDropped * area.resident);
    kernel.charge("lineRefills", area.resident);
    kernel.charge("locked", area.resident);
  }

  #newSpace(process: Process): AddressSpace {
    const { image, name } = this.kernel.programs.get(process.program);
    return { areas: imageAreas(name, image), tables: [], own: this.#ownPages() };
  }

  #ownPages(): Frame[] {
    return Array.from({ length: OWN_PAGES }, () => this.#take()).filter((frame) => frame !== 0);
  }

  #map({ kernel, process }: CallContext, args: Arguments): Outcome {
    kernel.work(WORK.map);
    kernel.charge("locked", 4);
    kernel.charge("calls", 8);
    const pages = Number(args.pages);
    if (!(pages > 0) || !Number.isSafeInteger(pages)) return ERRNO.EINVAL;
    const space = this.#spaces.get(process.memory)!;
    const start = placeFor(space, pages);
    if (start + pages > MAPPINGS.end) return ERRNO.ENOMEM;
    const file = args.file === undefined ? "" : String(args.file);
    const kind = file === "" ? "anonymous" : args.shared ? "shared" : "private";
    const offset = Number(args.offset ?? 0);
    space.areas.push(newArea({ start, pages, kind, file, offset, writable: !args.readOnly }));
    return start * PAGE_BYTES;
  }

  #unmap({ kernel, process }: CallContext, { address }: Arguments): Outcome {
    kernel.work(WORK.unmap);
    kernel.charge("locked", 4);
    const space = this.#spaces.get(process.memory)!;
    const place = space.areas.findIndex(({ start }) => start * PAGE_BYTES === address);
    if (place < 0) return ERRNO.EINVAL;
    const [area] = space.areas.splice(place, 1);
    this.#freeArea(area);
    if (area.resident > 0) {
      kernel.charge("entryBatch", area.resident);
      kernel.charge("spaceFlushes");
    }
    return 0;
  }

  #protect({ kernel, process }: CallContext, { address, writable }: Arguments): Outcome {
    kernel.work(WORK.protect);
    const space = this.#spaces.get(process.memory)!;
    const area = space.areas.find(({ start }) => start * PAGE_BYTES === address);
    if (!area) return ERRNO.ENOMEM;
    area.writable = Boolean(writable);
    if (!area.writable) area.writes.fill(0);
    kernel.charge("entryBatch", area.resident);
    kernel.charge("spaceFlushes");
    return 0;
  }
}

/** A gap of so many pages. */
function placeFor({ areas }: AddressSpace, pages: number): number {
  let start: number = MAPPINGS.start;
  const mapped = areas.filter((area) => area.start >= MAPPINGS.start && area.start < MAPPINGS.end);
  for (const area of mapped.sort((a, b) => a.start - b.start)) {
    if (start + pages <= area.start) break;
    start = area.start + area.pages;
  }
  return start;
}

/** The page cache of a kernel without a file system: whatever is read is there. */
class EverythingCached implements FilePages {
  readonly #pages = new Map<string, Map<number, Frame>>();

  constructor(private readonly frames: Frames) {}

  frameOf(file: string, page: number): Frame {
    let pages = this.#pages.get(file);
    if (!pages) this.#pages.set(file, pages = new Map());
    let frame = pages.get(page) ?? 0;
    if (frame === 0 && (frame = this.frames.take()) !== 0) pages.set(page, frame);
    return frame;
  }

  save(): SnapshotValue {
    return [...this.#pages].map(([file, pages]) => ({ file, pages: [...pages] }));
  }

  restore(saved: SnapshotValue): void {
    this.#pages.clear();
    for (
      const { file, pages } of saved as unknown as { file: string; pages: [number, Frame][] }[]
    ) {
      this.#pages.set(file, new Map(pages));
    }
  }
}
