/** One virtual CPU of a modelled kernel: who runs on it, which interrupts wait, how far the work at hand is paid for. */

import type { Cycle } from "../../../core/clock/clock.ts";
import { InvariantError, unreachable } from "../../../core/lib/assert.ts";
import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "./kernel.ts";
import { AGAIN, BLOCKED } from "./module.ts";
import type { VirtualCpuPort } from "./ports.ts";
import type { Process } from "./process.ts";

/** Whatever is done takes a cycle. */
const LEAST = 1;
const TIMER = "timer";

/** See the module comment. */
export class KernelCpu {
  current: Process | null = null;
  /** Who ran last: its memory is still at hand. */
  last: Process | null = null;
  /** Somebody else should run, as soon as `current` is not in the kernel. */
  needsChoice = false;
  /** When the timeslice of `current` is next looked at; `Infinity` while idle. */
  tickAt = Infinity;
  /** Cycles of interrupts, switches and endings that are still to be paid. */
  #debt = 0;
  #pending: string[] = [];
  /** It waits for something to do. */
  #idle = true;
  /** Cycles in interrupts and switches. */
  systemCycles = 0;

  constructor(readonly id: number, readonly kernel: Kernel, readonly port: VirtualCpuPort) {}

  get isIdle(): boolean {
    return this.#idle;
  }

  get remaining(): number {
    if (this.#debt > 0) return this.#debt;
    const { current } = this;
    if (this.#pending.length > 0 || current === null) return 0;
    return this.needsChoice && !current.inKernel ? 0 : current.remaining;
  }

  spend(cycles: number): void {
    if (this.#debt > 0) {
      this.#debt -= cycles;
      this.systemCycles += cycles;
      return;
    }
    const { current } = this;
    if (!current) return;
    current.remaining -= cycles;
    this.kernel.containers.spent(current, cycles);
    if (current.inKernel) current.kernelCycles += cycles;
    else current.userCycles += cycles;
  }

  proceed(now: Cycle): void {
    const { current, kernel } = this;
    this.#idle = false;
    if (this.#pending.length > 0) return this.#interrupt(this.#pending.shift()!);
    if (current === null || this.needsChoice) return this.#choose(now);
    kernel.begin(this);
    if (current.call) this.#enterCall(current);
    else this.#step(current, now);
  }

  /** An interrupt of that line waits from now on; one that waits already stands for both. */
  raise(line: string): void {
    if (!this.#pending.includes(line)) this.#pending.push(line);
    this.#idle = false;
    this.port.wake();
  }

  /** Somebody may have become ready. */
  rouse(): void {
    this.#idle = false;
    this.port.wake();
  }

  /** The timer that was asked for has run out. */
  timerFired(): void {
    if (!this.#idle || this.kernel.hasTimersFor(this)) return this.raise(TIMER);
    this.tickAt = Infinity;
    this.armTimer();
  }

  /** Asks for the next timer interrupt. */
  armTimer(): void {
    const at = Math.min(this.tickAt, this.kernel.timersOf(this));
    this.port.armTimer(at === Infinity ? null : at as Cycle);
  }

  /** `current` leaves this CPU, and its memory is gone. */
  forget(process: Process): void {
    if (this.last === process) this.last = null;
  }

  #interrupt(line: string): void {
    const { kernel } = this;
    kernel.begin(this);
    kernel.charge("interrupt");
    kernel.handlerOf(line)(this);
    this.#debt += Math.max(LEAST, kernel.takeCost());
  }

  #choose(now: Cycle): void {
    const { kernel, current, last } = this;
    kernel.begin(this);
    this.needsChoice = false;
    kernel.charge("runQueueEntries", kernel.queue.ready.length + 1);
    const next = kernel.queue.pick(this.id, last?.memory ?? -1, current);
    if (next === null) {
      kernel.takeCost();
      this.#idle = true;
      this.port.block();
      return;
    }
    if (current !== null && next !== current) {
      current.state = "ready";
      kernel.queue.addLast(current);
    }
    this.current = next;
    next.state = "running";
    next.cpu = this.id;
    if (next !== last) {
      kernel.charge("processSwitch");
      kernel.switched(this, last, next);
    }
    this.last = next;
    if (this.tickAt <= now || this.tickAt === Infinity) {
      this.tickAt = kernel.tickAfter(now);
      this.armTimer();
    }
    this.#debt += Math.max(LEAST, kernel.takeCost());
  }

  /** `process` is through with what it did; what comes next takes effect. */
  #step(process: Process, now: Cycle): void {
    const { kernel } = this;
    kernel.returning(process);
    if (process.state === "zombie") return this.#leave();
    const action = kernel.stepOf(process, now);
    switch (action.does) {
      case "compute":
        expectCycles(process, action.cycles);
        process.step = action.then;
        process.inKernel = false;
        process.remaining = Math.max(LEAST, Math.round(action.cycles + kernel.takeCost()));
        return;
      case "touch":
        // Who has the memory handles it like a call, but there is no way into the kernel to be paid.
        process.step = action.then;
        process.call = { name: "touch", args: { ...action }, entries: 0, state: {} };
        return this.#enterCall(process);
      case "call":
        process.step = action.then;
        process.call = { name: action.name, args: action.args, entries: 0, state: {} };
        kernel.charge("systemCall");
        return this.#enterCall(process);
      case "exit":
        process.call = { name: "exit", args: { status: action.status }, entries: 0, state: {} };
        return this.#enterCall(process);
      default:
        unreachable(action, "action of a process");
    }
  }

  #enterCall(process: Process): void {
    const { kernel } = this;
    const call = process.call!;
    const outcome = kernel.enter(this, process, call);
    if (outcome === BLOCKED && process.state !== "asleep") {
      throw new InvariantError(`${call.name} blocks on nothing`);
    }
    if (outcome === BLOCKED || process.state === "zombie") return this.#leave();
    if (outcome !== AGAIN) {
      process.result = outcome;
      process.call = null;
    }
    process.inKernel = true;
    process.remaining = Math.max(LEAST, kernel.takeCost());
  }

  /** `current` sleeps or is gone; what it did on its way is still to be paid. */
  #leave(): void {
    this.current = null;
    this.#debt += Math.max(LEAST, this.kernel.takeCost());
  }

  save(): SnapshotRecord {
    const { current, last, needsChoice, tickAt, systemCycles } = this;
    const state = {
      current: current?.pid ?? 0,
      last: last?.pid ?? 0,
      needsChoice,
      tickAt,
      systemCycles,
      debt: this.#debt,
      pending: [...this.#pending],
      idle: this.#idle,
    };
    return { kind: "modelled CPU", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "modelled CPU", 1);
    const process = (pid: unknown) => this.kernel.processes.get(pid as number) ?? null;
    this.current = process(state.current);
    this.last = process(state.last);
    this.needsChoice = state.needsChoice as boolean;
    this.tickAt = state.tickAt as number;
    this.systemCycles = state.systemCycles as number;
    this.#debt = state.debt as number;
    this.#pending = [...state.pending as string[]];
    this.#idle = state.idle as boolean;
  }
}

function expectCycles({ program, step }: Process, cycles: number): void {
  if (cycles >= 0 && Number.isFinite(cycles)) return;
  throw new RangeError(`${program}.${step} computes for ${cycles} cycles`);
}
