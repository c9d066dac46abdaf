/**
 * Page windows: what a region accesses through one register mostly lies in one page. So the page that was accessed last
 * and its distance from linear memory stay in two locals, and an access to the same page asks no TLB.
 *
 * A region is left before a TLB changes, and its windows are closed when it is entered: an open one is as good as
 * the TLB.
 */

import type { FunctionWriter } from "../lib/wasm/writer.ts";
import type { SegmentRef, Statement } from "../x86/ir/ir.ts";
import { GENERAL_REGISTERS } from "../x86/state/layout.ts";
import type { RegionInstruction } from "./region.ts";

/** Most windows of a region: more would crowd out registers. */
const MOST_WINDOWS = 6;
/** Accesses from which on a window pays where control may come back, and as how many one in a loop counts. */
const LEAST_ACCESSES = 3;
const LOOP_ACCESSES = 8;

/** How control goes through a part of a region: straight on, back to it by a jump that is computed, or in loops. */
export type Course = "straight" | "returning" | "looping";
/** A page that no access has: bits 11..4 of an address are not compared. */
const CLOSED = 0x800n;
const REGISTER = { rsp: 4, rsi: 6, rdi: 7 } as const;
/** Stands for the register of an access that has none. */
const NO_REGISTER = GENERAL_REGISTERS.length;

/** Two i64 locals. */
export interface PageWindow {
  /** Address of the page that loads, or stores, may reach directly. */
  readonly page: number;
  /** Linear offsets less addresses in it. */
  readonly addend: number;
}

/** The windows of one region. */
export class PageWindows {
  readonly #accesses = new Map<number, number>();
  readonly #windows = new Map<number, PageWindow>();

  constructor(private readonly code: FunctionWriter) {}

  /** Takes note of what `instructions` access. What is straight is faster without: nothing has to be merged behind it. */
  use(instructions: readonly RegionInstruction[], course: Course): void {
    const weight = course === "looping" ? LOOP_ACCESSES : course === "returning" ? 1 : 0;
    for (const at of instructions) {
      if (at.shape.inlined) this.#count(at, at.shape.statements, weight);
    }
  }

  /** Makes the windows that pay, and writes code that closes them. */
  enter(): void {
    const { code } = this;
    const paying = [...this.#accesses]
      .filter(([, accesses]) => accesses >= LEAST_ACCESSES)
      .sort(([, a], [, b]) => b - a)
      .slice(0, MOST_WINDOWS);
    for (const [key] of paying) {
      const window = { page: code.local("i64"), addend: code.local("i64") };
      this.#windows.set(key, window);
      code.i64(CLOSED);
      code.set(window.page);
    }
  }

  /** The window of an access, or null if it has none. */
  of(at: RegionInstruction, segment: SegmentRef, write: boolean): PageWindow | null {
    return this.#windows.get(keyOf(at, segment, write)) ?? null;
  }

  #count(at: RegionInstruction, statements: readonly Statement[], weight: number): void {
    for (const s of statements) {
      switch (s.kind) {
        case "load":
          this.#add(keyOf(at, s.segment, s.forWrite), weight);
          break;
        case "store":
          this.#add(keyOf(at, s.segment, true), weight);
          break;
        case "if":
          this.#count(at, s.then, weight);
          this.#count(at, s.otherwise, weight);
          break;
        case "loop":
          this.#count(at, s.body, LOOP_ACCESSES);
          break;
      }
    }
  }

  #add(key: number, weight: number): void {
    this.#accesses.set(key, (this.#accesses.get(key) ?? 0) + weight);
  }
}

/** What accesses share a window by: the register that they go through, and whether they store. */
function keyOf({ instruction }: RegionInstruction, segment: SegmentRef, write: boolean): number {
  return registerOf(instruction.addressing, segment) * 2 + (write ? 1 : 0);
}

function registerOf(
  addressing: RegionInstruction["instruction"]["addressing"],
  segment: SegmentRef,
): number {
  if (segment === "ss") return REGISTER.rsp;
  if (segment === "es") return REGISTER.rdi;
  if (!addressing) return REGISTER.rsi;
  const { base, index } = addressing;
  return base >= 0 ? base : index >= 0 ? index : NO_REGISTER;
}
