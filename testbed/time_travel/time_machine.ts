/** A machine with its past: the operations of {@link TimeTravel}, during which nobody who listens is told what runs again. */

import type { Cycle, MachineClock } from "../../core/clock/clock.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { Processors } from "../../core/x86/processors.ts";
import type {
  CheckpointView,
  ReverseOptions,
  RunOptions,
  StopReason,
  TimeTravel,
  WriteRecord,
} from "../machine_api.ts";
import type { StopHit } from "../debugger/stop_conditions.ts";
import { frameNumber, lastWrite, type WriteSearch } from "./last_write.ts";
import { reverseContinue, reverseStep, seek, type TimeTraveller } from "./time_travel.ts";
import type { Timeline } from "./timeline.ts";

/** Longest place whose last write is looked for: a page. */
const MAX_WATCHED_BYTES = 4096;

/** Somebody who tells others what a machine does. */
export interface Teller {
  /** Whether nobody is told: what happens has happened before. */
  muted: boolean;
}

/** What time travel needs of its machine. */
export interface TimeMachineParts {
  readonly name: string;
  readonly clock: MachineClock;
  readonly processors: Processors;
  readonly timeline: Timeline;
  readonly memory: MachineMemory;
  readonly search: Omit<WriteSearch, "frameOf">;
  /** Runs `body` as the machine's only run. Throws `TypeError` if one is under way. */
  exclusively<Result>(body: () => Promise<Result>): Promise<Result>;
  /** Those who tell others what the machine does; not all need be there. */
  tellers(): readonly (Teller | undefined)[];
  /** Advances the machine within `exclusively`. */
  advance(options: RunOptions): Promise<StopReason>;
  /** Somebody is told that the machine has stopped at these. */
  stoppedAt(hits: readonly StopHit[]): void;
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
    await this.#quietly(() => seek(this, cycle));
  }

  async reverseStep(count = 1): Promise<void> {
    await this.#quietly(async () => {
      for (let i = 0; i < count; i++) await reverseStep(this);
    });
  }

  async reverseContinue(options: ReverseOptions = {}): Promise<StopReason> {
    const stop = await this.#quietly(() => reverseContinue(this, options));
    if (stop.kind === "breakpoint") this.#parts.stoppedAt(stop.hits);
    return stop;
  }

  async lastWrite(address: PhysicalAddress, bytes = 1): Promise<WriteRecord | null> {
    const { memory, search } = this.#parts;
    const { ramBase } = memory.plan;
    const frameOf = (at: PhysicalAddress) => frameNumber(memory.readableLinear(at), ramBase);
    if (
      !(bytes >= 1 && bytes <= MAX_WATCHED_BYTES && memory.readableLinear(address + bytes - 1) >= 0)
    ) {
      throw new RangeError(
        `no RAM of 1 to ${MAX_WATCHED_BYTES} bytes at ${address}, length ${bytes}`,
      );
    }
    return await this.#quietly(() => lastWrite(this, { ...search, frameOf }, address, bytes));
  }

  async rerun(untilCycle: Cycle): Promise<StopReason> {
    return await this.#parts.withoutStops(() => this.#parts.advance({ untilCycle }));
  }

  async rerunToHit(options: ReverseOptions, untilCycle: Cycle): Promise<StopReason> {
    return await this.#parts.advance({ ...options, untilCycle });
  }

  async #quietly<Result>(body: () => Promise<Result>): Promise<Result> {
    return await this.#parts.exclusively(async () => {
      const tellers = this.#parts.tellers().filter((teller) => teller !== undefined);
      for (const teller of tellers) teller.muted = true;
      try {
        return await body();
      } finally {
        for (const teller of tellers) teller.muted = false;
      }
    });
  }
}
