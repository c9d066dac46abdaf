/**
 * A modelled kernel: processes, who runs when, wait queues, timers, and the modules that make it a kernel.
 *
 * It is a table of system calls, interrupt handlers and timers that modules fill ({@link Kernel.install}); its state is plain
 * data. What it does it says in primitives ({@link Kernel.charge}); the platform under it says what they cost.
 */

import type { Cycle } from "../../../core/clock/clock.ts";
import { ERRNO } from "./errno.ts";
import { invariant } from "../../../core/lib/assert.ts";
import { Random } from "../../../core/lib/random.ts";
import type { SnapshotRecord, SnapshotValue } from "../../../core/lib/snapshot.ts";
import { type Action, type Locals, type Program, ProgramTable } from "./action.ts";
import { Containers } from "./containers.ts";
import { KernelCpu } from "./kernel_cpu.ts";
import { restoreKernel, saveKernel } from "./kernel_snapshot.ts";
import { KernelTimers } from "./kernel_timers.ts";
import type {
  CallContext,
  InterruptHandler,
  KernelModule,
  Outcome,
  SystemCall,
  TimerHandler,
} from "./module.ts";
import type { MachinePort } from "./ports.ts";
import { type Platform, type Primitive, PRIMITIVE_NAMES, primitiveNumber } from "./primitives.ts";
import { childQueue, type PendingCall, type Process } from "./process.ts";
import { processCalls } from "./process_calls.ts";
import { type ProcessScheduler, RunQueue, ticksOf } from "./run_queue.ts";
import { BsdQueue } from "./bsd_queue.ts";

/** What a kernel is put on. */
export interface KernelOptions {
  /** What messages and timers call it. */
  readonly name: string;
  readonly machine: MachinePort;
  readonly platform: Platform;
  /** Whose process scheduler it has; default Linux 2.4's, the only one that knows containers. */
  readonly scheduler?: "linux-2.4" | "4.4bsd";
  /** Decides what is left to chance, such as at which instant of a tick it is up; default: nothing is, and it is up at once. */
  readonly seed?: number;
}

/** What {@link Kernel.spawn} may be told. */
export interface SpawnOptions {
  /** Where the program begins; default: its first step. */
  readonly step?: string;
  readonly locals?: Locals;
  readonly nice?: number;
}

/** A figure that a program told the outside by the call `report`. */
export interface Report {
  readonly pid: number;
  readonly name: string;
  readonly value: SnapshotValue;
  readonly at: Cycle;
}

/** Cycles of the kernel's own instructions. */
const WORK = { exit: 26_000 };
/** A platform prices work by the cycle: there are no batches of it. */
const WORK_NUMBER = primitiveNumber("work");
/** Linux 2.4's ticks on x86 (`HZ`). */
export const TICKS_PER_SECOND = 100;
const SLEEP_TIMER = "sleep";
/** More than any two processes of one container differ by. */
const MOST_GAIN = 1000;
const MOST_PROCESSES = 512;
/** The interrupt by which a CPU that idles learns that it should not. */
const RESCHEDULE = "reschedule";

/** See the module comment. */
export class Kernel {
  readonly name: string;
  readonly platform: Platform;
  readonly frequencyHz: number;
  readonly programs = new ProgramTable();
  readonly processes = new Map<number, Process>();
  readonly queue: ProcessScheduler;
  readonly timers = new KernelTimers();
  readonly containers = new Containers();
  readonly cpus: readonly KernelCpu[];
  readonly modules: KernelModule[] = [];
  /** What programs reported, oldest first. */
  readonly reports: Report[] = [];
  /** Who sleeps on which wait queue. */
  readonly sleepers = new Map<string, Process[]>();
  /** What processes share, by name: plain data (`ipc/shared_memory.ts`). */
  readonly segments = new Map<string, Locals>();
  /** How often each primitive was used, by its number. */
  readonly counts = new Float64Array(PRIMITIVE_NAMES.length);
  nextPid = 1;
  /** When it is up: its ticks count from here, and its first processes begin. */
  begins = 0;
  /** By number: what each use of a primitive costs; -1 where it depends on how many there are at once. */
  readonly #each: Float64Array;
  /** Processes that there may be (`max_threads`): 2.4 lets their kernel stacks have an eighth of memory. */
  mostProcesses = MOST_PROCESSES;
  readonly #machine: MachinePort;
  readonly #tickCycles: number;
  readonly #calls = new Map<string, SystemCall>();
  readonly #interrupts = new Map<string, InterruptHandler>();
  readonly #timerHandlers = new Map<string, TimerHandler>();
  /** What the work at hand costs so far. */
  #cost = 0;
  /** The CPU that works at present: outside of its work nothing is charged. */
  #working: KernelCpu | null = null;

  constructor({ name, machine, platform, scheduler, seed }: KernelOptions) {
    this.name = name;
    this.platform = platform;
    this.#each = Float64Array.from(PRIMITIVE_NAMES, (primitive) => eachOf(platform, primitive));
    this.frequencyHz = machine.frequencyHz;
    this.#machine = machine;
    this.#tickCycles = Math.round(machine.frequencyHz / TICKS_PER_SECOND);
    if (seed !== undefined) {
      this.begins = machine.now() + new Random(seed).between(0, this.#tickCycles - 1);
    }
    this.queue = scheduler === "4.4bsd"
      ? new BsdQueue(() => this.now / this.frequencyHz)
      : new RunQueue(platform.isSmp, this.containers, () => this.processes.values());
    this.cpus = machine.cpus.map((port, id) => new KernelCpu(id, this, port));
    this.install(processCalls);
    this.install({
      name: "timer",
      interrupts: { timer: (cpu) => this.#timerInterrupt(cpu), [RESCHEDULE]: () => {} },
      timers: { [SLEEP_TIMER]: (pid) => this.#sleepIsOver(pid) },
    });
  }

  get now(): Cycle {
    return this.#machine.now();
  }

  /** Adds a module. Throws `RangeError` if a name of its table is taken. */
  install(module: KernelModule): void {
    enter(this.#calls, module.calls, "system call");
    enter(this.#interrupts, module.interrupts, "interrupt handler");
    enter(this.#timerHandlers, module.timers, "timer");
    this.modules.push(module);
  }

  /** The module of that name; throws `RangeError` if it is not installed. */
  module(name: string): KernelModule {
    const found = this.modules.find((each) => each.name === name);
    if (found) return found;
    const names = this.modules.map((each) => each.name).join(", ");
    throw new RangeError(`${this.name} has no module ${name}; it has ${names}`);
  }

  /** Starts a process that has no parent; returns its pid. Throws `RangeError` for a step that is not there. */
  spawn(program: Program, options: SpawnOptions = {}): number {
    this.programs.add(program);
    const step = options.step ?? this.programs.firstStep(program.name);
    this.programs.step(program.name, step);
    const nice = options.nice ?? 0;
    const process = this.newProcess({
      program: program.name,
      step,
      nice,
      parent: 0,
      locals: options.locals ?? {},
    });
    for (const module of this.modules) module.started?.(process);
    if (this.now < this.begins) this.sleepUntil(process, this.begins);
    else this.makeReady(process);
    return process.pid;
  }

  /** A process that is not ready yet; `counter` is a fresh timeslice unless its parent shares its own. */
  newProcess(
    from: Pick<Process, "program" | "step" | "locals" | "nice" | "parent"> & { counter?: number },
  ): Process {
    const pid = this.nextPid++;
    const process: Process = {
      pid,
      parent: from.parent,
      memory: pid,
      program: from.program,
      step: from.step,
      locals: from.locals,
      state: "asleep",
      remaining: 0,
      inKernel: false,
      call: null,
      result: 0,
      cpu: this.#working?.id ?? 0,
      counter: from.counter ?? ticksOf(from.nice),
      recentTicks: 0,
      forgotAt: 0,
      nice: from.nice,
      container: this.processes.get(from.parent)?.container ?? this.containers.spawnInto,
      waits: [],
      timedOut: false,
      userCycles: 0,
      kernelCycles: 0,
      status: 0,
    };
    this.processes.set(pid, process);
    this.containers.entered(process);
    return process;
  }

  /** The work at hand takes what `count` uses of `primitive` cost here. */
  charge(primitive: Primitive, count = 1): void {
    const number = primitiveNumber(primitive);
    const each = this.#each[number];
    this.counts[number] += count;
    this.#cost += each >= 0 ? each * count : this.platform.price(primitive, count);
  }

  /** The work at hand fetches so many cache lines from memory, one after the other or not, over a bus that another CPU may be using. */
  fetchLines(count: number, scattered = false): void {
    this.charge(scattered ? "scatteredRefills" : "lineRefills", count);
    if (this.#machine.othersWork?.()) this.charge("contendedRefills", count);
  }

  /** The work at hand takes so many cycles of plain kernel instructions. */
  work(cycles: number): void {
    this.counts[WORK_NUMBER] += cycles;
    this.#cost += this.#each[WORK_NUMBER] * cycles;
  }

  /** `process`, in a call, sleeps on a queue until it is woken, or until `until`; may be called for several queues. */
  sleepOn(process: Process, queue: string, until = Infinity): void {
    const sleepers = this.sleepers.get(queue);
    if (sleepers) sleepers.push(process);
    else this.sleepers.set(queue, [process]);
    process.waits.push(queue);
    this.sleepUntil(process, until);
  }

  /** `process`, in a call, sleeps until it is woken, or until `until`. */
  sleepUntil(process: Process, until: number): void {
    process.state = "asleep";
    process.timedOut = false;
    if (until !== Infinity) this.setTimer(SLEEP_TIMER, process.pid, until);
  }

  /**
   * Wakes those that sleep on `queue`, longest sleepers first, at most `limit`; returns how many. If `isSync`, the caller is about
   * to sleep: nobody is looked for to run them (`wake_up_sync`).
   */
  wakeQueue(queue: string, limit = Infinity, isSync = false): number {
    const sleepers = this.sleepers.get(queue);
    if (!sleepers) return 0;
    let woken = 0;
    while (woken < limit && sleepers.length > 0) {
      this.wake(sleepers[0], isSync);
      woken++;
    }
    return woken;
  }

  /** Ends the sleep of `process`, whatever it waits for; without effect if it does not sleep. */
  wake(process: Process, isSync = false): void {
    if (process.state !== "asleep") return;
    for (const queue of process.waits) {
      const sleepers = this.sleepers.get(queue)!;
      sleepers.splice(sleepers.indexOf(process), 1);
      if (sleepers.length === 0) this.sleepers.delete(queue);
    }
    process.waits.length = 0;
    this.timers.clear(SLEEP_TIMER, process.pid);
    if (isSync) {
      process.state = "ready";
      this.queue.add(process);
    } else this.makeReady(process);
  }

  /** Sets a timer of a module: its handler `name` is called with `key` at the first tick at or after `at`. */
  setTimer(name: string, key: number, at: number): void {
    const ticks = Math.ceil((at - this.begins) / this.#tickCycles);
    const due = this.begins + ticks * this.#tickCycles;
    const before = this.timers.nextDeadline;
    this.timers.set(name, key, due);
    if (this.timers.nextDeadline < before) this.cpus[0].armTimer();
  }

  clearTimer(name: string, key: number): void {
    this.timers.clear(name, key);
  }

  /** A device or another domain raises an interrupt; throws `RangeError` for a line that no module handles. */
  interrupt(line: string, cpu = 0): void {
    this.handlerOf(line);
    this.cpus[cpu].raise(line);
  }

  /** `process` could run from now on: finds it a CPU (`reschedule_idle`). */
  makeReady(process: Process): void {
    process.state = "ready";
    this.#woke(process);
    this.queue.add(process);
    const home = this.cpus[process.cpu];
    const idle = home.isIdle ? home : this.cpus.find((cpu) => cpu.isIdle);
    if (idle) {
      if (!this.#working || idle === this.#working) return idle.rouse();
      this.charge("interProcessor");
      return idle.raise(RESCHEDULE);
    }
    const target = this.#leastDeserving(process);
    if (!target) return;
    target.needsChoice = true;
    if (this.#working && target !== this.#working) this.charge("interProcessor");
  }

  #woke(process: Process): void {
    if (!this.containers.inUse) return;
    const running = this.cpus.flatMap(({ current }) => current ?? []);
    this.containers.woke(process, [...this.queue.ready, ...running]);
  }

  /** The CPU whose process deserves it less than `process` does, by most; null if there is none. */
  #leastDeserving(process: Process): KernelCpu | null {
    let found: KernelCpu | null = null;
    let most = 0;
    for (const cpu of this.cpus) {
      const { current } = cpu;
      if (!current) continue;
      const [ours, theirs] = [this.containers.of(process), this.containers.of(current)];
      if (ours !== theirs && ours.virtualCycles >= theirs.virtualCycles) continue;
      const gain = ours !== theirs ? MOST_GAIN : this.queue.gain(process, cpu.id, current);
      if (gain > most) [found, most] = [cpu, gain];
    }
    return found;
  }

  /** `process`, running, ends. */
  exit(process: Process, status: number): void {
    this.release(process);
    this.leave(process, status);
  }

  /** `process`, running, gives back all that it has: the first part of its end. */
  release(process: Process): void {
    this.work(WORK.exit);
    this.charge("locked", 30);
    this.charge("calls", 60);
    this.containers.left(process);
    for (const module of this.modules) module.exited?.(process);
  }

  /** `process`, which has nothing any more, is gone for others: the second part of its end. */
  leave(process: Process, status: number): void {
    process.status = status;
    process.state = "zombie";
    if (process.parent === 0 || !this.processes.has(process.parent)) this.reap(process);
    else this.wakeQueue(childQueue(process.parent));
    for (const child of this.processes.values()) {
      if (child.parent !== process.pid) continue;
      child.parent = 0;
      if (child.state === "zombie") this.reap(child);
    }
  }

  /** Forgets a process that has ended. */
  reap(process: Process): void {
    this.processes.delete(process.pid);
    for (const cpu of this.cpus) cpu.forget(process);
  }

  save(): SnapshotRecord {
    return saveKernel(this);
  }

  restore(record: SnapshotRecord): void {
    restoreKernel(this, record);
  }

  /** Used by CPUs: work begins on `cpu`, at no cost so far. */
  begin(cpu: KernelCpu): void {
    this.#working = cpu;
    this.#cost = 0;
  }

  /** Used by CPUs: the work that was begun is done; what it costs, in whole cycles. */
  takeCost(): number {
    this.#working = null;
    return Math.round(this.#cost);
  }

  /** Used by CPUs: enters the handler of `call`. */
  enter(cpu: KernelCpu, process: Process, call: PendingCall): Outcome {
    const handler = this.#calls.get(call.name);
    if (!handler) return ERRNO.ENOSYS;
    const context: CallContext = {
      kernel: this,
      cpu,
      process,
      entries: call.entries++,
      state: call.state,
      timedOut: process.timedOut,
    };
    return handler(context, call.args);
  }

  /** Used by CPUs: the next thing that `process` does. */
  stepOf(process: Process, now: Cycle): Action {
    const { result } = process;
    return this.programs.step(process.program, process.step)({
      now,
      pid: process.pid,
      locals: process.locals,
      segments: this.segments,
      result,
      value: typeof result === "number" ? result : 0,
    });
  }

  /** Used by CPUs. Throws `RangeError` for a line that no module handles. */
  handlerOf(line: string): InterruptHandler {
    const handler = this.#interrupts.get(line);
    if (handler) return handler;
    const lines = [...this.#interrupts.keys()].join(", ");
    throw new RangeError(`${this.name} has no handler for interrupt ${line}; it has ${lines}`);
  }

  /** Used by CPUs. */
  switched(cpu: KernelCpu, from: Process | null, to: Process): void {
    for (const module of this.modules) module.switched?.(cpu, from, to);
  }

  /** Used by CPUs. */
  returning(process: Process): void {
    for (const module of this.modules) module.returning?.(process);
  }

  /** Used by CPUs: the first tick after `now`. */
  tickAfter(now: Cycle): number {
    const ticks = Math.floor((now - this.begins) / this.#tickCycles);
    return this.begins + (ticks + 1) * this.#tickCycles;
  }

  /** Used by CPUs: when `cpu` has a timer of the kernel to look after. The first one looks after all. */
  timersOf(cpu: KernelCpu): number {
    return cpu.id === 0 ? this.timers.nextDeadline : Infinity;
  }

  /** Used by CPUs: whether a timer of the kernel has run out. */
  hasTimersFor(cpu: KernelCpu): boolean {
    return this.timersOf(cpu) <= this.now;
  }

  #timerInterrupt(cpu: KernelCpu): void {
    const { now } = this;
    this.charge("timerTick");
    if (cpu.tickAt <= now) {
      cpu.tickAt = cpu.current ? this.tickAfter(now) : Infinity;
      const { current } = cpu;
      if (current && this.queue.tick(current)) cpu.needsChoice = true;
      // Another container may have had less by now.
      if (this.containers.inUse) cpu.needsChoice = true;
    }
    if (cpu.id === 0) {
      for (let due = this.timers.takeDue(now); due; due = this.timers.takeDue(now)) {
        const handler = this.#timerHandlers.get(due.name);
        invariant(handler, `${this.name} has no timer ${due.name}`);
        handler(due.key);
      }
    }
    cpu.armTimer();
  }

  #sleepIsOver(pid: number): void {
    const process = this.processes.get(pid);
    if (process?.state !== "asleep") return;
    this.wake(process);
    process.timedOut = true;
  }
}

/** What each use costs if many cost in proportion, or -1. */
function eachOf(platform: Platform, primitive: Primitive): number {
  const each = platform.price(primitive, 1);
  const isAlike = [2, 1000, 10_000].every((count) =>
    Math.abs(platform.price(primitive, count) - each * count) < 1e-6 * count
  );
  return isAlike ? each : -1;
}

function enter<T>(
  table: Map<string, T>,
  more: Readonly<Record<string, T>> | undefined,
  what: string,
): void {
  for (const [name, each] of Object.entries(more ?? {})) {
    if (table.has(name)) throw new RangeError(`there is a ${what} ${name} already`);
    table.set(name, each);
  }
}
