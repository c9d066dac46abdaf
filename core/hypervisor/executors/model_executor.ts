/**
 * The model executor: runs virtual CPUs whose guest is a set of tasks in TypeScript instead of machine code.
 *
 * A step happens at one cycle, at which everybody else has arrived too, and its price is paid afterwards: so modelled
 * domains meet at exact cycles however many physical CPUs there are. All their time is that of their virtual CPU: they
 * are scheduled, charged and starved as any other guest.
 */

import type { Cycle, Cycles, MachineClock, Timer } from "../../clock/clock.ts";
import { invariant, unreachable } from "../../lib/assert.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import type { SnapshotRecord } from "../../lib/snapshot.ts";
import type { Dispatcher, Executor, SchedulableVcpu } from "../scheduling/ports.ts";
import type { Locals, ProgramRegistry, StepContext } from "./model_program.ts";
import { type Task, TaskList } from "./model_tasks.ts";

/** What a model executor is made of. */
export interface ModelExecutorOptions<Port> {
  readonly clock: MachineClock;
  readonly dispatcher: Pick<Dispatcher, "block" | "wake">;
  readonly programs: ProgramRegistry<Port>;
  /** What the tasks of `vcpu` reach the hypervisor by; it bills through {@link ModelExecutor.charge}. */
  port(vcpu: SchedulableVcpu): Port;
}

/** A step takes time, so that a circle of steps cannot stop the machine's clock. */
const LEAST_STEP = 1;

interface Model<Port> {
  readonly tasks: TaskList;
  readonly timer: Timer;
  readonly port: Port;
}

/** See the module comment. */
export class ModelExecutor<Port> implements Executor {
  readonly name = "model";
  readonly #options: ModelExecutorOptions<Port>;
  readonly #models = new Map<SchedulableVcpu, Model<Port>>();
  #cycle = 0 as Cycle;
  #interrupted = false;
  /** What the present step costs so far. */
  #cost = 0;

  constructor(options: ModelExecutorOptions<Port>) {
    this.#options = options;
  }

  get cycle(): Cycle {
    return this.#cycle;
  }

  /** Makes `vcpu` one of this executor's; it has no tasks, and blocks when it runs. */
  attach(vcpu: SchedulableVcpu): void {
    const { clock, port } = this.#options;
    const tasks = new TaskList();
    const timer = clock.createTimer(`model.${vcpu.name}`, () => {
      if (tasks.wakeSleepers(clock.now)) this.#options.dispatcher.wake(vcpu);
      this.#arm(vcpu);
    });
    this.#models.set(vcpu, { tasks, timer, port: port(vcpu) });
  }

  /** `vcpu` is gone. */
  detach(vcpu: SchedulableVcpu): void {
    this.#model(vcpu).timer.release();
    this.#models.delete(vcpu);
  }

  /** Starts a task on `vcpu`; throws `RangeError` for a program or step that is unknown. */
  spawn(vcpu: SchedulableVcpu, program: string, step: string, locals: Locals = {}): void {
    this.#options.programs.step(program, step);
    this.#model(vcpu).tasks.ready.push({
      program,
      next: { does: "compute", cycles: 0 as Cycles, then: step },
      locals,
      remaining: 0,
      timedOut: false,
    });
    this.#options.dispatcher.wake(vcpu);
  }

  /** Tells the tasks of `vcpu` of an event: those that wait for it, or else the next one that will. */
  signal(vcpu: SchedulableVcpu, event: string): void {
    if (this.#model(vcpu).tasks.signal(event)) this.#options.dispatcher.wake(vcpu);
  }

  /** Makes the step that is happening take `cycles` more; used by ports, to bill what they do. */
  charge(cycles: Cycles): void {
    this.#cost += cycles;
  }

  /** The tasks of `vcpu`, to be looked at. */
  tasks(vcpu: SchedulableVcpu): readonly Readonly<Task>[] {
    const { ready, waiting } = this.#model(vcpu).tasks;
    return [...ready, ...waiting];
  }

  visibleAt(vcpu: SchedulableVcpu, from: Cycle): Cycle {
    const [task] = this.#model(vcpu).tasks.ready;
    return from + (task?.remaining ?? 0) as Cycle;
  }

  run(vcpu: SchedulableVcpu, _cpu: PhysicalCpuId, from: Cycle, until: Cycle): Cycle {
    const { tasks } = this.#model(vcpu);
    this.#cycle = from;
    this.#interrupted = false;
    while (!this.#interrupted) {
      const [task] = tasks.ready;
      const left = Math.min(task?.remaining ?? 0, Math.max(0, until - this.#cycle));
      if (task) task.remaining -= left;
      this.#cycle = this.#cycle + left as Cycle;
      const isDue = !task || task.remaining === 0;
      if (!isDue || (this.#cycle >= until && this.#cycle > from)) break;
      if (task) this.#proceed(vcpu, task);
      else this.#options.dispatcher.block(vcpu);
      if (until <= from) break;
    }
    // Whoever interrupts a step that happened at `from` finds its first cycle spent.
    const [task] = tasks.ready;
    if (this.#interrupted && this.#cycle === from && until > from && task) {
      task.remaining -= LEAST_STEP;
      this.#cycle = this.#cycle + LEAST_STEP as Cycle;
    }
    return this.#cycle;
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  save(vcpu: SchedulableVcpu): SnapshotRecord {
    return this.#model(vcpu).tasks.save();
  }

  restore(vcpu: SchedulableVcpu, record: SnapshotRecord): void {
    this.#model(vcpu).tasks.restore(record);
  }

  /** What `task`, the first of those that are ready, was on its way to takes effect. */
  #proceed(vcpu: SchedulableVcpu, task: Task): void {
    const { tasks } = this.#model(vcpu);
    const { next } = task;
    switch (next.does) {
      case "compute":
        return this.#step(vcpu, task, next.then);
      case "yield":
        tasks.ready.push(tasks.ready.shift()!);
        task.next = { does: "compute", cycles: 0 as Cycles, then: next.then };
        return;
      case "wait":
        if (tasks.signals.delete(next.event)) {
          task.timedOut = false;
          return this.#step(vcpu, task, next.then);
        }
        tasks.waiting.push(tasks.ready.shift()!);
        return this.#arm(vcpu);
      case "sleep":
        tasks.waiting.push(tasks.ready.shift()!);
        return this.#arm(vcpu);
      case "exit":
        tasks.ready.shift();
        return;
      default:
        unreachable(next, "continuation of a task");
    }
  }

  #step(vcpu: SchedulableVcpu, task: Task, name: string): void {
    this.#cost = 0;
    const context: StepContext<Port> = {
      now: this.#cycle,
      locals: task.locals,
      timedOut: task.timedOut,
      port: this.#model(vcpu).port,
      spawn: (program, step, locals) => this.spawn(vcpu, program, step, locals),
      charge: (cycles) => this.charge(cycles),
    };
    const next = this.#options.programs.step(task.program, name)(context);
    const computes = next.does === "compute" ? next.cycles : 0;
    if (!(computes >= 0 && Number.isFinite(computes))) {
      throw new RangeError(`${task.program}.${name} computes for ${computes} cycles`);
    }
    task.next = next;
    task.remaining = Math.max(LEAST_STEP, Math.ceil(this.#cost + computes));
  }

  /** The timer follows the first task that gives up waiting. */
  #arm(vcpu: SchedulableVcpu): void {
    const { tasks, timer } = this.#model(vcpu);
    const at = tasks.nextWake;
    if (at === Infinity) timer.disarm();
    else if (at !== timer.deadline) timer.armAt(at as Cycle);
  }

  #model(vcpu: SchedulableVcpu): Model<Port> {
    const model = this.#models.get(vcpu);
    invariant(model, `${vcpu.name} is not attached to the model executor`);
    return model;
  }
}
