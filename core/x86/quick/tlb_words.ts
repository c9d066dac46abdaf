/** A CPU's translation look-aside buffers (paging/tlb.ts) as expressions: finding, entering and dropping translations. */

import {
  add,
  and,
  below,
  both,
  type Condition,
  constant,
  either,
  equal,
  hasAny,
  load,
  mul,
  not,
  or,
  type Routine,
  select,
  shl,
  shr,
  sub,
  type Value,
} from "../../lib/wasm/routine.ts";
import {
  LOG_BYTES,
  LOGGED_GLOBAL,
  LOGGED_LOCAL,
  SLOW_TAG,
  TABLES,
  TlbBits,
  TlbEntry,
  TlbLog,
} from "../paging/tlb.ts";

/** No page has this tag. */
const NO_TAG = constant(-1);

/** The entry that a linear address has in a table of `entries` entries. */
export function entryOf(table: Value, entries: number, linear: Value): Value {
  const index = and(shr(linear, constant(12)), constant(entries - 1));
  return add(table, shl(index, constant(TlbEntry.sizeShift)));
}

/** Whether an entry is a valid one of the page at address `page`, be it a slow one. */
export function holdsPage(entry: Value, page: Value): Condition {
  const tag = and(load(entry, 64, TlbEntry.readTag), constant(~SLOW_TAG));
  return both(equal(tag, page), hasAny(load(entry, 32, TlbEntry.bits), TlbBits.valid));
}

/** What {@link enterTranslation} enters. */
export interface NewTranslation {
  readonly entry: Value;
  /** Linear offset of the table's log. */
  readonly log: Value;
  readonly entries: number;
  /** Addresses of the page: linear, and its offset in linear memory. */
  readonly page: Value;
  readonly host: Value;
  readonly frame: Value;
  /** TlbBits.global and the like. */
  readonly isGlobal: Condition;
  readonly bits: Value;
  readonly directWrite: Condition;
}

/** Enters a translation to memory that loads may reach directly, as {@link TlbTable.fill} does. */
export function enterTranslation(r: Routine, made: NewTranslation): void {
  const { entry, log, page, entries } = made;
  const logged = r.variable(
    and(load(entry, 32, TlbEntry.bits), constant(LOGGED_LOCAL | LOGGED_GLOBAL)),
  );
  const note = (bit: number, count: number, part: number) => {
    r.if(not(hasAny(logged.value, bit)), () => {
      const length = r.let(load(log, 32, count));
      const index = and(shr(page, constant(12)), constant(entries - 1));
      r.store(add(log, shl(length, constant(1))), 16, index, part);
      r.store(log, 32, add(length, constant(1)), count);
      logged.set(or(logged.value, constant(bit)));
    });
  };
  r.if(
    made.isGlobal,
    () => note(LOGGED_GLOBAL, TlbLog.globals, TlbLog.global),
    () => note(LOGGED_LOCAL, TlbLog.locals, TlbLog.local),
  );
  const slow = or(page, constant(SLOW_TAG));
  r.store(entry, 64, page, TlbEntry.readTag);
  r.store(entry, 64, select(made.directWrite, page, slow), TlbEntry.writeTag);
  r.store(entry, 64, sub(made.host, page), TlbEntry.addend);
  r.store(entry, 32, made.frame, TlbEntry.frame);
  const bits = or(or(made.bits, logged.value), constant(TlbBits.valid));
  r.store(entry, 32, bits, TlbEntry.bits);
}

/** Drops the translations of one page from all tables of a bank. */
export function dropPage(r: Routine, bank: Value, linear: Value): void {
  const page = r.let(and(linear, constant(-4096)));
  for (const { at, entries } of TABLES) {
    const entry = r.let(entryOf(add(bank, constant(at)), entries, page));
    const bits = r.let(load(entry, 32, TlbEntry.bits));
    r.if(
      holdsPage(entry, page),
      () => forget(r, entry, and(bits, constant(LOGGED_LOCAL | LOGGED_GLOBAL))),
    );
  }
}

/** Drops all translations of a bank that are not global. */
export function dropLocals(r: Routine, bank: Value): void {
  for (const table of TABLES) {
    const log = r.let(add(bank, constant(table.log)));
    const count = r.let(load(log, 32, TlbLog.locals));
    const i = r.variable(constant(0));
    r.while(below(i.value, count), () => {
      const index = load(add(log, shl(i.value, constant(1))), 16, TlbLog.local);
      const entry = r.let(
        add(add(bank, constant(table.at)), shl(index, constant(TlbEntry.sizeShift))),
      );
      const bits = r.let(load(entry, 32, TlbEntry.bits));
      const stays = both(hasAny(bits, TlbBits.valid), hasAny(bits, TlbBits.global));
      r.if(
        stays,
        () => r.store(entry, 32, and(bits, constant(~LOGGED_LOCAL)), TlbEntry.bits),
        () => forget(r, entry, and(bits, constant(LOGGED_GLOBAL))),
      );
      i.set(add(i.value, constant(1)));
    });
    r.store(log, 32, constant(0), TlbLog.locals);
  }
}

function forget(r: Routine, entry: Value, bits: Value): void {
  r.store(entry, 64, NO_TAG, TlbEntry.readTag);
  r.store(entry, 64, NO_TAG, TlbEntry.writeTag);
  r.store(entry, 32, bits, TlbEntry.bits);
}

/** Linear offset of the log of table `number` of a bank. */
export function logOf(bank: Value, number: Value): Value {
  return add(add(bank, constant(TABLES[0].log)), mul(number, constant(LOG_BYTES)));
}

/** Gives up unless bits 63..47 of an address are equal. */
export function requireCanonical(r: Routine, address: Value): void {
  const top = r.let(add(shr(address, constant(47)), constant(1)));
  // All zeros become 1, all ones (17 bits) become 0x20000.
  r.giveUpUnless(either(equal(top, constant(1)), equal(top, constant(0x2_0000))));
}
