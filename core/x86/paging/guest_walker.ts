/**
 * Walks of the page tables that CR3 points to, behind a second stage where one is in force. Most are not made here but
 * by their quick twin (translation.ts in quick/).
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

  constructor(private readonly state: CpuState, private readonly memory: MachineMemory) {}

  /** Walks for the address (low, high); returns a WalkOutcome, and the rest in {@link walk}. */
  find(format: RadixFormat, low: number, high: number): number {
    return this.#walkFrom(this.walk, format, low, high);
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
    for (let i = 0; i < walk.depth; i++) {
      if (!format.levels[i].hasFlags) continue;
      const wanted = i === walk.depth - 1 && dirty ? 0x60 : 0x20;
      if ((walk.low[i] & wanted) === wanted) continue;
      let frame = walk.frames[i];
      if (this.secondStage !== null) frame = this.#staged(frame, walk.offsets[i], Access.write);
      if (frame < 0) return false;
      const address = gatedFrame(frame, this.state.u32[A20_MASK]) * FRAME_BYTES + walk.offsets[i];
      this.memory.write(address, 4, (walk.low[i] | wanted) >>> 0);
    }
    return true;
  }
}
