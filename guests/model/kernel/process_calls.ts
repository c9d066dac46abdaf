/** The system calls of every kernel: identity, children, sleeping, and results for the outside. */

import { ERRNO } from "./errno.ts";
import { copyOfValue } from "../../../core/lib/snapshot.ts";
import type { Arguments, Locals } from "./action.ts";
import { AGAIN, BLOCKED, type CallContext, type KernelModule, type Outcome } from "./module.ts";
import { childQueue } from "./process.ts";

/** Cycles of the kernel's own instructions, on a 2.4 GHz Pentium 4. */
const WORK = { getpid: 80, fork: 30_000, execve: 90_000, wait: 600, sleep: 900, schedule: 150 };

/** See the module comment. */
export const processCalls: KernelModule = {
  name: "processes",
  calls: {
    /** Who it is. */
    getpid: ({ kernel, process }) => {
      kernel.work(WORK.getpid);
      return process.pid;
    },
    /** Who its parent is. */
    getppid: ({ kernel, process }) => {
      kernel.work(WORK.getpid);
      kernel.charge("locked");
      return process.parent;
    },
    fork,
    exit,
    execve,
    wait4,
    nanosleep,
    /** Others of the same goodness go first. */
    sched_yield: ({ kernel, cpu, process }) => {
      kernel.work(WORK.schedule);
      process.counter = 0;
      cpu.needsChoice = true;
      return 0;
    },
    nice: ({ process }, args) => {
      process.nice = Math.max(-20, Math.min(19, process.nice + Number(args.by)));
      return process.nice;
    },
    /** Not of any kernel: a program tells the outside a figure, at no cost. */
    report: ({ kernel, process }, { name, value }) => {
      kernel.reports.push({ pid: process.pid, name: String(name), value, at: kernel.now });
      return 0;
    },
  },
};

/**
 * `{ child: step }`: a copy of the process begins at that step; returns its pid. It gets half of the timeslice, and is
 * ready when the copying is paid for, whichever CPU takes it.
 */
function fork(context: CallContext, { child }: Arguments): Outcome {
  const { kernel, process, entries, state } = context;
  if (entries > 0) {
    const made = kernel.processes.get(state.made as number);
    if (made?.state === "asleep") kernel.makeReady(made);
    return state.made;
  }
  kernel.work(WORK.fork);
  kernel.charge("locked", 40);
  kernel.charge("calls", 80);
  const { program, nice, counter, pid } = process;
  if (kernel.processes.size >= kernel.mostProcesses) return ERRNO.EAGAIN;
  const container = kernel.containers.of(process);
  if (container.processCount >= container.processes) return ERRNO.EAGAIN;
  kernel.programs.step(program, String(child));
  const copy = kernel.newProcess({
    program,
    nice,
    parent: pid,
    step: String(child),
    locals: copyOfValue(process.locals) as Locals,
    counter: (counter + 1) >> 1,
  });
  process.counter >>= 1;
  for (const module of kernel.modules) module.forked?.(process, copy);
  state.made = copy.pid;
  return AGAIN;
}

/** `{ status }`: the process ends. Others see that when its memory has been given back. */
function exit({ kernel, process, entries }: CallContext, { status }: Arguments): Outcome {
  if (entries === 0) {
    kernel.release(process);
    return AGAIN;
  }
  kernel.leave(process, Number(status));
  return 0;
}

/** `{ program, locals }`: the process executes another program; `ENOENT` if there is none of that name. */
function execve({ kernel, process }: CallContext, { program, locals }: Arguments): Outcome {
  kernel.work(WORK.execve);
  kernel.charge("locked", 40);
  kernel.charge("calls", 150);
  const name = String(program);
  if (!kernel.programs.has(name)) return ERRNO.ENOENT;
  process.program = name;
  process.step = kernel.programs.firstStep(name);
  process.locals = copyOfValue(locals ?? {}) as Locals;
  for (const module of kernel.modules) module.executed?.(process);
  return 0;
}

/** Waits for any child to end; returns its pid, or `ECHILD`. */
function wait4({ kernel, process, entries }: CallContext): Outcome {
  if (entries === 0) kernel.work(WORK.wait);
  let any = false;
  for (const child of kernel.processes.values()) {
    if (child.parent !== process.pid) continue;
    any = true;
    if (child.state !== "zombie") continue;
    kernel.reap(child);
    return child.pid;
  }
  if (!any) return ERRNO.ECHILD;
  kernel.sleepOn(process, childQueue(process.pid));
  return BLOCKED;
}

/** `{ cycles }`: sleeps so long, rounded up to a tick. */
function nanosleep({ kernel, process, entries }: CallContext, { cycles }: Arguments): Outcome {
  if (entries > 0) return 0;
  kernel.work(WORK.sleep);
  kernel.sleepUntil(process, kernel.now + Number(cycles));
  return BLOCKED;
}
