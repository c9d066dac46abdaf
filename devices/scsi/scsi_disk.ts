/**
 * A SCSI disk with tagged commands: it holds several at once and serves first the one that its heads reach first.
 *
 * It moves no bytes: who submits a command moves them (or only a reference to them) when it is done. With its write cache
 * on, a write is done when the buffer has it, and reaches the surface later; writes of the same sectors become one.
 */

import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { SECTOR_BYTES } from "../disk/disk_image.ts";
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
  /** Its submitter has been told already: the buffer has it. */
  readonly cached: boolean;
}

/** A command that needs no moving part, and when it is done. */
interface Buffered {
  readonly command: DiskCommand;
  readonly doneNs: number;
}

/** How a disk is plugged in. */
export interface ScsiDiskOptions {
  readonly clock: Clock;
  /** Names its timer. */
  readonly name: string;
  readonly model: DiskModel;
  /** Default: off. */
  readonly writeCache?: boolean;
  readonly completed: (command: DiskCommand) => void;
}

/** A command that waits as long as this is served before nearer ones, in nanoseconds. */
const PATIENCE_NS = 250_000_000;

/** Writes stay in the buffer so long, in nanoseconds, or until they are this part of it: later ones join them. */
const LINGER_NS = 500_000_000;
const LINGER_PART = 1 / 4;

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
  readonly #bufferTimer: Timer;
  readonly #lingerTimer: Timer;
  #queue: Waiting[] = [];
  #serving: Waiting | null = null;
  /** Oldest first: the bus carries one after the other. */
  #buffered: Buffered[] = [];

  constructor(options: ScsiDiskOptions) {
    this.#options = options;
    this.geometry = new ZonedGeometry(options.model);
    this.#mechanics = new DiskMechanics(this.geometry);
    const { clock, name } = options;
    this.#timer = clock.createTimer(`disk.${name}`, () => this.#complete());
    this.#lingerTimer = clock.createTimer(`disk.${name}.linger`, () => this.#next());
    this.#bufferTimer = clock.createTimer(`disk.${name}.buffer`, () => this.#completeBuffered());
  }

  /** How many commands it would take now. */
  get room(): number {
    const serving = this.#serving && !this.#serving.cached ? 1 : 0;
    const waiting = this.#queue.filter(({ cached }) => !cached).length;
    return Math.max(0, this.#options.model.tags - waiting - serving - this.#buffered.length);
  }

  /** Bytes that only the buffer has. */
  get cachedBytes(): number {
    const waiting = this.#queue.filter(({ cached }) => cached);
    const serving = this.#serving?.cached ? this.#serving.count : 0;
    return waiting.reduce((sum, { count }) => sum + count, serving) * SECTOR_BYTES;
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
    const { model, writeCache = false } = this.#options;
    const cached = writeCache && command.write &&
      this.cachedBytes + count * SECTOR_BYTES <= model.bufferBytes * 7 / 8;
    if (cached || (!command.write && this.#isCached(command))) this.#answerFromBuffer(command);
    if (!command.write && this.#isCached(command)) return;
    if (cached) this.#queue = this.#queue.filter((each) => !isRewritten(each, command));
    this.#queue.push({ ...command, sinceNs: this.#nowNs, cached });
    this.#next();
  }

  save(): SnapshotRecord {
    const state = {
      queue: this.#queue.map((each) => ({ ...each })),
      buffered: this.#buffered.map(({ command, doneNs }) => ({ command: { ...command }, doneNs })),
      serving: this.#serving && { ...this.#serving },
      mechanics: this.#mechanics.save() as unknown as SnapshotRecord["state"],
      counters: { ...this.counters },
    };
    return { kind: "scsiDisk", version: 1, state };
  }

  /** The timer is restored by the clock's own record. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "scsiDisk", 1);
    this.#queue = (state.queue as unknown as Waiting[]).map((each) => ({ ...each }));
    this.#serving = state.serving as unknown as Waiting | null;
    this.#buffered = [...state.buffered as unknown as Buffered[]];
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
    const place = this.#choose(now);
    if (place < 0) return this.#linger();
    const [chosen] = this.#queue.splice(place, 1);
    const command = chosen.cached ? this.#gather(chosen) : chosen;
    this.#serving = command;
    const { sector, count, write } = command;
    const done = this.#mechanics.serve(now, sector, count, write);
    this.#count(command, done - now);
    this.#timer.armAt(this.#cycleOf(done));
  }

  /** Nothing is served before the oldest write in the buffer has lingered there. */
  #linger(): void {
    this.#lingerTimer.armAt(this.#cycleOf(this.#queue[0].sinceNs + LINGER_NS));
  }

  #cycleOf(ns: number): Cycle {
    return Math.ceil(ns * (this.#options.clock.frequencyHz / 1e9)) as Cycle;
  }

  /** A write from the buffer, and those that touch it: the surface gets them in one go. */
  #gather(command: Waiting): Waiting {
    let first = command.sector;
    let end = first + command.count;
    for (;;) {
      const next = this.#queue.findIndex(({ cached, sector, count }) =>
        cached && sector <= end && sector + count >= first
      );
      if (next < 0) return { ...command, sector: first, count: end - first };
      const [{ sector, count }] = this.#queue.splice(next, 1);
      first = Math.min(first, sector);
      end = Math.max(end, sector + count);
    }
  }

  /** The index of the command to serve: the nearest, unless the oldest has waited too long; -1 if none is due. */
  #choose(now: number): number {
    const oldest = this.#queue.findIndex(({ cached }) => !cached);
    if (oldest >= 0 && now - this.#queue[oldest].sinceNs > PATIENCE_NS) return oldest;
    const isFull = this.cachedBytes >= this.#options.model.bufferBytes * LINGER_PART;
    const withCached = isFull || now - this.#queue[0].sinceNs >= LINGER_NS;
    // The buffer's writes go in the order in which they came, each with all that touches it: so streams stay whole.
    if (oldest < 0) return withCached ? 0 : -1;
    let best = -1;
    let least = Infinity;
    for (const [index, { sector, count, write, cached }] of this.#queue.entries()) {
      if (cached && !withCached) continue;
      const buffered = !write && this.#mechanics.isBuffered(sector, count);
      const cost = buffered ? 0 : this.#mechanics.positioningNs(now, sector, write);
      if (cost < least) [best, least] = [index, cost];
    }
    return best;
  }

  #complete(): void {
    const command = this.#serving!;
    this.#serving = null;
    this.#next();
    const { tag, sector, count, write } = command;
    if (!command.cached) this.#options.completed({ tag, sector, count, write });
  }

  /** Whether a write of just these sectors or more is in the buffer. */
  #isCached({ sector, count }: DiskCommand): boolean {
    return this.#queue.some((each) =>
      each.cached && each.sector <= sector && sector + count <= each.sector + each.count
    );
  }

  #answerFromBuffer(command: DiskCommand): void {
    const { model } = this.#options;
    const last = this.#buffered.at(-1)?.doneNs ?? 0;
    const busNs = command.count * SECTOR_BYTES * 1e9 / model.busBytesPerSecond;
    const doneNs = Math.max(this.#nowNs + model.commandNs, last) + busNs;
    this.#buffered.push({ command, doneNs });
    if (this.#buffered.length === 1) this.#armBuffer();
  }

  #armBuffer(): void {
    const { clock } = this.#options;
    const [first] = this.#buffered;
    if (first) {
      this.#bufferTimer.armAt(Math.ceil(first.doneNs * (clock.frequencyHz / 1e9)) as Cycle);
    }
  }

  #completeBuffered(): void {
    const { command } = this.#buffered.shift()!;
    this.#armBuffer();
    if (command.write === false) this.#count(command, 0);
    this.#options.completed(command);
  }

  #count({ count, write }: DiskCommand, busyNs: number): void {
    this.counters[write ? "writes" : "reads"]++;
    this.counters[write ? "writtenSectors" : "readSectors"] += count;
    this.counters.busyNs += busyNs;
  }
}

/** Whether `earlier`, still in the buffer, is overwritten as a whole by `later`. */
function isRewritten(earlier: Waiting, later: DiskCommand): boolean {
  return earlier.cached && later.sector <= earlier.sector &&
    earlier.sector + earlier.count <= later.sector + later.count;
}
