/**
 * What RAM held at instants of the past, kept by copy on write of whole frames.
 *
 * Taking an instant copies nothing: it puts a watch on the frames that were stored to since the last one. The first
 * store to a frame after that keeps what it held before. An instant is a table that names a content for each frame;
 * instants share the contents in which they agree, so that going back and forth between them loses none.
 */

import { FRAME_BYTES, FrameWatch, type MachineMemory } from "./machine_memory.ts";
import { invariant } from "../lib/assert.ts";

/** Stored to since the last instant: no content is named yet. */
const CHANGED = 0;
/** Contents are kept in slabs of so many frames. */
const SLAB_FRAMES = 256;
/** Words of a frame. */
const FRAME_WORDS = FRAME_BYTES / 4;
/** Slots of contents that need none: RAM still holds it, or all bytes are 0. */
const IN_RAM = -1;
const ALL_ZERO = -2;

/** All RAM at one instant; given back by {@link FrameHistory.release}. */
export interface FrameTable {
  /** The content of each frame, in the order of linear memory. */
  readonly contents: Uint32Array;
}

/** The past of one machine's RAM. */
export class FrameHistory {
  readonly #memory: MachineMemory;
  readonly #firstPage: number;
  /** What each frame holds at present. */
  readonly #current: Uint32Array;
  /** Frames whose present content is CHANGED, and how many. */
  readonly #changed: Uint32Array;
  #changes: number;
  /** By the number of a content: in how many tables it stands, and the slot that keeps it. */
  #uses = new Uint32Array(1024);
  #slots = new Int32Array(1024);
  readonly #freeIds: number[] = [];
  #nextId = CHANGED + 1;
  readonly #slabs: Uint32Array<ArrayBuffer>[] = [];
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #tables = 0;

  constructor(memory: MachineMemory) {
    const { ramBase, ramBytes } = memory.plan;
    const frames = ramBytes / FRAME_BYTES;
    this.#memory = memory;
    this.#firstPage = ramBase / FRAME_BYTES;
    this.#current = new Uint32Array(frames);
    this.#changed = Uint32Array.from({ length: frames }, (_, frame) => frame);
    this.#changes = frames;
    memory.observe({
      beforeStore: (page, watch) => {
        if ((watch & FrameWatch.dirty) !== 0) this.#keep(page - this.#firstPage);
      },
    });
  }

  /** Bytes that the tables and the contents they name take at present. */
  get keptBytes(): number {
    const frames = this.#nextSlot - this.#freeSlots.length;
    return frames * FRAME_BYTES + this.#tables * this.#current.byteLength;
  }

  /** Names what RAM holds now. */
  take(): FrameTable {
    for (let i = 0; i < this.#changes; i++) this.#current[this.#changed[i]] = this.#newId();
    this.#memory.watchMany(this.#changedPages(), FrameWatch.dirty);
    this.#changes = 0;
    const contents = this.#current.slice();
    for (let frame = 0; frame < contents.length; frame++) this.#uses[contents[frame]]++;
    this.#tables++;
    return { contents };
  }

  /** Makes RAM hold what it held then; frames that are the same are not touched. */
  restore({ contents }: FrameTable): void {
    const bytes = new Uint32Array(FRAME_WORDS);
    const view = new Uint8Array(bytes.buffer);
    const renamed: number[] = [];
    for (let frame = 0; frame < contents.length; frame++) {
      const id = contents[frame];
      if (this.#current[frame] === id) continue;
      this.#read(id, bytes);
      this.#keep(frame);
      this.#memory.writePage(this.#firstPage + frame, view);
      this.#current[frame] = id;
      renamed.push(this.#firstPage + frame);
    }
    this.#changes = 0;
    this.#memory.watchMany(renamed, FrameWatch.dirty);
  }

  /** Copies what frame number `frame` held into `into`, 1024 words. */
  read({ contents }: FrameTable, frame: number, into: Uint32Array): void {
    const id = contents[frame];
    if (this.#slots[id] === IN_RAM) {
      this.#memory.readPage(this.#firstPage + frame, new Uint8Array(into.buffer, into.byteOffset));
    } else this.#read(id, into);
  }

  /** Gives a table back; it must not be used any more. */
  release({ contents }: FrameTable): void {
    for (let frame = 0; frame < contents.length; frame++) {
      const id = contents[frame];
      if (--this.#uses[id] === 0 && this.#current[frame] !== id) this.#forget(id);
    }
    this.#tables--;
  }

  /** A store to a frame comes: what it holds is kept if a table names it. */
  #keep(frame: number): void {
    const id = this.#current[frame];
    if (id === CHANGED) return;
    this.#memory.unwatch(this.#firstPage + frame, FrameWatch.dirty);
    if (this.#uses[id] === 0) this.#forget(id);
    else if (this.#slots[id] === IN_RAM) this.#store(frame, id);
    this.#current[frame] = CHANGED;
    this.#changed[this.#changes++] = frame;
  }

  #store(frame: number, id: number): void {
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    const slab = Math.floor(slot / SLAB_FRAMES);
    const { buffer } = this.#slabs[slab] ??= new Uint32Array(SLAB_FRAMES * FRAME_WORDS);
    const at = (slot % SLAB_FRAMES) * FRAME_BYTES;
    this.#memory.readPage(this.#firstPage + frame, new Uint8Array(buffer, at, FRAME_BYTES));
    const isZero = new Uint32Array(buffer, at, FRAME_WORDS).every((word) => word === 0);
    if (isZero) this.#freeSlots.push(slot);
    this.#slots[id] = isZero ? ALL_ZERO : slot;
  }

  #read(id: number, into: Uint32Array): void {
    const slot = this.#slots[id];
    if (slot === ALL_ZERO) return void into.fill(0);
    invariant(slot !== IN_RAM, `content ${id} was never kept`);
    const at = (slot % SLAB_FRAMES) * FRAME_WORDS;
    into.set(this.#slabs[Math.floor(slot / SLAB_FRAMES)].subarray(at, at + FRAME_WORDS));
  }

  #newId(): number {
    const id = this.#freeIds.pop() ?? this.#nextId++;
    if (id >= this.#uses.length) {
      this.#uses = grown(this.#uses, new Uint32Array(2 * id));
      this.#slots = grown(this.#slots, new Int32Array(2 * id));
    }
    this.#uses[id] = 0;
    this.#slots[id] = IN_RAM;
    return id;
  }

  #forget(id: number): void {
    if (this.#slots[id] >= 0) this.#freeSlots.push(this.#slots[id]);
    this.#freeIds.push(id);
  }

  *#changedPages(): Generator<number> {
    for (let i = 0; i < this.#changes; i++) yield this.#firstPage + this.#changed[i];
  }
}

function grown<Words extends Uint32Array | Int32Array>(old: Words, larger: Words): Words {
  larger.set(old);
  return larger;
}
