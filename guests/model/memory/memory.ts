/**
 * The memory of a modelled kernel's processes: address spaces, page faults, fork with copy-on-write, mapped files, and the
 * caches that a process finds filled by others when its turn comes.
 */

import {
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments } from "../kernel/action.ts";
import { ERRNO } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelCpu } from "../kernel/kernel_cpu.ts";
import {
  AGAIN,
  BLOCKED,
  type CallContext,
  type KernelModule,
  type Outcome,
} from "../kernel/module.ts";
import type { Process } from "../kernel/process.ts";
import {
  type AddressSpace,
  type Area,
  areaOf,
  newArea,
  PAGE_BYTES,
  restoreSpace,
  saveSpace,
} from "./address_space.ts";
import { type Frame, Frames } from "./frames.ts";
import { imageAreas, MAPPINGS } from "./layout.ts";
import { type FilePages, isPresent, PageFaults } from "./page_faults.ts";
import { PageOut } from "./page_out.ts";
import { WorkingSets } from "./working_sets.ts";

/** Cycles of the kernel's own instructions. */
const WORK = {
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

/** Pages that are used in one go; then interrupts and other CPUs get in between. */
const PAGES_AT_ONCE = 256;

/** See the module comment. */
export class Memory implements KernelModule {
  readonly name = "memory";
  readonly calls = {
    /** Not of any kernel: what a program's own instructions do. `{ address, bytes, write, scattered? }`. */
    touch: (context: CallContext, args: Arguments) => this.#touch(context, args),
    /** `{ pages, file?, offset?, shared?, readOnly? }`: returns the address. */
    mmap: (context: CallContext, args: Arguments) => this.#map(context, args),
    /** `{ address }`: the whole area that begins there. */
    munmap: (context: CallContext, args: Arguments) => this.#unmap(context, args),
    /** `{ address, writable }`: the whole area that begins there. */
    mprotect: (context: CallContext, args: Arguments) => this.#protect(context, args),
  };
  readonly frames: Frames;
  readonly pageOut: PageOut;
  /** A process did what its memory does not allow. */
  onViolation: (process: Process) => void = () => {};
  /** A page that nobody gets: the process cannot go on. */
  onExhausted: (process: Process) => void = () => {};
  /** Where pages of files come from; at first, a cache that holds every page of every file. */
  files: FilePages;
  readonly #spaces = new Map<number, AddressSpace>();
  readonly #faults: PageFaults;
  readonly #sets: WorkingSets;

  /** `seed` decides which frames are handed out first. */
  constructor(private readonly kernel: Kernel, pages: number, seed: number) {
    this.frames = new Frames(pages, seed);
    this.files = new EverythingCached(this.frames);
    this.pageOut = new PageOut(kernel, this.frames, this.#spaces);
    this.#faults = new PageFaults(kernel, this.frames, this.pageOut, () => this.files);
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
    kernel.containers.of(child).mapped += mappedPages(to);
    kernel.charge("spacesMade");
    kernel.charge("tablesMade", to.tables.length);
    kernel.charge("clearedPages", to.tables.length);
    kernel.charge("spaceFlushes");
  }

  executed(process: Process): void {
    if (process.memory !== process.pid) {
      process.memory = process.pid;
    } else this.#freeSpace(process);
    this.#spaces.set(process.pid, this.#newSpace(process));
    this.kernel.charge("spacesMade");
    this.kernel.charge("addressSpaceSwitch");
  }

  exited(process: Process): void {
    if (process.memory === process.pid) this.#freeSpace(process);
  }

  switched(cpu: KernelCpu, from: Process | null, to: Process): void {
    if (from?.memory !== to.memory) this.#sets.enterSpace(cpu, to.memory);
    this.#sets.useOwn(cpu, this.#spaces.get(to.memory)!);
  }

  save(): SnapshotRecord {
    const spaces = [...this.#spaces].map(([pid, space]) => ({ pid, space: saveSpace(space) }));
    return {
      kind: "memory",
      version: 1,
      state: {
        spaces,
        frames: { ...this.frames.save() },
        pageOut: this.pageOut.save(),
        sets: { ...this.#sets.save() },
        files: this.files instanceof EverythingCached ? this.files.save() : null,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "memory", 1);
    this.frames.restore(state.frames as unknown as SnapshotRecord);
    this.pageOut.restore(state.pageOut as unknown as ReturnType<PageOut["save"]>);
    this.#sets.restore(state.sets as unknown as SnapshotRecord);
    if (this.files instanceof EverythingCached) this.files.restore(state.files);
    this.#spaces.clear();
    for (
      const { pid, space } of state.spaces as unknown as { pid: number; space: SnapshotValue }[]
    ) {
      this.#spaces.set(pid, restoreSpace(space));
    }
  }

  #touch({ kernel, cpu, process, state }: CallContext, args: Arguments): Outcome {
    const [address, bytes] = [Number(args.address), Number(args.bytes)];
    const [write, scattered] = [Boolean(args.write), Boolean(args.scattered)];
    const space = this.#spaces.get(process.memory)!;
    const begin = Math.floor(address / PAGE_BYTES);
    const last = Math.floor((address + Math.max(1, bytes) - 1) / PAGE_BYTES);
    const first = state.page as number ?? begin;
    let area: Area | null = null;
    for (let page = first; page <= last; page++) {
      state.page = page;
      if (page - first === PAGES_AT_ONCE) return AGAIN;
      if (!area || page >= area.start + area.pages) area = areaOf(space, page);
      if (!area || (write && !area.writable)) {
        kernel.charge("fault");
        kernel.work(WORK.badFault);
        kernel.charge("locked", 2);
        this.onViolation(process);
        return ERRNO.EFAULT;
      }
      const index = page - area.start;
      if (!isPresent(area, index, write)) {
        const presence = this.#faults.makePresent(process, space, area, index, write);
        if (presence === "asleep") return BLOCKED;
        if (presence === "hopeless") {
          this.onExhausted(process);
          return ERRNO.ENOMEM;
        }
      }
      if (page === first) this.#sets.translate(cpu, area, last - first + 1);
      const left = bytes - (page - begin) * PAGE_BYTES;
      this.#sets.use(cpu, area, index, Math.min(left, PAGE_BYTES), scattered);
    }
    return 0;
  }

  /** The area of a forked process: what was writable is shared until one of them writes (`copy_page_range`). */
  #copyArea(area: Area): Area {
    const { kernel, pageOut } = this;
    kernel.work(WORK.areaCopied);
    kernel.charge("locked", 4);
    for (const entry of area.frames) if (entry !== 0) pageOut.share(entry);
    if (area.resident > 0) {
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
    const [frames, writes, used] = [area.frames.slice(), area.writes.slice(), area.used.slice()];
    return { ...area, frames, writes, used, usedAt: -1 };
  }

  #freeSpace(process: Process): void {
    const { kernel } = this;
    const space = this.#spaces.get(process.pid);
    if (!space) return;
    this.#spaces.delete(process.pid);
    kernel.containers.of(process).mapped -= mappedPages(space);
    for (const area of space.areas) {
      this.#freeArea(area);
      kernel.charge("droppedEntries", area.resident);
    }
    for (const frame of space.own) this.frames.drop(frame);
    kernel.charge("tablesFreed", space.tables.length);
    kernel.charge("spacesFreed");
    this.pageOut.lend();
  }

  /** Drops the pages of an area; its entries are the caller's to price. */
  #freeArea(area: Area): void {
    const { kernel, pageOut } = this;
    kernel.work(WORK.areaFreed);
    for (const entry of area.frames) if (entry !== 0) pageOut.drop(entry);
    if (area.resident === 0) return;
    kernel.work(WORK.entryDropped * area.resident);
    kernel.charge("lineRefills", area.resident);
    kernel.charge("locked", area.resident);
  }

  #newSpace(process: Process): AddressSpace {
    const { image, name } = this.kernel.programs.get(process.program);
    return { areas: imageAreas(name, image), tables: [], own: this.#ownPages() };
  }

  #ownPages(): Frame[] {
    return Array.from({ length: OWN_PAGES }, () => this.pageOut.take())
      .filter((frame) => typeof frame === "number");
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
    const container = kernel.containers.of(process);
    if (container.mapped + pages > container.mappedPages) return ERRNO.ENOMEM;
    if (file === "" && pages > this.pageOut.available) return ERRNO.ENOMEM;
    const kind = file === "" ? "anonymous" : args.shared ? "shared" : "private";
    const offset = Number(args.offset ?? 0);
    container.mapped += pages;
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
    kernel.containers.of(process).mapped -= area.pages;
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

/** Pages that a process has mapped itself. */
function mappedPages({ areas }: AddressSpace): number {
  return areas.reduce((sum, { start, pages }) => {
    return start >= MAPPINGS.start && start < MAPPINGS.end ? sum + pages : sum;
  }, 0);
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
