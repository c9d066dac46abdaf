/**
 * Faults and INT n through common gates without TypeScript. What `deliver` and `softwareInterrupt` in system/ do, for
 * those whom nobody else hears of: no owner of ring 0, no debugger, no listener of the trace; the trace's own event goes
 * to a log (trap_log.ts).
 */

import {
  add,
  and,
  below,
  constant,
  differ,
  equal,
  hasAny,
  load,
  or,
  type Routine,
  shl,
  shr,
  shrSigned,
  sub,
  type Value,
} from "../../lib/wasm/routine.ts";
import { Cr0, Efer, Eflags, Exception } from "../state/bits.ts";
import { Care, Status } from "../state/layout.ts";
import { ENABLES } from "../system/debug_conditions.ts";
import { ARGUMENTS } from "../system/memory_access.ts";
import { TRAP_LOG_ENTRIES, TRAP_LOG_SHIFT, TrapLogPart } from "../trap_log.ts";
import { CpuWords } from "./cpu_words.ts";
import { type EntryInputs, writeLongEntry, writeProtectedEntry } from "./entry.ts";

/** Exceptions that are more than a gate, or whose delivery leaves RF as it is. */
const SPECIAL = (1 << Exception.DB) | (1 << Exception.DF) | (1 << Exception.MC);
const NO_ONE = Care.owner | Care.debugger | Care.traps;

/** Writes the delivery of the fault that is pending in the state; afterwards the CPU is at its handler, a cycle later. */
export function writeFault(r: Routine, cpu: Value, log: number): void {
  const words = new CpuWords(r, cpu);
  r.giveUpIf(hasAny(words.field("care"), NO_ONE));
  r.giveUpIf(hasAny(words.old("flags"), Eflags.TF | Eflags.VM));
  r.giveUpIf(hasAny(words.field("dr7"), ENABLES));
  r.giveUpIf(differ(words.field("debugPending"), constant(0)));
  const vector = r.let(words.field("vector"));
  r.giveUpIf(hasAny(shr(constant(SPECIAL), vector), 1));
  enter(words, log, {
    vector,
    software: constant(0),
    hasErrorCode: r.let(words.field("hasErrorCode")),
    errorCode: r.let(words.field("errorCode")),
    returnTo: r.let(words.field("rip")),
    flags: r.let(or(words.eflags(), constant(Eflags.RF))),
  });
  r.if(
    equal(vector, constant(Exception.PF)),
    () => words.set("cr2", words.field("faultAddress")),
  );
  words.set("rip", words.field("nextRip"));
  words.set("status", constant(Status.none));
  words.set("inhibit", constant(0));
  words.set("budget", sub(words.field("budget"), constant(1)));
}

/** Writes INT n, whose vector is argument 0. */
export function writeInt(r: Routine, cpu: Value, log: number): void {
  const words = new CpuWords(r, cpu);
  r.giveUpIf(hasAny(words.field("care"), NO_ONE));
  r.giveUpIf(hasAny(words.old("flags"), Eflags.VM));
  enter(words, log, {
    vector: r.let(and(load(cpu, 64, ARGUMENTS[0]), constant(0xff))),
    software: constant(1),
    hasErrorCode: constant(0),
    errorCode: constant(0),
    returnTo: r.let(words.field("nextRip")),
    flags: words.eflags(),
  });
}

/** Enters the gate, then notes the event of the trace. */
function enter(words: CpuWords, log: number, inputs: EntryInputs): void {
  const { r } = words;
  r.giveUpUnless(hasAny(words.old("cr0"), Cr0.PE));
  const count = r.let(load(constant(log), 32, TrapLogPart.count));
  r.giveUpUnless(below(count, constant(TRAP_LOG_ENTRIES)));
  r.if(
    hasAny(words.field("efer"), Efer.LMA),
    () => writeLongEntry(words, inputs),
    () => writeProtectedEntry(words, inputs),
  );
  const entries = constant(log + TrapLogPart.entries);
  const at = r.let(add(entries, shl(count, constant(TRAP_LOG_SHIFT))));
  const half = constant(32);
  const budget = shrSigned(shl(words.field("budget"), half), half);
  r.store(at, 64, sub(words.field("cycleBase"), budget), TrapLogPart.cycle);
  r.store(at, 32, inputs.vector, TrapLogPart.vector);
  r.store(at, 32, words.field("index"), TrapLogPart.cpu);
  r.store(constant(log), 32, add(count, constant(1)), TrapLogPart.count);
}
