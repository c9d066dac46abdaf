/** Signals: handlers that are steps of a program, signals that wait, and where to go on after a handler. */

import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments } from "../kernel/action.ts";
import { ERRNO } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { CallContext, KernelModule, Outcome } from "../kernel/module.ts";
import type { Process } from "../kernel/process.ts";

/** Signals by name, with i386 Linux's numbers. */
export const SIGNALS = { SIGKILL: 9, SIGUSR1: 10, SIGSEGV: 11, SIGALRM: 14, SIGTERM: 15 } as const;
export type SignalName = keyof typeof SIGNALS;

/** Cycles of the kernel's own instructions. */
const WORK = { install: 480, send: 560, deliver: 500, force: 450, return: 200 };

/** Where a process goes on after a handler. */
interface Interrupted {
  readonly step: string;
  readonly result: SnapshotValue;
}

interface State {
  /** Steps by signal. */
  readonly handlers: Record<string, string>;
  pending: SignalName[];
  /** Handlers within handlers. */
  readonly interrupted: Interrupted[];
}

/** See the module comment. */
export class Signals implements KernelModule {
  readonly name = "signals";
  readonly calls = {
    /** `{ signal, handler }`: the step that handles it; an empty one gives the default back. */
    sigaction: (context: CallContext, args: Arguments) => this.#install(context, args),
    /** `{ pid, signal }`; signal 0 only asks whether there is such a process. */
    kill: (context: CallContext, args: Arguments) => this.#kill(context, args),
    /** The end of a handler. */
    sigreturn: (context: CallContext) => this.#return(context),
  };
  readonly #states = new Map<number, State>();

  constructor(private readonly kernel: Kernel) {}

  /** Sends a signal to `process`. */
  send(process: Process, signal: SignalName): void {
    const state = this.#state(process);
    if (!state.pending.includes(signal)) state.pending.push(signal);
    if (process.state !== "asleep") return;
    process.call = null;
    process.result = ERRNO.EINTR;
    this.kernel.wake(process);
  }

  /** An exception's signal, to the process that is running. */
  force(process: Process, signal: SignalName): void {
    this.kernel.work(WORK.force);
    this.kernel.charge("locked", 2);
    this.send(process, signal);
  }

  forked(parent: Process, child: Process): void {
    const state = this.#states.get(parent.pid);
    if (!state) return;
    const { handlers, interrupted } = state;
    this.#states.set(child.pid, {
      handlers: { ...handlers },
      pending: [],
      interrupted: [...interrupted],
    });
  }

  executed(process: Process): void {
    this.#states.delete(process.pid);
  }

  exited(process: Process): void {
    this.#states.delete(process.pid);
  }

  returning(process: Process): void {
    const state = this.#states.get(process.pid);
    const signal = state?.pending.shift();
    if (!state || signal === undefined) return;
    const { kernel } = this;
    const handler = state.handlers[signal];
    kernel.work(WORK.deliver);
    if (!handler || signal === "SIGKILL") return kernel.exit(process, 128 + SIGNALS[signal]);
    kernel.charge("signalFrames");
    kernel.charge("userCopies", 2);
    kernel.charge("copiedBytes", 700);
    kernel.charge("calls", 8);
    kernel.charge("locked", 2);
    state.interrupted.push({ step: process.step, result: process.result });
    process.step = handler;
  }

  save(): SnapshotRecord {
    const states = [...this.#states].map(([pid, state]) => ({
      pid,
      state: copyOfValue(state as unknown as SnapshotValue),
    }));
    return { kind: "signals", version: 1, state: { states } };
  }

  restore(record: SnapshotRecord): void {
    const { states } = expectRecord(record, "signals", 1);
    this.#states.clear();
    for (const { pid, state } of states as unknown as { pid: number; state: SnapshotValue }[]) {
      this.#states.set(pid, copyOfValue(state) as unknown as State);
    }
  }

  #install({ kernel, process }: CallContext, { signal, handler }: Arguments): Outcome {
    kernel.work(WORK.install);
    kernel.charge("userCopies", 2);
    kernel.charge("copiedBytes", 32);
    kernel.charge("calls", 4);
    kernel.charge("locked", 2);
    if (!isSignal(signal)) return ERRNO.EINVAL;
    const { handlers } = this.#state(process);
    if (handler) handlers[signal] = String(handler);
    else delete handlers[signal];
    return 0;
  }

  #kill({ kernel }: CallContext, { pid, signal }: Arguments): Outcome {
    kernel.work(WORK.send);
    kernel.charge("calls", 6);
    kernel.charge("locked", 3);
    if (!isSignal(signal) && signal !== 0) return ERRNO.EINVAL;
    const target = kernel.processes.get(Number(pid));
    if (!target || target.state === "zombie") return ERRNO.ESRCH;
    if (signal !== 0) this.send(target, signal);
    return 0;
  }

  #return({ kernel, process }: CallContext): Outcome {
    kernel.work(WORK.return);
    kernel.charge("signalReturns");
    kernel.charge("userCopies", 2);
    kernel.charge("copiedBytes", 700);
    const last = this.#states.get(process.pid)?.interrupted.pop();
    if (!last) return ERRNO.EINVAL;
    process.step = last.step;
    return last.result;
  }

  #state({ pid }: Process): State {
    let state = this.#states.get(pid);
    if (!state) this.#states.set(pid, state = { handlers: {}, pending: [], interrupted: [] });
    return state;
  }
}

function isSignal(name: SnapshotValue): name is SignalName {
  return typeof name === "string" && Object.hasOwn(SIGNALS, name);
}
