/**
 * From a region to one WebAssembly function.
 *
 * The function has the signature of the cold tier's handlers and is entered as one: through the record of one of the
 * region's entries. Its shape:
 *
 * ```text
 * load registers into locals
 * block exit
 *   loop dispatch                   continue at the component that `entry` names
 *     ... components, each as structured control flow
 *   end
 * end
 * store registers
 * leave: see region_exits.ts
 * ```
 *
 * Each block takes its instructions off the budget when it begins; if the budget does not cover them, or something
 * unusual comes up in the middle, the cold tier goes on at exactly that instruction.
 */

import type { FunctionWriter } from "../lib/wasm/writer.ts";
import { FRAME_BYTES } from "../memory/machine_memory.ts";
import { Record, RECORD_BYTES } from "../x86/cold/record.ts";
import { BUDGET, CPU, pushIp, RECORD } from "../x86/cold/handler_code.ts";
import { offsetOf } from "../x86/state/layout.ts";
import { ModeKey } from "../x86/system/mode.ts";
import { type Component, components } from "./control_flow.ts";
import { GuestLocals } from "./guest_locals.ts";
import { type InstructionPorts, InstructionWriter } from "./instruction_writer.ts";
import { LocalPool } from "./local_pool.ts";
import { PageWindows } from "./page_windows.ts";
import { PendingFlags } from "./pending_flags.ts";
import { type ExitReason, RegionExits } from "./region_exits.ts";
import type { Region, RegionBlock } from "./region.ts";
import { useState } from "./used_state.ts";

/** What a region's code refers to outside. */
export interface RegionLinks {
  /** Linear offset of the first record of the cold tier's block at `offset` in the page. */
  recordOf(offset: number): number;
  /**
   * Linear offset of a 32-bit counter of how often the code leaves for `reason` at `offset`; -1 if nobody counts.
   */
  counterOf(reason: ExitReason, offset: number): number;
  /** Reserves linear memory for the table of entries by offset in the page; returns its place, -1 if there is none. */
  reserveEntryTable(bytes: number): number;
}

/** What was written. */
export interface WrittenRegion {
  /** Offsets of the entries, by the number that their records hold. */
  readonly entries: readonly number[];
  /** The table from offset in the page (less `first`) to entry number plus one; null if nothing jumps indirectly. */
  readonly entryTable:
    | { readonly at: number; readonly first: number; readonly bytes: Uint8Array }
    | null;
}

/** Writes the function of `region` into `code`; `handlerType` is the type index of handlers. */
export function writeRegion(
  code: FunctionWriter,
  region: Region,
  links: RegionLinks,
  handlerType: number,
): WrittenRegion {
  return new RegionWriter(code, region, links, handlerType).write();
}

/** A structured instruction that is open, by the block that a branch to it continues at. */
type Label = { readonly block: number; readonly depth: number };

class RegionWriter {
  readonly #blocks: readonly RegionBlock[];
  readonly #numbers: ReadonlyMap<number, number>;
  readonly #components: readonly Component[];
  /** Component numbers by head. */
  readonly #componentOf: ReadonlyMap<number, number>;
  readonly #guest: GuestLocals;
  readonly #flags: PendingFlags;
  readonly #pool: LocalPool;
  readonly #windows: PageWindows;
  readonly #long: boolean;
  readonly #pageRip: number;
  readonly #dataTlb: number;
  readonly #entry: number;
  readonly #exits: RegionExits;
  #labels: Label[] = [];
  #depth = 0;
  #exitDepth = 0;
  #dispatchDepth = 0;
  #entryTable: WrittenRegion["entryTable"] = null;

  constructor(
    private readonly code: FunctionWriter,
    region: Region,
    private readonly links: RegionLinks,
    handlerType: number,
  ) {
    this.#blocks = [...region.blocks.values()];
    this.#numbers = new Map(this.#blocks.map(({ offset }, i) => [offset, i]));
    const successors = this.#blocks.map((block) => this.#successorsOf(block));
    const entries = region.entries.map((offset) => this.#numbers.get(offset)!);
    this.#components = components({ successors }, entries);
    this.#componentOf = new Map(this.#components.map(({ head }, i) => [head, i]));
    this.#long = (region.modeKey & ModeKey.long) !== 0;
    this.#guest = new GuestLocals(code, this.#long);
    this.#flags = new PendingFlags(code, this.#guest);
    this.#pool = new LocalPool(code, (local) => this.#flags.needs(local));
    this.#windows = new PageWindows(code);
    this.#pageRip = code.local("i64");
    this.#dataTlb = code.local("i64");
    this.#entry = code.local("i32");
    this.#exits = new RegionExits({
      code,
      pageRip: this.#pageRip,
      long: this.#long,
      handlerType,
      branchToEnd: () => this.#branchTo(this.#exitDepth),
    });
  }

  write(): WrittenRegion {
    const { code } = this;
    for (const { instructions } of this.#blocks) useState(instructions, this.#guest);
    this.#planEntryTable();
    for (const { order, loops } of this.#components) {
      const other = this.#entryTable === null ? "straight" : "returning";
      const course = loops.size > 0 ? "looping" : other;
      for (const i of order) this.#windows.use(this.#blocks[i].instructions, course);
    }
    this.#enter();
    this.open("block");
    this.#exitDepth = this.#depth;
    this.open("loop");
    this.#dispatchDepth = this.#depth;
    this.#writeComponents();
    this.close();
    code.op("unreachable");
    this.close();
    this.#guest.store();
    this.#exits.writeEnd();
    const entries = this.#components.map(({ head }) => this.#blocks[head].offset);
    return { entries, entryTable: this.#entryTable };
  }

  // ---- structure ----

  open(kind: "block" | "loop" | "if"): void {
    this.code.block(kind);
    this.#depth++;
  }

  close(): void {
    this.code.op("end");
    this.#depth--;
  }

  #branchTo(depth: number): void {
    this.code.branch(this.#depth - depth);
  }

  /** One nested block for each component; branching out of the innermost lands at the first one's code. */
  #writeComponents(): void {
    const { code } = this;
    const count = this.#components.length;
    if (count > 1) {
      for (let i = 0; i < count; i++) this.open("block");
      code.get(this.#entry);
      code.branchTable(this.#components.map((_, i) => i), 0);
    }
    for (const component of this.#components) {
      if (count > 1) this.close();
      this.#labels = [];
      this.#writeTree(component, component.head);
    }
  }

  /** Writes the blocks that `block` dominates. */
  #writeTree(component: Component, block: number): void {
    const isLoop = component.loops.has(block);
    if (isLoop) {
      this.open("loop");
      this.#labels.push({ block, depth: this.#depth });
    }
    const merges = component.merges.get(block) ?? [];
    for (const merge of merges) {
      this.open("block");
      this.#labels.push({ block: merge, depth: this.#depth });
    }
    this.#writeBlock(component, block);
    for (const merge of [...merges].reverse()) {
      this.#labels.pop();
      this.close();
      this.#writeTree(component, merge);
    }
    if (isLoop) {
      this.#labels.pop();
      this.close();
      this.code.op("unreachable");
    }
  }

  /**
   * Continues at the block that starts at `offset`, or leaves if it is not in the region. `from` is the place of the
   * instruction that leads there, `record` its record if it is a jump, else 0.
   */
  #goTo(
    component: Component,
    offset: number,
    from: number,
    record: number,
  ): void {
    const { code } = this;
    const block = this.#numbers.get(offset);
    if (block === undefined) {
      this.#count("in page", from);
      return this.#exits.toOffset(offset, record);
    }
    for (let i = this.#labels.length - 1; i >= 0; i--) {
      if (this.#labels[i].block === block) return this.#branchTo(this.#labels[i].depth);
    }
    const other = this.#componentOf.get(block);
    if (other === undefined) return this.#writeTree(component, block);
    code.i32(other);
    code.set(this.#entry);
    this.#branchTo(this.#dispatchDepth);
  }

  // ---- blocks ----

  #writeBlock(component: Component, number: number): void {
    const { code } = this;
    const block = this.#blocks[number];
    const { instructions } = block;
    const head = this.links.recordOf(block.offset);
    const last = instructions[instructions.length - 1];
    const inlined = last.shape.inlined ? instructions.length : instructions.length - 1;
    this.#takeBudget(block, head, inlined);
    for (let i = 0; i < inlined; i++) {
      const at = instructions[i];
      const record = head + i * RECORD_BYTES;
      if (i === instructions.length - 1) this.#flags.settleAll();
      const ports: InstructionPorts = {
        code,
        guest: this.#guest,
        flags: this.#flags,
        pool: this.#pool,
        windows: this.#windows,
        locals: { pageRip: this.#pageRip, dataTlb: this.#dataTlb, budget: BUDGET },
        long: this.#long,
        open: (kind) => this.open(kind),
        close: () => this.close(),
        leaveHere: () => {
          this.#count("unusual", at.offset);
          this.#leaveAt(block, record, inlined - i);
        },
        remaining: inlined - i,
        jumpInPage: () => this.#goTo(component, at.target, at.offset, record),
        jumpTo: (local, direct) => this.#jumpTo(local, direct, at.offset),
        repeat: () => this.#goTo(component, at.offset, at.offset, record),
      };
      new InstructionWriter(at, ports).write();
    }
    this.#flags.settleAll();
    if (!last.shape.inlined) {
      this.#count("not inlined", last.offset);
      this.#leaveAt(block, head + inlined * RECORD_BYTES, 0);
    } else if (!last.shape.alwaysLeaves) this.#goTo(component, block.end, last.offset, 0);
  }

  /** Takes the block's instructions off the budget, or leaves if it does not cover them. */
  #takeBudget(block: RegionBlock, head: number, instructions: number): void {
    const { code } = this;
    if (instructions === 0) return;
    code.get(BUDGET);
    code.i32(instructions);
    code.op("i32.lt_s");
    this.open("if");
    this.#count("budget", block.offset);
    this.#leaveAt(block, head, 0);
    this.close();
    code.get(BUDGET);
    code.i32(instructions);
    code.op("i32.sub");
    code.set(BUDGET);
  }

  // ---- ways out ----

  /** Leaves for the cold tier to execute `record`; `back` instructions taken off the budget were not executed. */
  #leaveAt(block: RegionBlock, record: number, back: number): void {
    const { code } = this;
    this.#flags.evaluateAll();
    if (back > 0) {
      code.get(BUDGET);
      code.i32(back);
      code.op("i32.add");
      code.set(BUDGET);
    }
    this.#exits.toColdHandler(record, block.offset);
  }

  /** Continues at a computed offset in CS. */
  #jumpTo(target: number, direct: boolean, offset: number): void {
    if (!direct && this.#entryTable !== null) this.#tryEntries(target, this.#entryTable);
    this.#count(direct ? "other page" : "computed", offset);
    this.#exits.toLocal(target);
  }

  /** Continues at the entry at `target`, if there is one. */
  #tryEntries(
    target: number,
    { at, first, bytes }: NonNullable<WrittenRegion["entryTable"]>,
  ): void {
    const { code } = this;
    const distance = this.#pool.take("i64");
    code.get(target);
    code.get(this.#pageRip);
    code.op("i64.sub");
    code.i64(BigInt(first));
    code.op("i64.sub");
    this.#exits.cut();
    code.tee(distance);
    code.i64(BigInt(bytes.length));
    code.op("i64.lt_u");
    this.open("if");
    code.get(distance);
    code.memory("i64.load8_u", at);
    code.op("i32.wrap_i64");
    code.tee(this.#entry);
    this.open("if");
    code.get(this.#entry);
    code.i32(1);
    code.op("i32.sub");
    code.set(this.#entry);
    this.#branchTo(this.#dispatchDepth);
    this.close();
    this.close();
    this.#pool.giveBack([distance]);
  }

  #enter(): void {
    const { code } = this;
    pushIp(code, Record.offset);
    const pushBase = () => {
      code.get(CPU);
      code.memory("i64.load", offsetOf("csBase"));
    };
    if (!this.#long) {
      pushBase();
      code.op("i64.add");
    }
    code.i64(BigInt(-FRAME_BYTES));
    code.op("i64.and");
    if (!this.#long) {
      pushBase();
      code.op("i64.sub");
    }
    code.set(this.#pageRip);
    code.get(CPU);
    code.memory("i64.load", offsetOf("dataTlb"));
    code.set(this.#dataTlb);
    code.get(RECORD);
    code.memory("i32.load16_u", Record.entry);
    code.set(this.#entry);
    this.#guest.load();
    this.#windows.enter();
    this.#count("entered", this.#blocks[0].offset);
  }

  #count(reason: ExitReason, offset: number): void {
    const { code } = this;
    const counter = this.links.counterOf(reason, offset);
    if (counter < 0) return;
    code.i64(BigInt(counter));
    code.i64(BigInt(counter));
    code.memory("i32.load", 0);
    code.i32(1);
    code.op("i32.add");
    code.memory("i32.store", 0);
  }

  // ---- what the region needs ----

  /** Once for each way that leads there: a conditional jump to where control goes anyway has two. */
  #successorsOf(block: RegionBlock): number[] {
    const last = block.instructions[block.instructions.length - 1];
    if (!last.shape.inlined) return [];
    const next = last.shape.alwaysLeaves ? [] : [block.end];
    const repeat = last.shape.repeats ? [last.offset] : [];
    return [...repeat, last.target, ...next]
      .map((offset) => this.#numbers.get(offset))
      .filter((number) => number !== undefined);
  }

  /** Returns and computed jumps find the region's entries by their offset. */
  #planEntryTable(): void {
    const jumpsIndirectly = this.#blocks.some(({ instructions }) => {
      const { shape } = instructions[instructions.length - 1];
      return shape.inlined && shape.alwaysLeaves && !shape.jumpsDirectly;
    });
    const count = this.#components.length;
    if (!jumpsIndirectly || count < 2 || count > 254) return;
    const offsets = this.#components.map(({ head }) => this.#blocks[head].offset);
    const first = Math.min(...offsets);
    const bytes = new Uint8Array(Math.max(...offsets) - first + 1);
    offsets.forEach((offset, i) => bytes[offset - first] = i + 1);
    const at = this.links.reserveEntryTable(bytes.length);
    if (at >= 0) this.#entryTable = { at, first, bytes };
  }
}
