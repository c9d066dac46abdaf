/**
 * A RAID controller with a write-back cache, in front of one disk: a write is done when the cache has it, and reaches the
 * surface later, in sweeps over the disk, together with all that joined it meanwhile.
 *
 * As {@link ScsiDisk} it moves no bytes. The cache is one of lines of 4 KiB, kept by stripes of 64 KiB.
 */

import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { SECTOR_BYTES } from "../disk/disk_image.ts";
import type { DiskModel, ZonedGeometry } from "./geometry.ts";
import { type DiskCommand, type DiskCounters, ScsiDisk } from "./scsi_disk.ts";

/** A controller's memory and electronics. Times in nanoseconds. */
export interface ControllerModel {
  readonly name: string;
  /** For writes that are not on the disk yet. */
  readonly cacheBytes: number;
  /** Between a command and its answer, if no moving part takes part. */
  readonly commandNs: number;
  /** Of the host's bus, in bytes per second. */
  readonly busBytesPerSecond: number;
  /** Commands that it holds. */
  readonly commands: number;
  /** What is in the cache goes to the disk after so long, or as soon as it is more than this part of the cache. */
  readonly lingerNs: number;
  readonly lingerPart: number;
}

/**
 * Dell's PERC 3/Di, embedded in the PowerEdge 2650: 128 MB with a battery, on a bus of 64 bits and 66 MHz. Xen of 2003 has its driver
 * (`xen/drivers/scsi/aacraid`). Supposed: how long a command takes, and when its cache is written back.
 */
export const PERC_3_DI: ControllerModel = {
  name: "PERC 3/Di",
  cacheBytes: 128 << 20,
  commandNs: 100_000,
  busBytesPerSecond: 528_000_000,
  commands: 100,
  lingerNs: 500_000_000,
  lingerPart: 1 / 4,
};

/** How a controller is plugged in. */
export interface RaidControllerOptions {
  readonly clock: Clock;
  /** Names timers. */
  readonly name: string;
  readonly model: DiskModel;
  readonly controller: ControllerModel;
  readonly completed: (command: DiskCommand) => void;
}

/** A command that needs no moving part, and when it is done. */
interface Answer {
  readonly command: DiskCommand;
  readonly doneNs: number;
}

/** What only the cache has of a stripe. */
interface Stripe {
  /** A bit for each line. */
  lines: number;
  /** The oldest of them came then. */
  readonly sinceNs: number;
}

const LINE_SECTORS = 8;
const STRIPE_LINES = 16;
/** Lines that go to the disk in one command at most, and such commands at a time. */
const SWEEP_LINES = 64;
const SWEEP_COMMANDS = 16;
/** Tags of the disk's commands from here on are the controller's own. */
const OWN_TAGS = 2 ** 40;

/** See the module comment. */
export class RaidController implements Snapshot {
  readonly disk: ScsiDisk;
  readonly #options: RaidControllerOptions;
  readonly #answerTimer: Timer;
  readonly #lingerTimer: Timer;
  /** By number, the oldest first. */
  #stripes = new Map<number, Stripe>();
  /** Their numbers in order. */
  #sorted: number[] = [];
  /** Lines in the cache: those of stripes, and those on their way to the disk. */
  #dirtyLines = 0;
  /** Commands to the disk by the controller's own tags: lines that they write. */
  readonly #sweeping = new Map<number, number>();
  /** Where the sweep goes on. */
  #sweepAt = 0;
  #nextTag = OWN_TAGS;
  /** Oldest first: the bus carries one after the other. */
  #answers: Answer[] = [];
  /** Writes for which the cache has no room yet. */
  #waiting: DiskCommand[] = [];
  /** Reads that the disk has. */
  #reading = 0;

  constructor(options: RaidControllerOptions) {
    this.#options = options;
    const { clock, name, model } = options;
    this.disk = new ScsiDisk({
      clock,
      name,
      model,
      completed: (command) => this.#diskDone(command),
    });
    this.#answerTimer = clock.createTimer(`raid.${name}.answer`, () => this.#answered());
    this.#lingerTimer = clock.createTimer(`raid.${name}.linger`, () => this.#sweep());
  }

  get geometry(): ZonedGeometry {
    return this.disk.geometry;
  }

  /** What went through the disk itself. */
  get counters(): DiskCounters {
    return this.disk.counters;
  }

  /** How many commands it would take now. */
  get room(): number {
    const held = this.#answers.length + this.#waiting.length + this.#reading;
    const reads = this.disk.room - (SWEEP_COMMANDS - this.#sweeping.size);
    return Math.max(0, Math.min(this.#options.controller.commands - held, reads));
  }

  /** Bytes that only the cache has. */
  get cachedBytes(): number {
    return this.#dirtyLines * LINE_SECTORS * SECTOR_BYTES;
  }

  /** Takes a command; throws `RangeError` for sectors that the disk does not have, or if there is no room. */
  submit(command: DiskCommand): void {
    const { sector, count, tag, write } = command;
    const { sectorCount } = this.geometry;
    if (!(sector >= 0 && count > 0 && sector + count <= sectorCount)) {
      throw new RangeError(
        `sectors ${sector} to ${sector + count} are not within the disk's ${sectorCount}`,
      );
    }
    if (this.room === 0) throw new RangeError(`the disk's queue is full: no room for tag ${tag}`);
    if (write) {
      this.#waiting.push(command);
      this.#takeWrites();
    } else if (this.#isCached(command)) this.#answer(command);
    else {
      this.#reading++;
      this.disk.submit(command);
    }
  }

  save(): SnapshotRecord {
    const state = {
      disk: this.disk.save() as unknown as SnapshotRecord["state"],
      stripes: [...this.#stripes].map(([number, stripe]) => [number, { ...stripe }]),
      sweeping: [...this.#sweeping],
      sweepAt: this.#sweepAt,
      nextTag: this.#nextTag,
      answers: this.#answers.map(({ command, doneNs }) => ({ command: { ...command }, doneNs })),
      waiting: this.#waiting.map((each) => ({ ...each })),
      reading: this.#reading,
    };
    return { kind: "raidController", version: 1, state: state as SnapshotRecord["state"] };
  }

  /** Timers are restored by the clock's own record. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "raidController", 1) as unknown as Saved;
    this.disk.restore(state.disk);
    this.#stripes = new Map(state.stripes.map(([number, stripe]) => [number, { ...stripe }]));
    this.#sorted = [...this.#stripes.keys()].sort((a, b) => a - b);
    this.#sweeping.clear();
    for (const [tag, lines] of state.sweeping) this.#sweeping.set(tag, lines);
    this.#dirtyLines = 0;
    for (const { lines } of this.#stripes.values()) this.#dirtyLines += linesIn(lines);
    for (const lines of this.#sweeping.values()) this.#dirtyLines += lines;
    this.#sweepAt = state.sweepAt;
    this.#nextTag = state.nextTag;
    this.#answers = [...state.answers];
    this.#waiting = [...state.waiting];
    this.#reading = state.reading;
  }

  get #nowNs(): number {
    const { clock } = this.#options;
    return clock.now * (1e9 / clock.frequencyHz);
  }

  /** The cache takes writes in their order while it has room. */
  #takeWrites(): void {
    const { cacheBytes } = this.#options.controller;
    while (this.#waiting.length > 0) {
      const [command] = this.#waiting;
      const { sector, count } = command;
      if (this.cachedBytes > 0 && this.cachedBytes + count * SECTOR_BYTES > cacheBytes) break;
      this.#waiting.shift();
      const end = Math.ceil((sector + count) / LINE_SECTORS);
      for (let line = Math.floor(sector / LINE_SECTORS); line < end; line++) this.#dirty(line);
      this.#answer(command);
    }
    this.#sweep();
  }

  #dirty(line: number): void {
    const number = Math.floor(line / STRIPE_LINES);
    const bit = 1 << (line % STRIPE_LINES);
    let stripe = this.#stripes.get(number);
    if (!stripe) {
      stripe = { lines: 0, sinceNs: this.#nowNs };
      this.#stripes.set(number, stripe);
      this.#sorted.splice(placeOf(this.#sorted, number), 0, number);
    }
    if (stripe.lines & bit) return;
    stripe.lines |= bit;
    this.#dirtyLines++;
  }

  #isCached({ sector, count }: DiskCommand): boolean {
    const end = Math.ceil((sector + count) / LINE_SECTORS);
    for (let line = Math.floor(sector / LINE_SECTORS); line < end; line++) {
      const lines = this.#stripes.get(Math.floor(line / STRIPE_LINES))?.lines ?? 0;
      if (!(lines & (1 << (line % STRIPE_LINES)))) return false;
    }
    return true;
  }

  /** Lines go to the disk while there are enough of them, or old ones: once over the disk, then from its beginning. */
  #sweep(): void {
    const { controller } = this.#options;
    while (this.#sweeping.size < SWEEP_COMMANDS && this.#sorted.length > 0) {
      const isFull = this.cachedBytes >= controller.cacheBytes * controller.lingerPart;
      const [oldest] = this.#stripes.values();
      const dueNs = oldest.sinceNs + controller.lingerNs;
      if (!isFull && dueNs > this.#nowNs) return this.#lingerTimer.armAt(this.#cycleOf(dueNs));
      if (this.disk.room === 0) return;
      const { line, count } = this.#takeRun();
      const tag = this.#nextTag++;
      this.#sweeping.set(tag, count);
      this.disk.submit({
        tag,
        sector: line * LINE_SECTORS,
        count: count * LINE_SECTORS,
        write: true,
      });
    }
  }

  /** Takes the next lines that follow each other from the cache's stripes. */
  #takeRun(): { line: number; count: number } {
    let place = placeOf(this.#sorted, this.#sweepAt);
    if (place === this.#sorted.length) place = 0;
    let number = this.#sorted[place];
    let first = -1;
    let count = 0;
    for (;;) {
      const stripe = this.#stripes.get(number);
      if (!stripe) break;
      let bit = first < 0 ? Math.log2(stripe.lines & -stripe.lines) : 0;
      if (first < 0) first = number * STRIPE_LINES + bit;
      while (bit < STRIPE_LINES && stripe.lines & (1 << bit) && count < SWEEP_LINES) {
        stripe.lines &= ~(1 << bit++);
        count++;
      }
      if (stripe.lines === 0) this.#drop(number);
      if (bit < STRIPE_LINES || count === SWEEP_LINES) break;
      number++;
    }
    this.#sweepAt = Math.floor((first + count) / STRIPE_LINES);
    return { line: first, count };
  }

  #drop(number: number): void {
    this.#stripes.delete(number);
    this.#sorted.splice(placeOf(this.#sorted, number), 1);
  }

  #diskDone(command: DiskCommand): void {
    const lines = this.#sweeping.get(command.tag);
    if (lines === undefined) {
      this.#reading--;
      return this.#options.completed(command);
    }
    this.#sweeping.delete(command.tag);
    this.#dirtyLines -= lines;
    this.#takeWrites();
  }

  #answer(command: DiskCommand): void {
    const { commandNs, busBytesPerSecond } = this.#options.controller;
    const last = this.#answers.at(-1)?.doneNs ?? 0;
    const busNs = command.count * SECTOR_BYTES * 1e9 / busBytesPerSecond;
    const doneNs = Math.max(this.#nowNs + commandNs, last) + busNs;
    this.#answers.push({ command, doneNs });
    if (this.#answers.length === 1) this.#armAnswer();
  }

  #armAnswer(): void {
    const [first] = this.#answers;
    if (first) this.#answerTimer.armAt(this.#cycleOf(first.doneNs));
  }

  #answered(): void {
    const { command } = this.#answers.shift()!;
    this.#armAnswer();
    this.#options.completed(command);
  }

  #cycleOf(ns: number): Cycle {
    return Math.ceil(ns * (this.#options.clock.frequencyHz / 1e9)) as Cycle;
  }
}

interface Saved {
  readonly disk: SnapshotRecord;
  readonly stripes: readonly (readonly [number, Stripe])[];
  readonly sweeping: readonly (readonly [number, number])[];
  readonly sweepAt: number;
  readonly nextTag: number;
  readonly answers: readonly Answer[];
  readonly waiting: readonly DiskCommand[];
  readonly reading: number;
}

/** Where `number` is among sorted numbers, or would be. */
function placeOf(sorted: readonly number[], number: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function linesIn(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
