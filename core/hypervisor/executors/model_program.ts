/**
 * Programs of modelled systems: steps by name, over state that is plain data.
 *
 * A task is a program's name, the step that comes next, and locals. A step looks at the world at one cycle, changes
 * locals, makes hypercalls through the port of its virtual CPU, and says what comes next. Nothing lives in a
 * closure or a generator, so that a task can be saved, sent to another machine, and looked at.
 */

import type { Cycle, Cycles } from "../../clock/clock.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";

/** What a task does between this step and `then`. */
export type Next =
  /** Computes. */
  | { readonly does: "compute"; readonly cycles: Cycles; readonly then: string }
  /** Waits for a signal of that name, at most until a cycle; a signal that came before counts. */
  | { readonly does: "wait"; readonly event: string; readonly until?: Cycle; readonly then: string }
  /** Waits until a cycle. */
  | { readonly does: "sleep"; readonly until: Cycle; readonly then: string }
  /** Lets the other tasks of the virtual CPU go first. */
  | { readonly does: "yield"; readonly then: string }
  | { readonly does: "exit" };

/** What a task remembers. */
export type Locals = { [name: string]: SnapshotValue };

/** What a step sees. */
export interface StepContext<Port> {
  /** The cycle at which the step happens; all that it does counts at it, and costs time afterwards. */
  readonly now: Cycle;
  readonly locals: Locals;
  /** Whether the wait before this step ended because its time was up. */
  readonly timedOut: boolean;
  /** The virtual CPU's way to the hypervisor. */
  readonly port: Port;
  /** Starts another task on the same virtual CPU; throws `RangeError` for a program or step that is unknown. */
  spawn(program: string, step: string, locals?: Locals): void;
  /** Makes this step take `cycles` more. */
  charge(cycles: Cycles): void;
}

/** One step; it takes at least a cycle. */
export type Step<Port> = (context: StepContext<Port>) => Next;

/** A program; `Port` is what it needs of the hypervisor. */
export interface Program<Port> {
  readonly name: string;
  readonly steps: Readonly<Record<string, Step<Port>>>;
}

/** Programs by name: what makes tasks out of plain data run. */
export class ProgramRegistry<Port> {
  readonly #programs = new Map<string, Program<Port>>();

  /** Makes `programs` known; throws `RangeError` for a name that is taken. */
  constructor(programs: readonly Program<Port>[]) {
    for (const program of programs) {
      if (this.#programs.has(program.name)) {
        throw new RangeError(`there is a program ${program.name} already`);
      }
      this.#programs.set(program.name, program);
    }
  }

  /** Throws `RangeError` if there is no such program or step. */
  step(program: string, step: string): Step<Port> {
    const found = this.#programs.get(program);
    if (!found) {
      const names = [...this.#programs.keys()].join(", ");
      throw new RangeError(`there is no program ${program}; there are ${names}`);
    }
    if (!Object.hasOwn(found.steps, step)) {
      const names = Object.keys(found.steps).join(", ");
      throw new RangeError(`program ${program} has no step ${step}; it has ${names}`);
    }
    return found.steps[step];
  }
}
