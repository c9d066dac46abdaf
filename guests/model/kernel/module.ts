/**
 * What a kernel is made of besides processes: modules, each with system calls, interrupt handlers, timers and state.
 *
 * A handler happens at one cycle, atomically. It says what its work consists of by {@link Kernel.charge}; the time is paid
 * afterwards. A call that must wait puts its process on a wait queue and returns {@link BLOCKED}: when somebody wakes the
 * process, the handler is entered again, as often as it takes. A call with much to do returns {@link AGAIN} after each part,
 * so that interrupts and other CPUs get in between.
 */

import type { SnapshotRecord, SnapshotValue } from "../../../core/lib/snapshot.ts";
import type { Arguments, Locals } from "./action.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelCpu } from "./kernel_cpu.ts";
import type { Process } from "./process.ts";

/** The call goes on when its process is woken. */
export const BLOCKED: unique symbol = Symbol("blocked");
/** The call goes on when what it has done so far is paid for. */
export const AGAIN: unique symbol = Symbol("again");

/** What a handler returns: a result (negative numbers are errors), or how the call goes on. */
export type Outcome = SnapshotValue | typeof BLOCKED | typeof AGAIN;

/** What a system call's handler sees. One object serves all calls: it is not to be kept. */
export interface CallContext {
  readonly kernel: Kernel;
  readonly cpu: KernelCpu;
  readonly process: Process;
  /** How often the handler has been entered before in this call: 0 at first. */
  readonly entries: number;
  /** What the handler remembers from one entry to the next. */
  readonly state: Locals;
  /** The sleep before this entry ended because its time was up. */
  readonly timedOut: boolean;
}

export type SystemCall = (context: CallContext, args: Arguments) => Outcome;

/** Handles an interrupt on `cpu`. */
export type InterruptHandler = (cpu: KernelCpu) => void;

/** A timer of the kernel has run out; `key` is what it was set with. */
export type TimerHandler = (key: number) => void;

/** See the module comment. */
export interface KernelModule {
  readonly name: string;
  readonly calls?: Readonly<Record<string, SystemCall>>;
  readonly interrupts?: Readonly<Record<string, InterruptHandler>>;
  readonly timers?: Readonly<Record<string, TimerHandler>>;
  /** A process came from nowhere: the kernel started it. */
  started?(process: Process): void;
  /** `child` is a copy of `parent`; what it has in common with it is this module's to say. */
  forked?(parent: Process, child: Process): void;
  /** `process` executes another program from now on. */
  executed?(process: Process): void;
  exited?(process: Process): void;
  /** `cpu` goes from one process to another; `from` may have ended. */
  switched?(cpu: KernelCpu, from: Process | null, to: Process): void;
  /** `process` is about to take its next step: the module may have it take another one first. */
  returning?(process: Process): void;
  save?(): SnapshotRecord;
  restore?(record: SnapshotRecord): void;
}
