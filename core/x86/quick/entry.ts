/**
 * The quick way through a 32- or 64-bit interrupt or trap gate; see cpu_words.ts. Its plain twins are
 * delivery_protected.ts and delivery_long.ts in system/.
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
  or,
  type Routine,
  select,
  shl,
  shr,
  sub,
  type Value,
} from "../../lib/wasm/routine.ts";
import { Attribute, Eflags } from "../state/bits.ts";
import { CLEARED_BY_GATE, IST1 } from "../system/delivery_long.ts";
import { baseOf, type CpuWords, levelOf, limitOf } from "./cpu_words.ts";

/** Parameters of the entries, after those of {@link CpuWords}. */
export const ENTRY_PARAMETERS = [
  "vector",
  "software",
  "hasErrorCode",
  "errorCode",
  "returnLow",
  "returnHigh",
  "flags",
] as const;

/** Gate bits: P, S and all of the type but whether it is a trap gate. */
const GATE_MASK = 0x9e00n << 32n;
const COMMON_GATE = 0x8e00n << 32n;
const TRAP_GATE = 1n << 40n;

const WORD = constant(0xffffffffn);

/** What an entry is told: numbers that are computed already. */
export interface EntryInputs {
  readonly vector: Value;
  /** 1 for INT n and the like. */
  readonly software: Value;
  readonly hasErrorCode: Value;
  readonly errorCode: Value;
  readonly returnTo: Value;
  /** EFLAGS as pushed. */
  readonly flags: Value;
}

/** The inputs of an entry that TypeScript calls: its parameters. */
export function parameterInputs(r: Routine): EntryInputs {
  const parameter = (name: (typeof ENTRY_PARAMETERS)[number]) =>
    r.parameter(1 + ENTRY_PARAMETERS.indexOf(name));
  return {
    vector: parameter("vector"),
    software: parameter("software"),
    hasErrorCode: parameter("hasErrorCode"),
    errorCode: parameter("errorCode"),
    returnTo: r.let(or(parameter("returnLow"), shl(parameter("returnHigh"), constant(32)))),
    flags: parameter("flags"),
  };
}

/** What is common to both entries: the gate and the code segment that it names. */
class Entry {
  readonly r: Routine;
  gate!: Value;
  gateAt!: Value;
  code!: Value;
  level!: Value;

  constructor(readonly words: CpuWords, private readonly inputs: EntryInputs) {
    this.r = words.r;
  }

  /** Finds gate and code segment, of gates of `gateBytes` bytes. */
  find(gateBytes: 8 | 16): void {
    const { r, words } = this;
    const cpl = words.old("cpl");
    const offset = r.let(shl(this.inputs.vector, constant(gateBytes === 8 ? 3 : 4)));
    r.giveUpIf(below(words.old("idtrLimit"), add(offset, constant(gateBytes - 1))));
    const at = r.let(add(words.old("idtrBase"), offset));
    this.gateAt = words.direct(at, constant(gateBytes), words.systemView());
    const gate = this.gate = r.let(load(this.gateAt, 64));
    r.giveUpIf(differ(and(gate, constant(GATE_MASK)), constant(COMMON_GATE)));
    r.giveUpIf(both(differ(this.inputs.software, constant(0)), below(levelOf(gate), cpl)));
    const code = this.code = words.descriptor(r.let(bits(gate, 16, 16)));
    words.requireCode(code);
    this.level = r.let(levelOf(code));
    r.giveUpIf(below(cpl, this.level));
  }

  /** Bits 31..0 of the handler's offset. */
  target(): Value {
    return or(
      and(this.gate, constant(0xffff)),
      and(shr(this.gate, constant(32)), constant(0xffff0000)),
    );
  }

  /** Makes the changes that do not depend on the width. */
  enter(pointer: Value, target: Value, long: boolean): void {
    const { words, gate, level } = this;
    const selector = or(and(bits(gate, 16, 16), constant(0xfffc)), level);
    words.loadSegment("cs", selector, this.code);
    words.set("rsp", pointer);
    words.set("nextRip", target);
    words.set("cpl", level);
    const off = select(
      hasAny(gate, TRAP_GATE),
      constant(~CLEARED_BY_GATE),
      constant(~(CLEARED_BY_GATE | Eflags.IF)),
    );
    words.set("flags", and(words.old("flags"), off));
    words.updateLevel(long);
  }
}

/** Writes the entry of protected mode. */
export function writeProtectedEntry(words: CpuWords, inputs: EntryInputs): void {
  const { r } = words;
  const { hasErrorCode } = inputs;
  const entry = new Entry(words, inputs);
  entry.find(8);
  const { level } = entry;
  const target = r.let(entry.target());
  r.giveUpIf(below(limitOf(entry.code), target));
  const inner = below(level, words.old("cpl"));
  const top = r.variable(and(words.old("rsp"), WORD));
  const base = r.variable(and(words.old("ssBase"), WORD));
  const last = r.variable(and(words.old("ssLast"), WORD));
  const stackSelector = r.variable(constant(0));
  const stack = r.variable(constant(0));
  r.if(inner, () => {
    const offset = r.let(add(shl(level, constant(3)), constant(4)));
    r.giveUpUnless(hasAny(words.old("trAttributes"), 8));
    r.giveUpIf(below(words.old("trLimit"), add(offset, constant(5))));
    const at = r.let(add(words.old("trBase"), offset));
    const pair = r.let(load(words.direct(at, constant(8), words.systemView()), 64));
    const selector = r.let(bits(pair, 32, 16));
    const descriptor = words.descriptor(selector);
    words.requireStack(selector, descriptor, level, true);
    top.set(and(pair, WORD));
    base.set(baseOf(descriptor));
    last.set(limitOf(descriptor));
    stackSelector.set(selector);
    stack.set(descriptor);
  }, () => {
    r.giveUpUnless(hasAny(words.old("ssAttributes"), Attribute.big));
    r.giveUpIf(differ(words.old("ssFirst"), constant(0)));
  });
  const size = r.let(
    add(shl(hasErrorCode, constant(2)), select(inner, constant(20), constant(12))),
  );
  r.giveUpIf(below(top.value, size));
  r.giveUpIf(below(last.value, sub(top.value, constant(1))));
  const pointer = r.let(sub(top.value, size));
  const address = r.let(and(add(base.value, pointer), WORD));
  const host = words.direct(address, size, words.levelView(level), true);
  r.if(differ(hasErrorCode, constant(0)), () => r.store(host, 32, inputs.errorCode));
  const frame = r.let(add(host, shl(hasErrorCode, constant(2))));
  r.store(frame, 32, inputs.returnTo);
  r.store(frame, 32, words.old("csSelector"), 4);
  r.store(frame, 32, inputs.flags, 8);
  r.if(inner, () => {
    r.store(frame, 32, words.old("rsp"), 12);
    r.store(frame, 32, words.old("ssSelector"), 16);
    words.loadSegment("ss", stackSelector.value, stack.value);
  });
  entry.enter(pointer, target, false);
}

/** Writes the entry of long mode. */
export function writeLongEntry(words: CpuWords, inputs: EntryInputs): void {
  const { r } = words;
  const { hasErrorCode } = inputs;
  const entry = new Entry(words, inputs);
  entry.find(16);
  const { level } = entry;
  words.requireLong(entry.code);
  const target = r.let(or(entry.target(), shl(load(entry.gateAt, 32, 8), constant(32))));
  words.requireCanonical(target);
  const inner = below(level, words.old("cpl"));
  const ist = r.let(bits(entry.gate, 32, 3));
  const ofTable = differ(ist, constant(0));
  const top = r.variable(words.old("rsp"));
  r.if(either(ofTable, inner), () => {
    const inTable = add(shl(ist, constant(3)), constant(IST1 - 8));
    const offset = r.let(select(ofTable, inTable, add(shl(level, constant(3)), constant(4))));
    r.giveUpIf(below(words.old("trLimit"), add(offset, constant(7))));
    const at = r.let(add(words.old("trBase"), offset));
    top.set(load(words.direct(at, constant(8), words.systemView()), 64));
  });
  words.requireCanonical(top.value);
  const size = r.let(add(shl(hasErrorCode, constant(3)), constant(40)));
  const pointer = r.let(sub(and(top.value, constant(-16)), size));
  words.requireCanonical(pointer);
  const host = words.direct(pointer, size, words.levelView(level), true);
  r.if(not(equal(hasErrorCode, constant(0))), () => r.store(host, 64, inputs.errorCode));
  const frame = r.let(add(host, shl(hasErrorCode, constant(3))));
  r.store(frame, 64, inputs.returnTo);
  r.store(frame, 64, words.old("csSelector"), 8);
  r.store(frame, 64, inputs.flags, 16);
  r.store(frame, 64, words.old("rsp"), 24);
  r.store(frame, 64, words.old("ssSelector"), 32);
  r.if(inner, () => words.loadNull("ss", level, level));
  entry.enter(pointer, target, true);
}
