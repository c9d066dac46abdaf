/**
 * The quick twins of `CodeCache`: finding and making a block, and dropping those that a store changes, in WebAssembly over
 * the same tables. A quick function gives up with nothing changed where something is unusual: no room, a page that is not
 * watched yet or is overlaid, an instruction that was not met before.
 */

import type { LinearMemory, WasmHost } from "../../lib/wasm/port.ts";
import {
  add,
  below,
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
import { ModuleWriter } from "../../lib/wasm/writer.ts";
import { CODE_LINE_SHIFT } from "../../memory/code_lines.ts";
import { FRAME_BYTES, FrameWatch, type MachineMemory } from "../../memory/machine_memory.ts";
import { Column } from "./block_table.ts";
import {
  type CodeCachePlan,
  type Counted,
  MAX_BLOCK_RECORDS,
  MAX_VERSIONS,
  mostBlocks,
  type QuickFind,
  templatesBase,
} from "./code_cache.ts";
import { BlockWords } from "./block_words.ts";
import { definePassing, QUICK_BLOCKS } from "./passing.ts";
import { writeQuickDecoder } from "./quick_decoder.ts";
import {
  FixedHandler,
  LookupEntry,
  MODE_KEY_SHIFT,
  QuickBlocksEntry,
  Record,
  RECORD_BYTES,
} from "./record.ts";
import { RECORD_WORDS } from "./record_writer.ts";

const NONE = constant(0);
const PAGE_SHIFT = constant(12);

/**
 * Compiles the functions of {@link QuickBlocksEntry} into their entries of `table`; returns that which finds a block. `passes`: as
 * {@link ColdEngineParts.passes}.
 */
export function compileQuickBlocks(
  host: WasmHost,
  linear: LinearMemory,
  memory: MachineMemory,
  plan: CodeCachePlan,
  table: { readonly handle: unknown; readonly entries: number },
  counted: Counted | null,
  passes: number,
): QuickFind {
  const module = new ModuleWriter(linear.buffer.byteLength / 65536, table.entries);
  const define = (write: (writer: BlocksWriter) => void) => {
    const { index, writer } = module.define(QUICK_BLOCKS);
    write(new BlocksWriter(new Routine(writer), memory, plan, counted));
    return index;
  };
  const find = define((writer) => writer.find());
  const drop = define((writer) => writer.drop());
  const { arrive, pass, jump } = definePassing(module, plan, find, passes);
  module.export("find", find);
  module.element(QuickBlocksEntry.arrive, [arrive]);
  module.element(QuickBlocksEntry.pass, [pass, jump]);
  module.element(QuickBlocksEntry.drop, [drop]);
  const imports = { memory: linear.handle, table: table.handle };
  return host.instantiate(module.toBytes(), imports).find as QuickFind;
}

type Variable = ReturnType<Routine["variable"]>;

/** What a search through the versions of a place found: one that fits, or none; those before it; how many there were. */
interface Versions {
  readonly version: Value;
  readonly newer: Value;
  readonly beforeNewer: Value;
  readonly count: Value;
}

/** Writes one of the functions. */
class BlocksWriter {
  readonly #first: Value;
  readonly #second: Value;
  readonly #third: Value;
  readonly #words: BlockWords;

  constructor(
    private readonly r: Routine,
    private readonly memory: MachineMemory,
    private readonly plan: CodeCachePlan,
    private readonly counted: Counted | null,
  ) {
    this.#first = r.parameter(0);
    this.#second = r.parameter(1);
    this.#third = r.parameter(2);
    this.#words = new BlockWords(r, memory, plan);
  }

  /** As `CodeCache.find`: the record of the block at a place, which is made if need be; 0 where this gives up. */
  find(): void {
    const { r } = this;
    const [page, offset, modeKey] = [this.#first, this.#second, this.#third];
    const code = r.let(or(shl(page, PAGE_SHIFT), offset));
    const bucket = r.let(this.#words.placeBucket(page, offset, modeKey));
    const first = r.variable(load(bucket, 32));
    const isOther = (id: Value) => {
      const at = this.#words.at(id);
      return either(
        either(
          differ(load(at, 32, 4 * Column.offset), offset),
          differ(this.#words.get(id, "page"), page),
        ),
        differ(this.#words.get(id, "modeKey"), modeKey),
      );
    };
    r.while(this.#words.bothInOrder(differ(first.value, NONE), () => isOther(first.value)), () => {
      first.set(this.#words.get(first.value, "nextPlace"));
    });
    const isValid = this.#words.bothInOrder(
      differ(first.value, NONE),
      () => differ(this.#words.get(first.value, "valid"), constant(0)),
    );
    const id = r.variable(first.value);
    r.if(not(isValid), () => this.#make(first.value, id, bucket));
    const record = r.let(this.#words.recordAt(this.#words.get(id.value, "record")));
    const slot = r.let(this.#words.slot(code));
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
    r.giveUpUnless(hasAny(this.#words.watches(page), FrameWatch.code));
    r.giveUpIf(differ(this.#words.counter("hasStops"), constant(0)));
    if (this.counted) r.giveUpIf(this.#words.isOverlaid(page));
    const used = r.let(this.#words.counter("usedWords"));
    const arenaWords = plan.arenaBytes >> 2;
    r.giveUpIf(below(constant(arenaWords - MAX_BLOCK_RECORDS * RECORD_WORDS), used));
    const blocks = this.#words.counter("blocks");
    r.giveUpIf(notAbove(constant(mostBlocks(plan.arenaBytes)), blocks));
    const found = this.#findVersion(code, first);
    r.if(differ(found.version, NONE), () => {
      r.if(
        differ(found.newer, NONE),
        () => this.#words.put(found.newer, "older", this.#words.get(found.version, "older")),
      );
      this.#words.eachRecord(
        found.version,
        (at) => this.#words.redirect(at, load(at, 16, Record.ownHandler)),
      );
      id.set(found.version);
    }, () => this.#decode(code, found, id, used));
    r.if(differ(id.value, first), () => {
      this.#words.put(id.value, "older", first);
      this.#standFor(id.value, first, bucket);
    });
    this.#validate(id.value, page);
    if (this.counted) this.#count(id.value, this.counted);
    const bytes = r.let(this.#words.get(id.value, "codeBytes"));
    this.#words.countLines(page, offset, bytes, 1);
    r.store(add(page, constant(this.memory.idleStoresOfPage0)), 8, constant(0));
  }

  /** As `CodeCache.count`, if the block's mode is counted. */
  #count(id: Value, { modes, executions }: Counted): void {
    const { r } = this;
    r.if(hasAny(this.#third, modes), () => {
      const record = r.let(this.#words.recordAt(this.#words.get(id, "record")));
      r.store(record, 16, constant(FixedHandler.count), Record.handler);
      r.store(record, 16, constant(executions), Record.counter);
    });
  }

  /** Looks for a version of `first` whose code is at `code`. */
  #findVersion(code: Value, first: Value): Versions {
    const { r } = this;
    const version = r.variable(first);
    const newer = r.variable(NONE);
    const beforeNewer = r.variable(NONE);
    const count = r.variable(constant(0));
    r.while(
      this.#words.bothInOrder(
        differ(version.value, NONE),
        () => not(this.#isAt(code, version.value)),
      ),
      () => {
        beforeNewer.set(newer.value);
        newer.set(version.value);
        count.set(add(count.value, constant(1)));
        version.set(this.#words.get(version.value, "older"));
      },
    );
    return {
      version: version.value,
      newer: newer.value,
      beforeNewer: beforeNewer.value,
      count: count.value,
    };
  }

  /** Whether the code that a dropped block was made from is at `code`. */
  #isAt(code: Value, id: Value): Condition {
    const { r } = this;
    const saved = r.let(this.#words.get(id, "saved"));
    const length = r.let(this.#words.get(id, "codeBytes"));
    const i = r.variable(constant(0));
    const difference = () => {
      const words = xor(load(add(code, i.value), 64), load(add(saved, i.value), 64));
      const left = r.let(sub(length, i.value));
      // Of the last word only what is code.
      const beyond = select(below(left, constant(8)), sub(constant(8), left), constant(0));
      return shl(words, shl(beyond, constant(3)));
    };
    r.while(
      this.#words.bothInOrder(below(i.value, length), () => equal(difference(), constant(0))),
      () => i.set(add(i.value, constant(8))),
    );
    return both(differ(saved, constant(0)), notAbove(length, i.value));
  }

  /** Decodes the block at `code`, in the place of the oldest version if there are many. */
  #decode(code: Value, versions: Versions, id: Variable, used: Value): void {
    const { r, plan } = this;
    const [page, offset, modeKey] = [this.#first, this.#second, this.#third];
    const record = r.let(this.#words.recordAt(used));
    const written = writeQuickDecoder(r, templatesBase(plan), { code, offset, modeKey, record });
    const records = r.let(written.records);
    const words = r.let(mul(records, constant(RECORD_WORDS)));
    const take = () => this.#words.count("usedWords", add(used, words));
    r.if(below(versions.count, constant(MAX_VERSIONS)), () => {
      id.set(add(this.#words.counter("blocks"), constant(1)));
      this.#words.count("blocks", id.value);
      this.#words.put(id.value, "page", page);
      this.#words.put(id.value, "offset", offset);
      this.#words.put(id.value, "modeKey", modeKey);
      this.#words.put(id.value, "record", used);
      this.#words.put(id.value, "roomRecords", records);
      this.#words.put(id.value, "older", NONE);
      this.#words.put(id.value, "saved", constant(0));
      this.#words.put(id.value, "savedRoomBytes", constant(0));
      take();
    }, () => {
      id.set(versions.newer);
      this.#words.put(versions.beforeNewer, "older", NONE);
      r.if(notAbove(records, this.#words.get(id.value, "roomRecords")), () => {
        this.#copyRecords(
          record,
          this.#words.recordAt(this.#words.get(id.value, "record")),
          records,
        );
      }, () => {
        this.#words.put(id.value, "record", used);
        this.#words.put(id.value, "roomRecords", records);
        take();
      });
      r.if(below(this.#words.get(id.value, "savedRoomBytes"), written.codeBytes), () => {
        this.#words.put(id.value, "saved", constant(0));
        this.#words.put(id.value, "savedRoomBytes", constant(0));
      });
      this.#words.count("reuses", add(this.#words.counter("reuses"), constant(1)));
    });
    this.#words.put(id.value, "records", records);
    this.#words.put(id.value, "codeBytes", written.codeBytes);
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
      this.#words.put(id, "nextPlace", load(bucket, 32));
      r.store(bucket, 32, id);
    }, () => {
      this.#words.put(id, "nextPlace", this.#words.get(before, "nextPlace"));
      const at = r.variable(load(bucket, 32));
      const previous = r.variable(NONE);
      r.while(differ(at.value, before), () => {
        previous.set(at.value);
        at.set(this.#words.get(at.value, "nextPlace"));
      });
      r.if(
        equal(previous.value, NONE),
        () => r.store(bucket, 32, id),
        () => this.#words.put(previous.value, "nextPlace", id),
      );
    });
  }

  /** As `BlockTable.validate`. */
  #validate(id: Value, page: Value): void {
    const { r } = this;
    const offset = r.let(this.#words.get(id, "offset"));
    const line = r.let(shr(offset, constant(CODE_LINE_SHIFT)));
    const lastByte = sub(add(offset, this.#words.get(id, "codeBytes")), constant(1));
    const more = r.let(sub(shr(lastByte, constant(CODE_LINE_SHIFT)), line));
    r.if(
      below(this.#words.counter("longestLines"), more),
      () => this.#words.count("longestLines", more),
    );
    const bucket = r.let(this.#words.lineBucket(page, line));
    this.#words.put(id, "valid", constant(1));
    this.#words.put(id, "nextInLine", load(bucket, 32));
    r.store(bucket, 32, id);
  }

  /** As what `CodeCache` does before a store to bytes [offset, offset + length) of a page; returns 1. */
  drop(): void {
    const { r } = this;
    const [page, offset, length] = [this.#first, this.#second, this.#third];
    if (this.counted) r.giveUpIf(this.#words.isOverlaid(page));
    r.giveUpIf(this.#words.isShared(page));
    const sum = r.let(add(offset, length));
    const end = r.let(
      select(below(sum, constant(FRAME_BYTES)), sum, constant(FRAME_BYTES)),
    );
    const longest = r.let(this.#words.counter("longestLines"));
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
    const bucket = r.let(this.#words.lineBucket(page, line));
    const previous = r.variable(NONE);
    const id = r.variable(load(bucket, 32));
    r.while(differ(id.value, NONE), () => {
      const next = r.let(this.#words.get(id.value, "nextInLine"));
      const offset = r.let(this.#words.get(id.value, "offset"));
      const codeEnd = add(offset, this.#words.get(id.value, "codeBytes"));
      const isApart = either(notAbove(end, offset), notAbove(codeEnd, start));
      r.if(
        either(differ(this.#words.get(id.value, "page"), page), isApart),
        () => previous.set(id.value),
        () => {
          r.if(
            equal(previous.value, NONE),
            () => r.store(bucket, 32, next),
            () => this.#words.put(previous.value, "nextInLine", next),
          );
          this.#words.put(id.value, "valid", constant(0));
          this.#dropped(id.value, page, offset);
        },
      );
      id.set(next);
    });
  }

  #dropped(id: Value, page: Value, offset: Value): void {
    const { r } = this;
    const code = r.let(or(shl(page, PAGE_SHIFT), offset));
    const slot = r.let(this.#words.slot(code));
    const record = this.#words.recordAt(this.#words.get(id, "record"));
    r.if(
      equal(load(slot, 32, LookupEntry.record), record),
      () => r.store(slot, 64, constant(-1), LookupEntry.key),
    );
    this.#words.eachRecord(id, (at) => this.#words.redirect(at, constant(FixedHandler.stale)));
    const bytes = r.let(this.#words.get(id, "codeBytes"));
    this.#words.countLines(page, offset, bytes, -1);
    this.#save(id, code, bytes);
  }

  /** As `CodeCache` saves the code of a dropped block. */
  #save(id: Value, code: Value, bytes: Value): void {
    const { r, plan } = this;
    r.if(equal(this.#words.get(id, "saved"), constant(0)), () => {
      const lines = shr(add(bytes, constant(RECORD_BYTES - 1)), constant(6));
      const room = r.let(mul(lines, constant(RECORD_WORDS)));
      const used = r.let(this.#words.counter("usedWords"));
      r.if(notAbove(add(used, room), constant(plan.arenaBytes >> 2)), () => {
        this.#words.put(id, "saved", this.#words.recordAt(used));
        this.#words.put(id, "savedRoomBytes", shl(room, constant(2)));
        this.#words.count("usedWords", add(used, room));
      });
    });
    const saved = r.let(this.#words.get(id, "saved"));
    r.if(differ(saved, constant(0)), () => {
      const i = r.variable(constant(0));
      r.while(notAbove(add(i.value, constant(8)), bytes), () => {
        r.store(add(saved, i.value), 64, load(add(code, i.value), 64));
        i.set(add(i.value, constant(8)));
      });
      r.while(below(i.value, bytes), () => {
        r.store(add(saved, i.value), 8, load(add(code, i.value), 8));
        i.set(add(i.value, constant(1)));
      });
    });
  }
}
