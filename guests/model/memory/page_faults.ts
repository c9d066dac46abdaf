/** Page faults: pages that are not there yet, that are shared until somebody writes, or that were swapped out. */

import type { Kernel } from "../kernel/kernel.ts";
import type { Process } from "../kernel/process.ts";
import { type AddressSpace, type Area, makeTable } from "./address_space.ts";
import type { Frame, Frames } from "./frames.ts";
import { type PageOut, SWAPPED, type Taken } from "./page_out.ts";

/** Cycles of the kernel's own instructions. */
const WORK = { anonymous: 1200, file: 1700, copy: 1100, swapIn: 2600 };

/** Where pages of files come from. */
export interface FilePages {
  /** The frame that holds a page of a file, in the page cache already or brought there; 0 if memory is full. */
  frameOf(file: string, page: number): Frame;
}

/**
 * What became of a fault: the page is there, or the process sleeps and tries again, or there is no memory for it and never
 * will be.
 */
export type Presence = "present" | "asleep" | "hopeless";

/** Whether a page can be used as it is; it counts as used. */
export function isPresent({ frames, writes, used }: Area, index: number, write: boolean): boolean {
  const entry = frames[index];
  used[index] = 1;
  return entry !== 0 && entry < SWAPPED && (!write || writes[index] === 1);
}

/** See the module comment. */
export class PageFaults {
  constructor(
    private readonly kernel: Kernel,
    private readonly frames: Frames,
    private readonly pageOut: PageOut,
    /** Who has the files is asked each time: it may change. */
    private readonly files: () => FilePages,
  ) {}

  /** Has a page of `area` there that is not ({@link isPresent}), writable if need be. */
  makePresent(
    process: Process,
    space: AddressSpace,
    area: Area,
    index: number,
    write: boolean,
  ): Presence {
    const entry = area.frames[index];
    const { kernel } = this;
    kernel.charge("fault");
    kernel.charge("calls", 6);
    kernel.charge("locked", 6);
    if (entry >= SWAPPED) return this.#swapIn(process, area, index);
    if (entry !== 0) return this.#breakSharing(process, area, index);
    if (makeTable(space, area.start + index)) {
      kernel.charge("tablesMade");
      kernel.charge("clearedPages");
    }
    const found = this.#pageFor(area, index, write);
    if (typeof found === "string") return this.#without(process, found);
    area.frames[index] = found;
    area.writes[index] = area.writable && (write || area.kind !== "private") ? 1 : 0;
    area.resident++;
    kernel.charge("entryWrites");
    return "present";
  }

  /** The frame for a page that is not there. */
  #pageFor(area: Area, index: number, write: boolean): Taken {
    const { kernel } = this;
    if (area.kind === "anonymous") {
      kernel.work(WORK.anonymous);
      kernel.charge("clearedPages");
      return this.pageOut.take();
    }
    kernel.work(WORK.file);
    const frame = this.files().frameOf(area.file, area.offset + index);
    if (frame === 0) return "none";
    if (area.kind === "private" && write) {
      kernel.work(WORK.copy);
      kernel.charge("copiedPages");
      return this.pageOut.take();
    }
    this.frames.share(frame);
    return frame;
  }

  /** A write to a page that is there for reading only: alone with it, or a copy (`do_wp_page`). */
  #breakSharing(process: Process, area: Area, index: number): Presence {
    const { kernel, frames } = this;
    kernel.work(WORK.copy);
    const frame = area.frames[index];
    if (frames.references(frame) > 1) {
      const copy = this.pageOut.take();
      if (typeof copy === "string") return this.#without(process, copy);
      kernel.charge("copiedPages");
      frames.drop(frame);
      area.frames[index] = copy;
    }
    area.writes[index] = 1;
    kernel.charge("entryWrites");
    kernel.charge("pageFlushes");
    return "present";
  }

  /** The page is read, and the process tries again when it is there (`do_swap_page`). */
  #swapIn(process: Process, area: Area, index: number): Presence {
    const { kernel } = this;
    kernel.work(WORK.swapIn);
    const frame = this.pageOut.take();
    if (typeof frame === "string") return this.#without(process, frame);
    this.pageOut.awaitPage(process, area.frames[index]);
    this.pageOut.drop(area.frames[index]);
    area.frames[index] = frame;
    area.writes[index] = area.writable ? 1 : 0;
    area.resident++;
    kernel.charge("entryWrites");
    return "asleep";
  }

  #without(process: Process, why: "wait" | "none"): Presence {
    if (why === "none") return "hopeless";
    this.kernel.sleepUntil(process, this.kernel.now + 1);
    return "asleep";
  }
}
