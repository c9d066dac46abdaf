/** The model executor: runs virtual CPUs whose guest is a set of tasks in TypeScript instead of machine code. */

import type { Cycle, Cycles, MachineClock, Timer } from "../../clock/clock.ts";
import { unreachable } from "../../lib/assert.ts";
import type { SnapshotRecord } from "../../lib/snapshot.ts";
import type { Dispatcher, SchedulableVcpu } from "../scheduling/ports.ts";
import type { Locals, ProgramRegistry, StepContext } from "./model_program.ts";
import { type Task, TaskList } from "./model_tasks.ts";
import { LEAST_STEP, type SteppedCpu, SteppedExecutor } from "./stepped_executor.ts";

/** What a model executor is made of. */
export interface ModelExecutorOptions<Port> {
  readonly clock: MachineClock;
  readonly dispatcher: Pick<Dispatcher, "block" | "wake">;
  readonly programs: ProgramRegistry<Port>;
  /** What the tasks of `vcpu` reach the hypervisor by; it bills through {@link ModelExecutor.charge}. */
  port(vcpu: SchedulableVcpu): Port;
}

/** The tasks of one virtual CPU, and what they are run with. */
class Model<Port> implements SteppedCpu {
  readonly tasks = new TaskList();
  readonly timer: Timer;
  readonly port: Port;

  constructor(
    readonly vcpu: SchedulableVcpu,
    private readonly executor: ModelExecutor<Port>,
    options: ModelExecutorOptions<Port>,
  ) {
    const { clock, dispatcher } = options;
    this.port = options.port(vcpu);
    this.timer = clock.createTimer(`model.${vcpu.name}`, () => {
      if (this.tasks.wakeSleepers(clock.now)) dispatcher.wake(vcpu);
      this.arm();
    });
  }

  get remaining(): number {
    return this.tasks.ready[0]?.remaining ?? 0;
  }

  spend(cycles: number): void {
    const [task] = this.tasks.ready;
    if (task) task.remaining -= cycles;
  }

  proceed(now: Cycle): void {
    this.executor.proceed(this, now);
  }

  /** The timer follows the first task that gives up waiting. */
  arm(): void {
    const { tasks, timer } = this;
    const at = tasks.nextWake;
    if (at === Infinity) timer.disarm();
    else if (at !== timer.deadline) timer.armAt(at as Cycle);
  }

  save(): SnapshotRecord {
    return this.tasks.save();
  }

  restore(record: SnapshotRecord): void {
    this.tasks.restore(record);
  }
}

/** See the module comment. */
export class ModelExecutor<Port> extends SteppedExecutor<Model<Port>> {
  readonly #options: ModelExecutorOptions<Port>;
  /** What the present step costs so far. */
  #cost = 0;

  constructor(options: ModelExecutorOptions<Port>) {
    super("model");
    this.#options = options;
  }

  /** Makes `vcpu` one of this executor's; it has no tasks, and blocks when it runs. */
  attach(vcpu: SchedulableVcpu): void {
    this.adopt(vcpu, new Model(vcpu, this, this.#options));
  }

  /** `vcpu` is gone. */
  detach(vcpu: SchedulableVcpu): void {
    this.cpuOf(vcpu).timer.release();
    this.release(vcpu);
  }

  /** Starts a task on `vcpu`; throws `RangeError` for a program or step that is unknown. */
  spawn(vcpu: SchedulableVcpu, program: string, step: string, locals: Locals = {}): void {
    this.#options.programs.step(program, step);
    this.cpuOf(vcpu).tasks.ready.push({
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
    if (this.cpuOf(vcpu).tasks.signal(event)) this.#options.dispatcher.wake(vcpu);
  }

  /** Makes the step that is happening take `cycles` more; used by ports, to bill what they do. */
  charge(cycles: Cycles): void {
    this.#cost += cycles;
  }

  /** The tasks of `vcpu`, to be looked at. */
  tasks(vcpu: SchedulableVcpu): readonly Readonly<Task>[] {
    const { ready, waiting } = this.cpuOf(vcpu).tasks;
    return [...ready, ...waiting];
  }

  /** What the first of the tasks that are ready was on its way to takes effect; without one, the virtual CPU blocks. */
  proceed(model: Model<Port>, now: Cycle): void {
    const { tasks, vcpu } = model;
    const [task] = tasks.ready;
    if (!task) return this.#options.dispatcher.block(vcpu);
    const { next } = task;
    switch (next.does) {
      case "compute":
        return this.#step(model, task, next.then, now);
      case "yield":
        tasks.ready.push(tasks.ready.shift()!);
        task.next = { does: "compute", cycles: 0 as Cycles, then: next.then };
        return;
      case "wait":
        if (tasks.signals.delete(next.event)) {
          task.timedOut = false;
          return this.#step(model, task, next.then, now);
        }
        tasks.waiting.push(tasks.ready.shift()!);
        return model.arm();
      case "sleep":
        tasks.waiting.push(tasks.ready.shift()!);
        return model.arm();
      case "exit":
        tasks.ready.shift();
        return;
      default:
        unreachable(next, "continuation of a task");
    }
  }

  #step(model: Model<Port>, task: Task, name: string, now: Cycle): void {
    const { vcpu, port } = model;
    this.#cost = 0;
    const context: StepContext<Port> = {
      now,
      locals: task.locals,
      timedOut: task.timedOut,
      port,
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
}
