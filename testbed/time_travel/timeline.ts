/**
 * The past of one machine: checkpoints in memory, and the inputs since the oldest of them.
 *
 * A checkpoint copies no RAM (see core/memory/frame_history.ts) and costs little of anything else. When the automatic ones
 * need more memory than they were given, those go whose absence is felt least: the older the past, the wider apart.
 */

import type { Cycle } from "../../core/clock/clock.ts";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import { FrameHistory, type FrameTable } from "../../core/memory/frame_history.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { Processors } from "../../core/x86/processors.ts";
import { InputJournal } from "../replay/input_journal.ts";

/** How far CPUs have come, each by itself. */
export interface CpuProgress extends Pick<Processors, "cycleOf"> {
  readonly cpus: readonly { readonly index: number }[];
}

/** What a timeline needs of its machine. */
export interface TimelineParts {
  readonly clock: { readonly reached: Cycle };
  readonly processors: CpuProgress & Pick<Processors, "firstEnd">;
  readonly memory: MachineMemory;
  readonly state: {
    /** Everything but RAM. */
    saveParts(): SnapshotRecord["state"];
    restoreParts(state: SnapshotRecord["state"]): void;
  };
  /** Told that the machine is elsewhere: what the journal has for the present cycle is to be done. */
  restored(): void;
}

/** An instant to which the machine can go back. */
export interface Checkpoint {
  readonly cycle: Cycle;
}

interface SavedInstant extends Checkpoint {
  readonly state: SnapshotRecord["state"];
  readonly frames: FrameTable;
  /** Inputs that the machine had had. */
  readonly had: number;
  /** How far all its CPUs together had come: within a turn, cycles alone do not tell instants apart. */
  readonly progress: number;
  /** The first cycle that can be sought from here. */
  readonly firstEnd: number;
}

/** Distance of two automatic checkpoints, in cycles. */
const EVERY_CYCLES = 50_000_000;
/** What a checkpoint's parts are reckoned to take besides RAM, in bytes. */
const PARTS_BYTES = 128 * 1024;

/** See the module comment. */
export class Timeline {
  readonly journal = new InputJournal();
  readonly #machine: TimelineParts;
  #history: FrameHistory | null = null;
  /** Oldest first. */
  readonly #instants: SavedInstant[] = [];
  #working: SavedInstant | null = null;
  /** Memory that automatic checkpoints may take, in bytes; 0 if there are none. */
  readonly #budgetBytes: number;
  #nextCycle: number;

  /** `budgetBytes` is for automatic checkpoints, one in `everyCycles`; 0 for none. */
  constructor(
    machine: TimelineParts,
    budgetBytes: number,
    private readonly everyCycles = EVERY_CYCLES,
  ) {
    this.#machine = machine;
    this.#budgetBytes = budgetBytes;
    this.#nextCycle = budgetBytes > 0 ? 0 : Infinity;
  }

  get checkpoints(): readonly Checkpoint[] {
    return this.#instants;
  }

  /** Bytes that the checkpoints take. */
  get keptBytes(): number {
    return (this.#history?.keptBytes ?? 0) + this.#instants.length * PARTS_BYTES;
  }

  /** Takes an automatic checkpoint if it is time. */
  tick(): void {
    const { reached: now } = this.#machine.clock;
    if (now < this.#nextCycle) return;
    this.#nextCycle = now + this.everyCycles;
    this.take();
    while (this.keptBytes > this.#budgetBytes && this.#instants.length > 2) this.#dropOne();
  }

  /** Makes the present an instant to go back to, unless it is one already. */
  take(): Checkpoint {
    const { memory, state, processors, clock: { reached: now } } = this.#machine;
    const { firstEnd } = processors;
    const progress = progressOf(processors);
    const { had } = this.journal;
    const same = this.#instants.find((instant) =>
      instant.cycle === now && instant.progress === progress && instant.had === had
    );
    if (same) return same;
    const history = this.#history ??= new FrameHistory(memory);
    const instant = {
      cycle: now,
      state: state.saveParts(),
      frames: history.take(),
      had,
      progress,
      firstEnd,
    };
    this.#instants.splice(
      this.#instants.findLastIndex((each) => this.#isPast(each)) + 1,
      0,
      instant,
    );
    return instant;
  }

  /** As {@link take}, for a checkpoint that the next working one replaces. */
  takeWorking(): Checkpoint {
    const known = this.#instants.length;
    const taken = this.take() as SavedInstant;
    if (this.#instants.length === known) return taken;
    const old = this.#working === null ? -1 : this.#instants.indexOf(this.#working);
    if (old >= 0) this.#release(old);
    return this.#working = taken;
  }

  /** The latest checkpoint from which `cycle` can be sought. */
  latest(cycle: number): SavedInstant | undefined {
    return this.#instants.findLast((instant) =>
      instant.cycle <= cycle && instant.firstEnd <= cycle
    );
  }

  /** The machine becomes what it was then; later checkpoints and inputs stay. */
  goTo(checkpoint: Checkpoint): void {
    const { state, frames, had } = checkpoint as SavedInstant;
    this.#history!.restore(frames);
    this.#machine.state.restoreParts(state);
    this.journal.goTo(had);
    this.#machine.restored();
    if (this.#budgetBytes > 0) this.#nextCycle = this.#endOfSteps();
  }

  /** Gives a checkpoint up. */
  drop(checkpoint: Checkpoint): void {
    const index = this.#instants.indexOf(checkpoint as SavedInstant);
    if (index >= 0) this.#release(index);
  }

  /** Whether frame `frame` (in the order of linear memory) may have been stored to between two checkpoints. */
  mayDiffer(from: Checkpoint, to: Checkpoint, frame: number): boolean {
    const content = (checkpoint: Checkpoint) => (checkpoint as SavedInstant).frames.contents[frame];
    return content(from) !== content(to);
  }

  /** The machine is given something that its future does not know of: that future is given up. */
  fork(): void {
    if (!this.journal.hasFuture && this.#isLatest()) return;
    this.journal.forgetFuture();
    while (!this.#isLatest()) {
      this.#release(this.#instants.length - 1);
    }
    if (this.#budgetBytes > 0) this.#nextCycle = this.#endOfSteps();
  }

  /** The machine was replaced by another one: nothing is known of how it came about. */
  forget(): void {
    while (this.#instants.length > 0) this.#release(this.#instants.length - 1);
    this.journal.clear();
    if (this.#budgetBytes > 0) this.#nextCycle = 0;
  }

  #isLatest(): boolean {
    const last = this.#instants.at(-1);
    return last === undefined || (this.#isPast(last) && last.had <= this.journal.had);
  }

  /** Whether an instant is the present one or before it. */
  #isPast({ progress, cycle }: SavedInstant): boolean {
    const { clock, processors } = this.#machine;
    const present = progressOf(processors);
    return progress < present || (progress === present && cycle <= clock.reached);
  }

  /** Where the next automatic checkpoint is due: after all that are there. */
  #endOfSteps(): number {
    return (this.#instants.at(-1)?.cycle ?? 0) + this.everyCycles;
  }

  /** Drops the checkpoint without which the widest new gap, in terms of how long ago it is, is least. */
  #dropOne(): void {
    const { reached: now } = this.#machine.clock;
    let [best, least] = [1, Infinity];
    for (let i = 1; i < this.#instants.length - 1; i++) {
      const [from, to] = [this.#instants[i - 1].cycle, this.#instants[i + 1].cycle];
      const gap = (to - from) / (now - from + this.everyCycles);
      if (gap < least) [best, least] = [i, gap];
    }
    this.#release(best);
  }

  #release(index: number): void {
    const [instant] = this.#instants.splice(index, 1);
    this.#history!.release(instant.frames);
  }
}

/**
 * Grows with whatever one of several CPUs does or waits, and so orders the instants of a turn, whose cycles overlap. Those
 * of a machine with one CPU are in the order of their cycles.
 */
export function progressOf(processors: CpuProgress): number {
  const { cpus } = processors;
  if (cpus.length === 1) return 0;
  return cpus.reduce((sum, { index }) => sum + processors.cycleOf(index), 0);
}
