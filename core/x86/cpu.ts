/**
 * One CPU: its state, its memory management unit, and what it is connected to.
 *
 * System instructions and the delivery of exceptions are TypeScript functions over this object (see
 * `system/`), called by every engine. They report what the guest caused by {@link Cpu.raise}.
 */

import type { IoSpace } from "../memory/io_space.ts";
import type { MachineMemory } from "../memory/machine_memory.ts";
import type { DebugPort } from "./debugging/debug_port.ts";
import type { LocalApic } from "./apic/local_apic.ts";
import type { CpuModel } from "./model/cpu_model.ts";
import { Mmu } from "./paging/mmu.ts";
import type { QuickWays } from "./quick/quick_ways.ts";
import type { CpuState } from "./state/cpu_state.ts";
import { Care, offsetOf, Status } from "./state/layout.ts";
import { MsrFile } from "./system/msr_file.ts";

const CARE = offsetOf("care") >> 2;

/**
 * Thrown by system code to abandon an instruction whose exception is pending in the CPU state; caught
 * where system code was entered. It is one object, made once: throwing it costs no stack trace.
 */
export const GUEST_FAULT: unique symbol = Symbol("guest fault");

/** An exception, interrupt or intercepted operation, as a value handed to whoever owns ring 0. */
export interface Trap {
  readonly vector: number;
  readonly kind: "fault" | "software" | "external" | "nmi";
  /** The error code that the exception pushes, or -1. */
  readonly errorCode: number;
}

/**
 * Who owns ring 0. On a bare machine nobody does and traps go through the guest's IDT; a hypervisor takes
 * them here first.
 */
export interface Ring0Owner {
  /** Handles `trap` and returns true, or returns false to let it go through the IDT. */
  trap(cpu: Cpu, trap: Trap): boolean;
  /**
   * Called before a sensitive instruction (named as in `system/`) takes effect; returns true if the owner
   * has carried it out instead (a VM exit). Absent: nothing is intercepted.
   */
  intercept?(cpu: Cpu, instruction: string): boolean;
  /** Whether `vector` goes through the guest's own gate without asking {@link trap} (a direct gate). */
  isDirectGate?(vector: number): boolean;
  /**
   * Told that the second stage refused an access of the instruction at RIP, which was abandoned; afterwards the
   * CPU continues at RIP, so that the instruction is tried again. `delivering` is the event on whose way
   * to its handler that happened, or `null`: it is lost unless the owner delivers it. Absent: the CPU shuts down.
   */
  refused?(cpu: Cpu, delivering: Trap | null): void;
}

/** What a CPU is wired to in its machine. */
export interface CpuPorts {
  readonly memory: MachineMemory;
  readonly io: IoSpace;
  /** The machine's cycle at the instruction being executed. */
  cycle(): number;
  /** Asks the machine to stop this CPU after the current instruction. */
  requestStop(): void;
  /** An INTA cycle to the 8259 pair: returns the vector. */
  acknowledgePic(): number;
  /** Drops decoded and translated code after something other than memory changed it. */
  invalidateCode(): void;
  /** Told of each interrupt, exception and INT before it is delivered; absent: nobody listens. */
  onTrap?(vector: number): void;
}

/** One CPU of a machine. */
export class Cpu {
  readonly mmu: Mmu;
  /** Model-specific registers that have no field in the state. */
  readonly msrs: MsrFile;
  /** Set by the machine once the CPU's local APIC exists. */
  apic!: LocalApic;
  /** Quick ways into and out of handlers, or null: then all goes the plain way. */
  quickWays: QuickWays | null = null;
  #owner: Ring0Owner | null = null;
  #debugger: DebugPort | null = null;

  /** `tlbBase` is the linear offset of the area for the CPU's TLBs. */
  constructor(
    readonly index: number,
    readonly state: CpuState,
    readonly model: CpuModel,
    readonly ports: CpuPorts,
    tlbBase: number,
  ) {
    state.index = index;
    this.mmu = new Mmu(state, ports.memory, tlbBase);
    this.msrs = new MsrFile(model);
    this.mmu.watch.onBreakpoint = () => ports.requestStop();
  }

  /** Whether somebody must hear of traps when they happen, and not later from the trace. */
  set trapsAreHeard(yes: boolean) {
    const { u32 } = this.state;
    u32[CARE] = yes ? u32[CARE] | Care.traps : u32[CARE] & ~Care.traps;
  }

  /** Null on a bare machine. */
  get owner(): Ring0Owner | null {
    return this.#owner;
  }

  set owner(owner: Ring0Owner | null) {
    this.#owner = owner;
    const { state } = this;
    state.care = owner === null ? state.care & ~Care.owner : state.care | Care.owner;
  }

  /** Whoever watches from outside, or null. */
  get debugger(): DebugPort | null {
    return this.#debugger;
  }

  set debugger(port: DebugPort | null) {
    this.#debugger = port;
    const { state } = this;
    state.care = port?.hearsEvents ? state.care | Care.debugger : state.care & ~Care.debugger;
  }

  get memory(): MachineMemory {
    return this.ports.memory;
  }

  /** Makes an exception pending and abandons the current instruction. */
  raise(vector: number, errorCode = -1): never {
    const { state } = this;
    state.status = Status.exception;
    state.vector = vector;
    state.hasErrorCode = errorCode < 0 ? 0 : 1;
    state.errorCode = errorCode < 0 ? 0 : errorCode;
    throw GUEST_FAULT;
  }
}
