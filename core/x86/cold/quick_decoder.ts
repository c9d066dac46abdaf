/**
 * The quick decoder: writes the records of a block in WebAssembly from templates (templates.ts). Its plain twin is
 * `RecordWriter`. It gives up at an instruction without a template: the plain twin then decodes the whole block, and
 * makes that template.
 */

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
  not,
  or,
  type Routine,
  select,
  shl,
  shr,
  shrSigned,
  sub,
  type Value,
  xor,
} from "../../lib/wasm/routine.ts";
import { FRAME_BYTES } from "../../memory/machine_memory.ts";
import { KeyShift } from "../decode/head.ts";
import { ModeKey } from "../system/mode.ts";
import { Record, RECORD_BYTES } from "./record.ts";
import { LINKABLE_MODES, MAX_BLOCK_INSTRUCTIONS, SEGMENT_OFFSETS, ZERO } from "./record_writer.ts";
import {
  MODE_BITS,
  Template,
  TEMPLATE_SHIFT,
  TemplatePart,
  TEMPLATES_OF_MODE,
} from "./templates.ts";

const MAX_LENGTH = 15;
const SS = 2;
const DS = 3;
/** The segment of a record: its state offset, and 1 above the scale if it is SS. */
const STACK_SEGMENT = SEGMENT_OFFSETS[SS] | (1 << 24);
const DATA_SEGMENT = SEGMENT_OFFSETS[DS];
const SEGMENT_PARTS = 0xff00_ffffn;

/** Bytes of a template from `leaves` on, as parts of one word. */
const flag = (part: number) => 0xffn << BigInt(8 * (part - Template.leaves));
const LEAVES = flag(Template.leaves);
const JUMPS = flag(Template.jumps);
const IS_RIP_RELATIVE = flag(Template.isRipRelative);
const ADDRESSED = flag(Template.displacementBytes) | flag(Template.hasSib);
const TRANSFERS = LEAVES | JUMPS | IS_RIP_RELATIVE;

/** Whether a block goes on, ended before its next instruction, or was left by its last. */
const State = { goesOn: 0, ended: 1, left: 2 } as const;

type Variable = ReturnType<Routine["variable"]>;

/** What the writer of a block is told, and where it leaves what it found. */
export interface QuickBlock {
  /** Linear offset of the code, its offset in the page, and the mode key. */
  readonly code: Value;
  readonly offset: Value;
  readonly modeKey: Value;
  /** Linear offset of the first record. */
  readonly record: Value;
}

/** Writes the code that decodes a block; returns its records, that which ends it included if there is one, and its bytes. */
export function writeQuickDecoder(
  r: Routine,
  templates: number,
  block: QuickBlock,
): { readonly records: Value; readonly codeBytes: Value } {
  const { code, offset, modeKey } = block;
  const tables = tablesOf(r, templates, modeKey);
  const linkable = hasAny(modeKey, LINKABLE_MODES);
  const room = r.let(sub(constant(FRAME_BYTES), offset));
  const done = r.variable(constant(0));
  const count = r.variable(constant(0));
  const record = r.variable(block.record);
  const state = r.variable(constant(State.goesOn));
  const inPage = below(done.value, room);
  const fits = below(count.value, constant(MAX_BLOCK_INSTRUCTIONS));
  r.while(both(both(inPage, fits), equal(state.value, constant(State.goesOn))), () => {
    const start = r.let(add(code, done.value));
    const { template, shape, end } = readInstruction(r, tables, start, (from) => {
      for (let i = 0; i < RECORD_BYTES; i += 16) {
        copy16(r, record.value, from, i, Template.record + i);
      }
      r.store(record.value, 32, constant(0), Record.link);
      r.store(record.value, 32, constant(0), Record.blockBytes);
      return record.value;
    });
    const next = r.let(sub(end, code));
    const tooLong = below(constant(MAX_LENGTH), sub(end, start));
    r.if(either(tooLong, below(room, next)), () => state.set(constant(State.ended)), () => {
      r.store(record.value, 32, or(done.value, shl(next, constant(16))), Record.offset);
      r.if(hasAny(shape, TRANSFERS), () => {
        r.if(hasAny(shape, IS_RIP_RELATIVE), () => {
          const relative = add(load(record.value, 64, Record.displacement), next);
          r.store(record.value, 64, relative, Record.displacement);
        });
        r.if(both(linkable, hasAny(shape, JUMPS)), () => {
          const isNarrow = equal(load(template, 8, Template.jumps), constant(2));
          markLinkable(r, record.value, add(offset, next), isNarrow);
        });
        r.if(hasAny(shape, LEAVES), () => state.set(constant(State.left)));
      });
      record.set(add(record.value, constant(RECORD_BYTES)));
      count.set(add(count.value, constant(1)));
      done.set(next);
    });
  });
  r.giveUpIf(equal(count.value, constant(0)));
  r.if(differ(state.value, constant(State.left)), () => {
    // The record that ends the block: its handler is number 0.
    for (let i = 0; i < RECORD_BYTES; i += 8) r.store(record.value, 64, constant(0), i);
    const both = or(done.value, shl(done.value, constant(16)));
    r.store(record.value, 32, both, Record.offset);
    count.set(add(count.value, constant(1)));
  });
  r.store(block.record, 32, done.value, Record.blockBytes);
  return { records: count.value, codeBytes: done.value };
}

/** Writes the code that completes the record in the template of the instruction at `code`, to be executed there. */
export function writeInPlace(
  r: Routine,
  templates: number,
  code: Value,
  modeKey: Value,
): { readonly record: Value; readonly length: Value } {
  const tables = tablesOf(r, templates, modeKey);
  const { template, shape, end } = readInstruction(r, tables, code, (record) => record);
  const length = r.let(sub(end, code));
  r.giveUpIf(below(constant(MAX_LENGTH), length));
  r.store(template, 32, shl(length, constant(16)), Record.offset);
  r.if(hasAny(shape, IS_RIP_RELATIVE), () => {
    const relative = add(load(template, 64, Record.displacement), length);
    r.store(template, 64, relative, Record.displacement);
  });
  return { record: template, length };
}

/** Where the tables of a mode lie. */
interface ModeTables {
  readonly prefixes: Value;
  readonly firsts: Value;
  readonly kinds: number;
  readonly templates: Value;
}

function tablesOf(r: Routine, templates: number, modeKey: Value): ModeTables {
  const long = r.let(and(modeKey, constant(ModeKey.long)));
  const mode = and(modeKey, constant(MODE_BITS));
  const shift = constant(Math.log2(TEMPLATES_OF_MODE) + TEMPLATE_SHIFT);
  return {
    prefixes: add(constant(templates + TemplatePart.prefixes), shl(long, constant(11))),
    firsts: add(constant(templates + TemplatePart.firsts), shl(long, constant(8))),
    kinds: templates + TemplatePart.kinds,
    templates: r.let(add(constant(templates + TemplatePart.templates), shl(mode, shift))),
  };
}

/** Reads the instruction at `start` into the record that `recordOf` makes of its template. */
function readInstruction(
  r: Routine,
  tables: ModeTables,
  start: Value,
  recordOf: (template: Value) => Value,
): { readonly template: Value; readonly shape: Value; readonly end: Value } {
  const at = r.variable(start);
  const key = readHead(r, at, start, tables);
  const template = findTemplate(r, tables.templates, key);
  const record = recordOf(template);
  // Most heads have none of these.
  const shape = r.let(load(template, 64, Template.leaves));
  r.if(hasAny(shape, ADDRESSED), () => readAddress(r, at, key, template, record));
  readImmediate(r, at, shape, template, record);
  return { template, shape, end: at.value };
}

/** Lets a direct jump within the page be linked; `next` is the offset behind it. */
function markLinkable(r: Routine, record: Value, next: Value, isNarrow: Condition): void {
  const low = load(record, 32, Record.immediate);
  const by = (width: number) => constant(64 - width);
  const near = shrSigned(shl(low, by(32)), by(32));
  const narrow = shrSigned(shl(low, by(16)), by(16));
  r.if(
    below(add(next, select(isNarrow, narrow, near)), constant(FRAME_BYTES)),
    () => r.store(record, 32, constant(1), Record.linkable),
  );
}

/** Reads prefixes, opcode and ModRM byte; returns the head's key with bit 32 set. */
function readHead(r: Routine, at: Variable, start: Value, tables: ModeTables): Value {
  const byte = r.let(load(start, 8));
  const key = r.variable(shl(byte, constant(KeyShift.opcode)));
  const kind = r.variable(load(add(tables.firsts, byte), 8));
  r.if(
    equal(kind.value, constant(0)),
    () => readLongHead(r, { at, key, kind }, start, tables),
    () => at.set(add(start, constant(1))),
  );
  r.if(hasAny(kind.value, 2), () => {
    key.set(or(key.value, load(at.value, 8)));
    at.set(add(at.value, constant(1)));
  });
  return r.let(or(key.value, constant(1n << 32n)));
}

/** Reads prefixes and an opcode, one of several bytes perhaps. */
function readLongHead(
  r: Routine,
  { at, key, kind }: { readonly [name in "at" | "key" | "kind"]: Variable },
  start: Value,
  { prefixes, kinds }: ModeTables,
): void {
  key.set(constant(0));
  const byte = r.variable(load(start, 8));
  const read = () => {
    at.set(add(at.value, constant(1)));
    byte.set(load(at.value, 8));
  };
  const effectOf = () => load(add(prefixes, shl(byte.value, constant(3))), 64);
  const effect = r.variable(effectOf());
  const end = r.let(add(start, constant(MAX_LENGTH)));
  r.while(both(differ(effect.value, constant(0)), below(at.value, end)), () => {
    const clear = and(effect.value, constant(0xffff_ffffn));
    const kept = and(key.value, xor(clear, constant(-1)));
    key.set(or(kept, shr(effect.value, constant(32))));
    read();
    effect.set(effectOf());
  });
  const map = r.variable(constant(0));
  r.if(equal(byte.value, constant(0x0f)), () => {
    map.set(constant(1));
    read();
    r.if(equal(and(byte.value, constant(0xfd)), constant(0x38)), () => {
      map.set(select(equal(byte.value, constant(0x38)), constant(2), constant(3)));
      read();
    });
  });
  const opcode = or(shl(map.value, constant(8)), byte.value);
  kind.set(load(add(constant(kinds), opcode), 8));
  r.giveUpIf(equal(kind.value, constant(0)));
  key.set(or(key.value, shl(opcode, constant(KeyShift.opcode))));
  at.set(add(at.value, constant(1)));
}

function findTemplate(r: Routine, ofMode: Value, key: Value): Value {
  const low = and(key, constant(0xffff_ffffn));
  const mixed = xor(xor(low, shr(low, constant(12))), shr(low, constant(18)));
  const slot = and(mixed, constant(TEMPLATES_OF_MODE - 1));
  const template = r.let(add(ofMode, shl(slot, constant(TEMPLATE_SHIFT))));
  r.giveUpIf(differ(load(template, 64, Template.key), key));
  return template;
}

/** The next `bytes` bytes, at most 8 and not 0, as a signed or an unsigned number. */
function readNumber(r: Routine, at: Variable, bytes: Value, isSigned: Value): Value {
  const by = r.let(sub(constant(64), shl(bytes, constant(3))));
  const top = r.let(shl(load(at.value, 64), by));
  at.set(add(at.value, bytes));
  return r.let(select(differ(isSigned, constant(0)), shrSigned(top, by), shr(top, by)));
}

/** SIB byte and displacement. */
function readAddress(r: Routine, at: Variable, key: Value, template: Value, record: Value): void {
  const part = (name: keyof typeof Template) => load(template, 8, Template[name]);
  const has = (name: keyof typeof Template) => differ(part(name), constant(0));
  const bytes = r.variable(part("displacementBytes"));
  r.if(has("hasSib"), () => {
    const sib = r.let(load(at.value, 8));
    at.set(add(at.value, constant(1)));
    const rex = r.let(bits(key, KeyShift.rex, 4));
    const extended = (number: Value, bit: number) =>
      or(number, shl(bits(rex, bit, 1), constant(3)));
    const index = r.let(extended(bits(sib, 3, 3), 1));
    const base = r.let(extended(bits(sib, 0, 3), 0));
    const isFive = equal(bits(sib, 0, 3), constant(5));
    const lacksBase = both(isFive, has("sibMayLackBase"));
    const register = (number: Value) => shl(number, constant(3));
    const baseOffset = select(lacksBase, constant(ZERO), register(base));
    const indexOffset = select(equal(index, constant(4)), constant(ZERO), register(index));
    r.store(record, 32, or(baseOffset, shl(indexOffset, constant(16))), Record.base);
    const isStack = both(equal(and(base, constant(0xe)), constant(4)), not(lacksBase));
    const ofBase = select(isStack, constant(STACK_SEGMENT), constant(DATA_SEGMENT));
    const kept = and(load(record, 32, Record.segment), constant(SEGMENT_PARTS));
    const segment = select(has("hasSegment"), kept, ofBase);
    const scale = shl(shr(sib, constant(6)), constant(16));
    r.store(record, 32, or(segment, scale), Record.segment);
    bytes.set(select(lacksBase, constant(4), bytes.value));
    r.store(record, 64, constant(0), Record.displacement);
  });
  r.if(differ(bytes.value, constant(0)), () => {
    const isSigned = xor(part("isAbsolute"), constant(1));
    r.store(record, 64, readNumber(r, at, bytes.value, isSigned), Record.displacement);
  });
}

function readImmediate(
  r: Routine,
  at: Variable,
  shape: Value,
  template: Value,
  record: Value,
): void {
  const bytes = r.let(shr(shape, constant(8 * (Template.immediateBytes - Template.leaves))));
  r.if(differ(bytes, constant(0)), () => {
    const by = r.let(sub(constant(64), shl(bytes, constant(3))));
    const number = shrSigned(shl(load(at.value, 64), by), by);
    const mask = load(template, 64, Template.immediateMask);
    r.store(record, 64, and(number, mask), Record.immediate);
    at.set(add(at.value, bytes));
  });
}
