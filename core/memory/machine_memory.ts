/**
 * Machine memory: RAM, ROM and memory-mapped devices of one machine behind guest-physical addresses.
 *
 * RAM lies in one linear memory, the WebAssembly memory that translated code touches directly. This
 * file is the only one that writes RAM from TypeScript: each write names its frame and passes one
 * barrier, which tells the owners of translated code, of checkpoints and of dirty logs. Nobody gets a
 * writable view.
 */

import type { PhysicalAddress } from "../lib/brand.ts";
import { CODE_HOME_BYTES_PER_PAGE, CodeHomes } from "./code_homes.ts";
import { CODE_LINES_BYTES_PER_PAGE, CodeLines, LINE_COUNTS_BYTES_PER_PAGE } from "./code_lines.ts";
import type { DmaBus, MmioBus, MmioDevice, MmioSize } from "./ports.ts";

/** Bytes in a frame, and its logarithm. */
export const FRAME_BYTES = 4096;
export const FRAME_SHIFT = 12;

/** Where guest-physical addresses above the PCI hole begin. */
export const HIGH_MEMORY_BASE = 0x1_0000_0000;

/** Reasons for which a store to a frame must not go unseen; bits of {@link MachineMemory.watch}. */
export const FrameWatch = {
  /** Decoded or translated code was made from the frame; set by {@link MachineMemory.watchCode} only. */
  code: 1,
  /** A checkpoint wants to know of the next store. */
  dirty: 2,
  /** A debugger wants to know of each store. */
  debugger: 8,
  /** A hypervisor's log of dirty frames wants to know of the next store. */
  log: 16,
} as const;

/** A further bit of what is noted of a linear page: it is not, or not for all accesses, at its own place in RAM. */
export const MOVED = 4;

/**
 * Stores to a page that holds no code any more, until it is no longer watched: code that patches itself again and
 * again then costs no withdrawal of direct access each time.
 */
const IDLE_STORES = 64;

/** Told about stores to watched frames and about changes of what a frame number means. */
export interface MemoryObserver {
  /**
   * A store is about to change bytes [offset, offset + length) of linear page `page`, although `watch`
   * (bits of FrameWatch) is set on it; `code` only if it touches lines that hold code. A store of the bytes that are
   * there already need not be told.
   */
  beforeStore?(page: number, watch: number, offset: number, length: number): void;
  /** Linear page `page` is now watched: direct write access to it must be given up. */
  onWatch?(page: number): void;
  /** Some pages are now watched, as {@link MachineMemory.watches} tells: the same for each of them. */
  onWatchMany?(): void;
  /**
   * The map of guest-physical memory changed (PAM, MMIO, A20): translations must be dropped. `fromMemory`: loads from some
   * of the frames reached RAM or ROM before, so that code may have been there.
   */
  onRemap?(fromMemory: boolean): void;
}

interface MmioRange {
  readonly base: number;
  readonly name: string;
  readonly device: MmioDevice;
}

/** How the machine's RAM is laid out in guest-physical space. */
export interface MemoryPlan {
  /** RAM in bytes, a multiple of 4096. */
  readonly ramBytes: number;
  /** RAM from 0 up to here; the rest continues at 4 GiB. At most 0xC0000000. */
  readonly lowRamBytes: number;
  /** Linear offset of the first RAM byte, a multiple of 4096. */
  readonly ramBase: number;
  /** Linear offset of a ROM area of `romBytes`, for images that {@link MachineMemory.mapRom} places. */
  readonly romBase: number;
  readonly romBytes: number;
  /** Linear offset of {@link codeLinesBytes} bytes, a multiple of 8: what is noted of each page. */
  readonly codeLinesBase: number;
}

const NOTES_BYTES_PER_PAGE = CODE_LINES_BYTES_PER_PAGE + LINE_COUNTS_BYTES_PER_PAGE +
  CODE_HOME_BYTES_PER_PAGE + 2;

/** First page of a plan's RAM and ROM, and their number with what lies between. */
function linearPages(plan: Omit<MemoryPlan, "codeLinesBase">): { first: number; count: number } {
  const first = Math.min(plan.ramBase, plan.romBase) / FRAME_BYTES;
  const end = Math.max(plan.ramBase + plan.ramBytes, plan.romBase + plan.romBytes);
  return { first, count: Math.ceil(end / FRAME_BYTES) - first };
}

/**
 * Bytes of linear memory for what is noted of each page: code lines and their counts (see code_lines.ts), its home
 * (code_homes.ts), a byte of watches, and one of idle stores.
 */
export function codeLinesBytes(plan: Omit<MemoryPlan, "codeLinesBase">): number {
  return linearPages(plan).count * NOTES_BYTES_PER_PAGE;
}

/** Guest-physical memory of one machine. */
export class MachineMemory implements MmioBus, DmaBus {
  /** Page number to linear page number for loads and fetches, or -1. */
  readonly readMap: Int32Array;
  /** The same for stores: -1 also for ROM. */
  readonly writeMap: Int32Array;
  /** Bits of FrameWatch, and MOVED, by linear page number relative to the first. */
  readonly #watch: Uint8Array;
  /** Stores since the last code of a page was gone, by the same numbers. */
  readonly #idleStores: Uint8Array;
  /** Where the byte of watches of linear page 0 would be: bits of FrameWatch, and {@link MOVED}. */
  readonly watchOfPage0: number;
  /** The same for the counts of its code lines, and its stores since it held code last. */
  readonly lineCountsOfPage0: number;
  readonly idleStoresOfPage0: number;
  readonly #codeLines: CodeLines;
  /** From where code is fetched. */
  readonly codeHomes: CodeHomes;
  readonly #firstLinearPage: number;
  readonly #u8: Uint8Array;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #mmio = new Map<number, MmioRange>();
  readonly #observers: MemoryObserver[] = [];
  #romUsedBytes = 0;
  /** Whether loads from a frame that reached memory reach something else since the last report of a change. */
  #movedMemory = false;

  constructor(readonly buffer: ArrayBufferLike, readonly plan: MemoryPlan) {
    this.#u8 = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
    const highPages = (plan.ramBytes - plan.lowRamBytes) >>> FRAME_SHIFT;
    const pages = 0x100000 + highPages;
    this.readMap = new Int32Array(pages).fill(-1);
    this.writeMap = new Int32Array(pages).fill(-1);
    const { first, count } = linearPages(plan);
    this.#firstLinearPage = first;
    const countsBase = plan.codeLinesBase + count * CODE_LINES_BYTES_PER_PAGE;
    const homesBase = countsBase + count * LINE_COUNTS_BYTES_PER_PAGE;
    const watchBase = homesBase + count * CODE_HOME_BYTES_PER_PAGE;
    this.codeHomes = new CodeHomes(buffer, homesBase, first, count);
    this.#watch = new Uint8Array(buffer, watchBase, count);
    this.watchOfPage0 = watchBase - first;
    this.lineCountsOfPage0 = countsBase - first * LINE_COUNTS_BYTES_PER_PAGE;
    this.idleStoresOfPage0 = this.watchOfPage0 + count;
    this.#idleStores = new Uint8Array(buffer, watchBase + count, count);
    this.#codeLines = new CodeLines(buffer, plan.codeLinesBase, countsBase, count);
    for (let page = 0; page < plan.lowRamBytes / FRAME_BYTES; page++) this.#mapRam(page);
    for (let page = 0; page < highPages; page++) this.#mapRam(0x100000 + page);
  }

  /** Registers an observer of stores and remappings. */
  observe(observer: MemoryObserver): void {
    this.#observers.push(observer);
  }

  /** The linear offset that a load from the page of `address` goes to, or -1 if it is no memory. */
  readableLinear(address: number): number {
    const page = this.readMap[Math.floor(address / FRAME_BYTES)] ?? -1;
    return page < 0 ? -1 : page * FRAME_BYTES + (address & (FRAME_BYTES - 1));
  }

  /** The lowest address whose loads go to linear offset `linear`, or -1: for those who look from outside. */
  addressOf(linear: number): number {
    const page = this.readMap.indexOf(Math.floor(linear / FRAME_BYTES));
    return page < 0 ? -1 : page * FRAME_BYTES + (linear % FRAME_BYTES);
  }

  /** The watches (bits of FrameWatch) on linear page `linearPage`; without any, engines may store to it directly. */
  watches(linearPage: number): number {
    return this.#watch[linearPage - this.#firstLinearPage] & ~MOVED;
  }

  /** Sets a watch on a linear page; direct write access to it is withdrawn everywhere. */
  watch(linearPage: number, watch: number): void {
    const index = linearPage - this.#firstLinearPage;
    if ((this.#watch[index] & watch) === watch) return;
    this.#watch[index] |= watch;
    for (const observer of this.#observers) observer.onWatch?.(linearPage);
  }

  /** Sets a watch on each of many linear pages at the price of a few. */
  watchMany(linearPages: Iterable<number>, watch: number): void {
    for (const page of linearPages) this.#watch[page - this.#firstLinearPage] |= watch;
    for (const observer of this.#observers) observer.onWatchMany?.();
  }

  /** Where the code lines of linear page 0 would be noted: those of page `p` are the 8 bytes at 8 * p from there. */
  get codeLinesOfPage0(): number {
    return this.plan.codeLinesBase - this.#firstLinearPage * CODE_LINES_BYTES_PER_PAGE;
  }

  /**
   * An engine keeps a form of the code in bytes [offset, offset + length) of a linear page: it is told before a store
   * changes their lines. Each call is undone by one of {@link unwatchCode} with the same bytes.
   */
  watchCode(linearPage: number, offset: number, length: number): void {
    const index = linearPage - this.#firstLinearPage;
    this.#codeLines.add(index, offset, length);
    this.#idleStores[index] = 0;
    this.watch(linearPage, FrameWatch.code);
  }

  /** Undoes one call of {@link watchCode}. */
  unwatchCode(linearPage: number, offset: number, length: number): void {
    this.#codeLines.remove(linearPage - this.#firstLinearPage, offset, length);
  }

  /** Clears a watch. */
  unwatch(linearPage: number, watch: number): void {
    this.#watch[linearPage - this.#firstLinearPage] &= ~watch;
  }

  /** The aligned 32-bit word at byte `offset` of linear page `linearPage`, signed. */
  word(linearPage: number, offset: number): number {
    return this.#words[linearPage * (FRAME_BYTES / 4) + (offset >> 2)];
  }

  /** Reads 1, 2 or 4 bytes at `address`, any alignment; unclaimed space reads all-ones. */
  read(address: number, size: MmioSize): number {
    // Of addresses beyond 2^32, too, `&` sees the low bits; `%` would divide.
    const offset = address & (FRAME_BYTES - 1);
    const page = this.readMap[(address - offset) / FRAME_BYTES] ?? -1;
    if (offset + size > FRAME_BYTES) return this.#readSplit(address, size);
    if (page < 0) return this.#readMmio(address, size);
    return this.#load(page * FRAME_BYTES + offset, size);
  }

  /** Writes the low 1, 2 or 4 bytes of `value` at `address`, any alignment. */
  write(address: number, size: MmioSize, value: number): void {
    const offset = address & (FRAME_BYTES - 1);
    const page = this.writeMap[(address - offset) / FRAME_BYTES] ?? -1;
    if (offset + size > FRAME_BYTES) return this.#writeSplit(address, size, value);
    if (page < 0) return this.#writeMmio(address, size, value);
    const at = page * FRAME_BYTES + offset;
    if (this.watches(page) !== 0) {
      // Boot loaders patch the same operands into their BIOS calls again and again: nothing changes then.
      const isCode = (this.#watch[page - this.#firstLinearPage] & FrameWatch.code) !== 0;
      const stored = size === 4 ? value >>> 0 : value & (0x100 ** size - 1);
      if (isCode && this.#load(at, size) === stored) return;
      this.#barrier(page, offset, size);
    }
    if (size === 1) this.#u8[at] = value;
    else if (size === 2) this.#view.setUint16(at, value, true);
    else this.#view.setUint32(at, value, true);
  }

  /** The 32-bit word at `offset` of a frame, a multiple of four. */
  readWord(frame: number, offset: number): number {
    const page = this.readMap[frame] ?? -1;
    if (page < 0) return this.read(frame * FRAME_BYTES + offset, 4) >>> 0;
    return this.#view.getUint32(page * FRAME_BYTES + offset, true);
  }

  /** Copies `into.length` bytes from `address`. */
  readBytes(address: PhysicalAddress, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const at = address + done;
      const length = Math.min(into.length - done, FRAME_BYTES - (at % FRAME_BYTES));
      const linear = this.readableLinear(at);
      if (linear >= 0) into.set(this.#u8.subarray(linear, linear + length), done);
      else for (let i = 0; i < length; i++) into[done + i] = this.#readMmio(at + i, 1);
      done += length;
    }
  }

  /** Copies `bytes` to `address`; what falls on ROM or on nothing is lost, as on a bus. */
  writeBytes(address: PhysicalAddress, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const at = address + done;
      const offset = at % FRAME_BYTES;
      const length = Math.min(bytes.length - done, FRAME_BYTES - offset);
      const page = this.writeMap[(at - offset) / FRAME_BYTES] ?? -1;
      const part = bytes.subarray(done, done + length);
      if (page >= 0) {
        this.#barrier(page, offset, length);
        this.#u8.set(part, page * FRAME_BYTES + offset);
      } else part.forEach((byte, i) => this.#writeMmio(at + i, 1, byte));
      done += length;
    }
  }

  /** Copies bytes within RAM by linear offsets, for engines that hold direct write access to the target. */
  copyDirect(target: number, source: number, lengthBytes: number): void {
    this.#u8.copyWithin(target, source, source + lengthBytes);
  }

  /** Repeats the first `itemBytes` bytes at a linear offset over `lengthBytes` bytes; access as in copyDirect. */
  repeatDirect(target: number, itemBytes: number, lengthBytes: number): void {
    for (let done = itemBytes; done < lengthBytes; done *= 2) {
      this.#u8.copyWithin(target + done, target, target + Math.min(done, lengthBytes - done));
    }
  }

  /** Stores one item of 1, 2, 4 or 8 bytes, given in halves, at a linear offset; access as in copyDirect. */
  storeDirect(target: number, itemBytes: number, low: number, high: number): void {
    if (itemBytes === 1) this.#u8[target] = low;
    else if (itemBytes === 2) this.#view.setUint16(target, low, true);
    else this.#view.setUint32(target, low, true);
    if (itemBytes === 8) this.#view.setUint32(target + 4, high, true);
  }

  /** Copies all RAM, in the order of linear memory, into `into` (as long as RAM). */
  readRam(into: Uint8Array): void {
    into.set(this.#u8.subarray(this.plan.ramBase, this.plan.ramBase + this.plan.ramBytes));
  }

  /** Replaces all RAM; see {@link writePage}. */
  writeRam(bytes: Uint8Array): void {
    for (let at = 0; at < this.plan.ramBytes; at += FRAME_BYTES) {
      this.writePage((this.plan.ramBase + at) / FRAME_BYTES, bytes.subarray(at, at + FRAME_BYTES));
    }
  }

  /** Copies the bytes of linear page `linearPage` into `into` (a frame long). */
  readPage(linearPage: number, into: Uint8Array): void {
    const at = linearPage * FRAME_BYTES;
    into.set(this.#u8.subarray(at, at + FRAME_BYTES));
  }

  /**
   * Replaces linear page `linearPage` by `bytes` (a frame, aligned to 4 bytes where they lie). Engines keep what they made of code that stays the
   * same: watchers are told only of the part that differs.
   */
  writePage(linearPage: number, bytes: Uint8Array): void {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, FRAME_BYTES / 4);
    const at = linearPage * FRAME_BYTES / 4;
    let [first, last] = [0, words.length - 1];
    while (first <= last && this.#words[at + first] === words[first]) first++;
    if (first > last) return;
    while (this.#words[at + last] === words[last]) last--;
    this.#barrier(linearPage, first * 4, (last + 1 - first) * 4);
    this.#words.set(words, at);
  }

  readDma(address: PhysicalAddress, into: Uint8Array): void {
    this.readBytes(address, into);
  }

  writeDma(address: PhysicalAddress, bytes: Uint8Array): void {
    this.writeBytes(address, bytes);
  }

  attachMmio(base: PhysicalAddress, sizeBytes: number, name: string, device: MmioDevice): void {
    if (base % FRAME_BYTES !== 0 || sizeBytes % FRAME_BYTES !== 0 || sizeBytes <= 0) {
      throw new RangeError(`MMIO range of ${name} must be a whole number of 4096-byte frames`);
    }
    const first = base / FRAME_BYTES;
    const last = first + sizeBytes / FRAME_BYTES;
    for (let page = first; page < last; page++) {
      const other = this.#mmio.get(page);
      if (other) throw new RangeError(`MMIO range of ${name} overlaps that of ${other.name}`);
    }
    for (let page = first; page < last; page++) {
      this.#mmio.set(page, { base, name, device });
      if (page < this.readMap.length) this.setPage(page, -1, -1);
    }
    this.#remapped();
  }

  detachMmio(base: PhysicalAddress): void {
    for (let page = base / FRAME_BYTES; this.#mmio.get(page)?.base === base; page++) {
      this.#mmio.delete(page);
      if (this.#isRam(page)) this.#mapRam(page);
    }
    this.#remapped();
  }

  /**
   * Copies a ROM image into the ROM area and maps it read-only at `address` (a frame boundary); the
   * same image can be mapped again elsewhere by {@link mapRomAt}. Returns its linear offset.
   */
  mapRom(address: PhysicalAddress, image: Uint8Array): number {
    const bytes = Math.ceil(image.length / FRAME_BYTES) * FRAME_BYTES;
    const needed = this.#romUsedBytes + bytes;
    const { romBase, romBytes } = this.plan;
    if (needed > romBytes) {
      throw new RangeError(`ROM images need ${needed} bytes, the ROM area has ${romBytes}`);
    }
    const linear = romBase + this.#romUsedBytes;
    this.#romUsedBytes = needed;
    this.#u8.set(image, linear);
    this.mapRomAt(address, linear, bytes);
    return linear;
  }

  /** Maps `sizeBytes` of the ROM area from linear offset `linear` at `address`, read-only. */
  mapRomAt(address: PhysicalAddress, linear: number, sizeBytes: number): void {
    for (let page = 0; page < sizeBytes / FRAME_BYTES; page++) {
      this.setPage(address / FRAME_BYTES + page, linear / FRAME_BYTES + page, -1);
    }
    this.#remapped();
  }

  /**
   * Chooses for each frame of [address, address + sizeBytes) whether loads and stores reach RAM (as
   * PAM registers do): loads go to RAM or to linear offset `romLinear` (-1: nothing there).
   */
  shadow(
    address: number,
    sizeBytes: number,
    romLinear: number,
    read: boolean,
    write: boolean,
  ): void {
    let changed = false;
    for (let i = 0; i < sizeBytes / FRAME_BYTES; i++) {
      const page = address / FRAME_BYTES + i;
      const ram = this.plan.ramBase / FRAME_BYTES + page;
      const readPage = read ? ram : romLinear < 0 ? -1 : romLinear / FRAME_BYTES + i;
      const writePage = write ? ram : -1;
      if (this.readMap[page] === readPage && this.writeMap[page] === writePage) continue;
      this.setPage(page, readPage, writePage);
      changed = true;
    }
    if (changed) this.#remapped();
  }

  private setPage(page: number, readPage: number, writePage: number): void {
    const before = this.readMap[page];
    if (before >= 0 && before !== readPage) this.#movedMemory = true;
    this.readMap[page] = readPage;
    this.writeMap[page] = writePage;
    if (!this.#isRam(page)) return;
    const own = this.#ownPage(page);
    const index = own - this.#firstLinearPage;
    if (readPage === own && writePage === own) this.#watch[index] &= ~MOVED;
    else this.#watch[index] |= MOVED;
  }

  #isRam(page: number): boolean {
    return page * FRAME_BYTES < this.plan.lowRamBytes ||
      (page >= 0x100000 && page < this.readMap.length);
  }

  /** The linear page of RAM that belongs to a frame. */
  #ownPage(frame: number): number {
    const index = frame < 0x100000 ? frame : frame - 0x100000 + this.plan.lowRamBytes / FRAME_BYTES;
    return this.plan.ramBase / FRAME_BYTES + index;
  }

  #mapRam(page: number): void {
    const linear = this.#ownPage(page);
    this.setPage(page, linear, linear);
  }

  #remapped(): void {
    const fromMemory = this.#movedMemory;
    this.#movedMemory = false;
    for (const observer of this.#observers) observer.onRemap?.(fromMemory);
  }

  #load(at: number, size: MmioSize): number {
    return size === 1
      ? this.#u8[at]
      : size === 2
      ? this.#view.getUint16(at, true)
      : this.#view.getUint32(at, true);
  }

  #barrier(linearPage: number, offset: number, length: number): void {
    const index = linearPage - this.#firstLinearPage;
    let watch = this.#watch[index] & ~MOVED;
    if (watch === 0) return;
    if ((watch & FrameWatch.code) !== 0 && !this.#codeLines.touches(index, offset, length)) {
      this.#missedCode(index);
      watch &= ~FrameWatch.code;
      if (watch === 0) return;
    }
    for (const each of this.#observers) each.beforeStore?.(linearPage, watch, offset, length);
  }

  /** A store to page `index` touched no code: after enough of them a page without code need not be watched. */
  #missedCode(index: number): void {
    if (!this.#codeLines.isEmpty(index) || ++this.#idleStores[index] < IDLE_STORES) return;
    this.#watch[index] &= ~FrameWatch.code;
  }

  #readMmio(address: number, size: MmioSize): number {
    const range = this.#mmio.get(Math.floor(address / FRAME_BYTES));
    if (range) return range.device.readMmio(address - range.base, size) >>> 0;
    return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff;
  }

  #writeMmio(address: number, size: MmioSize, value: number): void {
    const range = this.#mmio.get(Math.floor(address / FRAME_BYTES));
    range?.device.writeMmio(address - range.base, size, value >>> 0);
  }

  #readSplit(address: number, size: MmioSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.read(address + i, 1) << (8 * i);
    return value >>> 0;
  }

  #writeSplit(address: number, size: MmioSize, value: number): void {
    for (let i = 0; i < size; i++) this.write(address + i, 1, (value >>> (8 * i)) & 0xff);
  }
}
