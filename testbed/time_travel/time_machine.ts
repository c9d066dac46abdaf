/** A machine with its past: the operations of {@link TimeTravel}, during which nobody who listens is told what runs again. */

import type { Cycle, MachineClock } from "../../core/clock/clock.ts";
import type { Processors } from "../../core/x86/processors.ts";
import type {
  CheckpointView,
  ReverseOptions,
  RunOptions,
  StopReason,
  TimeTravel,
} from "../machine_api.ts";
import { reverseContinue, reverseStep, seek, type TimeTraveller } from "./time_travel.ts";
import type { Timeline } from "./timeline.ts";

/** What time travel needs of its machine. */
export interface TimeMachineParts {
  readonly name: string;
  readonly clock: MachineClock;
  readonly processors: Processors;
  readonly timeline: Timeline;
  /** Runs `body` as the machine's only run, quietly. Throws `TypeError` if one is under way. */
  quietly<Result>(body: () => Promise<Result>): Promise<Result>;
  /** Advances the machine within `quietly`. */
  advance(options: RunOptions): Promise<StopReason>;
  /** Lets `body` advance the machine over all stops of its debugger. */
  withoutStops<Result>(body: () => Promise<Result>): Promise<Result>;
}

/** See the module comment. */
export class TimeMachine implements TimeTravel, TimeTraveller {
  readonly #parts: TimeMachineParts;

  constructor(parts: TimeMachineParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  get timeline(): Timeline {
    return this.#parts.timeline;
  }

  get now(): Cycle {
    return this.#parts.clock.reached;
  }

  get waitingSince(): number | null {
    return this.#parts.processors.waitingSince;
  }

  get nextBoundary(): Cycle {
    return Math.max(this.now, this.#parts.processors.furthestCycle) + 1 as Cycle;
  }

  get checkpoints(): readonly CheckpointView[] {
    return this.timeline.checkpoints;
  }

  checkpoint(): CheckpointView {
    return this.timeline.take();
  }

  async seek(cycle: Cycle): Promise<void> {
    await this.#parts.quietly(() => seek(this, cycle));
  }

  async reverseStep(count = 1): Promise<void> {
    await this.#parts.quietly(async () => {
      for (let i = 0; i < count; i++) await reverseStep(this);
    });
  }

  async reverseContinue(options: ReverseOptions = {}): Promise<StopReason> {
    return await this.#parts.quietly(() => reverseContinue(this, options));
  }

  async rerun(untilCycle: Cycle): Promise<StopReason> {
    return await this.#parts.withoutStops(() => this.#parts.advance({ untilCycle }));
  }

  async rerunToHit(options: ReverseOptions, untilCycle: Cycle): Promise<StopReason> {
    return await this.#parts.advance({ ...options, untilCycle });
  }
}
