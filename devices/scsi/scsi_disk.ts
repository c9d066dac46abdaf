/**
 * A SCSI disk with tagged commands: it holds several at once and serves first the one that its heads reach first.
 *
 * It moves no bytes: who submits a command moves them (or only a reference to them) when it is done. Its own write cache is
 * off: a write is done when the surface has it. `raid_controller.ts` has a cache.
 */

import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { type DiskModel, ZonedGeometry } from "./geometry.ts";
import { DiskMechanics, type MechanicsState } from "./mechanics.ts";

/** A command; the tag is the submitter's. */
export interface DiskCommand {
  readonly tag: number;
  readonly sector: number;
  /** In sectors, at least 1. */
  readonly count: number;
  readonly write: boolean;
}

/** What went through a disk. */
export interface DiskCounters {
  reads: number;
  writes: number;
  readSectors: number;
  writtenSectors: number;
  /** Time in which a command was served, in nanoseconds. */
  busyNs: number;
}

interface Waiting extends DiskCommand {
  readonly sinceNs: number;
}

/** How a disk is plugged in. */
export interface ScsiDiskOptions {
  readonly clock: Clock;
  /** Names its timer. */
  readonly name: string;
  readonly model: DiskModel;
  readonly completed: (command: DiskCommand) => void;
}

/** A command that waits as long as this is served before nearer ones, in nanoseconds. */
const PATIENCE_NS = 250_000_000;

/** See the module comment. */
export class ScsiDisk implements Snapshot {
  readonly geometry: ZonedGeometry;
  readonly counters: DiskCounters = {
    reads: 0,
    writes: 0,
    readSectors: 0,
    writtenSectors: 0,
    busyNs: 0,
  };
  readonly #options: ScsiDiskOptions;
  readonly #mechanics: DiskMechanics;
  readonly #timer: Timer;
  #queue: Waiting[] = [];
  #serving: Waiting | null = null;

  constructor(options: ScsiDiskOptions) {
    this.#options = options;
    this.geometry = new ZonedGeometry(options.model);
    this.#mechanics = new DiskMechanics(this.geometry);
    const { clock, name } = options;
    this.#timer = clock.createTimer(`disk.${name}`, () => this.#complete());
  }

  /** How many commands it would take now. */
  get room(): number {
    return this.#options.model.tags - this.#queue.length - (this.#serving ? 1 : 0);
  }

  /** Takes a command; throws `RangeError` for sectors it does not have, or if its queue is full. */
  submit(command: DiskCommand): void {
    const { sector, count, tag } = command;
    if (!(sector >= 0 && count > 0 && sector + count <= this.geometry.sectorCount)) {
      throw new RangeError(
        `sectors ${sector} to ${
          sector + count
        } are not within the disk's ${this.geometry.sectorCount}`,
      );
    }
    if (this.room === 0) throw new RangeError(`the disk's queue is full: no room for tag ${tag}`);
    this.#queue.push({ ...command, sinceNs: this.#nowNs });
    this.#next();
  }

  save(): SnapshotRecord {
    const state = {
      queue: this.#queue.map((each) => ({ ...each })),
      serving: this.#serving && { ...this.#serving },
      mechanics: this.#mechanics.save() as unknown as SnapshotRecord["state"],
      counters: { ...this.counters },
    };
    return { kind: "scsiDisk", version: 2, state };
  }

  /** The timer is restored by the clock's own record. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "scsiDisk", 2);
    this.#queue = (state.queue as unknown as Waiting[]).map((each) => ({ ...each }));
    this.#serving = state.serving as unknown as Waiting | null;
    this.#mechanics.restore(state.mechanics as unknown as MechanicsState);
    Object.assign(this.counters, state.counters);
  }

  get #nowNs(): number {
    const { clock } = this.#options;
    return clock.now * (1e9 / clock.frequencyHz);
  }

  /** Serves the next command, if there is one and nothing is being served. */
  #next(): void {
    const now = this.#nowNs;
    if (this.#serving || this.#queue.length === 0) return;
    const [command] = this.#queue.splice(this.#choose(now), 1);
    this.#serving = command;
    const { sector, count, write } = command;
    const done = this.#mechanics.serve(now, sector, count, write);
    this.#count(command, done - now);
    this.#timer.armAt(Math.ceil(done * (this.#options.clock.frequencyHz / 1e9)) as Cycle);
  }

  /** The index of the command to serve: the nearest, unless the oldest has waited too long. */
  #choose(now: number): number {
    if (now - this.#queue[0].sinceNs > PATIENCE_NS) return 0;
    let best = 0;
    let least = Infinity;
    for (const [index, { sector, count, write }] of this.#queue.entries()) {
      const buffered = !write && this.#mechanics.isBuffered(sector, count);
      const cost = buffered ? 0 : this.#mechanics.positioningNs(now, sector, write);
      if (cost < least) [best, least] = [index, cost];
    }
    return best;
  }

  #complete(): void {
    const { tag, sector, count, write } = this.#serving!;
    this.#serving = null;
    this.#next();
    this.#options.completed({ tag, sector, count, write });
  }

  #count({ count, write }: DiskCommand, busyNs: number): void {
    this.counters[write ? "writes" : "reads"]++;
    this.counters[write ? "writtenSectors" : "readSectors"] += count;
    this.counters.busyNs += busyNs;
  }
}
