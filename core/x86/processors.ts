/**
 * The processors of one machine: they run in turn, each up to the same cycle, and that deterministic
 * interleaving is their simultaneity.
 *
 * A cycle is one retired instruction; the delivery of an event costs one more, and PAUSE costs many, so that
 * a slice may end some cycles late. CPU-local time runs ahead of the others' by at most one slice, which the
 * machine bounds by its quantum and by the next timer.
 */

import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../lib/snapshot.ts";
import { LocalApic } from "./apic/local_apic.ts";
import type { ColdEngineParts } from "./cold/cold_engine.ts";
import { Cpu } from "./cpu.ts";
import { DebugControl } from "./debugging/debug_control.ts";
import { Decoder } from "./decode/decoder.ts";
import type { Engine } from "./engine.ts";
import { ENCODINGS } from "./instructions/table.ts";
import { codePlan, cpuPlan, trapLogBase } from "./processor_area.ts";
import { makeEngine, type ProcessorsOptions } from "./processor_parts.ts";
import { compileQuickWays } from "./quick/quick_ways.ts";
import { ReferenceEngine } from "./reference/reference_engine.ts";
import type { Sampler } from "./sampling.ts";
import { Eflags } from "./state/bits.ts";
import { openCpuState } from "./state/cpu_state.ts";
import { Activity, offsetOf, PLACE_FIELDS, Status } from "./state/layout.ts";
import {
  accessRefused,
  deliverPending,
  localApicPort,
  mustStep,
  resetCpu,
  startCpu,
  stateReplaced,
  stepInstruction,
  SystemFunctions,
  takeInterrupt,
} from "./system/mod.ts";
import { TrapLog } from "./trap_log.ts";

const BUDGET = offsetOf("budget") >> 2;
const CYCLE_BASE = offsetOf("cycleBase");
/** Longest slice, so that budgets stay 31-bit numbers. */
const MAX_SLICE = 0x4000_0000;
/** One CPU's own time. */
interface Slot {
  readonly cpu: Cpu;
  /** Machine cycle up to which it has run. */
  cycle: number;
  /** The activity that the trace was told last; HLT counts as active. */
  told: number;
  /** Cycle at which the sampler wants to look next. */
  sampleAt: number;
  /** The last stretch in which it only waited; it waits still if it has run no further. */
  waitFrom: number;
  waitTo: number;
}

/** A turn of all CPUs, from one cycle to another, that stopped on its way; see {@link Processors.run}. */
interface Turn {
  readonly from: number;
  readonly end: number;
  readonly stoppedAt: number;
}

/** The CPUs of a machine and what executes them. */
export class Processors implements Snapshot {
  readonly cpus: readonly Cpu[];
  readonly engine: Engine;
  readonly reference: ReferenceEngine;
  /** Where somebody who looks from outside wants to stop. */
  readonly debugging: DebugControl;
  readonly #slots: readonly Slot[];
  readonly #options: ProcessorsOptions;
  #current: Slot | null = null;
  /** Cycle at which the current turn ends; requests may move it forward. */
  #end = 0;
  /** Cycle at which the caller wants to stop, be it in the middle of a turn. */
  #limit = Infinity;
  #stopped: Turn | null = null;
  /** Instructions taken out of the running budget, so that the engine returns early. */
  #reserve = 0;
  /** Budget given to the engine for the running stretch, and the cycle at which it began. */
  #given = 0;
  #began = 0;
  #stopAll = false;
  #sampler: Sampler | null = null;

  constructor(options: ProcessorsOptions) {
    this.#options = options;
    const { memory, linear, count, model } = options;
    const functions = new SystemFunctions();
    const decoder = new Decoder(
      ENCODINGS,
      (feature) => model.has(feature),
      (name) => functions.find(name),
    );
    this.#slots = Array.from({ length: count }, (_, i) => ({
      cpu: this.#makeCpu(i),
      cycle: 0,
      told: i === 0 ? Activity.active : Activity.waitForSipi,
      sampleAt: Infinity,
      waitFrom: -1,
      waitTo: -1,
    }));
    this.cpus = this.#slots.map(({ cpu }) => cpu);
    const quickWays = compileQuickWays(options.host, linear);
    for (const cpu of this.cpus) cpu.quickWays = quickWays;
    this.debugging = new DebugControl(memory);
    this.debugging.share(this.cpus);
    const stops = this.debugging.codeStops;
    this.reference = new ReferenceEngine(decoder, functions, stops);
    const parts: ColdEngineParts = {
      host: options.host,
      linear,
      cpus: this.cpus,
      decoder,
      functions,
      reference: this.reference,
      stops,
      plan: codePlan(count),
      trapLog: trapLogBase(count),
      isAlone: true,
    };
    new TrapLog(linear.buffer, trapLogBase(count)).attach(options.trace);
    this.engine = makeEngine(options, this.reference, parts);
    memory.observe({ onRemap: (fromMemory) => fromMemory && this.engine.invalidate() });
    options.clock.source = () => this.cycleNow();
    options.clock.onEarlierDeadline = (at) => this.endBy(at);
    for (const cpu of this.cpus) {
      resetCpu(cpu);
      if (cpu.index > 0) cpu.state.activity = Activity.waitForSipi;
    }
  }

  /** The machine's cycle at the instruction being executed; otherwise where a turn stopped, or 0. */
  cycleNow(): number {
    const slot = this.#current;
    if (slot === null) return this.#stopped?.stoppedAt ?? 0;
    return this.#began + this.#given - slot.cpu.state.i32[BUDGET] - this.#reserve;
  }

  /** Whether every CPU waits for an interrupt and none is there. */
  get idle(): boolean {
    return this.cpus.every(({ state }) =>
      state.activity !== Activity.active && state.signals === 0 && state.debugPending === 0 &&
      !(state.interruptRequest !== 0 && state.activity === Activity.hlt &&
        (state.flags & Eflags.IF) !== 0)
    );
  }

  /**
   * Whether every CPU waits for what only NMI, SMI or INIT can end, and no local APIC makes one of a device's
   * interrupt. What I/O APICs send, and what scripts do, is not considered.
   */
  get deaf(): boolean {
    return this.idle &&
      this.cpus.every(({ state, apic }) =>
        state.activity === Activity.waitForSipi ||
        (state.activity === Activity.hlt && (state.flags & Eflags.IF) === 0 &&
          !apic.takesUnmaskable)
      );
  }

  /** The first CPU that shut down after a triple fault, or `null`. */
  get shutDown(): Cpu | null {
    return this.cpus.find(({ state }) => state.activity === Activity.shutdown) ?? null;
  }

  /** Since when the first CPU has done nothing but wait; `null` if it does not. For who looks: no run depends on it. */
  get waitingSince(): number | null {
    const [{ cpu, cycle, waitFrom, waitTo }] = this.#slots;
    if (cycle === waitTo) return waitFrom;
    return cpu.state.activity === Activity.active ? null : cycle;
  }

  /**
   * The first cycle from the present one on at which all CPUs can stand together, whatever turn they are in: what
   * reaches a machine from outside is put there.
   */
  get meetingCycle(): number {
    const apart = this.#stopped !== null && this.#slots.length > 1;
    const inTurn = this.#current !== null || apart;
    return inTurn ? Math.max(this.furthestCycle, this.cycleNow()) + 1 : this.furthestCycle;
  }

  /** The cycle of the CPU that has run furthest: an instruction may end some cycles after the turn that it belongs to. */
  get furthestCycle(): number {
    return Math.max(...this.#slots.map(({ cycle }) => cycle));
  }

  /** The cycle that one CPU has run to by itself. */
  cycleOf(index: number): number {
    return this.#slots[index].cycle;
  }

  /** The first cycle that a run from here stops at as a run from further back does. */
  get firstEnd(): number {
    const { end = 0 } = this.#stopped ?? {};
    return this.#slots[0].cycle >= end ? end : this.cycleNow();
  }

  /** Makes the running slice end after the current instruction. */
  requestStop(): void {
    this.#stopAll = true;
    this.#shorten(1);
  }

  /** Whether the last {@link run} stopped within a turn, which the next one goes on with. */
  get stopped(): boolean {
    return this.#stopped !== null;
  }

  /**
   * A turn: runs each CPU in its order up to cycle `to`. Returns the cycle that all have reached: earlier than
   * `to` if a timer was armed for then or {@link requestStop} was called.
   *
   * A turn that would pass `limit` stops when its first CPU is there, or earlier where {@link debugging} asks. The others follow when the next call goes
   * on with it, so that a machine's CPUs do not notice where its runs end.
   */
  run(from: number, to: number, limit = Infinity): number {
    const turn = this.#stopped ?? { from, end: from + MAX_SLICE };
    this.#stopped = null;
    this.#end = Math.min(to, turn.end);
    this.#limit = limit;
    this.#stopAll = false;
    for (const slot of this.#slots) {
      if (slot.cycle < turn.from) this.#passOver(slot, turn.from);
      this.#runSlot(slot);
      if (slot.cycle >= this.#end) continue;
      this.#stopped = { from: turn.from, end: this.#end, stoppedAt: this.#limit };
      return this.#limit;
    }
    return this.#end;
  }

  /** Gives up a turn that has stopped: the CPUs that did not have theirs wait as long. */
  endTurn(): void {
    this.#stopped = null;
    this.#limit = Infinity;
  }

  /**
   * Runs one CPU alone from cycle `from` up to cycle `to`, for a dispatcher that decides which CPU runs when. Returns
   * the cycle that it has reached: earlier after {@link requestStop}.
   */
  runAlone(index: number, from: number, to: number): number {
    const slot = this.#slots[index];
    this.endTurn();
    if (slot.cycle !== from) this.#passOver(slot, from);
    this.#end = Math.min(to, from + MAX_SLICE);
    this.#stopAll = false;
    this.#runSlot(slot);
    return slot.cycle;
  }

  /** Lets `cycles` pass for the CPU that runs at present: work that no instruction of its stands for. */
  spend(cycles: number): void {
    const slot = this.#current;
    if (slot !== null) slot.cpu.state.i32[BUDGET] -= Math.min(cycles, MAX_SLICE);
  }

  /** Lets `sampler`, and no other, look at the CPUs from now on. Nothing that they do depends on it. */
  observe(sampler: Sampler): void {
    this.#setSampler(sampler);
  }

  /** Lets `sampler` look no longer. */
  unobserve(sampler: Sampler): void {
    if (this.#sampler === sampler) this.#setSampler(null);
  }

  /** Resets all CPUs as RESET# does; the first one starts at the reset vector. */
  reset(): void {
    const { clock: { now }, trace } = this.#options;
    this.endTurn();
    for (const slot of this.#slots) {
      const { cpu } = slot;
      cpu.apic.reset();
      resetCpu(cpu);
      if (cpu.index > 0) cpu.state.activity = Activity.waitForSipi;
      slot.told = cpu.state.activity;
      trace.emit(now, "activity", cpu.index, slot.told);
    }
    this.engine.invalidate();
  }

  /** Starts an application processor in real mode, as a start-up IPI does. */
  start(index: number, vector: number): void {
    startCpu(this.cpus[index], vector);
  }

  save(): SnapshotRecord {
    const cpus = this.#slots.map(({ cpu, cycle, told }) => ({
      cycle,
      told,
      state: { ...cpu.state.save() },
      msrs: { ...cpu.msrs.save() },
      apic: { ...cpu.apic.save() },
    }));
    for (const cpu of this.cpus) cpu.mmu.flushEverything();
    const state = { cpus, turn: this.#stopped && { ...this.#stopped } };
    return { kind: "x86.processors", version: 3, state };
  }

  restore(record: SnapshotRecord): void {
    const { cpus, turn } = expectRecord(record, "x86.processors", 3);
    const found = (cpus as readonly SnapshotValue[]).length;
    if (found !== this.#slots.length) {
      throw new SnapshotError(`snapshot of ${found} CPUs; this machine has ${this.#slots.length}`);
    }
    this.#slots.forEach((slot, i) => {
      const saved = (cpus as readonly Record<string, SnapshotRecord | number>[])[i];
      const { cpu } = slot;
      const place = Object.fromEntries(PLACE_FIELDS.map((name) => [name, cpu.state[name]]));
      this.#passOver(slot, saved.cycle as number);
      slot.waitTo = -1;
      cpu.state.restore(saved.state as SnapshotRecord);
      Object.assign(cpu.state, place);
      cpu.msrs.restore(saved.msrs as SnapshotRecord);
      cpu.apic.restore(saved.apic as SnapshotRecord);
      slot.told = saved.told as number;
      cpu.mmu.flushEverything();
      stateReplaced(cpu);
    });
    this.#stopped = turn as unknown as Turn | null;
  }

  #makeCpu(index: number): Cpu {
    const { memory, io, linear, model, clock, bus } = this.#options;
    const plan = cpuPlan(index);
    const state = openCpuState(linear.buffer, plan.state);
    const cpu = new Cpu(index, state, model, {
      memory,
      io,
      cycle: () => this.cycleNow(),
      requestStop: () => {
        if (this.#current?.cpu === cpu) this.#shorten(1);
      },
      acknowledgePic: () => this.#options.acknowledgePic(),
      invalidateCode: () => this.engine.invalidate(),
      onTrap: (vector) => {
        this.#options.trace.emit(this.cycleNow(), "trap", vector, index);
        cpu.debugger?.trap(cpu, vector);
      },
    }, plan.tlb);
    cpu.apic = new LocalApic({
      id: index,
      bsp: index === 0,
      clock,
      cpu: localApicPort(cpu),
      network: bus,
      timerHz: clock.frequencyHz,
      x2apic: model.has("x2apic"),
      tscDeadline: model.has("tsc-deadline"),
    });
    bus.add(cpu.apic);
    cpu.mmu.localDevice = cpu.apic;
    return cpu;
  }

  /** Where the running CPU must stop. */
  get #bound(): number {
    return Math.min(this.#end, this.#limit);
  }

  #runSlot(slot: Slot): void {
    this.#current = slot;
    while (slot.cycle < this.#bound && this.#advance(slot)) {
      this.#tellActivity(slot);
      // The turn stops here, as it does at a limit; the next call goes on with it.
      if (this.debugging.stopsAfter(slot.cpu, slot.cycle)) this.#limit = slot.cycle;
    }
    this.#current = null;
  }

  /** Takes an event, or executes a stretch; false if there is nothing to be done before the bound. */
  #advance(slot: Slot): boolean {
    const { cpu } = slot;
    this.#begin(slot, 1);
    if (takeInterrupt(cpu) !== "none") {
      slot.cycle++;
      return true;
    }
    if (cpu.state.activity !== Activity.active) {
      this.#passOver(slot, this.#bound);
      return false;
    }
    if (slot.cycle >= slot.sampleAt) this.#sample(slot);
    const atStop = this.debugging.isAtStop(cpu);
    if (atStop && this.debugging.stopsBefore(cpu, slot.cycle)) {
      this.#limit = slot.cycle;
      return false;
    }
    if (atStop) this.#stepSlot(slot, this.reference);
    else if (mustStep(cpu)) this.#stepSlot(slot, this.engine);
    else this.#runEngine(slot);
    if (this.#stopAll) {
      this.#end = Math.min(this.#end, slot.cycle);
      this.#stopAll = false;
    }
    return true;
  }

  /** The CPU does nothing up to `cycle`: instants for samples before it are passed over. */
  #passOver(slot: Slot, cycle: number): void {
    if (slot.waitTo !== slot.cycle) slot.waitFrom = slot.cycle;
    slot.cycle = slot.waitTo = cycle;
    slot.sampleAt = this.#sampler?.nextAfter(cycle) ?? Infinity;
  }

  #setSampler(sampler: Sampler | null): void {
    this.#sampler = sampler;
    for (const slot of this.#slots) slot.sampleAt = sampler?.nextAfter(slot.cycle) ?? Infinity;
  }

  #sample(slot: Slot): void {
    this.#sampler!.sample(slot.cpu, slot.cycle);
    slot.sampleAt = this.#sampler!.nextAfter(slot.cycle);
  }

  /** Notes in the trace that a CPU started, shut down, or waits for a start-up IPI. */
  #tellActivity(slot: Slot): void {
    const { index, state } = slot.cpu;
    const activity = lasting(state.activity);
    if (activity === slot.told) return;
    slot.told = activity;
    this.#options.trace.emit(slot.cycle, "activity", index, activity);
  }

  /** Accounts for a stretch of at most `budget` instructions that begins now. */
  #begin(slot: Slot, budget: number): void {
    this.#given = budget;
    this.#began = slot.cycle;
    this.#reserve = 0;
    slot.cpu.state.i32[BUDGET] = budget;
    this.#tellBase(slot.cpu);
  }

  #runEngine(slot: Slot): void {
    const { cpu } = slot;
    const { state } = cpu;
    const until = Math.min(this.#bound, slot.sampleAt, this.debugging.nextLook(cpu, slot.cycle));
    this.#begin(slot, until - slot.cycle);
    cpu.trapsAreHeard = cpu.debugger !== null || this.#options.trace.isHeard;
    this.engine.run(cpu);
    slot.cycle = this.cycleNow();
    if (state.status === Status.exception || state.status === Status.refused) {
      this.#begin(slot, 1);
      if (state.status === Status.exception) deliverPending(cpu);
      else accessRefused(cpu, null);
      slot.cycle = Math.max(this.cycleNow(), slot.cycle + 1);
    }
    state.status = Status.none;
  }

  #stepSlot(slot: Slot, engine: Engine): void {
    const { cpu } = slot;
    this.#begin(slot, 1);
    stepInstruction(cpu, (one) => engine.run(one));
    cpu.state.status = Status.none;
    // A breakpoint or fault that took the instruction's place costs its cycle, too.
    slot.cycle = Math.max(this.cycleNow(), slot.cycle + 1);
  }

  /** Lets the engine retire at most `instructions` more, the current one included. */
  #shorten(instructions: number): void {
    const slot = this.#current;
    if (slot === null) return;
    const budget = slot.cpu.state.i32[BUDGET];
    if (budget <= instructions) return;
    this.#reserve += budget - instructions;
    slot.cpu.state.i32[BUDGET] = instructions;
    this.#tellBase(slot.cpu);
  }

  /** Lets generated code know the machine's cycle; see {@link cycleNow}. */
  #tellBase({ state }: Cpu): void {
    const base = this.#began + this.#given - this.#reserve;
    state.setHalves(CYCLE_BASE, base | 0, Math.floor(base / 0x1_0000_0000));
  }

  /** Ends the slice at cycle `at`, or right after the current instruction if that is later. */
  endBy(at: number): void {
    if (this.#current === null || at >= this.#end) return;
    const now = this.cycleNow();
    this.#end = Math.max(at, now + 1);
    this.#shorten(this.#end - now);
  }
}

/** An activity without the pauses of HLT. */
function lasting(activity: number): number {
  return activity === Activity.hlt ? Activity.active : activity;
}
