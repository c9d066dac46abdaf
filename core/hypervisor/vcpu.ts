/** One virtual CPU of a paravirtual domain: what its kernel told the hypervisor, as plain data. */

import { FLAT, TI } from "../abi/arch_x86.ts";
import type { MachineFrame, VcpuId } from "../abi/ids.ts";
import type { Timer } from "../clock/clock.ts";
import { STATE_SIZE_BYTES } from "../x86/state/layout.ts";
import type { Domain } from "./domain.ts";
import type { FramePlace } from "./event_channels/mod.ts";
import type { SchedulableVcpu } from "./scheduling/ports.ts";

/** A handler that the guest kernel gave for one vector. */
export interface TrapHandler {
  /** Linear address; 0: none. */
  readonly address: number;
  readonly cs: number;
  /** Bits of {@link TI}. */
  readonly flags: number;
}

/** A callback of the guest kernel. */
export interface Callback {
  /** The code selector of 32-bit guests; 64-bit ones have but one. */
  readonly cs: number;
  /** Linear address; 0: none. */
  readonly address: number;
  readonly masksEvents: boolean;
}

/** Callbacks by their names in `callback.h`. */
export type CallbackName = "event" | "failsafe" | "syscall" | "syscall32" | "sysenter";

/** A vector without a handler. */
export const NO_HANDLER: TrapHandler = { address: 0, cs: FLAT.KERNEL_CS, flags: 0 };
/** A callback that was not given. */
export const NO_CALLBACK: Callback = { cs: 0, address: 0, masksEvents: false };
const VECTORS = 256;
/** The exception whose handler takes NMIs. */
export const NMI_VECTOR = 2;

/** What a paravirtual kernel set up on one virtual CPU. */
export class Vcpu {
  /** Set when the dispatcher knows it. */
  sched!: SchedulableVcpu;
  /** `VCPUOP_initialise` was done. */
  initialised = false;
  /** `VCPUOP_up` was done; a paused domain's virtual CPUs may be up, too. */
  up = false;
  readonly traps: TrapHandler[] = new Array(VECTORS).fill(NO_HANDLER);
  readonly callbacks: Record<CallbackName, Callback> = {
    event: NO_CALLBACK,
    failsafe: NO_CALLBACK,
    syscall: NO_CALLBACK,
    syscall32: NO_CALLBACK,
    sysenter: NO_CALLBACK,
  };
  /** Where the kernel's stack begins for entries from a program (`stack_switch`), and its selector in a 32-bit guest. */
  kernelStack = 0;
  kernelStackSelector = 0;
  /** An NMI waits for delivery; one is being handled, until `iret`. */
  nmiPending = false;
  nmiActive = false;
  /** Whether the kernel runs, and not one of its programs. */
  kernelMode = true;
  /** Top-level tables of the kernel and of its programs. */
  root: MachineFrame | null = null;
  userRoot: MachineFrame | null = null;
  gdtFrames: MachineFrame[] = [];
  ldt = { address: 0, entries: 0 };
  /** CR0.TS, CR2 and CR4 as the guest sees them. */
  taskSwitched = false;
  cr2 = 0;
  cr4 = 0;
  /** The I/O privilege level that it asked for. */
  iopl = 0;
  /** Where its `vcpu_info` is. */
  info: FramePlace | null;
  /** Linear address where it wants its runstate written, or `null`. */
  runstateArea: number | null = null;
  singleshot!: Timer;
  periodic!: Timer;
  pollTimer!: Timer;
  periodNs = 0;
  /** `SCHEDOP_poll` waits for a port or for its time-out. */
  polling = false;
  /** The CPU state while it is on no physical CPU. */
  readonly registers: Uint8Array = new Uint8Array(STATE_SIZE_BYTES);
  /** The physical CPU that holds its state, or -1: {@link registers} does. */
  loadedOn = -1;

  constructor(readonly domain: Domain, readonly id: VcpuId, info: FramePlace | null) {
    this.info = info;
  }

  /** `d1v0`. */
  get name(): string {
    return `d${this.domain.id}v${this.id}`;
  }

  /** Whether an NMI enters the kernel now: it waits for the last one to be handled, and for a handler. */
  get takesNmi(): boolean {
    return this.nmiPending && !this.nmiActive && this.traps[NMI_VECTOR].address !== 0;
  }

  /** Whether INT n may be used from where the virtual CPU is now. */
  permitsSoftwareInterrupt(vector: number): boolean {
    const needed = this.kernelMode ? 1 : 3;
    return (this.traps[vector].flags & TI.DPL_MASK) >= needed;
  }
}
