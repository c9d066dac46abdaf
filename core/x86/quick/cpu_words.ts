/**
 * What the quick ways through gates and back share, as expressions over one CPU's state and the tables that its TLB
 * reaches.
 *
 * A quick way looks first and changes afterwards: it gives up, having changed nothing, wherever something is not
 * as it commonly is (a table that the TLB does not reach directly, a descriptor that is not accessed yet, a
 * 16-bit stack, anything that faults). The plain way then does all of it again.
 */

import { invariant } from "../../lib/assert.ts";
import {
  add,
  and,
  below,
  bits,
  both,
  type Condition,
  constant,
  differ,
  either,
  equal,
  hasAny,
  load,
  not,
  ones,
  or,
  type Routine,
  select,
  shl,
  shr,
  sub,
  type Value,
  xor,
} from "../../lib/wasm/routine.ts";
import {
  CODE_BYTES,
  DATA_BYTES,
  DATA_ENTRIES,
  DATA_SHIFT,
  DATA_VIEWS,
  TlbEntry,
  View,
} from "../paging/tlb.ts";
import { Attribute, Cr0, Cr4, Eflags } from "../state/bits.ts";
import {
  type FieldName,
  offsetOf,
  SegmentAccess,
  type SegmentRegister,
  STATE_FIELDS,
} from "../state/layout.ts";
import { EFLAGS_FIXED } from "../system/flags_image.ts";
import { ModeKey } from "../system/mode.ts";
import { entryOf, requireCanonical } from "./tlb_words.ts";

/** Descriptor bits: P, S, the type's parts, DPL, L, D/B, G; as positions in 64 bits. */
const ACCESSED = 1n << 40n;
const READ_WRITE = 1n << 41n;
const CONFORMING_OR_DOWN = 1n << 42n;
const CODE = 1n << 43n;
const SEGMENT = 1n << 44n;
const PRESENT = 1n << 47n;
const LONG = 1n << 53n;
const BIG = 1n << 54n;
const GRANULARITY = 55;
const DPL_SHIFT = 45;

/** Fields that a change of the privilege level asks for. */
export const LEVEL_FIELDS = ["cpl", "flags", "cr0", "cr4", "vmId"] as const;
/** Fields that routines read before they change any. */
const READ_FIRST = [
  ...LEVEL_FIELDS,
  ...["rsp", "gdtrBase", "gdtrLimit", "idtrBase", "idtrLimit"] as const,
  ...["trBase", "trLimit", "trAttributes", "csSelector"] as const,
  ...["ssSelector", "ssAttributes", "ssBase", "ssFirst", "ssLast"] as const,
] as const satisfies readonly FieldName[];
type ReadFirst = (typeof READ_FIRST)[number];

/** A segment register. */
interface SegmentParts {
  readonly selector: Value;
  readonly attributes: Value;
  readonly base: Value;
  readonly first: 0 | 1;
  readonly last: Value;
  readonly limit: Value;
  readonly access: Value;
}

/** One CPU's state within a routine. */
export class CpuWords {
  readonly tlb: Value;
  readonly #old: ReadonlyMap<FieldName, Value>;

  /** `cpu` is the linear offset of the state; `fields` are those that {@link old} is asked for. */
  constructor(
    readonly r: Routine,
    readonly cpu: Value,
    fields: readonly ReadFirst[] = READ_FIRST,
  ) {
    this.tlb = r.let(this.field("tlbBank"));
    this.#old = new Map(fields.map((name) => [name, r.let(this.field(name))]));
  }

  /** A field as it was, zero-extended. */
  old(name: ReadFirst): Value {
    const value = this.#old.get(name);
    invariant(value !== undefined, `${name} was not read first`);
    return value;
  }

  /** A field of the state, read where it is used. */
  field(name: FieldName): Value {
    return load(this.cpu, widthOf(name), offsetOf(name));
  }

  set(name: FieldName, value: Value): void {
    this.r.store(this.cpu, widthOf(name), value, offsetOf(name));
  }

  /** Linear offset of `bytes` bytes at a linear address; gives up unless `view` reaches them directly. */
  direct(address: Value, bytes: Value, view: Value, write = false): Value {
    const { r } = this;
    const table = add(this.tlb, shl(view, constant(DATA_SHIFT)));
    const entry = r.let(entryOf(table, DATA_ENTRIES, address));
    const tag = load(entry, 64, write ? TlbEntry.writeTag : TlbEntry.readTag);
    const lastPage = and(add(address, sub(bytes, constant(1))), constant(-4096));
    r.giveUpIf(differ(tag, lastPage));
    return r.let(add(address, load(entry, 64, TlbEntry.addend)));
  }

  /** The view of descriptor tables and task state segments. */
  systemView(): Value {
    const smap = hasAny(this.old("cr4"), Cr4.SMAP);
    return this.r.let(select(smap, constant(View.supervisorSmap), constant(View.supervisor)));
  }

  /** The view of explicit accesses at privilege level `level`, before EFLAGS changes. */
  levelView(level: Value): Value {
    const held = both(hasAny(this.old("cr4"), Cr4.SMAP), not(hasAny(this.old("flags"), Eflags.AC)));
    const supervisor = select(held, constant(View.supervisorSmap), constant(View.supervisor));
    return this.r.let(select(equal(level, constant(3)), constant(View.user), supervisor));
  }

  /** The GDT's descriptor `selector`; gives up on null and on the LDT. */
  descriptor(selector: Value): Value {
    const { r } = this;
    const offset = r.let(and(selector, constant(0xfff8)));
    r.giveUpIf(either(hasAny(selector, 4), equal(offset, constant(0))));
    r.giveUpIf(below(this.old("gdtrLimit"), add(offset, constant(7))));
    const at = r.let(add(this.old("gdtrBase"), offset));
    return r.let(load(this.direct(at, constant(8), this.systemView()), 64));
  }

  /** Gives up unless a descriptor is of present, accessed, non-conforming code. */
  requireCode(descriptor: Value): void {
    const mask = PRESENT | SEGMENT | CODE | CONFORMING_OR_DOWN | ACCESSED;
    const wanted = PRESENT | SEGMENT | CODE | ACCESSED;
    this.r.giveUpIf(differ(and(descriptor, constant(mask)), constant(wanted)));
  }

  /** Gives up unless a code descriptor makes 64-bit code in long mode. */
  requireLong(descriptor: Value): void {
    this.r.giveUpIf(differ(and(descriptor, constant(LONG | BIG)), constant(LONG)));
  }

  /** Gives up unless a descriptor and its selector are of a common stack for privilege level `level`. */
  requireStack(selector: Value, descriptor: Value, level: Value, big: boolean): void {
    const { r } = this;
    const also = big ? BIG : 0n;
    const mask = PRESENT | SEGMENT | CODE | CONFORMING_OR_DOWN | READ_WRITE | ACCESSED | also;
    const wanted = PRESENT | SEGMENT | READ_WRITE | ACCESSED | also;
    r.giveUpIf(differ(and(descriptor, constant(mask)), constant(wanted)));
    r.giveUpIf(differ(bits(selector, 0, 2), level));
    r.giveUpIf(differ(levelOf(descriptor), level));
  }

  /** Loads CS or SS from a descriptor that was accepted. */
  loadSegment(segment: "cs" | "ss", selector: Value, descriptor: Value): void {
    const limit = this.r.let(limitOf(descriptor));
    const attributes = and(shr(descriptor, constant(40)), constant(0xf0ff));
    const access = segment === "ss"
      ? constant(SegmentAccess.usable | SegmentAccess.readable | SegmentAccess.writable)
      : select(
        hasAny(descriptor, READ_WRITE),
        constant(SegmentAccess.usable | SegmentAccess.readable),
        constant(SegmentAccess.usable),
      );
    const parts = { attributes, base: baseOf(descriptor), limit, access };
    this.setSegment(segment, { selector, first: 0, last: limit, ...parts });
  }

  /** Sets all parts of a segment register, none of which has more bits than the state keeps. */
  setSegment(
    segment: SegmentRegister,
    { selector, attributes, base, first, last, limit, access }: SegmentParts,
  ): void {
    const { r, cpu } = this;
    // Each store is checked for its bounds, so that two halves are cheaper as one whole.
    const pair = (low: Value, high: Value) => or(low, shl(high, constant(32)));
    r.store(cpu, 64, pair(selector, attributes), offsetOf(`${segment}Selector`));
    this.set(`${segment}Base`, base);
    this.set(`${segment}First`, constant(first));
    this.set(`${segment}Last`, last);
    r.store(cpu, 64, pair(limit, access), offsetOf(`${segment}Limit`));
  }

  /** Makes a segment register null; `level` is the DPL that SS keeps. */
  loadNull(segment: SegmentRegister, selector: Value, level: Value): void {
    const none = constant(0);
    const attributes = shl(level, constant(5));
    const parts = { selector, attributes, base: none, limit: none, access: none };
    this.setSegment(segment, { first: 1, last: none, ...parts });
  }

  /** What updateLevel does. `long`: the new code is 64-bit code; `level`: the privilege level, where it is known. */
  updateLevel(long: boolean, level: Value = this.r.let(this.field("cpl"))): void {
    const { r } = this;
    const isUser = equal(level, constant(3));
    const vm = shl(this.old("vmId"), constant(ModeKey.vmIdShift));
    let key = or(vm, select(isUser, constant(ModeKey.user), constant(0)));
    if (long) key = or(key, constant(ModeKey.long));
    else key = or(key, this.#protectedKey());
    this.set("modeKey", key);
    const big = hasAny(this.field("csAttributes"), Attribute.big);
    const mask = select(big, constant(0xffffffffn), constant(0xffff));
    this.set("ipMask", long ? constant(-1) : mask);
    this.set("codeLast", long ? constant(-1) : this.field("csLast"));
    const check = r.let(and(this.field("flags"), constant(Eflags.AC)));
    const aligned = both(differ(check, constant(0)), hasAny(this.old("cr0"), Cr0.AM));
    const held = both(hasAny(this.old("cr4"), Cr4.SMAP), equal(check, constant(0)));
    const user = select(aligned, constant(View.userAligned), constant(View.user));
    const supervisor = select(held, constant(View.supervisorSmap), constant(View.supervisor));
    const view = select(isUser, user, supervisor);
    this.set("dataTlb", add(this.tlb, shl(view, constant(DATA_SHIFT))));
    const code = select(isUser, constant(CODE_BYTES), constant(0));
    this.set("codeTlb", add(add(this.tlb, constant(DATA_VIEWS * DATA_BYTES)), code));
  }

  /** Bits of the mode key in protected mode. */
  #protectedKey(): Value {
    const key = (condition: Condition, bit: number) =>
      select(condition, constant(bit), constant(0));
    const big = hasAny(this.field("csAttributes"), Attribute.big);
    const whole = both(
      equal(this.field("csLast"), constant(0xffffffffn)),
      equal(this.field("csFirst"), constant(0)),
    );
    const flat = both(both(this.#isFlat("ds"), this.#isFlat("es")), this.#isFlat("ss"));
    return [
      key(big, ModeKey.code32),
      key(both(big, whole), ModeKey.wholeCode),
      key(hasAny(this.field("ssAttributes"), Attribute.big), ModeKey.stack32),
      key(flat, ModeKey.flat),
    ].reduce(or);
  }

  #isFlat(segment: SegmentRegister): Condition {
    const base = bits(this.field(`${segment}Base`), 0, 32);
    const last = bits(this.field(`${segment}Last`), 0, 32);
    const place = or(or(base, this.field(`${segment}First`)), xor(last, constant(0xffffffffn)));
    return equal(or(place, xor(this.field(`${segment}Access`), constant(7))), constant(0));
  }

  /** EFLAGS with its status flags, as `readFlags` composes it. */
  eflags(): Value {
    const { r } = this;
    const carry = r.let(this.field("carrySource"));
    const sign = r.let(this.field("signSource"));
    const flag = (condition: Condition, bit: number) =>
      select(condition, constant(bit), constant(0));
    return r.let([
      or(this.field("flags"), constant(EFLAGS_FIXED)),
      shr(carry, constant(63)),
      shl(shr(xor(carry, shl(carry, constant(1))), constant(63)), constant(11)),
      shl(bits(carry, 3, 1), constant(4)),
      flag(equal(this.field("zeroSource"), constant(0)), Eflags.ZF),
      shl(shr(sign, constant(63)), constant(7)),
      flag(not(hasAny(ones(bits(sign, 0, 8)), 1)), Eflags.PF),
    ].reduce(or));
  }

  /** Sets the six status flags from an EFLAGS image, as `writeStatusFlags` does. */
  setStatusFlags(image: Value): void {
    const flag = (bit: number, yes: number | bigint, no: number | bigint) =>
      select(hasAny(image, bit), constant(yes), constant(no));
    this.set("zeroSource", flag(Eflags.ZF, 0, 1));
    this.set("signSource", or(flag(Eflags.PF, 0, 1), flag(Eflags.SF, 1n << 63n, 0)));
    const carry = and(image, constant(Eflags.CF));
    const overflow = bits(image, 11, 1);
    const top = or(shl(carry, constant(63)), shl(xor(carry, overflow), constant(62)));
    this.set("carrySource", or(flag(Eflags.AF, 8, 0), top));
  }

  /** Gives up unless an address is canonical. */
  requireCanonical(address: Value): void {
    requireCanonical(this.r, address);
  }
}

/** DPL of a descriptor, or of a gate. */
export function levelOf(descriptor: Value): Value {
  return bits(descriptor, DPL_SHIFT, 2);
}

/** Limit in bytes of a descriptor. */
export function limitOf(descriptor: Value): Value {
  const raw = or(
    and(descriptor, constant(0xffff)),
    and(shr(descriptor, constant(32)), constant(0xf0000)),
  );
  const pages = or(shl(raw, constant(12)), constant(0xfff));
  return select(hasAny(descriptor, 1n << BigInt(GRANULARITY)), pages, raw);
}

/** Base address of a descriptor. */
export function baseOf(descriptor: Value): Value {
  return or(bits(descriptor, 16, 24), shl(shr(descriptor, constant(56)), constant(24)));
}

function widthOf(name: FieldName): 32 | 64 {
  return STATE_FIELDS.get(name)!.type === "u32" ? 32 : 64;
}
