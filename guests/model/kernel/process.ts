/** A process: plain data, as everything that a modelled kernel keeps. */

import type { SnapshotValue } from "../../../core/lib/snapshot.ts";
import type { Arguments, Locals } from "./action.ts";

/** What a process is doing. */
export type ProcessState = "ready" | "running" | "asleep" | "zombie";

/** A system call on its way. */
export interface PendingCall {
  readonly name: string;
  readonly args: Arguments;
  /** How often its handler has been entered. */
  entries: number;
  /** What the handler remembers from one entry to the next. */
  state: Locals;
}

/** See the module comment. */
export interface Process {
  readonly pid: number;
  parent: number;
  /** Threads of one process share its memory and its descriptors: the pid of who owns them. */
  memory: number;
  program: string;
  /** The step that follows. */
  step: string;
  locals: Locals;
  state: ProcessState;
  /** Cycles still to be spent before what comes next. */
  remaining: number;
  /** They are cycles of the kernel: nobody else gets its CPU before they are over. */
  inKernel: boolean;
  call: PendingCall | null;
  result: SnapshotValue;
  /** The CPU it runs on, or ran on last. */
  cpu: number;
  /** Ticks of its timeslice that are left (2.4's `counter`). */
  counter: number;
  /** Ticks that it had lately, and the second up to which that has been forgotten (4.4BSD's `p_estcpu`). */
  recentTicks: number;
  forgotAt: number;
  /** -20 to 19. */
  nice: number;
  /** The container that it is in, and its children will be. */
  container: number;
  /** The wait queues it sleeps on. */
  waits: string[];
  /** Its last sleep ended because its time was up. */
  timedOut: boolean;
  /** Cycles that it has had as a program and in the kernel. */
  userCycles: number;
  kernelCycles: number;
  /** What it left for its parent when it ended. */
  status: number;
}

/** The wait queue of those that wait for children of `pid` to end. */
export function childQueue(pid: number): string {
  return `children of ${pid}`;
}
