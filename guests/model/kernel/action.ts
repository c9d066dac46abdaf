/**
 * Programs of modelled processes: steps by name, over state that is plain data.
 *
 * A step looks at its locals and at what the last system call returned, changes locals, and says what comes next. Nothing
 * lives in a closure or a generator, so that a process can be copied (`fork`), saved, and looked at.
 */

import type { Cycle } from "../../../core/clock/clock.ts";
import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

/** What a process remembers. */
export type Locals = { [name: string]: SnapshotValue };

/** Arguments of a system call, by name. */
export type Arguments = { readonly [name: string]: SnapshotValue };

/** What a process does after a step; `then` names the step that follows. */
export type Action =
  /** Computes for so many cycles of a CPU that has everything in its caches. */
  | { readonly does: "compute"; readonly cycles: number; readonly then: string }
  /** Reads or writes `bytes` of memory from `address` on: faults and cache misses come with it. */
  | {
    readonly does: "touch";
    readonly address: number;
    readonly bytes: number;
    readonly write: boolean;
    /** Here and there, as a program's instructions and tables are used; default: one line after the other. */
    readonly scattered?: boolean;
    readonly then: string;
  }
  /** Makes a system call; the next step finds what it returned in {@link StepContext.result}. */
  | {
    readonly does: "call";
    readonly name: string;
    readonly args: Arguments;
    readonly then: string;
  }
  /** Ends, with a status for its parent. */
  | { readonly does: "exit"; readonly status: number };

/** What a step sees. */
export interface StepContext {
  /** The cycle at which the step happens. */
  readonly now: Cycle;
  readonly pid: number;
  readonly locals: Locals;
  /** Memory that processes share, by name. */
  readonly segments: ReadonlyMap<string, Locals>;
  /** What the last system call returned: negative numbers are errors (`errno`). */
  readonly result: SnapshotValue;
  /** The last system call's result as a number; an object or a string counts as 0. */
  readonly value: number;
}

/** One step of a program: looks at its process and says what it does next. */
export type Step = (context: StepContext) => Action;

/** A program that processes execute. */
export interface Program {
  readonly name: string;
  /** The first one is where it begins, unless whoever starts it says otherwise. */
  readonly steps: Readonly<Record<string, Step>>;
  /** What it looks like in memory; without it a process has the smallest image there is. */
  readonly image?: ProgramImage;
}

/** The size of a program in memory, in pages, and what it does before its first step. */
export interface ProgramImage {
  /** Pages of code and constant data, in its file and in its libraries. */
  readonly textPages: number;
  /** Pages of initialised data, copied at the first write. */
  readonly dataPages: number;
  /** Pages of heap and stack. */
  readonly heapPages: number;
}

/** A system call as an action. */
export function call(name: string, args: Arguments, then: string): Action {
  return { does: "call", name, args, then };
}

/** Computing as an action. */
export function compute(cycles: number, then: string): Action {
  return { does: "compute", cycles, then };
}

/** The end as an action. */
export function exit(status = 0): Action {
  return { does: "exit", status };
}

/** Programs by name: what makes processes out of plain data run. */
export class ProgramTable {
  readonly #programs = new Map<string, Program>();

  /** Makes a program known; the same one again changes nothing. Throws `RangeError` for a name that another has. */
  add(program: Program): void {
    const known = this.#programs.get(program.name);
    if (known === program) return;
    if (known) throw new RangeError(`there is a program ${program.name} already`);
    this.#programs.set(program.name, program);
  }

  /** Those that are known. */
  get all(): Program[] {
    return [...this.#programs.values()];
  }

  has(name: string): boolean {
    return this.#programs.has(name);
  }

  /** Throws `RangeError` if there is no such program. */
  get(name: string): Program {
    const program = this.#programs.get(name);
    if (program) return program;
    const names = [...this.#programs.keys()].join(", ") || "none";
    throw new RangeError(`there is no program ${name}; there are: ${names}`);
  }

  /** The step of that name, or the first one; throws `RangeError` if there is none. */
  step(name: string, step: string): Step {
    const { steps } = this.get(name);
    if (Object.hasOwn(steps, step)) return steps[step];
    const names = Object.keys(steps).join(", ");
    throw new RangeError(`program ${name} has no step ${step}; it has ${names}`);
  }

  /** Where `name` begins. */
  firstStep(name: string): string {
    return Object.keys(this.get(name).steps)[0];
  }
}
