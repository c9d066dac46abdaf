/**
 * Regions: the part of a page of code that is translated into one function.
 *
 * A region starts at a hot instruction and follows direct jumps within the page to code that has been executed, and
 * calls to their return points. Its blocks begin where jumps lead; each corresponds to a block of the cold tier,
 * whose records it leaves to.
 */

import { FRAME_BYTES } from "../memory/machine_memory.ts";
import { MAX_BLOCK_INSTRUCTIONS } from "../x86/cold/record_writer.ts";
import type { Instruction } from "../x86/ir/instruction.ts";
import { type Shape, shapeOf } from "./shape.ts";

/** Bounds of one region. */
const MAX_INSTRUCTIONS = 384;
const MAX_BLOCKS = 128;

/** One instruction of a region. Offsets count from the start of the page. */
export interface RegionInstruction {
  readonly offset: number;
  readonly instruction: Instruction;
  readonly shape: Shape;
  /** Where its direct jump leads, or -1; may lie outside the page. */
  readonly target: number;
}

/** Straight-line code. */
export interface RegionBlock {
  readonly offset: number;
  readonly instructions: readonly RegionInstruction[];
  /** Offset behind the last instruction. */
  readonly end: number;
}

/** What is translated as one. */
export interface Region {
  /** Linear offset of the page's first byte. */
  readonly page: number;
  readonly modeKey: number;
  /** Blocks by offset; the hot one is among the entries. */
  readonly blocks: ReadonlyMap<number, RegionBlock>;
  /** Offsets of blocks that other code may continue at, the hot one first. */
  readonly entries: readonly number[];
}

/** What forming a region needs to know of the code. */
export interface CodeView {
  /** Decodes the instruction at `offset` in the page; null if there is none that lies within the page. */
  decode(offset: number): Instruction | null;
  /** Whether execution has jumped to `offset` often enough to be worth following. */
  isWarm(offset: number): boolean;
  /** The offsets in the page to which that applies: where a computed jump may lead. */
  warm(): readonly number[];
}

/** Forms the region around the instruction at `head`; null if the cold tier has to execute it. */
export function formRegion(
  page: number,
  modeKey: number,
  head: number,
  code: CodeView,
): Region | null {
  const survey = new Survey(code);
  survey.follow(head);
  const first = survey.instructions.get(head);
  if (!first?.shape.inlined) return null;
  const blocks = new Map<number, RegionBlock>();
  for (const leader of survey.leaders) {
    const block = survey.blockAt(leader);
    if (block) blocks.set(leader, block);
  }
  const entries = [head, ...survey.entries].filter((offset, i, all) =>
    blocks.get(offset)?.instructions[0].shape.inlined && all.indexOf(offset) === i
  );
  return { page, modeKey, blocks, entries };
}

/** Follows code from a starting point. */
class Survey {
  readonly instructions = new Map<number, RegionInstruction>();
  readonly leaders = new Set<number>();
  readonly entries = new Set<number>();
  readonly #todo: number[] = [];

  constructor(private readonly code: CodeView) {}

  follow(head: number): void {
    this.#lead(head);
    for (let at = this.#todo.shift(); at !== undefined; at = this.#todo.shift()) this.#walk(at);
  }

  blockAt(leader: number): RegionBlock | null {
    const instructions: RegionInstruction[] = [];
    let at = leader;
    while (instructions.length < MAX_BLOCK_INSTRUCTIONS) {
      const next = this.instructions.get(at);
      if (!next || (at !== leader && this.leaders.has(at))) break;
      instructions.push(next);
      at += next.instruction.length;
      if (endsBlock(next)) break;
    }
    return instructions.length > 0 ? { offset: leader, instructions, end: at } : null;
  }

  #lead(offset: number): void {
    if (this.leaders.has(offset) || this.leaders.size >= MAX_BLOCKS) return;
    this.leaders.add(offset);
    this.#todo.push(offset);
  }

  /** Takes in straight-line code from `at` up to where it ends or is known. */
  #walk(at: number): void {
    let length = 0;
    while (!this.instructions.has(at) && this.instructions.size < MAX_INSTRUCTIONS) {
      // A block as long as the cold tier's longest has its continuation as a block of its own.
      if (length === MAX_BLOCK_INSTRUCTIONS) return this.#lead(at);
      const instruction = this.code.decode(at);
      if (instruction === null) return;
      const shape = shapeOf(instruction.bound);
      const next = at + instruction.length;
      const target = jumpTarget(instruction, shape, next);
      const found = { offset: at, instruction, shape, target };
      this.instructions.set(at, found);
      length++;
      if (shape.repeats) this.#lead(at);
      if (!shape.inlined) {
        if (shape.alwaysLeaves || instruction.bound.program.endsBlock) return;
        this.entries.add(next);
        this.#lead(next);
        return;
      }
      if (this.#isWorthFollowing(found)) this.#lead(target);
      if (shape.isCall) {
        this.entries.add(next);
        this.#lead(next);
      }
      if (shape.isComputedJump) this.#followComputed();
      if (shape.alwaysLeaves) return;
      if (endsBlock(found)) return this.#lead(next);
      at = next;
    }
  }

  /** Takes in whatever in the page is executed: among it is what the jump leads to. */
  #followComputed(): void {
    for (const offset of this.code.warm()) {
      this.entries.add(offset);
      this.#lead(offset);
    }
  }

  #isWorthFollowing({ target, shape }: RegionInstruction): boolean {
    if (target < 0 || target >= FRAME_BYTES) return false;
    return (shape.alwaysLeaves && !shape.isCall) || this.code.isWarm(target);
  }
}

/** Whether a block ends with the instruction: wherever the cold tier's may end, whose records follow no further. */
function endsBlock({ shape, instruction }: RegionInstruction): boolean {
  return !shape.inlined || instruction.bound.program.endsBlock || shape.repeats ||
    shape.retiresMore;
}

/** Where a direct jump leads; -1 if there is none, or if 16 bits cut its target. */
function jumpTarget({ bound, immediate }: Instruction, shape: Shape, next: number): number {
  const { width } = bound.form;
  if (!shape.jumpsDirectly || width === 16) return -1;
  return next + Number(BigInt.asIntN(width, immediate));
}
