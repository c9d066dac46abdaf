/**
 * One disk for several systems, each with a part of it: requests wait by system, and the systems take turns, as in the
 * hypervisor of the paper (SOSP 2003, section 4.3).
 */

import type { Clock } from "../../core/clock/clock.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
} from "../../core/lib/snapshot.ts";
import {
  type ControllerModel,
  type DiskCommand,
  type DiskModel,
  RaidController,
} from "../../devices/scsi/mod.ts";
import type { DiskPort } from "../../guests/model/vfs/mod.ts";

/** What a shared disk is made of. */
export interface SharedDiskOptions {
  readonly clock: Clock;
  readonly name: string;
  readonly model: DiskModel;
  readonly controller: ControllerModel;
  /** A command is done, and that interrupts a CPU; so many that waited are started at once. */
  readonly interrupted?: (started: number) => void;
}

/** A system's part. */
export interface DiskPart extends DiskPort {
  /** Nobody uses it any more: its sectors may be somebody else's. */
  release(): void;
}

interface Part {
  readonly firstSector: number;
  readonly sectors: number;
  waiting: DiskCommand[];
  readonly completed: (tag: number) => void;
}

type SavedPart = Pick<Part, "firstSector" | "sectors" | "waiting">;

/** A request on the disk, in a snapshot. */
interface SavedStart {
  readonly own: number;
  /** Which part's it is, by the parts' order. */
  readonly part: number | null;
  readonly tag: number;
}

/** A request on the disk. */
interface Started {
  /** Whose it is; `null` once that system has released its part. */
  readonly part: Part | null;
  readonly tag: number;
}

/** What a system may have waiting. */
const PART_REQUESTS = 32;
/** Requests of one system before it is the next one's turn. */
const BATCH = 8;

/** See the module comment. */
export class SharedDisk implements Snapshot {
  readonly disk: RaidController;
  readonly #interrupted: (started: number) => void;
  #parts: Part[] = [];
  /** What is on the disk, by the disk's tags. */
  #started = new Map<number, Started>();
  #nextTag = 1;
  /** Whose turn it is, and how much of it is left. */
  #turn = 0;
  #left = BATCH;

  constructor({ interrupted = () => {}, ...options }: SharedDiskOptions) {
    this.#interrupted = interrupted;
    this.disk = new RaidController({ ...options, completed: ({ tag }) => this.#done(tag) });
  }

  /** A part of `sectors` for one system; throws `RangeError` if the disk has no such room left. */
  part(sectors: number, completed: (tag: number) => void): DiskPart {
    const firstSector = this.#room(sectors);
    const part: Part = { firstSector, sectors, waiting: [], completed };
    this.#parts.push(part);
    return {
      get room() {
        return PART_REQUESTS - part.waiting.length;
      },
      submit: (command) => {
        part.waiting.push(command);
        this.#start();
      },
      release: () => {
        this.#parts = this.#parts.filter((each) => each !== part);
        for (const [own, started] of this.#started) {
          if (started.part === part) this.#started.set(own, { ...started, part: null });
        }
        this.#turn = 0;
      },
    };
  }

  save(): SnapshotRecord {
    const state = {
      disk: { ...this.disk.save() },
      parts: this.#parts.map(({ firstSector, sectors, waiting }) => ({
        firstSector,
        sectors,
        waiting: waiting.map((command) => ({ ...command })),
      })),
      started: Array.from(this.#started, ([own, { part, tag }]) => ({
        own,
        part: part && this.#parts.indexOf(part),
        tag,
      })),
      nextTag: this.#nextTag,
      turn: this.#turn,
      left: this.#left,
    };
    return { kind: "sharedDisk", version: 1, state };
  }

  /** Parts are made anew by whoever has them: throws `SnapshotError` unless they are those of the record, in its order. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "sharedDisk", 1);
    const parts = state.parts as unknown as SavedPart[];
    const places = (all: readonly SavedPart[]) =>
      all.map(({ firstSector, sectors }) => `${sectors} from ${firstSector}`).join(", ");
    if (places(parts) !== places(this.#parts)) {
      throw new SnapshotError(
        `the snapshot's disk has parts of sectors ${places(parts)}; this one ${
          places(this.#parts)
        }`,
      );
    }
    this.disk.restore(state.disk as unknown as SnapshotRecord);
    parts.forEach(({ waiting }, n) => {
      this.#parts[n].waiting = waiting.map((command) => ({ ...command }));
    });
    const started = state.started as unknown as SavedStart[];
    this.#started = new Map(
      started.map((
        { own, part, tag },
      ) => [own, { part: part === null ? null : this.#parts[part], tag }]),
    );
    this.#nextTag = state.nextTag as number;
    this.#turn = state.turn as number;
    this.#left = state.left as number;
  }

  /** Where the first hole of that size begins. */
  #room(sectors: number): number {
    let first = 0;
    for (const part of this.#parts.toSorted((a, b) => a.firstSector - b.firstSector)) {
      if (first + sectors <= part.firstSector) break;
      first = part.firstSector + part.sectors;
    }
    if (first + sectors <= this.disk.geometry.sectorCount) return first;
    throw new RangeError(`the disk has no room for ${sectors} sectors from ${first} on`);
  }

  /** Starts what waits, as far as there is room; how many. */
  #start(): number {
    let started = 0;
    for (; this.disk.room > 0; started++) {
      const part = this.#next();
      if (!part) break;
      const { tag, sector, count, write } = part.waiting.shift()!;
      const own = this.#nextTag++;
      this.#started.set(own, { part, tag });
      this.disk.submit({ tag: own, sector: part.firstSector + sector, count, write });
    }
    return started;
  }

  /** Who is served next: whose turn it is while it lasts, then the next one that has something. */
  #next(): Part | undefined {
    if (this.#parts.length === 0) return undefined;
    for (let tried = 0; tried <= this.#parts.length; tried++) {
      const part = this.#parts[this.#turn];
      if (part.waiting.length > 0 && this.#left > 0) {
        this.#left--;
        return part;
      }
      this.#turn = (this.#turn + 1) % this.#parts.length;
      this.#left = BATCH;
    }
    return undefined;
  }

  #done(own: number): void {
    const { part, tag } = this.#started.get(own)!;
    this.#started.delete(own);
    this.#interrupted(this.#start());
    part?.completed(tag);
  }
}
