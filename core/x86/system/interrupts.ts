/**
 * What happens between two instructions: INIT, start-up IPI, debug traps, NMI and maskable interrupts, in their order
 * (SDM vol. 3, "Prioritization of Concurrent Events").
 */

import type { Cycle } from "../../clock/clock.ts";
import type { LocalApicPort } from "../apic/ports.ts";
import type { Cpu } from "../cpu.ts";
import { Activity, Inhibit, offsetOf, Signal } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import { Dr6 } from "./debug_conditions.ts";
import { deliver } from "./delivery.ts";
import { initCpu, startCpu } from "./reset.ts";
import { cycleOfTsc } from "./time_stamp.ts";

const SIGNALS = offsetOf("signals") >> 2;
const DEBUG_PENDING = offsetOf("debugPending") >> 2;
const INTERRUPT_REQUEST = offsetOf("interruptRequest") >> 2;

/** Kinds of events at an instruction boundary, in falling priority; `none` if nothing can be taken now. */
export type BoundaryEvent = "init" | "sipi" | "debug" | "nmi" | "external" | "none";

/** The event that the CPU would take now. */
export function pendingInterrupt(cpu: Cpu): BoundaryEvent {
  const { state } = cpu;
  const { u32 } = state;
  const signals = u32[SIGNALS];
  // Nothing is there, as nearly always.
  if ((signals | u32[DEBUG_PENDING] | u32[INTERRUPT_REQUEST]) === 0) return "none";
  const { activity } = state;
  if (signals !== 0) {
    if ((signals & Signal.init) !== 0) return "init";
    if ((signals & Signal.sipi) !== 0) return "sipi";
  }
  if (state.debugPending !== 0 && state.inhibit !== Inhibit.movSs) return "debug";
  if (signals !== 0) {
    const open = state.nmiBlocked === 0 && state.inhibit === Inhibit.none;
    if ((signals & Signal.nmi) !== 0 && open && activity !== Activity.waitForSipi) return "nmi";
  }
  if (state.interruptRequest === 0 || state.inhibit !== Inhibit.none) return "none";
  const listens = activity === Activity.active || activity === Activity.hlt;
  return listens && (state.flags & Eflags.IF) !== 0 ? "external" : "none";
}

/** Takes the event that {@link pendingInterrupt} names; returns it. A halted CPU wakes. */
export function takeInterrupt(cpu: Cpu): BoundaryEvent {
  const { state } = cpu;
  const event = pendingInterrupt(cpu);
  switch (event) {
    case "none":
      break;
    case "init":
      // A start-up IPI that came after it stays.
      state.signals &= ~(Signal.init | Signal.nmi);
      initCpu(cpu);
      break;
    case "sipi": {
      const vector = (state.signals >>> 8) & 0xff;
      state.signals &= Signal.nmi;
      startCpu(cpu, vector);
      break;
    }
    case "debug":
      state.dr6 = (state.dr6 & ~15) | state.debugPending | Dr6.fixed;
      state.debugPending = 0;
      deliver(cpu, { vector: Exception.DB, kind: "fault", errorCode: -1 });
      break;
    case "nmi":
      state.signals &= ~Signal.nmi;
      state.activity = Activity.active;
      state.nmiBlocked = 1;
      deliver(cpu, { vector: Exception.NMI, kind: "nmi", errorCode: -1 });
      break;
    case "external": {
      const vector = cpu.apic.acknowledge();
      state.activity = Activity.active;
      deliver(cpu, { vector, kind: "external", errorCode: -1 });
      break;
    }
  }
  return event;
}

/** The port through which a local APIC reaches its CPU. */
export function localApicPort(cpu: Cpu, apicPageChanged: () => void = () => {}): LocalApicPort {
  const { state } = cpu;
  const signal = (bits: number) => {
    state.signals |= bits;
    cpu.ports.requestStop();
  };
  return {
    setInterruptPending(pending) {
      state.interruptRequest = pending ? 1 : 0;
      // With IF clear the instruction that sets it makes the CPU look.
      if (pending && (state.flags & Eflags.IF) !== 0) cpu.ports.requestStop();
    },
    nmi: () => signal(Signal.nmi),
    init: () => {
      state.signals &= ~Signal.sipi & 0xff;
      signal(Signal.init);
    },
    sipi: (vector) => {
      const waits = state.activity === Activity.waitForSipi || (state.signals & Signal.init) !== 0;
      // The first one counts; others are dropped until it is taken.
      if (waits && (state.signals & Signal.sipi) === 0) signal(Signal.sipi | (vector << 8));
    },
    cycleOfTsc: (tsc) => cycleOfTsc(cpu, tsc) as Cycle,
    apicPageChanged: () => {
      cpu.mmu.flushEverything();
      apicPageChanged();
    },
  };
}
