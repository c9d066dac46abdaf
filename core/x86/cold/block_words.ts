/** The code cache's tables (block_table.ts, record.ts) and what is noted of pages, as expressions. */

import {
  add,
  and,
  below,
  bits,
  type Condition,
  constant,
  differ,
  equal,
  load,
  mul,
  notAbove,
  type Routine,
  shl,
  shr,
  sub,
  type Value,
  xor,
} from "../../lib/wasm/routine.ts";
import { CODE_LINE_SHIFT, LINE_COUNTS_BYTES_PER_PAGE } from "../../memory/code_lines.ts";
import type { MachineMemory } from "../../memory/machine_memory.ts";
import {
  BLOCK_WORDS,
  Column,
  Counter,
  HASH_OF_MODE,
  HASH_OF_PAGE,
  LINE_BUCKETS,
  OVERLAID_PAGES,
  PLACE_BUCKETS,
  TablePart,
} from "./block_table.ts";
import type { CodeCachePlan } from "./code_cache.ts";
import { LOOKUP_ENTRIES, LookupEntry, LookupHash, Record, RECORD_BYTES } from "./record.ts";

/** The tables of one code cache, within a routine. */
export class BlockWords {
  readonly #blocks: number;

  constructor(
    private readonly r: Routine,
    private readonly memory: MachineMemory,
    private readonly plan: CodeCachePlan,
  ) {
    this.#blocks = plan.tablesBase + TablePart.blocks;
  }

  // ---- records ----

  /** Linear offset of the record at a word of the arena. */
  recordAt(word: Value): Value {
    return add(shl(word, constant(2)), constant(this.plan.arenaBase));
  }

  /** Writes code for each record of a block. */
  eachRecord(id: Value, write: (at: Value) => void): void {
    const { r } = this;
    const at = r.variable(this.recordAt(this.get(id, "record")));
    const records = this.get(id, "records");
    const end = r.let(add(at.value, mul(records, constant(RECORD_BYTES))));
    r.while(below(at.value, end), () => {
      write(at.value);
      at.set(add(at.value, constant(RECORD_BYTES)));
    });
  }

  /** Lets a record lead to a handler, in the cold tier too. */
  redirect(at: Value, handler: Value): void {
    this.r.store(at, 16, handler, Record.handler);
    this.r.store(at, 16, handler, Record.coldHandler);
  }

  // ---- tables ----

  /** Linear offset of a block's row, and its columns. */
  at(id: Value): Value {
    return add(mul(id, constant(4 * BLOCK_WORDS)), constant(this.#blocks));
  }

  get(id: Value, column: keyof typeof Column): Value {
    return load(this.at(id), 32, 4 * Column[column]);
  }

  put(id: Value, column: keyof typeof Column, value: Value): void {
    this.r.store(this.at(id), 32, value, 4 * Column[column]);
  }

  /** A counter of the table. */
  counter(name: keyof typeof Counter): Value {
    return load(constant(this.plan.tablesBase), 32, TablePart.counters + 4 * Counter[name]);
  }

  count(name: keyof typeof Counter, value: Value): void {
    const offset = TablePart.counters + 4 * Counter[name];
    this.r.store(constant(this.plan.tablesBase), 32, value, offset);
  }

  /** Linear offset of the head of a place's chain. */
  placeBucket(page: Value, offset: Value, modeKey: Value): Value {
    const hash = and(
      xor(mul(page, constant(HASH_OF_PAGE)), mul(modeKey, constant(HASH_OF_MODE))),
      constant(0xffff_ffffn),
    );
    const mixed = add(shr(hash, constant(12)), shr(offset, constant(2)));
    const index = and(mixed, constant(PLACE_BUCKETS - 1));
    return add(shl(index, constant(2)), constant(this.plan.tablesBase + TablePart.places));
  }

  /** Linear offset of the head of a line's chain. */
  lineBucket(page: Value, line: Value): Value {
    const index = and(add(shl(page, constant(6)), line), constant(LINE_BUCKETS - 1));
    return add(shl(index, constant(2)), constant(this.plan.tablesBase + TablePart.lines));
  }

  /** The look-up entry of a code address. */
  slot(code: Value): Value {
    const near = xor(shl(code, constant(LookupHash.near)), shl(code, constant(LookupHash.low)));
    const hash = xor(near, shr(code, constant(LookupHash.far)));
    const index = and(hash, constant((LOOKUP_ENTRIES - 1) << LookupEntry.sizeShift));
    return add(index, constant(this.plan.lookupBase));
  }

  // ---- pages ----

  /** Whether something may stand above the blocks of a page. */
  isOverlaid(page: Value): Condition {
    const number = and(page, constant(OVERLAID_PAGES - 1));
    const count = add(shl(number, constant(2)), constant(this.plan.tablesBase));
    return differ(load(count, 32, TablePart.overlaid), constant(0));
  }

  /** Whether the code of a page serves others too, or comes from another (code_homes.ts). */
  isShared(page: Value): Condition {
    const at = add(shl(page, constant(2)), constant(this.memory.codeHomes.wordOfPage0));
    return differ(load(at, 32), constant(0));
  }

  /** What is noted of a linear page. */
  watches(page: Value): Value {
    return load(add(page, constant(this.memory.watchOfPage0)), 8);
  }

  /** Counts a piece of code more or less in the lines of its bytes. */
  countLines(page: Value, offset: Value, bytes: Value, by: 1 | -1): void {
    const { r, memory } = this;
    const counts = r.let(
      add(mul(page, constant(LINE_COUNTS_BYTES_PER_PAGE)), constant(memory.lineCountsOfPage0)),
    );
    const lines = r.let(add(shl(page, constant(3)), constant(memory.codeLinesOfPage0)));
    const line = r.variable(shr(offset, constant(CODE_LINE_SHIFT)));
    const last = r.let(
      shr(sub(add(offset, bytes), constant(1)), constant(CODE_LINE_SHIFT)),
    );
    r.while(notAbove(line.value, last), () => {
      const at = r.let(add(counts, shl(line.value, constant(2))));
      const count = r.let(add(load(at, 32), constant(by)));
      r.store(at, 32, count);
      const bit = shl(constant(1), line.value);
      // The bit changes where the count comes from, or goes to, 0.
      r.if(
        equal(bits(count, 0, 32), constant(by === 1 ? 1 : 0)),
        () => r.store(lines, 64, xor(load(lines, 64), bit)),
      );
      line.set(add(line.value, constant(1)));
    });
  }

  /** Both conditions; the second is computed only where the first holds. */
  bothInOrder(first: Condition, second: () => Condition): Condition {
    return (code) => {
      first(code);
      code.block("if", "i32");
      second()(code);
      code.op("else");
      code.i32(0);
      code.op("end");
    };
  }
}
