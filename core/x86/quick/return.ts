/**
 * The quick way back from a handler: IRETD in protected mode, and IRETQ from 64-bit to 64-bit code; see
 * cpu_words.ts. Its plain twin is interrupt_return.ts in system/.
 */

import {
  add,
  and,
  below,
  bits,
  both,
  constant,
  differ,
  either,
  equal,
  hasAny,
  load,
  not,
  notAbove,
  or,
  select,
  type Value,
  xor,
} from "../../lib/wasm/routine.ts";
import { Attribute, Eflags, STATUS_FLAGS } from "../state/bits.ts";
import type { SegmentRegister } from "../state/layout.ts";
import { ENABLES } from "../system/debug_conditions.ts";
import { EFLAGS_FIXED } from "../system/flags_image.ts";
import { COMMON_FLAGS, LEVEL0_FLAGS, WIDE_FLAGS } from "../system/interrupt_return.ts";
import { type CpuWords, levelOf, limitOf } from "./cpu_words.ts";

/** Segments that a return to an outer level may drop. */
const DATA_SEGMENTS = ["es", "ds", "fs", "gs"] as const;
const WORD = constant(0xffffffffn);

/** Writes the return of protected mode with 32-bit operands. */
export function writeProtectedReturn(words: CpuWords): void {
  const { r } = words;
  const cpl = words.old("cpl");
  r.giveUpUnless(hasAny(words.old("ssAttributes"), Attribute.big));
  r.giveUpIf(differ(words.old("ssFirst"), constant(0)));
  const pointer = r.let(and(words.old("rsp"), WORD));
  const last = r.let(and(words.old("ssLast"), WORD));
  const address = r.let(and(add(words.old("ssBase"), pointer), WORD));
  const view = words.levelView(cpl);
  const frame = words.direct(address, constant(12), view);
  r.giveUpIf(below(last, add(pointer, constant(11))));
  const target = r.let(load(frame, 32));
  const selector = r.let(load(frame, 16, 4));
  const level = r.let(bits(selector, 0, 2));
  const code = findCode(words, selector, level);
  r.giveUpIf(below(limitOf(code), target));
  const image = findImage(words, load(frame, 32, 8));
  const outer = below(cpl, level);
  const stack = r.variable(add(pointer, constant(12)));
  r.if(outer, () => {
    words.direct(address, constant(20), view);
    r.giveUpIf(below(last, add(pointer, constant(19))));
    const stackSelector = r.let(load(frame, 16, 16));
    const descriptor = words.descriptor(stackSelector);
    words.requireStack(stackSelector, descriptor, level, true);
    words.loadSegment("ss", stackSelector, descriptor);
    stack.set(load(frame, 32, 12));
  });
  words.set("rsp", and(stack.value, WORD));
  enter(words, selector, code, target);
  loadFlags(words, image);
  words.updateLevel(false);
}

/** Writes the return of 64-bit mode with 64-bit operands. */
export function writeLongReturn(words: CpuWords): void {
  const { r } = words;
  const cpl = words.old("cpl");
  words.requireCanonical(words.old("rsp"));
  const frame = words.direct(words.old("rsp"), constant(40), words.levelView(cpl));
  const target = r.let(load(frame, 64));
  const selector = r.let(load(frame, 16, 8));
  const image = findImage(words, load(frame, 32, 16));
  const pointer = r.let(load(frame, 64, 24));
  const stackSelector = r.let(load(frame, 16, 32));
  words.requireCanonical(target);
  const level = r.let(bits(selector, 0, 2));
  const code = findCode(words, selector, level);
  words.requireLong(code);
  r.if(hasAny(stackSelector, 0xfffc), () => {
    const descriptor = words.descriptor(stackSelector);
    words.requireStack(stackSelector, descriptor, level, false);
    words.loadSegment("ss", stackSelector, descriptor);
  }, () => {
    r.giveUpIf(either(equal(level, constant(3)), differ(bits(stackSelector, 0, 2), level)));
    words.loadNull("ss", stackSelector, level);
  });
  words.set("rsp", pointer);
  enter(words, selector, code, target);
  loadFlags(words, image);
  words.updateLevel(true);
}

/** The descriptor of a code segment that a return to privilege level `level` may go to. */
function findCode(words: CpuWords, selector: Value, level: Value): Value {
  const { r } = words;
  r.giveUpIf(below(level, words.old("cpl")));
  const code = words.descriptor(selector);
  words.requireCode(code);
  r.giveUpIf(differ(levelOf(code), level));
  return code;
}

/**
 * An EFLAGS image without RF, which acts on nothing where no breakpoint is enabled; gives up where one is, and on
 * what changes more than flags.
 */
function findImage(words: CpuWords, loaded: Value): Value {
  const { r } = words;
  const image = r.let(loaded);
  r.giveUpIf(hasAny(image, Eflags.VM));
  r.giveUpIf(both(hasAny(image, Eflags.RF), hasAny(words.field("dr7"), ENABLES)));
  return r.let(and(image, constant(~Eflags.RF)));
}

/** Loads CS and the instruction pointer; on the way to an outer level drops what that may not use. */
function enter(words: CpuWords, selector: Value, code: Value, target: Value): void {
  const level = bits(selector, 0, 2);
  words.loadSegment("cs", selector, code);
  words.set("nextRip", target);
  words.set("cpl", level);
  words.r.if(below(words.old("cpl"), level), () => {
    for (const segment of DATA_SEGMENTS) dropInner(words, segment, level);
  });
}

function dropInner(words: CpuWords, segment: SegmentRegister, level: Value): void {
  const { r } = words;
  const attributes = r.let(words.field(`${segment}Attributes`));
  const conforming = equal(and(attributes, constant(0x1c)), constant(0x1c));
  const isInner = both(not(conforming), below(bits(attributes, 5, 2), level));
  r.if(
    equal(words.field(`${segment}Access`), constant(0)),
    () => words.set(`${segment}Selector`, constant(0)),
    () => r.if(isInner, () => words.loadNull(segment, constant(0), constant(0))),
  );
}

/** Loads EFLAGS from an image, as far as the CPL before allows; see layout.ts about flag sources. */
function loadFlags(words: CpuWords, image: Value): void {
  const { r } = words;
  const old = words.old("flags");
  const cpl = words.old("cpl");
  const always = (COMMON_FLAGS | WIDE_FLAGS) & ~STATUS_FLAGS;
  const withIf = select(notAbove(cpl, bits(old, 12, 2)), constant(Eflags.IF), constant(0));
  const inner = constant(Eflags.IOPL | LEVEL0_FLAGS);
  const atZero = select(equal(cpl, constant(0)), inner, constant(0));
  const mask = r.let(or(or(constant(always), withIf), atZero));
  const kept = and(old, xor(mask, constant(-1)));
  words.set("flags", or(or(kept, and(image, mask)), constant(EFLAGS_FIXED)));
  words.setStatusFlags(image);
}
