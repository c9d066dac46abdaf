/**
 * Delivery of exceptions and interrupts: who gets them, what a fault during delivery becomes, and what
 * remains to be done afterwards (SDM vol. 3, "Interrupt and Exception Handling").
 */

import { type Cpu, GUEST_FAULT, type Trap } from "../cpu.ts";
import { Activity, offsetOf, Status } from "../state/layout.ts";
import { Cr0, Eflags, Exception } from "../state/bits.ts";
import { enterLong } from "./delivery_long.ts";
import { enterProtected } from "./delivery_protected.ts";
import { enterReal } from "./delivery_real.ts";
import { readFlags } from "./flags_image.ts";
import { isLongActive } from "./mode.ts";

const RIP = offsetOf("rip");
const NEXT_RIP = offsetOf("nextRip");
const CR2 = offsetOf("cr2");
const FAULT_ADDRESS = offsetOf("faultAddress");
const FAST_PATHS = offsetOf("fastPaths") >> 2;
const CR0 = offsetOf("cr0") >> 2;

/** One event on its way through a gate. */
export interface Delivery {
  readonly vector: number;
  /** INT n, INT3, INTO: the gate's DPL is checked, and errors have EXT clear. */
  readonly software: boolean;
  /** The error code to push, or -1. */
  readonly errorCode: number;
  /** EXT bit of error codes of faults during the delivery. */
  readonly ext: number;
  /** Offset to return to, in halves. */
  readonly returnLow: number;
  readonly returnHigh: number;
  /** EFLAGS as pushed. */
  readonly flags: number;
}

/** Exceptions whose delivery leaves RF as it is; other faults push RF set (SDM vol. 3, "Masking … RF"). */
function setsResumeFlag(vector: number): boolean {
  return vector !== Exception.DB && vector !== Exception.DF && vector !== Exception.MC;
}

/** Classes of SDM vol. 3, "Interrupt 8 — Double Fault Exception". */
function isContributory(vector: number): boolean {
  return vector === Exception.DE ||
    (vector >= Exception.TS && vector <= Exception.GP);
}

/** The vector that results when `second` is raised while `first` (a fault) is delivered; -1 shuts down. */
export function combineFaults(first: number, second: number): number {
  const serious = isContributory(second) || second === Exception.PF;
  if (first === Exception.DF) return serious ? -1 : second;
  if (first === Exception.PF && serious) return Exception.DF;
  return isContributory(first) && isContributory(second) ? Exception.DF : second;
}

/**
 * Delivers an event at an instruction boundary or for a faulting instruction: `state.rip` is the offset to
 * return to, and afterwards that of the handler. A third fault shuts the CPU down. The owner of ring 0
 * is asked first.
 */
export function deliver(cpu: Cpu, trap: Trap): void {
  const { state, owner } = cpu;
  cpu.ports.onTrap?.(trap.vector);
  if (owner !== null && owner.isDirectGate?.(trap.vector) !== true && owner.trap(cpu, trap)) return;
  let { vector, errorCode } = trap;
  let isFault = trap.kind === "fault";
  // A double fault is delivered at most once, and each step towards it raises the class.
  for (;;) {
    state.status = Status.none;
    try {
      enterEvent(cpu, vector, isFault, trap.kind === "software", errorCode);
      state.setHalves(RIP, state.low(NEXT_RIP), state.high(NEXT_RIP));
      state.inhibit = 0;
      return;
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
    }
    if (state.status === Status.refused) {
      const kind = isFault ? "fault" : trap.kind;
      return accessRefused(cpu, { vector, kind, errorCode });
    }
    const second = isFault ? combineFaults(vector, state.vector) : state.vector;
    if (second < 0) return shutDown(cpu);
    errorCode = second === Exception.DF ? 0 : state.hasErrorCode === 1 ? state.errorCode : -1;
    vector = second;
    isFault = true;
  }
}

/** Delivers the exception that is pending in the state. */
export function deliverPending(cpu: Cpu): void {
  const { state } = cpu;
  const errorCode = state.hasErrorCode === 1 ? state.errorCode : -1;
  deliver(cpu, { vector: state.vector, kind: "fault", errorCode });
}

/**
 * A software interrupt or trap of the current instruction (INT n, INT3, INTO, INT1): continues at the handler,
 * which returns to the next instruction. What its gate raises is a fault of this instruction.
 */
export function softwareInterrupt(cpu: Cpu, vector: number, software: boolean): void {
  const { state, owner } = cpu;
  cpu.ports.onTrap?.(vector);
  if (owner !== null && owner.isDirectGate?.(vector) !== true) {
    const { u32 } = state;
    const at = NEXT_RIP >> 2;
    const [low, high] = [u32[at], u32[at + 1]];
    const [ripLow, ripHigh] = [state.low(RIP), state.high(RIP)];
    state.setHalves(RIP, low, high);
    if (owner.trap(cpu, { vector, kind: "software", errorCode: -1 })) {
      state.setHalves(NEXT_RIP, state.low(RIP), state.high(RIP));
      return;
    }
    state.setHalves(RIP, ripLow, ripHigh);
  }
  enterGate(cpu, {
    vector,
    software,
    errorCode: -1,
    ext: software ? 0 : 1,
    returnLow: state.low(NEXT_RIP),
    returnHigh: state.high(NEXT_RIP),
    flags: readFlags(state),
  });
}

function enterEvent(
  cpu: Cpu,
  vector: number,
  isFault: boolean,
  software: boolean,
  errorCode: number,
): void {
  const { state } = cpu;
  if (isFault && vector === Exception.PF) {
    state.setHalves(CR2, state.low(FAULT_ADDRESS), state.high(FAULT_ADDRESS));
  }
  const resume = isFault && setsResumeFlag(vector) ? Eflags.RF : 0;
  enterGate(cpu, {
    vector,
    software,
    errorCode,
    ext: software ? 0 : 1,
    returnLow: state.low(RIP),
    returnHigh: state.high(RIP),
    flags: readFlags(state) | resume,
  });
  if (vector === Exception.DB) state.dr7 &= ~DR7_GD;
}

/** DR7.GD: cleared so that the handler can reach the debug registers. */
const DR7_GD = 0x2000;

function enterGate(cpu: Cpu, delivery: Delivery): void {
  if (enterQuickly(cpu, delivery)) return;
  if (isLongActive(cpu)) enterLong(cpu, delivery);
  else if ((cpu.state.cr0 & 1) !== 0) enterProtected(cpu, delivery);
  else enterReal(cpu, delivery);
}

/** Tries the quick way; see cpu_words.ts in quick/. */
function enterQuickly(cpu: Cpu, delivery: Delivery): boolean {
  const { state: { base, u32 }, quickWays } = cpu;
  if (quickWays === null || u32[FAST_PATHS] === 0) return false;
  const { vector, software, errorCode, returnLow, returnHigh, flags } = delivery;
  const isLong = isLongActive(cpu);
  if (!isLong && ((u32[CR0] & Cr0.PE) === 0 || (flags & Eflags.VM) !== 0)) return false;
  const way = isLong ? quickWays.longEntry : quickWays.protectedEntry;
  const hasErrorCode = errorCode < 0 ? 0 : 1;
  return way(
    base,
    vector,
    software ? 1 : 0,
    hasErrorCode,
    errorCode,
    returnLow,
    returnHigh,
    flags,
  ) !== 0;
}

/** Hands an access that the second stage refused to the owner of ring 0; see {@link Ring0Owner.refused}. */
export function accessRefused(cpu: Cpu, delivering: Trap | null): void {
  cpu.state.status = Status.none;
  if (cpu.owner?.refused) cpu.owner.refused(cpu, delivering);
  else shutDown(cpu);
}

/** The shutdown state after a third fault: only NMI, INIT or RESET end it. */
export function shutDown(cpu: Cpu): void {
  cpu.state.activity = Activity.shutdown;
  cpu.state.status = Status.stop;
  cpu.ports.requestStop();
}
