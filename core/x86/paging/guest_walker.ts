/**
 * Walks of the page tables that CR3 points to, behind a second stage where one is in force.
 *
 * Like a processor's paging-structure caches (SDM vol. 3, "Paging-Structure Caches"), the walker remembers the tables
 * of the last level that it found, until whatever drops translations drops them too: most walks read one entry.
 */

import { FRAME_BYTES, FRAME_SHIFT, type MachineMemory } from "../../memory/machine_memory.ts";
import {
  type RadixFormat,
  RadixWalk,
  type TableReader,
  WalkOutcome,
} from "../../memory/radix_walker.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";
import { Access, gatedFrame, type SecondStage } from "./access.ts";

const CR3 = offsetOf("cr3") >> 2;
const A20_MASK = offsetOf("a20Mask") >> 2;
/** CR3 bits 39..32 are all that exist above bit 31. */
const CR3_HIGH_MASK = 0xff;
/** Tables remembered, a power of two. */
const REMEMBERED = 64;
/** Where PAE paging's table of four pointers starts within its frame. */
const POINTER_TABLE_OFFSET = 0xfe0;

/** Reads one CPU's page tables. */
export class GuestWalker implements TableReader {
  /** The walk that {@link find} made last. */
  readonly walk = new RadixWalk();
  /** Set by a refused table read; see TableReader. */
  failed = false;
  /** The second stage in force, or null on a bare machine. */
  secondStage: SecondStage | null = null;

  /** Remembered tables: the part of the address that leads to them, their frames, and what the way there allows. */
  readonly #regions = new Int32Array(REMEMBERED);
  readonly #frames = new Int32Array(REMEMBERED);
  readonly #lows = new Int32Array(REMEMBERED);
  readonly #highs = new Int32Array(REMEMBERED);
  /** Those of an earlier generation are forgotten. */
  readonly #generations = new Int32Array(REMEMBERED);
  #generation = 1;
  /** Region of the walk that {@link find} made last. */
  #region = 0;

  constructor(private readonly state: CpuState, private readonly memory: MachineMemory) {}

  /** Walks for the address (low, high); returns a WalkOutcome, and the rest in {@link walk}. */
  find(format: RadixFormat, low: number, high: number): number {
    const { walk } = this;
    const last = format.levels[format.levels.length - 1];
    const shift = last.shift + last.indexBits;
    const region = (low >>> shift) | (high << (32 - shift));
    const i = region & (REMEMBERED - 1);
    this.#region = region;
    if (this.#generations[i] === this.#generation && this.#regions[i] === region) {
      const frame = this.#frames[i];
      return walk.resume(this, format, frame, this.#lows[i], this.#highs[i], low, high);
    }
    return this.#walkFrom(walk, format, low, high);
  }

  /** Forgets all tables. */
  forget(): void {
    this.#generation = (this.#generation + 1) | 0;
  }

  /** Remembers the table of the last level that the last walk went through, if it did, all of whose A bits are set. */
  #remember(format: RadixFormat): void {
    const { walk } = this;
    const last = format.levels.length - 1;
    if (walk.depth <= last || walk.first === last || this.secondStage !== null) return;
    const i = this.#region & (REMEMBERED - 1);
    this.#generations[i] = this.#generation;
    this.#regions[i] = this.#region;
    this.#frames[i] = walk.frames[last];
    this.#lows[i] = walk.upperLow;
    this.#highs[i] = walk.upperHigh;
  }

  /** Where an address leads, without a trace; -1 if it is not mapped. The result is guest-physical. */
  peek(format: RadixFormat, low: number, high: number): number {
    const walk = new RadixWalk();
    if (this.#walkFrom(walk, format, low, high) !== WalkOutcome.mapped) return -1;
    const frame = gatedFrame(walk.frameOf(low), this.state.u32[A20_MASK]);
    return frame * FRAME_BYTES + (low & (FRAME_BYTES - 1));
  }

  readTable(frame: number, offset: number): number {
    this.failed = false;
    let machine = frame;
    if (this.secondStage !== null) {
      machine = this.#staged(frame, offset, Access.read);
      this.failed = machine < 0;
      if (this.failed) return 0;
    }
    machine = gatedFrame(machine, this.state.u32[A20_MASK]);
    const linearPage = this.memory.readMap[machine];
    if (linearPage >= 0) return this.memory.word(linearPage, offset);
    return this.memory.read(machine * FRAME_BYTES + offset, 4) | 0;
  }

  /** The machine frame of a byte of a guest-physical one, or -1 if the second stage refuses the access. */
  #staged(frame: number, offset: number, access: number): number {
    const address = this.secondStage!.translate(frame * FRAME_BYTES + offset, access);
    return address < 0 ? -1 : Math.floor(address / FRAME_BYTES);
  }

  /** Walks the tables that CR3 points to. */
  #walkFrom(walk: RadixWalk, format: RadixFormat, low: number, high: number): number {
    const { u32 } = this.state;
    const cr3 = u32[CR3];
    const levels = format.levels.length;
    const frame = (cr3 >>> 12) |
      (levels === 4 ? (u32[CR3 + 1] & CR3_HIGH_MASK) << (32 - FRAME_SHIFT) : 0);
    return walk.walk(this, format, frame, levels === 3 ? cr3 & POINTER_TABLE_OFFSET : 0, low, high);
  }

  /**
   * Sets A in the entries that were visited, and D in the leaf if `dirty`; returns false if the second stage refuses
   * that.
   */
  setAccessed(format: RadixFormat, dirty: boolean): boolean {
    const { walk } = this;
    for (let i = walk.first; i < walk.depth; i++) {
      if (!format.levels[i].hasFlags) continue;
      const wanted = i === walk.depth - 1 && dirty ? 0x60 : 0x20;
      if ((walk.low[i] & wanted) === wanted) continue;
      let frame = walk.frames[i];
      if (this.secondStage !== null) frame = this.#staged(frame, walk.offsets[i], Access.write);
      if (frame < 0) return false;
      const address = gatedFrame(frame, this.state.u32[A20_MASK]) * FRAME_BYTES + walk.offsets[i];
      this.memory.write(address, 4, (walk.low[i] | wanted) >>> 0);
    }
    this.#remember(format);
    return true;
  }
}
