/**
 * Who gets the memory when there is not enough: the page cache gives up what it has been lent, then processes' pages that were
 * not used for a while go to the swap area, as `kswapd` and `try_to_free_pages` of Linux 2.4.
 */

import type { Kernel } from "../kernel/kernel.ts";
import type { Process } from "../kernel/process.ts";
import type { AddressSpace, Area } from "./address_space.ts";
import type { Frame, Frames } from "./frames.ts";

/** The page cache, as far as memory is concerned: it holds pages of frames that are free otherwise. */
export interface PageLender {
  readonly size: number;
  limitPages: number;
  /** Lets go of up to so many pages; returns how many went. */
  reclaim(pages: number): number;
}

/** Where pages go that nobody has room for. */
export interface SwapDevice {
  readonly slots: number;
  /** Pages on their way. */
  readonly outstanding: number;
  /** Begins to write a page. */
  write(slot: number): void;
  /** Begins to read a page; the queue returned is woken when it is there. */
  read(slot: number): string;
}

/** What is in a page table's entry: a frame, or a slot of the swap area beyond this. */
export const SWAPPED = 2 ** 31;
/** Frames that stay free for the kernel's own needs. */
const RESERVE = 32;
/** What the page cache keeps whatever happens. */
const LEAST_CACHE = 128;
/** Pages that are looked for at a time (`SWAP_CLUSTER_MAX`), and pages on their way at most. */
const CLUSTER = 32;
const MOST_OUTSTANDING = 256;
/** Cycles of the kernel's own instructions, for each page looked at and for each that goes. */
const WORK = { look: 60, out: 1800 };

/** How a request for memory ended. */
export type Taken = Frame | "wait" | "none";

/** See the module comment. */
export class PageOut {
  cache: PageLender | null = null;
  #swap: SwapDevice | null = null;
  /** Entries that name each slot. */
  #slots = new Uint16Array(0);
  #nextSlot = 0;
  #usedSlots = 0;
  /** Where the search for pages goes on: a process, an area of its, a page. */
  #hand = { pid: 0, area: 0, page: 0 };

  constructor(
    private readonly kernel: Kernel,
    private readonly frames: Frames,
    private readonly spaces: ReadonlyMap<number, AddressSpace>,
  ) {}

  /** Slots in use. */
  get swappedPages(): number {
    return this.#usedSlots;
  }

  /** Pages that could still be had: free, lent to the page cache, or by swapping others (`vm_enough_memory`). */
  get available(): number {
    return this.frames.freeCount + (this.#swap ? this.#swap.slots - this.#usedSlots : 0);
  }

  /** Pages go to `device` from now on. */
  swapOn(device: SwapDevice): void {
    this.#swap = device;
    this.#slots = new Uint16Array(device.slots);
  }

  /** A frame; `wait`: there will be one soon; `none`: there is none and nothing to swap. */
  take(): Taken {
    const { frames, cache } = this;
    this.lend();
    if (frames.freeCount - (cache?.size ?? 0) > RESERVE) return frames.take();
    const excess = cache ? cache.size - LEAST_CACHE : 0;
    if (cache && excess > 0 && cache.reclaim(Math.min(excess, CLUSTER)) > 0) return frames.take();
    if (this.#swap && this.#swap.outstanding >= MOST_OUTSTANDING) return "wait";
    this.#freePages();
    return frames.freeCount - (cache?.size ?? 0) > 0 ? frames.take() : "none";
  }

  /** The page cache may have what nobody else has. */
  lend(): void {
    const { cache, frames } = this;
    if (cache) cache.limitPages = Math.max(LEAST_CACHE, frames.freeCount - RESERVE);
  }

  /** One more entry for a frame or a slot. */
  share(entry: number): void {
    if (entry < SWAPPED) this.frames.share(entry);
    else this.#slots[entry - SWAPPED]++;
  }

  /** One entry less. */
  drop(entry: number): void {
    if (entry < SWAPPED) {
      this.frames.drop(entry);
      return;
    }
    if (--this.#slots[entry - SWAPPED] === 0) this.#usedSlots--;
  }

  /** `process` waits until the page of a slot has been read. */
  awaitPage(process: Process, entry: number): void {
    this.kernel.sleepOn(process, this.#swap!.read(entry - SWAPPED));
  }

  save() {
    return {
      slots: new Uint8Array(this.#slots.buffer).slice(),
      nextSlot: this.#nextSlot,
      usedSlots: this.#usedSlots,
      hand: { ...this.#hand },
    };
  }

  restore(saved: ReturnType<PageOut["save"]>): void {
    this.#slots = new Uint16Array(saved.slots.slice().buffer);
    this.#nextSlot = saved.nextSlot;
    this.#usedSlots = saved.usedSlots;
    this.#hand = { ...saved.hand };
  }

  /** Has up to a cluster of pages written out; looks at each page that there is twice at most. */
  #freePages(): void {
    const swap = this.#swap;
    if (!swap) return;
    let looks = 2 * this.frames.count;
    let found = 0;
    while (found < CLUSTER && looks > 0 && this.#usedSlots < swap.slots) {
      const area = this.#handsArea();
      if (!area) return;
      looks -= Math.max(1, area.pages - this.#hand.page);
      found += this.#sweep(area, CLUSTER - found, swap);
    }
  }

  /** Goes through an area from the hand on, until enough pages are found; returns how many. */
  #sweep(area: Area, wanted: number, swap: SwapDevice): number {
    const { kernel, frames } = this;
    const hand = this.#hand;
    let found = 0;
    const from = hand.page;
    for (; hand.page < area.pages && found < wanted && area.resident > 0; hand.page++) {
      const { page } = hand;
      const frame = area.frames[page];
      if (frame === 0 || frame >= SWAPPED || frames.references(frame) > 1) continue;
      if (area.used[page] === 1) {
        area.used[page] = 0;
        continue;
      }
      if (this.#usedSlots >= swap.slots) break;
      const slot = this.#freeSlot();
      area.frames[page] = SWAPPED + slot;
      area.writes[page] = 0;
      area.resident--;
      frames.drop(frame);
      kernel.work(WORK.out);
      kernel.charge("entryWrites");
      kernel.charge("pageFlushes");
      swap.write(slot);
      found++;
    }
    kernel.work(WORK.look * Math.min(hand.page - from, area.resident + found));
    if (area.resident === 0) hand.page = area.pages;
    return found;
  }

  /** The area that the hand is at, after moving on to one with pages in memory; null if there is none. */
  #handsArea(): Area | null {
    const hand = this.#hand;
    const pids = [...this.spaces.keys()];
    let place = Math.max(0, pids.indexOf(hand.pid));
    let areas = pids.length === 0 ? [] : this.spaces.get(pids[place])!.areas;
    if (pids[place] !== hand.pid) [hand.area, hand.page] = [0, 0];
    for (let spacesLeft = pids.length + 1; spacesLeft > 0;) {
      const area = areas[hand.area];
      if (area && hand.page < area.pages && area.resident > 0 && area.kind !== "shared") {
        hand.pid = pids[place];
        return area;
      }
      hand.page = 0;
      if (++hand.area < areas.length) continue;
      spacesLeft--;
      hand.area = 0;
      place = (place + 1) % Math.max(1, pids.length);
      areas = pids.length === 0 ? [] : this.spaces.get(pids[place])!.areas;
    }
    return null;
  }

  #freeSlot(): number {
    while (this.#slots[this.#nextSlot] > 0) {
      this.#nextSlot = (this.#nextSlot + 1) % this.#slots.length;
    }
    const slot = this.#nextSlot;
    this.#slots[slot] = 1;
    this.#usedSlots++;
    this.#nextSlot = (slot + 1) % this.#slots.length;
    return slot;
  }
}
