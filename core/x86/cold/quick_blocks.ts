/**
 * The quick twins of `CodeCache`: finding and making a block, and dropping those that a store changes, in WebAssembly over
 * the same tables. A quick function gives up with nothing changed where something is unusual: no room, a page that is not
 * watched yet, an instruction that was not met before.
 */

import type { LinearMemory, WasmHost } from "../../lib/wasm/port.ts";
import {
  add,
  and,
  below,
  bits,
  both,
  type Condition,
  constant,
  copy16,
  differ,
  either,
  equal,
  hasAny,
  load,
  mul,
  not,
  notAbove,
  or,
  Routine,
  select,
  shl,
  shr,
  sub,
  type Value,
  xor,
} from "../../lib/wasm/routine.ts";
import { ModuleWriter, type Signature } from "../../lib/wasm/writer.ts";
import { CODE_LINE_SHIFT, LINE_COUNTS_BYTES_PER_PAGE } from "../../memory/code_lines.ts";
import { FRAME_BYTES, FrameWatch, type MachineMemory } from "../../memory/machine_memory.ts";
import {
  BLOCK_WORDS,
  blockTableBytes,
  Column,
  Counter,
  HASH_OF_MODE,
  HASH_OF_PAGE,
  LINE_BUCKETS,
  PLACE_BUCKETS,
  TablePart,
} from "./block_table.ts";
import {
  type CodeCachePlan,
  MAX_BLOCK_RECORDS,
  MAX_VERSIONS,
  mostBlocks,
  type QuickFind,
} from "./code_cache.ts";
import { writeQuickDecoder } from "./quick_decoder.ts";
import {
  FixedHandler,
  LOOKUP_ENTRIES,
  LookupEntry,
  MODE_KEY_SHIFT,
  QuickBlocksEntry,
  Record,
  RECORD_BYTES,
} from "./record.ts";
import { RECORD_WORDS } from "./record_writer.ts";

/** Of finding: (page, offset, mode key); of dropping: (page, offset, length). */
export const QUICK_BLOCKS: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };

const NONE = constant(0);
const PAGE_SHIFT = constant(12);

/** Compiles both functions into their entries of `table`; returns the first of them. */
export function compileQuickBlocks(
  host: WasmHost,
  linear: LinearMemory,
  memory: MachineMemory,
  plan: CodeCachePlan,
  table: { readonly handle: unknown; readonly entries: number },
): QuickFind {
  const module = new ModuleWriter(linear.buffer.byteLength / 65536, table.entries);
  const define = (write: (writer: BlocksWriter) => void) => {
    const { index, writer } = module.define(QUICK_BLOCKS);
    write(new BlocksWriter(new Routine(writer), memory, plan));
    return index;
  };
  const find = define((writer) => writer.find());
  const drop = define((writer) => writer.drop());
  module.export("find", find);
  module.element(QuickBlocksEntry.find, [find]);
  module.element(QuickBlocksEntry.drop, [drop]);
  const imports = { memory: linear.handle, table: table.handle };
  return host.instantiate(module.toBytes(), imports).find as QuickFind;
}

type Variable = ReturnType<Routine["variable"]>;

/** Writes one of the functions. */
class BlocksWriter {
  readonly #first: Value;
  readonly #second: Value;
  readonly #third: Value;
  readonly #blocks: number;

  constructor(
    private readonly r: Routine,
    private readonly memory: MachineMemory,
    private readonly plan: CodeCachePlan,
  ) {
    this.#first = r.parameter(0);
    this.#second = r.parameter(1);
    this.#third = r.parameter(2);
    this.#blocks = plan.tablesBase + TablePart.blocks;
  }

  /** As `CodeCache.find`: the record of the block at a place, which is made if need be; 0 where this gives up. */
  find(): void {
    const { r } = this;
    const [page, offset, modeKey] = [this.#first, this.#second, this.#third];
    const code = r.let(or(shl(page, PAGE_SHIFT), offset));
    const bucket = r.let(this.#placeBucket(page, offset, modeKey));
    const first = r.variable(load(bucket, 32));
    const isOther = (id: Value) => {
      const at = this.#at(id);
      return either(
        either(
          differ(load(at, 32, 4 * Column.offset), offset),
          differ(this.#get(id, "page"), page),
        ),
        differ(this.#get(id, "modeKey"), modeKey),
      );
    };
    r.while(this.#bothInOrder(differ(first.value, NONE), () => isOther(first.value)), () => {
      first.set(this.#get(first.value, "nextPlace"));
    });
    const isValid = this.#bothInOrder(
      differ(first.value, NONE),
      () => differ(this.#get(first.value, "valid"), constant(0)),
    );
    const id = r.variable(first.value);
    r.if(not(isValid), () => this.#make(first.value, id, bucket));
    const record = r.let(this.#recordAt(this.#get(id.value, "record")));
    const slot = r.let(this.#slot(code));
    const key = or(code, shl(modeKey, constant(MODE_KEY_SHIFT)));
    r.store(slot, 64, key, LookupEntry.key);
    r.store(slot, 32, record, LookupEntry.record);
    r.result(record);
  }

  /** Makes a valid block for the place of `first`, which is not valid or is none. */
  #make(first: Value, id: Variable, bucket: Value): void {
    const { r, plan } = this;
    const [page, offset] = [this.#first, this.#second];
    const code = r.let(or(shl(page, PAGE_SHIFT), offset));
    r.giveUpUnless(hasAny(this.#watches(page), FrameWatch.code));
    r.giveUpIf(differ(this.#counter("hasStops"), constant(0)));
    const used = r.let(this.#counter("usedWords"));
    const arenaWords = plan.arenaBytes >> 2;
    r.giveUpIf(below(constant(arenaWords - MAX_BLOCK_RECORDS * RECORD_WORDS), used));
    const blocks = this.#counter("blocks");
    r.giveUpIf(notAbove(constant(mostBlocks(plan.arenaBytes)), blocks));
    const newer = r.variable(NONE);
    const version = r.variable(first);
    r.while(
      this.#bothInOrder(differ(version.value, NONE), () => not(this.#isAt(code, version.value))),
      () => {
        newer.set(version.value);
        version.set(this.#get(version.value, "older"));
      },
    );
    r.if(differ(version.value, NONE), () => {
      r.if(
        differ(newer.value, NONE),
        () => this.#put(newer.value, "older", this.#get(version.value, "older")),
      );
      this.#eachRecord(version.value, (at) => this.#redirect(at, load(at, 16, Record.ownHandler)));
      id.set(version.value);
    }, () => this.#decode(code, first, id, used));
    r.if(differ(id.value, first), () => {
      this.#put(id.value, "older", first);
      this.#standFor(id.value, first, bucket);
    });
    this.#validate(id.value, page);
    const bytes = r.let(this.#get(id.value, "codeBytes"));
    this.#countLines(page, offset, bytes, 1);
    r.store(add(page, constant(this.memory.idleStoresOfPage0)), 8, constant(0));
  }

  /** Whether the code that a dropped block was made from is at `code`. */
  #isAt(code: Value, id: Value): Condition {
    const { r } = this;
    const saved = r.let(this.#get(id, "saved"));
    const length = r.let(this.#get(id, "codeBytes"));
    const i = r.variable(constant(0));
    const same = () => equal(load(add(code, i.value), 8), load(add(saved, i.value), 8));
    r.while(this.#bothInOrder(below(i.value, length), same), () => {
      i.set(add(i.value, constant(1)));
    });
    return both(differ(saved, constant(0)), equal(i.value, length));
  }

  /** Decodes the block at `code`, in the place of the oldest version if there are many. */
  #decode(code: Value, first: Value, id: Variable, used: Value): void {
    const { r, plan } = this;
    const [page, offset, modeKey] = [this.#first, this.#second, this.#third];
    const versions = r.variable(constant(0));
    const beforeLast = r.variable(NONE);
    const last = r.variable(first);
    const each = r.variable(first);
    r.while(differ(each.value, NONE), () => {
      versions.set(add(versions.value, constant(1)));
      const older = r.let(this.#get(each.value, "older"));
      r.if(differ(older, NONE), () => beforeLast.set(each.value));
      last.set(each.value);
      each.set(older);
    });
    const record = r.let(this.#recordAt(used));
    const templates = plan.tablesBase + blockTableBytes(mostBlocks(plan.arenaBytes));
    const written = writeQuickDecoder(r, templates, { code, offset, modeKey, record });
    const records = r.let(written.records);
    const words = r.let(mul(records, constant(RECORD_WORDS)));
    const take = () => this.#count("usedWords", add(used, words));
    r.if(below(versions.value, constant(MAX_VERSIONS)), () => {
      id.set(add(this.#counter("blocks"), constant(1)));
      this.#count("blocks", id.value);
      this.#put(id.value, "page", page);
      this.#put(id.value, "offset", offset);
      this.#put(id.value, "modeKey", modeKey);
      this.#put(id.value, "record", used);
      this.#put(id.value, "roomRecords", records);
      this.#put(id.value, "older", NONE);
      this.#put(id.value, "saved", constant(0));
      this.#put(id.value, "savedRoomBytes", constant(0));
      take();
    }, () => {
      id.set(last.value);
      this.#put(beforeLast.value, "older", NONE);
      r.if(notAbove(records, this.#get(id.value, "roomRecords")), () => {
        this.#copyRecords(record, this.#recordAt(this.#get(id.value, "record")), records);
      }, () => {
        this.#put(id.value, "record", used);
        this.#put(id.value, "roomRecords", records);
        take();
      });
      r.if(below(this.#get(id.value, "savedRoomBytes"), written.codeBytes), () => {
        this.#put(id.value, "saved", constant(0));
        this.#put(id.value, "savedRoomBytes", constant(0));
      });
      this.#count("reuses", add(this.#counter("reuses"), constant(1)));
    });
    this.#put(id.value, "records", records);
    this.#put(id.value, "codeBytes", written.codeBytes);
  }

  #copyRecords(from: Value, to: Value, records: Value): void {
    const { r } = this;
    const source = r.variable(from);
    const target = r.variable(to);
    const end = r.let(add(from, mul(records, constant(RECORD_BYTES))));
    r.while(below(source.value, end), () => {
      for (let i = 0; i < RECORD_BYTES; i += 16) copy16(r, target.value, source.value, i, i);
      source.set(add(source.value, constant(RECORD_BYTES)));
      target.set(add(target.value, constant(RECORD_BYTES)));
    });
  }

  /** As `BlockTable.standFor`; `bucket` is where the place's chain begins. */
  #standFor(id: Value, before: Value, bucket: Value): void {
    const { r } = this;
    r.if(equal(before, NONE), () => {
      this.#put(id, "nextPlace", load(bucket, 32));
      r.store(bucket, 32, id);
    }, () => {
      this.#put(id, "nextPlace", this.#get(before, "nextPlace"));
      const at = r.variable(load(bucket, 32));
      const previous = r.variable(NONE);
      r.while(differ(at.value, before), () => {
        previous.set(at.value);
        at.set(this.#get(at.value, "nextPlace"));
      });
      r.if(
        equal(previous.value, NONE),
        () => r.store(bucket, 32, id),
        () => this.#put(previous.value, "nextPlace", id),
      );
    });
  }

  /** As `BlockTable.validate`. */
  #validate(id: Value, page: Value): void {
    const { r } = this;
    const offset = r.let(this.#get(id, "offset"));
    const line = r.let(shr(offset, constant(CODE_LINE_SHIFT)));
    const lastByte = sub(add(offset, this.#get(id, "codeBytes")), constant(1));
    const more = r.let(sub(shr(lastByte, constant(CODE_LINE_SHIFT)), line));
    r.if(
      below(this.#counter("longestLines"), more),
      () => this.#count("longestLines", more),
    );
    const bucket = r.let(this.#lineBucket(page, line));
    this.#put(id, "valid", constant(1));
    this.#put(id, "nextInLine", load(bucket, 32));
    r.store(bucket, 32, id);
  }

  /** As what `CodeCache` does before a store to bytes [offset, offset + length) of a page; returns 1. */
  drop(): void {
    const { r } = this;
    const [page, offset, length] = [this.#first, this.#second, this.#third];
    const sum = r.let(add(offset, length));
    const end = r.let(
      select(below(sum, constant(FRAME_BYTES)), sum, constant(FRAME_BYTES)),
    );
    const longest = r.let(this.#counter("longestLines"));
    const own = r.let(shr(offset, constant(CODE_LINE_SHIFT)));
    const line = r.variable(select(below(own, longest), constant(0), sub(own, longest)));
    const last = r.let(shr(sub(end, constant(1)), constant(CODE_LINE_SHIFT)));
    r.while(notAbove(line.value, last), () => {
      this.#dropInLine(page, line.value, offset, end);
      line.set(add(line.value, constant(1)));
    });
    r.done();
  }

  #dropInLine(page: Value, line: Value, start: Value, end: Value): void {
    const { r } = this;
    const bucket = r.let(this.#lineBucket(page, line));
    const previous = r.variable(NONE);
    const id = r.variable(load(bucket, 32));
    r.while(differ(id.value, NONE), () => {
      const next = r.let(this.#get(id.value, "nextInLine"));
      const offset = r.let(this.#get(id.value, "offset"));
      const codeEnd = add(offset, this.#get(id.value, "codeBytes"));
      const isApart = either(notAbove(end, offset), notAbove(codeEnd, start));
      r.if(
        either(differ(this.#get(id.value, "page"), page), isApart),
        () => previous.set(id.value),
        () => {
          r.if(
            equal(previous.value, NONE),
            () => r.store(bucket, 32, next),
            () => this.#put(previous.value, "nextInLine", next),
          );
          this.#put(id.value, "valid", constant(0));
          this.#dropped(id.value, page, offset);
        },
      );
      id.set(next);
    });
  }

  #dropped(id: Value, page: Value, offset: Value): void {
    const { r } = this;
    const code = r.let(or(shl(page, PAGE_SHIFT), offset));
    const slot = r.let(this.#slot(code));
    const record = this.#recordAt(this.#get(id, "record"));
    r.if(
      equal(load(slot, 32, LookupEntry.record), record),
      () => r.store(slot, 64, constant(-1), LookupEntry.key),
    );
    this.#eachRecord(id, (at) => this.#redirect(at, constant(FixedHandler.stale)));
    const bytes = r.let(this.#get(id, "codeBytes"));
    this.#countLines(page, offset, bytes, -1);
    this.#save(id, code, bytes);
  }

  /** As `CodeCache` saves the code of a dropped block. */
  #save(id: Value, code: Value, bytes: Value): void {
    const { r, plan } = this;
    r.if(equal(this.#get(id, "saved"), constant(0)), () => {
      const lines = shr(add(bytes, constant(RECORD_BYTES - 1)), constant(6));
      const room = r.let(mul(lines, constant(RECORD_WORDS)));
      const used = r.let(this.#counter("usedWords"));
      r.if(notAbove(add(used, room), constant(plan.arenaBytes >> 2)), () => {
        this.#put(id, "saved", this.#recordAt(used));
        this.#put(id, "savedRoomBytes", shl(room, constant(2)));
        this.#count("usedWords", add(used, room));
      });
    });
    const saved = r.let(this.#get(id, "saved"));
    r.if(differ(saved, constant(0)), () => {
      const i = r.variable(constant(0));
      r.while(below(i.value, bytes), () => {
        r.store(add(saved, i.value), 8, load(add(code, i.value), 8));
        i.set(add(i.value, constant(1)));
      });
    });
  }

  // ---- records ----

  #recordAt(word: Value): Value {
    return add(shl(word, constant(2)), constant(this.plan.arenaBase));
  }

  #eachRecord(id: Value, write: (at: Value) => void): void {
    const { r } = this;
    const at = r.variable(this.#recordAt(this.#get(id, "record")));
    const records = this.#get(id, "records");
    const end = r.let(add(at.value, mul(records, constant(RECORD_BYTES))));
    r.while(below(at.value, end), () => {
      write(at.value);
      at.set(add(at.value, constant(RECORD_BYTES)));
    });
  }

  #redirect(at: Value, handler: Value): void {
    this.r.store(at, 16, handler, Record.handler);
    this.r.store(at, 16, handler, Record.coldHandler);
  }

  // ---- tables ----

  #at(id: Value): Value {
    return add(mul(id, constant(4 * BLOCK_WORDS)), constant(this.#blocks));
  }

  #get(id: Value, column: keyof typeof Column): Value {
    return load(this.#at(id), 32, 4 * Column[column]);
  }

  #put(id: Value, column: keyof typeof Column, value: Value): void {
    this.r.store(this.#at(id), 32, value, 4 * Column[column]);
  }

  #counter(name: keyof typeof Counter): Value {
    return load(constant(this.plan.tablesBase), 32, TablePart.counters + 4 * Counter[name]);
  }

  #count(name: keyof typeof Counter, value: Value): void {
    const offset = TablePart.counters + 4 * Counter[name];
    this.r.store(constant(this.plan.tablesBase), 32, value, offset);
  }

  #placeBucket(page: Value, offset: Value, modeKey: Value): Value {
    const hash = and(
      xor(mul(page, constant(HASH_OF_PAGE)), mul(modeKey, constant(HASH_OF_MODE))),
      constant(0xffff_ffffn),
    );
    const mixed = add(shr(hash, constant(12)), shr(offset, constant(2)));
    const index = and(mixed, constant(PLACE_BUCKETS - 1));
    return add(shl(index, constant(2)), constant(this.plan.tablesBase + TablePart.places));
  }

  #lineBucket(page: Value, line: Value): Value {
    const index = and(add(shl(page, constant(6)), line), constant(LINE_BUCKETS - 1));
    return add(shl(index, constant(2)), constant(this.plan.tablesBase + TablePart.lines));
  }

  /** The look-up entry of a code address. */
  #slot(code: Value): Value {
    const hash = xor(shr(code, PAGE_SHIFT), shl(code, constant(LookupEntry.sizeShift)));
    const index = and(hash, constant((LOOKUP_ENTRIES - 1) << LookupEntry.sizeShift));
    return add(index, constant(this.plan.lookupBase));
  }

  // ---- pages ----

  #watches(page: Value): Value {
    return load(add(page, constant(this.memory.watchOfPage0)), 8);
  }

  /** Counts a piece of code more or less in the lines of its bytes. */
  #countLines(page: Value, offset: Value, bytes: Value, by: 1 | -1): void {
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
  #bothInOrder(first: Condition, second: () => Condition): Condition {
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
