/**
 * Back ends as tasks of a driver domain: whoever has work waits for its turn, takes one bounded step,
 * and the virtual CPU that ran it pays.
 *
 * Wiring: `service.add(name, stepper)` answers the stepper's `wake`; a model executor's program registry
 * knows {@link backEndProgram}, and one task of it runs on the driver domain's virtual CPU.
 */

import type { Cycles } from "../../core/clock/clock.ts";
import type { Program } from "../../core/hypervisor/executors/model_program.ts";
import { invariant } from "../../core/lib/assert.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { Stepper, WorkDone } from "../work.ts";

/** The name of the program, of its first step, and of the signal that there is work. */
export const BACK_ENDS = { program: "back ends", step: "serve", signal: "work" } as const;

/** What a driver domain's tasks work for. */
export class BackEndService implements Snapshot {
  readonly #steppers = new Map<string, Stepper>();
  /** Who has work, in the order in which they said so. */
  readonly #waiting = new Set<string>();

  /**
   * `bill` prices what a step did and writes it down; `signal` tells the driver domain's task that there
   * is work.
   */
  constructor(
    private readonly bill: (done: WorkDone) => Cycles,
    private readonly signal: () => void,
  ) {}

  /** Makes a stepper known under a name; answers how to say that it has work. */
  add(name: string, stepper: Stepper): () => void {
    invariant(!this.#steppers.has(name), `two back ends named ${name}`);
    this.#steppers.set(name, stepper);
    return () => this.wake(name);
  }

  /** Forgets a stepper and its work. */
  remove(name: string): void {
    this.#steppers.delete(name);
    this.#waiting.delete(name);
  }

  /** The stepper of that name has work. */
  wake(name: string): void {
    this.#waiting.add(name);
    this.signal();
  }

  /** Lets the one that waits longest take a step; answers what it cost, or `null` if nobody waits. */
  serve(): Cycles | null {
    const [name] = this.#waiting;
    if (name === undefined) return null;
    this.#waiting.delete(name);
    const stepper = this.#steppers.get(name);
    if (!stepper) return 0 as Cycles;
    const { done, more } = stepper.step();
    if (more) this.#waiting.add(name);
    return this.bill(done);
  }

  save(): SnapshotRecord {
    return { kind: "backEndService", version: 1, state: { waiting: [...this.#waiting] } };
  }

  /** The back ends themselves are restored by their own records. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "backEndService", 1);
    this.#waiting.clear();
    for (const name of state.waiting as readonly string[]) this.#waiting.add(name);
  }
}

/** The task of a driver domain: serve while there is work, then wait for more. */
export const backEndProgram: Program<BackEndService> = {
  name: BACK_ENDS.program,
  steps: {
    [BACK_ENDS.step]: ({ port }) => {
      const cycles = port.serve();
      return cycles === null
        ? { does: "wait", event: BACK_ENDS.signal, then: BACK_ENDS.step }
        : { does: "compute", cycles, then: BACK_ENDS.step };
    },
  },
};
