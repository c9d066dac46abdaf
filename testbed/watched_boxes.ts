/**
 * What live views may look at, and the list of it: everything in this process that shares physical CPUs out among
 * domains. Whoever makes such a thing adds it, with a way to see it; the list holds it weakly.
 */

import type { MachineClock } from "../core/clock/clock.ts";
import type { CpuDispatcher } from "../core/hypervisor/scheduling/dispatcher.ts";
import type { SerialConsole } from "./machine_api.ts";

/** One domain as live views see it; its CPU time is the dispatcher's to tell. */
export interface WatchedDomain {
  readonly id: number;
  readonly name: string;
  readonly memoryBytes: number;
  readonly maxMemoryBytes: number;
  /** Paused or shut down; else the dispatcher tells what it does. */
  readonly halt: "paused" | "shut down" | null;
  /** What went through its disks so far. */
  readonly disk: DiskTraffic;
  /** Where it prints and can be typed at, if there is such a place. */
  readonly console: SerialConsole | null;
}

/** Counters of disks; none ever falls. */
export interface DiskTraffic {
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** Of those who have no disk. */
export const NO_DISK: DiskTraffic = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 };

/** One port of a bridge; `received` is what came from whoever is plugged in, `sent` what went to it. */
export interface LinkSample {
  readonly bridge: string;
  readonly port: string;
  /** The domain that is plugged in, or `null` for anything else. */
  readonly domain: number | null;
  readonly receivedFrames: number;
  readonly receivedBytes: number;
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly droppedFrames: number;
}

/** See the module comment. */
export interface WatchedBox {
  readonly dispatcher: CpuDispatcher;
  readonly clock: MachineClock;
  readonly memoryBytes: number;
  domains(): readonly WatchedDomain[];
  links(): readonly LinkSample[];
}

/** One entry of the list. */
export interface BoxEntry {
  /** `host1`, `box2`, … */
  readonly name: string;
  /** What was added: as long as it lives, so may what belongs to it. */
  readonly holder: object;
  readonly box: WatchedBox;
}

/** Boxes by name. Holds them weakly: memory is freed when a script lets go of one. */
export class BoxRegistry {
  readonly #entries = new Map<string, () => BoxEntry | null>();
  readonly #made = new Map<string, number>();
  readonly #listeners = new Set<(entry: BoxEntry) => void>();

  /** Adds `holder`, which `view` shows. Its name is `prefix` with a number. */
  add<T extends object>(prefix: string, holder: T, view: (holder: T) => WatchedBox): void {
    const number = (this.#made.get(prefix) ?? 0) + 1;
    this.#made.set(prefix, number);
    const name = `${prefix}${number}`;
    const reference = new WeakRef(holder);
    this.#entries.set(name, () => {
      const there = reference.deref();
      return there ? { name, holder: there, box: view(there) } : null;
    });
    for (const listener of this.#listeners) listener({ name, holder, box: view(holder) });
  }

  /** Calls `listener` with each box that is added from now on; returns how to stop that. */
  onAdded(listener: (entry: BoxEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Those that are there, oldest first. */
  *[Symbol.iterator](): IterableIterator<BoxEntry> {
    for (const [name, find] of this.#entries) {
      const entry = find();
      if (entry) yield entry;
      else this.#entries.delete(name);
    }
  }
}

/** Every box of this process. */
export const boxes: BoxRegistry = new BoxRegistry();
