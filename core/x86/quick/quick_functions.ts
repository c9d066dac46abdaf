/**
 * What generated code of the cold tier calls before it leaves for TypeScript: quick twins of system functions, and of the
 * MMU's way from a TLB miss to an entry. They stand in the function table, so that all modules share them.
 *
 * A quick function does all that its plain twin would and returns 1, or gives up with nothing changed and returns 0. Where
 * somebody owns ring 0, all that an owner would want to decide give up: the owner is asked first.
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
  differ,
  equal,
  hasAny,
  load,
  not,
  or,
  Routine,
  select,
  shr,
  type Value,
  xor,
} from "../../lib/wasm/routine.ts";
import { ModuleWriter, type Signature } from "../../lib/wasm/writer.ts";
import type { MachineMemory } from "../../memory/machine_memory.ts";
import { Cr0, Cr4, Efer, Eflags, STATUS_FLAGS } from "../state/bits.ts";
import { Care, offsetOf, SegmentAccess, Status } from "../state/layout.ts";
import { FLAT, SYSCALL_FLAGS, SYSRET_IMAGE } from "../system/fast_calls.ts";
import { EFLAGS_FIXED } from "../system/flags_image.ts";
import { ARGUMENTS } from "../system/memory_access.ts";
import { ModeKey } from "../system/mode.ts";
import { CpuWords, LEVEL_FIELDS } from "./cpu_words.ts";
import { writeLongReturn, writeProtectedReturn } from "./return.ts";
import { writeFillBlock, writeMoveBlock } from "./string_blocks.ts";
import { dropLocals, dropPage, requireCanonical } from "./tlb_words.ts";
import { type QuickAccess, TranslationWriter } from "./translation.ts";
import { writeFault, writeInt } from "./trap.ts";

/** Of the translations: (state, linear address). Of functions: (state). */
export const TRANSLATE: Signature = { parameters: ["i64", "i64"], results: ["i32"] };
export const QUICK_FUNCTION: Signature = { parameters: ["i64"], results: ["i32"] };

const ACCESSES: readonly QuickAccess[] = ["read", "write", "fetch"];

/** By the name of the system function. */
const FUNCTIONS = {
  iret: writeIret,
  invlpg: writeInvlpg,
  readCr: writeReadCr,
  writeCr: writeWriteCr,
  syscall: writeSyscall,
  sysret: writeSysret,
  swapgs: writeSwapGs,
  int: writeInt,
  moveBlock: writeMoveBlock,
  fillBlock: writeFillBlock,
} as const satisfies Readonly<Record<string, (r: Routine, cpu: Value, trapLog: number) => void>>;
const NAMES: readonly string[] = Object.keys(FUNCTIONS);
/** Those that are nobody else's business. */
const UNASKED: readonly unknown[] = [writeMoveBlock, writeFillBlock];

/** Entries of the function table that quick functions take. */
export const QUICK_ENTRIES: number = ACCESSES.length + NAMES.length + 1;
/** The entry, from the first of them on, of the delivery of a pending fault. */
export const FAULT_ENTRY: number = QUICK_ENTRIES - 1;

/** The entry, from the first of them on, of the way to a translation. */
export function translationEntry(access: QuickAccess): number {
  return ACCESSES.indexOf(access);
}

/** The entry of a system function's quick twin, or -1. */
export function quickEntry(systemFunction: string): number {
  const index = NAMES.indexOf(systemFunction);
  return index < 0 ? -1 : ACCESSES.length + index;
}

/**
 * Compiles the quick functions of the CPUs whose states lie in `linear`, into entries of `table` from `firstEntry` on.
 * `trapLog` is the linear offset of a log (trap_log.ts), or 0: then traps are left to TypeScript.
 */
export function compileQuickFunctions(
  host: WasmHost,
  linear: LinearMemory,
  memory: MachineMemory,
  trapLog: number,
  table: { readonly handle: unknown; readonly entries: number; readonly firstEntry: number },
): void {
  const module = new ModuleWriter(linear.buffer.byteLength / 65536, table.entries);
  const translations = ACCESSES.map((access) => {
    const { index, writer } = module.define(TRANSLATE);
    new TranslationWriter(new Routine(writer), access, memory).write();
    return index;
  });
  const functions = [...Object.values(FUNCTIONS), writeFault].map((write) => {
    const { index, writer } = module.define(QUICK_FUNCTION);
    const r = new Routine(writer);
    const cpu = r.wide(0);
    if (!UNASKED.includes(write)) {
      r.giveUpIf(hasAny(load(cpu, 32, offsetOf("care")), Care.owner | Care.debugger));
    }
    if (trapLog === 0 && (write === writeFault || write === writeInt)) r.giveUp();
    else write(r, cpu, trapLog);
    r.done();
    return index;
  });
  module.element(table.firstEntry, [...translations, ...functions]);
  host.instantiate(module.toBytes(), { memory: linear.handle, table: table.handle });
}

function argument(cpu: Value, n: 0 | 1): Value {
  return load(cpu, 64, ARGUMENTS[n]);
}

function requireLevel0(r: Routine, cpu: Value): void {
  r.giveUpIf(differ(load(cpu, 32, offsetOf("cpl")), constant(0)));
}

/** As `interruptReturn`. */
function writeIret(r: Routine, cpu: Value): void {
  const words = new CpuWords(r, cpu);
  const flags = words.old("flags");
  r.giveUpUnless(hasAny(words.old("cr0"), Cr0.PE));
  r.giveUpIf(hasAny(flags, Eflags.VM | Eflags.NT));
  const size = r.let(and(argument(cpu, 0), constant(0xffff)));
  r.if(hasAny(words.field("efer"), Efer.LMA), () => {
    r.giveUpUnless(both(equal(size, constant(64)), hasAny(words.field("modeKey"), ModeKey.long)));
    writeLongReturn(words);
  }, () => {
    r.giveUpIf(differ(size, constant(32)));
    writeProtectedReturn(words);
  });
  words.set("nmiBlocked", constant(0));
  stopForNewFlags(words);
}

/** As `stopForNewFlags`. */
function stopForNewFlags(words: CpuWords): void {
  const { r } = words;
  const flags = r.let(words.field("flags"));
  const on = both(not(hasAny(words.old("flags"), Eflags.IF)), hasAny(flags, Eflags.IF));
  const waits = both(on, differ(words.field("interruptRequest"), constant(0)));
  r.if(hasAny(flags, Eflags.TF), () => words.set("status", constant(Status.stop)));
  r.if(waits, () => words.set("status", constant(Status.stop)));
}

/** As `invalidatePage`. */
function writeInvlpg(r: Routine, cpu: Value): void {
  requireLevel0(r, cpu);
  const long = hasAny(load(cpu, 32, offsetOf("efer")), Efer.LMA);
  const address = r.let(argument(cpu, 0));
  requireCanonical(r, address);
  const low = and(address, constant(0xffff_ffffn));
  dropPage(r, load(cpu, 64, offsetOf("tlbBank")), r.let(select(long, address, low)));
}

/** Control registers that are one field of the state, as bits. */
const PLAIN_REGISTERS = 0b1_1101;

/** As `readControlRegister`. */
function writeReadCr(r: Routine, cpu: Value): void {
  requireLevel0(r, cpu);
  const number = r.let(and(argument(cpu, 0), constant(0xffff_ffffn)));
  r.giveUpIf(below(constant(4), number));
  r.giveUpUnless(hasAny(shr(constant(PLAIN_REGISTERS), number), 1));
  const is = (n: number): Condition => equal(number, constant(n));
  const wide = select(
    is(2),
    load(cpu, 64, offsetOf("cr2")),
    load(cpu, 64, offsetOf("cr3")),
  );
  const narrow = select(is(0), load(cpu, 32, offsetOf("cr0")), load(cpu, 32, offsetOf("cr4")));
  const value = select(hasAny(shr(constant(0b1_0001), number), 1), narrow, wide);
  r.store(cpu, 64, value, offsetOf("result"));
  r.store(cpu, 64, constant(0), offsetOf("result") + 8);
}

/** As `writeControlRegister`, of CR3; PAE paging has its table of pointers checked the plain way. */
function writeWriteCr(r: Routine, cpu: Value): void {
  requireLevel0(r, cpu);
  r.giveUpIf(differ(and(argument(cpu, 0), constant(0xffff_ffffn)), constant(3)));
  const value = r.let(argument(cpu, 1));
  r.giveUpIf(differ(shr(value, constant(40)), constant(0)));
  const long = hasAny(load(cpu, 32, offsetOf("efer")), Efer.LMA);
  const pae = hasAny(load(cpu, 32, offsetOf("cr4")), Cr4.PAE);
  const paging = hasAny(load(cpu, 32, offsetOf("cr0")), Cr0.PG);
  r.giveUpIf(both(both(pae, paging), not(long)));
  r.store(cpu, 64, value, offsetOf("cr3"));
  dropLocals(r, load(cpu, 64, offsetOf("tlbBank")));
}

/** What SYSCALL and SYSRET ask for alike: EFER.SCE, and 64-bit code. */
function requireFastCalls(words: CpuWords): void {
  const { r } = words;
  r.giveUpUnless(hasAny(words.field("efer"), Efer.SCE));
  r.giveUpUnless(hasAny(words.field("modeKey"), ModeKey.long));
}

/** As `systemCall` from 64-bit code. */
function writeSyscall(r: Routine, cpu: Value): void {
  const words = new CpuWords(r, cpu, LEVEL_FIELDS);
  requireFastCalls(words);
  const flags = words.eflags();
  const selector = r.let(and(shr(words.field("star"), constant(32)), constant(0xfffc)));
  words.set("rcx", words.field("nextRip"));
  words.set("r11", and(flags, constant(~Eflags.RF)));
  words.set("nextRip", words.field("lstar"));
  const masked = or(words.field("fmask"), constant(Eflags.RF));
  loadFlags(words, r.let(and(flags, xor(masked, constant(-1)))));
  loadFlat(words, "cs", selector, FLAT.code64);
  loadFlat(words, "ss", add(selector, constant(8)), FLAT.data);
  words.set("cpl", constant(0));
  words.updateLevel(true, constant(0));
}

/** As `systemReturn` to 64-bit code. */
function writeSysret(r: Routine, cpu: Value): void {
  const words = new CpuWords(r, cpu, LEVEL_FIELDS);
  requireFastCalls(words);
  requireLevel0(r, cpu);
  r.giveUpIf(differ(and(argument(cpu, 0), constant(0xffff_ffffn)), constant(64)));
  const target = r.let(words.field("rcx"));
  words.requireCanonical(target);
  const base = r.let(bits(words.field("star"), 48, 16));
  const selector = (beyond: number) =>
    or(and(add(base, constant(beyond)), constant(0xffff)), constant(3));
  words.set("nextRip", target);
  loadFlags(words, r.let(and(words.field("r11"), constant(SYSRET_IMAGE))));
  loadFlat(words, "cs", selector(16), FLAT.code64 | 0x60);
  loadFlat(words, "ss", selector(8), FLAT.data | 0x60);
  words.set("cpl", constant(3));
  words.updateLevel(true, constant(3));
  stopForNewFlags(words);
}

/** As `swapGs`. */
function writeSwapGs(r: Routine, cpu: Value): void {
  requireLevel0(r, cpu);
  r.giveUpUnless(hasAny(load(cpu, 32, offsetOf("modeKey")), ModeKey.long));
  const base = r.let(load(cpu, 64, offsetOf("gsBase")));
  r.store(cpu, 64, load(cpu, 64, offsetOf("kernelGsBase")), offsetOf("gsBase"));
  r.store(cpu, 64, base, offsetOf("kernelGsBase"));
}

/** As `writeFlags` with the mask of SYSCALL and SYSRET. */
function loadFlags(words: CpuWords, image: Value): void {
  const other = SYSCALL_FLAGS & ~STATUS_FLAGS;
  const kept = and(words.old("flags"), constant(~other));
  const loaded = or(and(image, constant(other)), constant(EFLAGS_FIXED));
  words.set("flags", or(kept, loaded));
  words.setStatusFlags(image);
}

/** As `loadFlat` of fast_calls.ts. */
function loadFlat(
  words: CpuWords,
  segment: "cs" | "ss",
  selector: Value,
  attributes: number,
): void {
  const { usable, readable, writable } = SegmentAccess;
  const limit = constant(0xffff_ffffn);
  words.setSegment(segment, {
    selector,
    attributes: constant(attributes),
    base: constant(0),
    first: 0,
    last: limit,
    limit,
    access: constant(usable | readable | (segment === "ss" ? writable : 0)),
  });
}
