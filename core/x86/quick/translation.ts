/**
 * The quick way from a TLB miss to a TLB entry: walks the page tables in RAM, checks, sets A and D, and enters what it
 * found, or leaves #PF pending. Its plain twin is `Mmu`.
 *
 * It gives up where anything is not plain RAM at its own place, where a reserved bit is set, behind a second stage,
 * while A20 is gated, and where a data breakpoint may lie on the page.
 */

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
  or,
  type Routine,
  select,
  shl,
  shr,
  sub,
  type Value,
} from "../../lib/wasm/routine.ts";
import { FRAME_BYTES, FrameWatch, type MachineMemory, MOVED } from "../../memory/machine_memory.ts";
import type { RadixFormat } from "../../memory/radix_walker.ts";
import { FOUR_LEVEL_NX, LEGACY_PSE, PAE_NX } from "../paging/formats.ts";
import {
  CODE_ENTRIES,
  DATA_ENTRIES,
  DATA_SHIFT,
  DATA_VIEWS,
  TlbBits,
  TlbEntry,
  View,
} from "../paging/tlb.ts";
import { Cr0, Cr4, Efer, Exception } from "../state/bits.ts";
import { Care, type FieldName, offsetOf, STATE_FIELDS, Status } from "../state/layout.ts";
import { enterTranslation, entryOf, holdsPage, logOf, requireCanonical } from "./tlb_words.ts";

/** Kinds of access. */
export type QuickAccess = "read" | "write" | "fetch";

/** What the routine returns besides 0, having given up. */
export const Translated = { entered: 1, fault: 2 } as const;

/** Bits of an entry, the same in all formats. */
const Entry = {
  present: 1,
  writable: 2,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  large: 0x80,
  global: 0x100,
} as const;
const NX = 1n << 63n;
/** Bits 39..12. */
const ADDRESS = 0xff_ffff_f000n;
/** An entry's bits where paging is off: everything is allowed, and nothing is to be noted. */
const NO_PAGING = Entry.writable | Entry.user | Entry.accessed | Entry.dirty;
const A20_OPEN = constant(0xffff_ffff);
const NOWHERE = constant(0);
const NEVER = differ(constant(0), constant(0));

/** A routine of (state: i64, linear address: i64). */
export class TranslationWriter {
  readonly #cpu: Value;
  readonly #linear: Value;
  readonly #cr4: Value;
  readonly #user: Condition;
  /** AND of the entries with flags, and OR of all; the leaf, and where it lies; the page's physical address. */
  readonly #allow;
  readonly #any;
  readonly #leaf;
  readonly #leafAt;
  readonly #physical;
  /** The entries above the leaf, and where they lie. */
  readonly #upper: { readonly entry: Variable; readonly at: Variable }[] = [];

  constructor(
    private readonly r: Routine,
    private readonly access: QuickAccess,
    private readonly memory: MachineMemory,
  ) {
    this.#cpu = r.wide(0);
    this.#linear = r.wide(1);
    this.#cr4 = r.let(this.#field("cr4"));
    const bank = this.#field("tlbBank");
    const view = shr(sub(this.#field("dataTlb"), bank), constant(DATA_SHIFT));
    const level = r.let(access === "fetch" ? this.#field("cpl") : view);
    this.#user = equal(level, constant(access === "fetch" ? 3 : View.user));
    if (access !== "fetch") r.giveUpIf(equal(level, constant(View.userAligned)));
    this.#allow = r.variable(constant(-1));
    this.#any = r.variable(constant(0));
    this.#leaf = r.variable(constant(NO_PAGING));
    this.#leafAt = r.variable(NOWHERE);
    this.#physical = r.variable(NOWHERE);
    for (let i = 0; i < FOUR_LEVEL_NX.levels.length - 1; i++) {
      this.#upper.push({ entry: r.variable(NOWHERE), at: r.variable(NOWHERE) });
    }
  }

  write(): void {
    const { r } = this;
    const care = Care.secondStage |
      (this.access === "fetch" ? Care.codeStops : Care.comparisons);
    r.giveUpIf(hasAny(this.#field("care"), care));
    r.giveUpIf(differ(this.#field("a20Mask"), A20_OPEN));
    const page = r.let(and(this.#linear, constant(-FRAME_BYTES)));
    const entry = r.let(entryOf(this.#table(), this.#entries, page));
    const held = holdsPage(entry, page);
    const enough = this.access !== "write"
      ? held
      : both(held, hasAny(load(entry, 32, TlbEntry.bits), TlbBits.writable));
    r.giveUpIf(enough);
    const paging = hasAny(this.#field("cr0"), Cr0.PG);
    r.if(paging, () => {
      const long = hasAny(this.#field("efer"), Efer.LMA);
      r.if(long, () => {
        requireCanonical(r, this.#linear);
        this.#walk(FOUR_LEVEL_NX);
      }, () => {
        r.giveUpIf(below(constant(0xffff_ffffn), this.#linear));
        r.if(
          hasAny(this.#cr4, Cr4.PAE),
          () => this.#walk(PAE_NX),
          () => this.#walk(LEGACY_PSE),
        );
      });
    }, () => {
      r.giveUpIf(hasAny(this.#cr4, Cr4.SMAP | Cr4.SMEP));
      r.giveUpIf(below(constant(0xffff_ffffn), this.#linear));
      this.#physical.set(page);
    });
    this.#check();
    this.#setAccessed();
    this.#enter(page, entry);
    r.done();
  }

  #field(name: FieldName): Value {
    return load(this.#cpu, STATE_FIELDS.get(name)!.type === "u32" ? 32 : 64, offsetOf(name));
  }

  #set(name: FieldName, value: Value): void {
    const width = STATE_FIELDS.get(name)!.type === "u32" ? 32 : 64;
    this.r.store(this.#cpu, width, value, offsetOf(name));
  }

  #table(): Value {
    return this.#field(this.access === "fetch" ? "codeTlb" : "dataTlb");
  }

  get #entries(): number {
    return this.access === "fetch" ? CODE_ENTRIES : DATA_ENTRIES;
  }

  /** Number in linear memory of the page of RAM at a physical address; gives up unless it is there and nowhere else. */
  #pageOf(physical: Value): Value {
    const { r } = this;
    const { ramBase, ramBytes, lowRamBytes } = this.memory.plan;
    const lowPages = lowRamBytes / FRAME_BYTES;
    const highPages = (ramBytes - lowRamBytes) / FRAME_BYTES;
    const frame = r.let(shr(physical, constant(12)));
    const isLow = below(frame, constant(lowPages));
    const beyond = r.let(sub(frame, constant(0x10_0000)));
    r.giveUpUnless(either(isLow, below(beyond, constant(highPages))));
    const index = select(isLow, frame, add(beyond, constant(lowPages)));
    const page = r.let(add(index, constant(ramBase / FRAME_BYTES)));
    r.giveUpIf(hasAny(this.#watches(page), MOVED));
    return page;
  }

  #watches(page: Value): Value {
    return load(add(page, constant(this.memory.watchOfPage0)), 8);
  }

  /** The page that code of linear page `page` is fetched from (code_homes.ts). */
  #codeHome(page: Value): Value {
    const word = this.r.let(
      load(add(shl(page, constant(2)), constant(this.memory.codeHomes.wordOfPage0)), 32),
    );
    return select(equal(word, constant(0)), page, sub(word, constant(1)));
  }

  /** Goes down the tables of a format. */
  #walk(format: RadixFormat): void {
    const { r } = this;
    const wide = format.entryBytes === 8;
    const table = r.variable(and(this.#field("cr3"), constant(wide ? ADDRESS : 0xffff_f000)));
    if (format === PAE_NX) table.set(and(this.#field("cr3"), constant(0xffff_ffe0)));
    const noNx = not(hasAny(this.#field("efer"), Efer.NXE));
    r.block((leave) => {
      format.levels.forEach((level, i) => {
        const index = bits(this.#linear, level.shift, level.indexBits);
        const physical = r.let(add(table.value, shl(index, constant(wide ? 3 : 2))));
        const host = shl(this.#pageOf(physical), constant(12));
        const at = r.let(or(host, and(physical, constant(0xfff))));
        const entry = r.let(load(at, wide ? 64 : 32));
        r.if(not(hasAny(entry, Entry.present)), () => this.#fault(0));
        const high = BigInt.asUintN(32, BigInt(level.reservedHigh)) << 32n;
        const reserved = (wide ? high : 0n) | BigInt.asUintN(32, BigInt(level.reservedLow));
        if (reserved !== 0n) r.giveUpIf(hasAny(entry, reserved));
        if (wide) r.giveUpIf(both(noNx, hasAny(entry, NX)));
        if (level.hasFlags) this.#allow.set(and(this.#allow.value, entry));
        this.#any.set(or(this.#any.value, entry));
        if (level.leaf === "always") return this.#found(entry, at, 12);
        if (level.leaf === "bit7") {
          const large = wide ? hasAny(entry, Entry.large) : both(
            hasAny(entry, Entry.large),
            hasAny(this.#cr4, Cr4.PSE),
          );
          r.if(large, () => {
            // Without bit 12, which is PAT; bits of PSE-36 are left to the plain way.
            r.giveUpIf(hasAny(entry, ((1n << BigInt(level.shift)) - 1n) & ~0x1fffn));
            this.#found(entry, at, level.shift);
            leave(1);
          });
        }
        if (level.hasFlags) {
          this.#upper[i].entry.set(entry);
          this.#upper[i].at.set(at);
        }
        table.set(and(entry, constant(ADDRESS)));
      });
    });
  }

  #found(entry: Value, at: Value, shift: number): void {
    const within = (1n << BigInt(shift)) - 1n;
    const start = and(entry, constant(ADDRESS & ~within));
    this.#physical.set(or(start, and(this.#linear, constant(within & ~0xfffn))));
    this.#leaf.set(entry);
    this.#leafAt.set(at);
  }

  #check(): void {
    const { r } = this;
    const isUserPage = hasAny(this.#allow.value, Entry.user);
    const supervisor = not(this.#user);
    const refused = [both(this.#user, not(isUserPage))];
    if (this.access === "fetch") {
      refused.push(hasAny(this.#any.value, NX));
      refused.push(both(both(supervisor, isUserPage), hasAny(this.#cr4, Cr4.SMEP)));
    } else {
      const view = equal(this.#view(), constant(View.supervisorSmap));
      refused.push(both(isUserPage, view));
    }
    if (this.access === "write") {
      const bound = either(this.#user, hasAny(this.#field("cr0"), Cr0.WP));
      refused.push(both(not(hasAny(this.#allow.value, Entry.writable)), bound));
    }
    r.if(refused.reduce(either), () => this.#fault(1));
  }

  #view(): Value {
    return shr(sub(this.#field("dataTlb"), this.#field("tlbBank")), constant(DATA_SHIFT));
  }

  /** Leaves #PF pending; `code` is the P bit of the error code. */
  #fault(code: 0 | 1): void {
    const { r } = this;
    let error = constant(code | (this.access === "write" ? 2 : 0));
    error = or(error, select(this.#user, constant(4), constant(0)));
    if (this.access === "fetch") {
      const isWide = either(
        hasAny(this.#field("efer"), Efer.LMA),
        hasAny(this.#cr4, Cr4.PAE),
      );
      const tells = either(
        both(isWide, hasAny(this.#field("efer"), Efer.NXE)),
        hasAny(this.#cr4, Cr4.SMEP),
      );
      error = or(error, select(tells, constant(16), constant(0)));
    }
    this.#set("status", constant(Status.exception));
    this.#set("vector", constant(Exception.PF));
    this.#set("errorCode", error);
    this.#set("hasErrorCode", constant(1));
    this.#set("faultAddress", this.#linear);
    r.return(Translated.fault);
  }

  #setAccessed(): void {
    for (const { entry, at } of this.#upper) this.#mark(entry.value, at.value, Entry.accessed);
    const wanted = Entry.accessed | (this.access === "write" ? Entry.dirty : 0);
    this.#mark(this.#leaf.value, this.#leafAt.value, wanted);
    if (this.access === "write") this.#leaf.set(or(this.#leaf.value, constant(Entry.dirty)));
  }

  /** Sets bits in the entry at linear offset `at`, which is 0 if there is none; gives up on a watched table. */
  #mark(entry: Value, at: Value, wanted: number): void {
    const { r } = this;
    const complete = equal(and(entry, constant(wanted)), constant(wanted));
    r.if(both(differ(at, NOWHERE), not(complete)), () => {
      r.giveUpIf(differ(this.#watches(shr(at, constant(12))), constant(0)));
      r.store(at, 32, or(entry, constant(wanted)));
    });
  }

  #enter(page: Value, entry: Value): void {
    const { r } = this;
    const frame = r.let(shr(this.#physical.value, constant(12)));
    r.giveUpIf(equal(frame, this.#field("localFrame")));
    const linearPage = this.#pageOf(this.#physical.value);
    const watches = r.let(this.#watches(linearPage));
    const supervisorWrites = both(not(this.#user), not(hasAny(this.#field("cr0"), Cr0.WP)));
    const allowed = either(hasAny(this.#allow.value, Entry.writable), supervisorWrites);
    const mayWrite = both(allowed, hasAny(this.#leaf.value, Entry.dirty));
    const isGlobal = both(hasAny(this.#leaf.value, Entry.global), hasAny(this.#cr4, Cr4.PGE));
    // Code TLBs are for loads.
    const mayStore = this.access === "fetch" ? NEVER : mayWrite;
    const holdsCode = both(mayStore, equal(watches, constant(FrameWatch.code)));
    const bit = (condition: Condition, value: number) =>
      select(condition, constant(value), constant(0));
    const bank = this.#field("tlbBank");
    const isUser = select(this.#user, constant(1), constant(0));
    const number = this.access === "fetch" ? add(constant(DATA_VIEWS), isUser) : this.#view();
    enterTranslation(r, {
      entry,
      log: r.let(logOf(bank, number)),
      entries: this.#entries,
      page,
      host: shl(this.access === "fetch" ? this.#codeHome(linearPage) : linearPage, constant(12)),
      frame,
      isGlobal,
      bits: or(
        or(bit(mayWrite, TlbBits.writable), bit(isGlobal, TlbBits.global)),
        bit(holdsCode, TlbBits.holdsCode),
      ),
      directWrite: both(mayStore, equal(watches, constant(0))),
    });
  }
}

type Variable = ReturnType<Routine["variable"]>;
