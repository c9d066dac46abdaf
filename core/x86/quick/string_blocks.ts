/**
 * Many iterations of REP MOVS and REP STOS at once. The plain twins are in `system/string_blocks.ts`, which says what may be
 * done here; the arguments are theirs.
 */

import {
  add,
  and,
  below,
  both,
  constant,
  div,
  equal,
  load,
  mul,
  notAbove,
  type Routine,
  select,
  shl,
  shr,
  sub,
  type Value,
} from "../../lib/wasm/routine.ts";
import { DATA_ENTRIES, TlbEntry } from "../paging/tlb.ts";
import { offsetOf } from "../state/layout.ts";
import { ARGUMENTS } from "../system/memory_access.ts";
import { entryOf } from "./tlb_words.ts";

const PAGE_BYTES = 4096;
const NONE = constant(0);

/** A place that an instruction names: its linear address, and the TLB's entry for that. */
interface Place {
  readonly linear: Value;
  readonly entry: Value;
}

/** As `moveBlock`. */
export function writeMoveBlock(r: Routine, cpu: Value): void {
  const source = placeOf(r, cpu, 0);
  const target = placeOf(r, cpu, 1);
  const bytes = r.let(load(cpu, 32, ARGUMENTS[2]));
  const items = r.variable(NONE);
  const isDirect = both(allows(source, "readTag"), allows(target, "writeTag"));
  r.if(isDirect, () => {
    const from = r.let(hostOf(source));
    const to = r.let(hostOf(target));
    const within = minimum(r, itemsInPage(source, bytes), itemsInPage(target, bytes));
    items.set(minimum(r, load(cpu, 32, ARGUMENTS[3]), within));
    r.if(below(from, to), () => items.set(minimum(r, items.value, div(sub(to, from), bytes))));
    r.copy(to, from, mul(items.value, bytes));
  });
  setResult(r, cpu, items.value);
}

/** As `fillBlock`. */
export function writeFillBlock(r: Routine, cpu: Value): void {
  const target = placeOf(r, cpu, 1);
  const bytes = r.let(load(cpu, 32, ARGUMENTS[2]));
  const items = r.variable(NONE);
  r.if(allows(target, "writeTag"), () => {
    items.set(minimum(r, load(cpu, 32, ARGUMENTS[3]), itemsInPage(target, bytes)));
    const to = r.let(hostOf(target));
    const end = r.let(add(to, mul(items.value, bytes)));
    const pattern = repeatedItem(r, load(cpu, 64, ARGUMENTS[0]), bytes);
    const low = r.let(and(pattern, constant(0xff)));
    r.if(
      equal(pattern, mul(low, constant(0x0101_0101_0101_0101n))),
      () => r.fill(to, low, sub(end, to)),
      () => storePattern(r, to, end, pattern),
    );
  });
  setResult(r, cpu, items.value);
}

/** The item of `bytes` bytes, 1, 2, 4 or 8, over and over in 64 bits. */
function repeatedItem(r: Routine, item: Value, bytes: Value): Value {
  const pattern = r.variable(item);
  for (const half of [1, 2, 4]) {
    const bits = constant(8 * half);
    r.if(notAbove(bytes, constant(half)), () => {
      const low = r.let(and(pattern.value, sub(shl(constant(1), bits), constant(1))));
      pattern.set(add(low, shl(low, bits)));
    });
  }
  return pattern.value;
}

/** Stores a pattern of 64 bits from `from` up to `end`; its last bytes may be missing. */
function storePattern(r: Routine, from: Value, end: Value, pattern: Value): void {
  const at = r.variable(from);
  r.while(notAbove(add(at.value, constant(8)), end), () => {
    r.store(at.value, 64, pattern);
    at.set(add(at.value, constant(8)));
  });
  const left = r.variable(pattern);
  r.while(below(at.value, end), () => {
    r.store(at.value, 8, left.value);
    left.set(shr(left.value, constant(8)));
    at.set(add(at.value, constant(1)));
  });
}

function placeOf(r: Routine, cpu: Value, n: 0 | 1): Place {
  const linear = r.let(load(cpu, 64, ARGUMENTS[n]));
  return {
    linear,
    entry: r.let(entryOf(load(cpu, 64, offsetOf("dataTlb")), DATA_ENTRIES, linear)),
  };
}

/** Whether the TLB gives direct access of a kind to a place. */
function allows({ linear, entry }: Place, tag: "readTag" | "writeTag") {
  return equal(load(entry, 64, TlbEntry[tag]), and(linear, constant(-PAGE_BYTES)));
}

/** The linear offset of a place. */
function hostOf({ linear, entry }: Place): Value {
  return add(linear, load(entry, 64, TlbEntry.addend));
}

/** Whole items between a place and the end of its page. */
function itemsInPage({ linear }: Place, bytes: Value): Value {
  return div(sub(constant(PAGE_BYTES), and(linear, constant(PAGE_BYTES - 1))), bytes);
}

function minimum(r: Routine, a: Value, b: Value): Value {
  const [first, second] = [r.let(a), r.let(b)];
  return select(below(first, second), first, second);
}

function setResult(r: Routine, cpu: Value, items: Value): void {
  r.store(cpu, 64, items, offsetOf("result"));
  r.store(cpu, 64, NONE, offsetOf("result") + 8);
}
