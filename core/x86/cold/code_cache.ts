/**
 * The cold tier's code cache: blocks of records, found by the physical place and the mode of their code.
 *
 * A block is straight-line code within one page. Conditional branches do not end it: their records hand
 * over to the target, or fall through to the next record. Blocks are shared by all CPUs and all
 * address spaces of a machine. A store to code drops the blocks that it touches: their records are made
 * stale, so that whoever is inside continues by looking up again.
 */

import { FRAME_BYTES, FrameWatch, type MachineMemory } from "../../memory/machine_memory.ts";
import type { Decoder } from "../decode/decoder.ts";
import type { BoundForm, Instruction } from "../ir/instruction.ts";
import { decodeMode } from "../decode/mode.ts";
import type { Statement } from "../ir/ir.ts";
import { offsetOf, registerOffset, SEGMENT_REGISTERS } from "../state/layout.ts";
import { ModeKey } from "../system/mode.ts";
import {
  FixedHandler,
  LOOKUP_BYTES,
  LOOKUP_ENTRIES,
  LookupEntry,
  MODE_KEY_SHIFT,
  Record,
  RECORD_BYTES,
} from "./record.ts";

/** Most instructions in a block. */
const MAX_BLOCK_INSTRUCTIONS = 64;
const SS = 2;
/** State offsets that records name. */
const SEGMENT_OFFSETS = SEGMENT_REGISTERS.map((name) => offsetOf(`${name}Selector`));
const ZERO = offsetOf("zero");
const BLOCK_RIP = offsetOf("blockRip");
/** Dropped blocks kept for one place: code that patches its operands returns to few versions of itself. */
const MAX_DROPPED_VERSIONS = 8;
/** Mode key bits that let a direct jump be linked: 64-bit code, or a code segment of 4 GiB. */
const LINKABLE_MODES = ModeKey.long | ModeKey.wholeCode;

interface Block {
  /** Linear offset of the first record. */
  readonly record: number;
  readonly records: number;
  /** Linear offset and length of the code. */
  readonly code: number;
  readonly codeBytes: number;
  readonly modeKey: number;
  /** The code itself, and its records' handlers, by which a dropped block is revived. */
  readonly bytes: Uint8Array;
  readonly handlers: Uint32Array;
}

/** What was decoded at one place: the block that is valid, and dropped ones whose code may come back. */
interface Versions {
  valid: Block | null;
  readonly dropped: Block[];
}

/**
 * Stores to a page without blocks that still pass the barrier before direct access is given back: code that
 * patches itself again and again then costs no withdrawal of that access each time.
 */
const IDLE_STORES = 64;

/** What was made from one page. */
interface PageBlocks {
  readonly blocks: Block[];
  /** Stores since the last block was dropped. */
  idleStores: number;
}

/** Where the cache lies in linear memory. */
export interface CodeCachePlan {
  readonly lookupBase: number;
  readonly arenaBase: number;
  readonly arenaBytes: number;
}

/** What a look-up can be told besides a record's offset. */
export const NO_BLOCK = 0;

/** Blocks of one machine. */
export class CodeCache {
  readonly #view: DataView;
  readonly #u8: Uint8Array;
  readonly #lookup: Int32Array;
  readonly #blocksByPage = new Map<number, PageBlocks>();
  /**
   * By mode key, then by code. Keys stay, since a Map that loses and regains one key again and again walks the
   * remains of all its deletions.
   */
  readonly #blocks = new Map<number, Map<number, Versions>>();
  #used = 0;
  /** How often the arena overflowed and everything was dropped. */
  evictions = 0;

  /** `handlerOf` gives the handler table entry of a form, making the handler if need be. */
  constructor(
    private readonly memory: MachineMemory,
    private readonly plan: CodeCachePlan,
    private readonly decoder: Decoder,
    private readonly handlerOf: (bound: BoundForm) => number,
  ) {
    this.#view = new DataView(memory.buffer);
    this.#u8 = new Uint8Array(memory.buffer);
    this.#lookup = new Int32Array(memory.buffer, plan.lookupBase, LOOKUP_BYTES >> 2);
    this.#lookup.fill(-1);
    memory.observe({
      beforeStore: (page, watch, offset, length) => {
        if ((watch & FrameWatch.code) !== 0) this.#invalidate(page, offset, length);
      },
    });
  }

  /** Bytes of records in use. */
  get usedBytes(): number {
    return this.#used;
  }

  /**
   * The record of the block whose code starts at linear offset `code`; decodes it if it is new. NO_BLOCK if
   * the first instruction there does not lie within the page or is none.
   */
  find(code: number, modeKey: number): number {
    let blocks = this.#blocks.get(modeKey);
    if (!blocks) this.#blocks.set(modeKey, blocks = new Map());
    let block = blocks.get(code)?.valid;
    if (!block) {
      const made = this.#revive(blocks.get(code)) ?? this.#decode(code, modeKey);
      if (made === null) return NO_BLOCK;
      block = made;
      // Decoding may have dropped everything.
      const versions = blocks.get(code);
      if (versions) versions.valid = block;
      else blocks.set(code, { valid: block, dropped: [] });
      const page = Math.floor(code / FRAME_BYTES);
      const list = this.#blocksByPage.get(page);
      if (list) list.blocks.push(block);
      else this.#blocksByPage.set(page, { blocks: [block], idleStores: 0 });
      this.memory.watch(page, FrameWatch.code);
    }
    this.#enter(block);
    return block.record;
  }

  /** Drops everything. */
  clear(): void {
    for (const page of this.#blocksByPage.keys()) this.memory.unwatch(page, FrameWatch.code);
    for (const blocks of this.#blocks.values()) {
      for (const { valid } of blocks.values()) if (valid) this.#makeStale(valid);
      blocks.clear();
    }
    this.#blocksByPage.clear();
    this.#lookup.fill(-1);
    this.#used = 0;
  }

  #enter(block: Block): void {
    const slot = this.#slot(block.code);
    const high = Math.floor(block.code / 0x1_0000_0000) | (block.modeKey << (MODE_KEY_SHIFT - 32));
    this.#lookup[slot] = block.code | 0;
    this.#lookup[slot + 1] = high;
    this.#lookup[slot + 2] = block.record;
  }

  /** The word index of a code address's look-up entry; the generated look-up computes the same. */
  #slot(code: number): number {
    const low = code | 0;
    const shifted = Math.floor(code / 2 ** (12 - LookupEntry.sizeShift + 4)) | 0;
    const hash = shifted ^ (low << LookupEntry.sizeShift);
    return (hash & ((LOOKUP_ENTRIES - 1) << LookupEntry.sizeShift)) >> 2;
  }

  #invalidate(page: number, offset: number, length: number): void {
    const found = this.#blocksByPage.get(page);
    if (!found) return;
    const { blocks } = found;
    if (blocks.length === 0) {
      if (++found.idleStores < IDLE_STORES) return;
      this.#blocksByPage.delete(page);
      this.memory.unwatch(page, FrameWatch.code);
      return;
    }
    const start = page * FRAME_BYTES + offset;
    const end = start + length;
    let kept = 0;
    for (const block of blocks) {
      if (block.code >= end || block.code + block.codeBytes <= start) blocks[kept++] = block;
      else this.#drop(block);
    }
    blocks.length = kept;
    found.idleStores = 0;
  }

  #drop(block: Block): void {
    const versions = this.#blocks.get(block.modeKey)?.get(block.code);
    if (versions) {
      versions.valid = null;
      if (versions.dropped.length === MAX_DROPPED_VERSIONS) versions.dropped.shift();
      versions.dropped.push(block);
    }
    const slot = this.#slot(block.code);
    if (this.#lookup[slot + 2] === block.record) this.#lookup[slot] = this.#lookup[slot + 1] = -1;
    this.#makeStale(block);
  }

  #makeStale(block: Block): void {
    for (let i = 0; i < block.records; i++) {
      this.#setHandler(block.record + i * RECORD_BYTES, FixedHandler.stale);
    }
  }

  /** A dropped block whose code is there again, made usable as it was; or `null`. */
  #revive(versions: Versions | undefined): Block | null {
    if (!versions) return null;
    const index = versions.dropped.findIndex(({ code, bytes }) => this.#isAt(code, bytes));
    if (index < 0) return null;
    const [block] = versions.dropped.splice(index, 1);
    for (let i = 0; i < block.records; i++) {
      this.#setHandler(block.record + i * RECORD_BYTES, block.handlers[i]);
    }
    return block;
  }

  #setHandler(record: number, handler: number): void {
    this.#view.setUint32(record + Record.handler, handler, true);
    this.#view.setUint16(record + Record.coldHandler, handler, true);
  }

  #isAt(code: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.#u8[code + i] !== bytes[i]) return false;
    return true;
  }

  #decode(code: number, modeKey: number): Block | null {
    const mode = decodeMode(modeKey);
    const pageEnd = (Math.floor(code / FRAME_BYTES) + 1) * FRAME_BYTES;
    const instructions: Instruction[] = [];
    let at = code;
    while (instructions.length < MAX_BLOCK_INSTRUCTIONS && at < pageEnd) {
      const instruction = this.decoder.decode(this.#u8, at, pageEnd, mode);
      if (typeof instruction === "string") break;
      instructions.push(instruction);
      at += instruction.length;
      if (alwaysLeaves(instruction.bound)) break;
    }
    if (instructions.length === 0) return null;
    const record = this.#allocate(instructions.length + 1);
    const linkable = (modeKey & LINKABLE_MODES) !== 0;
    let offset = 0;
    instructions.forEach((instruction, i) => {
      const target = jumpOffset(instruction, offset);
      const inPage = target !== null && code + target >= pageEnd - FRAME_BYTES &&
        code + target < pageEnd;
      this.#write(record + i * RECORD_BYTES, instruction, offset, linkable && inPage);
      offset += instruction.length;
    });
    this.#writeEnd(record + instructions.length * RECORD_BYTES, offset);
    this.#view.setUint16(record + Record.blockBytes, offset, true);
    const records = instructions.length + 1;
    const handlers = Uint32Array.from(
      { length: records },
      (_, i) => this.#view.getUint32(record + i * RECORD_BYTES + Record.handler, true),
    );
    const bytes = this.#u8.slice(code, code + offset);
    return { record, records, code, codeBytes: offset, modeKey, bytes, handlers };
  }

  #allocate(records: number): number {
    const bytes = records * RECORD_BYTES;
    if (this.#used + bytes > this.plan.arenaBytes) {
      this.clear();
      this.evictions++;
    }
    const at = this.plan.arenaBase + this.#used;
    this.#used += bytes;
    return at;
  }

  #writeEnd(at: number, offset: number): void {
    this.#u8.fill(0, at, at + RECORD_BYTES);
    this.#setHandler(at, FixedHandler.fallThrough);
    this.#view.setUint16(at + Record.offset, offset, true);
    this.#view.setUint16(at + Record.nextOffset, offset, true);
  }

  #write(at: number, instruction: Instruction, offset: number, linkable: boolean): void {
    const view = this.#view;
    const next = offset + instruction.length;
    this.#u8.fill(0, at, at + RECORD_BYTES);
    this.#setHandler(at, this.handlerOf(instruction.bound));
    view.setUint16(at + Record.offset, offset, true);
    view.setUint16(at + Record.nextOffset, next, true);
    const { registers } = instruction;
    for (let slot = 0; slot < registers.length; slot++) {
      if (registers[slot] < 0) continue;
      view.setUint16(at + Record.registers + 2 * slot, registers[slot], true);
    }
    if (instruction.immediate !== 0n) {
      view.setBigUint64(at + Record.immediate, instruction.immediate, true);
    }
    view.setUint16(at + Record.immediate2, instruction.immediate2, true);
    view.setUint16(at + Record.linkable, linkable ? 1 : 0, true);
    view.setUint16(at + Record.segment, SEGMENT_OFFSETS[instruction.segment], true);
    this.#u8[at + Record.isStack] = instruction.segment === SS ? 1 : 0;
    const { addressing } = instruction;
    if (addressing === null) return;
    const register = (number: number) => number < 0 ? ZERO : registerOffset(number);
    const base = addressing.ripRelative ? BLOCK_RIP : register(addressing.base);
    const displacement = addressing.ripRelative
      ? addressing.displacement + BigInt(next)
      : addressing.displacement;
    view.setUint16(at + Record.base, base, true);
    view.setUint16(at + Record.index, register(addressing.index), true);
    this.#u8[at + Record.scale] = addressing.scale;
    if (displacement !== 0n) view.setBigInt64(at + Record.displacement, displacement, true);
    const { width } = addressing;
    view.setInt32(at + Record.addressMask, width === 16 ? 0xffff : -1, true);
    view.setInt32(at + Record.addressMask + 4, width === 64 ? -1 : 0, true);
  }
}

const leavers = new WeakMap<BoundForm, boolean>();

/** Whether control never continues with the following record. */
function alwaysLeaves(bound: BoundForm): boolean {
  if (!bound.program.endsBlock) return false;
  let leaves = leavers.get(bound);
  if (leaves === undefined) {
    leaves = leavesIn(bound.program.statements, true);
    leavers.set(bound, leaves);
  }
  return leaves;
}

function leavesIn(statements: readonly Statement[], outermost: boolean): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case "jump":
        return outermost;
      case "system":
        return statement.endsBlock;
      case "if":
        return leavesIn(statement.then, false) || leavesIn(statement.otherwise, false);
      case "loop":
        return leavesIn(statement.body, false);
      default:
        return false;
    }
  });
}

const directJumps = new WeakMap<BoundForm, boolean>();

function jumpsDirectly(statements: readonly Statement[]): boolean {
  return statements.some((s) =>
    (s.kind === "jump" && s.direct) ||
    (s.kind === "if" && (jumpsDirectly(s.then) || jumpsDirectly(s.otherwise)))
  );
}

/** Offset from the block's start that a direct jump leads to, or null if the instruction is none. */
function jumpOffset(instruction: Instruction, offset: number): number | null {
  const { bound } = instruction;
  if (!bound.program.endsBlock) return null;
  let direct = directJumps.get(bound);
  if (direct === undefined) {
    direct = jumpsDirectly(bound.program.statements);
    directJumps.set(bound, direct);
  }
  if (!direct) return null;
  const displacement = Number(BigInt.asIntN(bound.form.width, instruction.immediate));
  return offset + instruction.length + displacement;
}
