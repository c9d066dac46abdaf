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
import { reverseContinue, reverseStep, seek } from "./time_travel.ts";
import { type CpuTraveller, reverseCpuStep } from "./cpu_steps.ts";
import { progressOf, type Timeline } from "./timeline.ts";

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
  /** Lets `body` advance the machine to the next boundary of a CPU at or after a cycle of its own. */
  awaiting<Result>(cpu: number, cycle: number, body: () => Promise<Result>): Promise<Result>;
  /** Lets `body` advance the machine over all stops of its debugger. */
  withoutStops<Result>(body: () => Promise<Result>): Promise<Result>;
}

/** See the module comment. */
export class TimeMachine implements TimeTravel, CpuTraveller {
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

  get progress(): number {
    return progressOf(this.#parts.processors);
  }

  get furthestCycle(): number {
    return this.#parts.processors.furthestCycle;
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

  async reverseStep(count = 1, cpu = 0): Promise<void> {
    const { name, processors: { cpus } } = this.#parts;
    if (!cpus[cpu]) throw new RangeError(`machine ${name} has no CPU ${cpu}`);
    await this.#quietly(async () => {
      for (let i = 0; i < count; i++) {
        await (cpus.length === 1 ? reverseStep(this) : reverseCpuStep(this, cpu));
      }
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

  cycleOf(cpu: number): number {
    return this.#parts.processors.cycleOf(cpu);
  }

  async rerunCpu(cpu: number, cycle: number, limit: Cycle): Promise<void> {
    const { awaiting } = this.#parts;
    for (let before = -1; this.cycleOf(cpu) < cycle && this.progress > before;) {
      before = this.progress;
      await awaiting(cpu, cycle, () => this.rerun(limit));
    }
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
