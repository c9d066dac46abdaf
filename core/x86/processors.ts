/**
 * The processors of one machine: they run in turn, each up to the same cycle, and that deterministic
 * interleaving is their simultaneity.
 *
 * A cycle is one retired instruction; the delivery of an event costs one more, and PAUSE costs many, so that
 * a slice may end some cycles late. CPU-local time runs ahead of the others' by at most one slice, which the
 * machine bounds by its quantum and by the next timer.
 */

import type { MachineClock } from "../clock/clock.ts";
import { invariant } from "../lib/assert.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../lib/snapshot.ts";
import type { LinearMemory, WasmHost } from "../lib/wasm/port.ts";
import type { IoSpace } from "../memory/io_space.ts";
import type { MachineMemory } from "../memory/machine_memory.ts";
import type { Trace } from "../trace/trace.ts";
import type { ApicBus } from "./apic/apic_bus.ts";
import { LocalApic } from "./apic/local_apic.ts";
import { ColdEngine, type ColdEngineParts } from "./cold/cold_engine.ts";
import { LOOKUP_BYTES } from "./cold/record.ts";
import { Cpu } from "./cpu.ts";
import { Decoder } from "./decode/decoder.ts";
import type { Engine, EngineName } from "./engine.ts";
import { ENCODINGS } from "./instructions/table.ts";
import type { CpuModel } from "./model/cpu_model.ts";
import { TLB_SIZE_BYTES } from "./paging/tlb.ts";
import { compileQuickWays } from "./quick/quick_ways.ts";
import { ReferenceEngine } from "./reference/reference_engine.ts";
import { Eflags } from "./state/bits.ts";
import { openCpuState } from "./state/cpu_state.ts";
import { Activity, offsetOf, STATE_SIZE_BYTES, Status } from "./state/layout.ts";
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

const BUDGET = offsetOf("budget") >> 2;
/** Longest slice, so that budgets stay 31-bit numbers. */
const MAX_SLICE = 0x4000_0000;

/** Bytes of linear memory for one CPU: its state and its TLBs. */
const CPU_AREA_BYTES = 64 * 1024 * Math.ceil((STATE_SIZE_BYTES + TLB_SIZE_BYTES) / (64 * 1024));
const CODE_ARENA_BYTES = 64 * 1024 * 1024;

/** Bytes of linear memory that the processors need below RAM. */
export function processorAreaBytes(cpus: number): number {
  return 65536 + cpus * CPU_AREA_BYTES + LOOKUP_BYTES + CODE_ARENA_BYTES;
}

/** What processors are made of. */
export interface ProcessorsOptions {
  readonly count: number;
  readonly model: CpuModel;
  readonly engine: EngineName;
  /** Makes the hot engine, which stands above this floor. */
  readonly translator?: (parts: ColdEngineParts) => Engine;
  readonly host: WasmHost;
  readonly linear: LinearMemory;
  readonly memory: MachineMemory;
  readonly io: IoSpace;
  readonly clock: MachineClock;
  readonly bus: ApicBus;
  readonly trace: Trace;
  acknowledgePic(): number;
}

function makeEngine(
  { engine, translator }: ProcessorsOptions,
  reference: ReferenceEngine,
  parts: ColdEngineParts,
): Engine {
  switch (engine) {
    case "reference":
      return reference;
    case "cold":
      return new ColdEngine(parts);
    case "hot":
      invariant(translator, "the hot engine needs a translator");
      return translator(parts);
  }
}

/** One CPU's own time. */
interface Slot {
  readonly cpu: Cpu;
  /** Machine cycle up to which it has run. */
  cycle: number;
  /** The activity that the trace was told last; HLT counts as active. */
  told: number;
}

/** The CPUs of a machine and what executes them. */
export class Processors implements Snapshot {
  readonly cpus: readonly Cpu[];
  readonly engine: Engine;
  readonly reference: ReferenceEngine;
  readonly #slots: readonly Slot[];
  readonly #options: ProcessorsOptions;
  #current: Slot | null = null;
  /** Cycle at which the current slice ends; requests may move it forward. */
  #end = 0;
  /** Instructions taken out of the running budget, so that the engine returns early. */
  #reserve = 0;
  /** Budget given to the engine for the running stretch, and the cycle at which it began. */
  #given = 0;
  #began = 0;
  #stopAll = false;

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
    }));
    this.cpus = this.#slots.map(({ cpu }) => cpu);
    const quickWays = compileQuickWays(options.host, linear);
    for (const cpu of this.cpus) cpu.quickWays = quickWays;
    this.reference = new ReferenceEngine(decoder, functions);
    const lookupBase = 65536 + count * CPU_AREA_BYTES;
    const parts: ColdEngineParts = {
      host: options.host,
      linear,
      cpus: this.cpus,
      decoder,
      functions,
      reference: this.reference,
      plan: { lookupBase, arenaBase: lookupBase + LOOKUP_BYTES, arenaBytes: CODE_ARENA_BYTES },
    };
    this.engine = makeEngine(options, this.reference, parts);
    memory.observe({ onRemap: () => this.engine.invalidate() });
    options.clock.source = () => this.cycleNow();
    options.clock.onEarlierDeadline = (at) => this.#endBy(at);
    for (const cpu of this.cpus) {
      resetCpu(cpu);
      if (cpu.index > 0) cpu.state.activity = Activity.waitForSipi;
    }
  }

  /** The machine's cycle at the instruction being executed; between slices, that of the last one. */
  cycleNow(): number {
    const slot = this.#current;
    if (slot === null) return 0;
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

  /** Makes the running slice end after the current instruction. */
  requestStop(): void {
    this.#stopAll = true;
    this.#shorten(1);
  }

  /**
   * Runs each CPU up to cycle `to`. Returns the cycle that all have reached: earlier than `to` if a timer
   * was armed for then or {@link requestStop} was called.
   */
  run(from: number, to: number): number {
    this.#end = Math.min(to, from + MAX_SLICE);
    this.#stopAll = false;
    for (const slot of this.#slots) {
      if (slot.cycle < from) slot.cycle = from;
      this.#runSlot(slot);
    }
    return this.#end;
  }

  /**
   * Runs one CPU alone from cycle `from` up to cycle `to`, for a dispatcher that decides which CPU runs when. Returns
   * the cycle that it has reached: earlier after {@link requestStop}.
   */
  runAlone(index: number, from: number, to: number): number {
    const slot = this.#slots[index];
    slot.cycle = from;
    this.#end = Math.min(to, from + MAX_SLICE);
    this.#stopAll = false;
    this.#runSlot(slot);
    return slot.cycle;
  }

  /** Carries out one instruction of one CPU, or the event that is due before it. */
  step(index: number, at: number): void {
    const slot = this.#slots[index];
    slot.cycle = Math.max(slot.cycle, at);
    this.#end = slot.cycle + 1;
    this.#stopAll = false;
    this.#runSlot(slot);
  }

  /** Resets all CPUs as RESET# does; the first one starts at the reset vector. */
  reset(): void {
    const { clock: { now }, trace } = this.#options;
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
    const cpus = this.#slots.map(({ cpu, cycle }) => ({
      cycle,
      state: { ...cpu.state.save() },
      msrs: { ...cpu.msrs.save() },
      apic: { ...cpu.apic.save() },
    }));
    for (const cpu of this.cpus) cpu.mmu.flushEverything();
    return { kind: "x86.processors", version: 1, state: { cpus } };
  }

  restore(record: SnapshotRecord): void {
    const { cpus } = expectRecord(record, "x86.processors", 1);
    const found = (cpus as readonly SnapshotValue[]).length;
    if (found !== this.#slots.length) {
      throw new SnapshotError(`snapshot of ${found} CPUs; this machine has ${this.#slots.length}`);
    }
    this.#slots.forEach((slot, i) => {
      const saved = (cpus as readonly Record<string, SnapshotRecord | number>[])[i];
      const { cpu } = slot;
      const place = { dataTlb: cpu.state.dataTlb, codeTlb: cpu.state.codeTlb };
      slot.cycle = saved.cycle as number;
      cpu.state.restore(saved.state as SnapshotRecord);
      Object.assign(cpu.state, place);
      cpu.msrs.restore(saved.msrs as SnapshotRecord);
      cpu.apic.restore(saved.apic as SnapshotRecord);
      slot.told = lasting(cpu.state.activity);
      cpu.mmu.flushEverything();
      stateReplaced(cpu);
    });
    this.engine.invalidate();
  }

  #makeCpu(index: number): Cpu {
    const { memory, io, linear, model, clock, bus } = this.#options;
    const base = 65536 + index * CPU_AREA_BYTES;
    const state = openCpuState(linear.buffer, base);
    const cpu = new Cpu(index, state, model, {
      memory,
      io,
      cycle: () => this.cycleNow(),
      requestStop: () => {
        if (this.#current?.cpu === cpu) this.#shorten(1);
      },
      acknowledgePic: () => this.#options.acknowledgePic(),
      invalidateCode: () => this.engine.invalidate(),
      onTrap: (vector) => this.#options.trace.emit(this.cycleNow(), "trap", vector, index),
    }, base + 64 * Math.ceil(STATE_SIZE_BYTES / 64));
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

  #runSlot(slot: Slot): void {
    const { cpu } = slot;
    const { state } = cpu;
    this.#current = slot;
    while (slot.cycle < this.#end) {
      this.#begin(slot, 1);
      if (takeInterrupt(cpu) !== "none") {
        slot.cycle++;
        this.#tellActivity(slot);
        continue;
      }
      if (state.activity !== Activity.active) {
        slot.cycle = this.#end;
        break;
      }
      if (mustStep(cpu)) this.#stepSlot(slot);
      else this.#runEngine(slot);
      this.#tellActivity(slot);
      if (!this.#stopAll) continue;
      this.#end = Math.min(this.#end, slot.cycle);
      this.#stopAll = false;
    }
    this.#current = null;
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
  }

  #runEngine(slot: Slot): void {
    const { cpu } = slot;
    const { state } = cpu;
    this.#begin(slot, this.#end - slot.cycle);
    this.engine.run(cpu);
    slot.cycle = this.cycleNow();
    if (state.status === Status.exception || state.status === Status.refused) {
      this.#begin(slot, 1);
      if (state.status === Status.exception) deliverPending(cpu);
      else accessRefused(cpu, null);
      slot.cycle++;
    }
    state.status = Status.none;
  }

  #stepSlot(slot: Slot): void {
    const { cpu } = slot;
    this.#begin(slot, 1);
    stepInstruction(cpu, (one) => this.engine.run(one));
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
  }

  /** Ends the slice at cycle `at`, or right after the current instruction if that is later. */
  #endBy(at: number): void {
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
