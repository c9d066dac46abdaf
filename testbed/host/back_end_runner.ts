/**
 * Runs back ends that are placed in the hypervisor: what was woken works in bounded steps, a little later.
 *
 * A step never runs inside the event that called for it: a back end may be called in the middle of a guest's hypercall,
 * and answers as another CPU would, after a fixed time.
 */

import type { Cycle, MachineClock, Timer } from "../../core/clock/clock.ts";
import type { Stepper } from "../../devices/work.ts";

/** From the wake-up of a back end to its first step, and from step to step, in cycles. */
const STEP_CYCLES = 2000;

/** The back ends of one host that have something to do. */
export class BackEndRunner {
  readonly #clock: MachineClock;
  readonly #timer: Timer;
  /** In the order in which they were woken. */
  readonly #woken = new Set<Stepper>();

  constructor(clock: MachineClock) {
    this.#clock = clock;
    this.#timer = clock.createTimer("host.backEnds", () => this.#run());
  }

  /** `stepper` has something to do. */
  wake(stepper: Stepper): void {
    this.#woken.add(stepper);
    if (this.#timer.deadline === null) this.#arm();
  }

  /** `stepper` is gone. */
  forget(stepper: Stepper): void {
    this.#woken.delete(stepper);
  }

  #run(): void {
    const now = [...this.#woken];
    this.#woken.clear();
    for (const stepper of now) if (stepper.step().more) this.#woken.add(stepper);
    if (this.#woken.size > 0) this.#arm();
  }

  #arm(): void {
    this.#timer.armAt(this.#clock.now + STEP_CYCLES as Cycle);
  }
}
