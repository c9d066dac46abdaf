/**
 * Log-dirty mode: which frames of a domain were stored to since somebody last asked. Saving a domain while it runs is
 * built on it.
 *
 * Xen 4.17 finds out by shadow page tables (`XEN_DOMCTL_SHADOW_OP_*` in `domctl.h`); here the barrier of machine memory
 * tells the first store to each frame, whoever it comes from: the guest, the hypervisor, a back end. The guest's page
 * tables stay in place, and after its first store to a frame it runs as fast as before. What each such store would have
 * been under shadow tables, a fault of the guest, is counted for whoever bills it.
 */

import { ERRNO, type Errno } from "../../abi/errno.ts";
import type { DomainId } from "../../abi/ids.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../lib/snapshot.ts";
import { FRAME_BYTES, FrameWatch, type MachineMemory } from "../../memory/machine_memory.ts";
import type { FrameTable } from "./frame_table.ts";
import type { MachineMap } from "./machine_map.ts";

/** What a log has counted (`xen_domctl_shadow_op_stats`). */
export interface LogDirtyStats {
  /** Frames found dirty since the log was switched on. */
  readonly dirtyCount: number;
  /** Stores of the domain itself among those that made them dirty: faults under shadow tables. */
  readonly faultCount: number;
  /** Times that the log was read and cleared. */
  readonly cleans: number;
}

interface Log {
  /** Machine frames stored to since the last {@link LogDirty.clean}. */
  readonly dirty: Set<number>;
  dirtyCount: number;
  faultCount: number;
  cleans: number;
  /** Of the faults, those that nobody has taken. */
  unbilled: number;
}

type SavedLog = Omit<Log, "dirty"> & {
  readonly domain: DomainId;
  readonly dirty: readonly number[];
};

/** The first frame above 4 GiB. */
const HIGH_FRAME = 0x10_0000;

/** See the module comment. */
export class LogDirty implements Snapshot {
  readonly #logs = new Map<DomainId, Log>();

  /** `running` tells whose virtual CPU is at work: a store that a back end or domain 0 makes is no fault of the guest. */
  constructor(
    private readonly memory: MachineMemory,
    private readonly frames: FrameTable,
    private readonly map: MachineMap,
    private readonly running: () => DomainId | null,
  ) {
    memory.observe({
      beforeStore: (page, watch) => {
        if ((watch & FrameWatch.log) !== 0) this.#stored(page);
      },
    });
  }

  /** Switches the log of a domain on, with nothing dirty; -EINVAL if it is on. */
  enable(domain: DomainId): 0 | Errno {
    if (this.#logs.has(domain)) return ERRNO.EINVAL;
    this.#logs.set(domain, {
      dirty: new Set(),
      dirtyCount: 0,
      faultCount: 0,
      cleans: 0,
      unbilled: 0,
    });
    this.#watch(this.frames.framesOf(domain));
    return 0;
  }

  /** Switches it off; -EINVAL if it is not on. */
  off(domain: DomainId): 0 | Errno {
    if (!this.#logs.delete(domain)) return ERRNO.EINVAL;
    for (const frame of this.frames.framesOf(domain)) {
      this.memory.unwatch(this.memory.readMap[frame], FrameWatch.log);
    }
    return 0;
  }

  /**
   * A bit for each pseudo-physical frame below `pages` that was stored to since the last clean (or since the log was
   * switched on), lowest bit first, and all of them clean from now on. -EINVAL if the log is not on.
   */
  clean(domain: DomainId, pages: number): Uint8Array | Errno {
    const log = this.#logs.get(domain);
    if (!log) return ERRNO.EINVAL;
    const bitmap = this.#bitmap(domain, log, pages);
    this.#watch([...log.dirty].filter((frame) => this.frames.ownerOf(frame) === domain));
    log.dirty.clear();
    log.cleans++;
    return bitmap;
  }

  /** As {@link clean}, and leaves all as it is. */
  peek(domain: DomainId, pages: number): Uint8Array | Errno {
    const log = this.#logs.get(domain);
    return log ? this.#bitmap(domain, log, pages) : ERRNO.EINVAL;
  }

  /** `null` if the log is not on. */
  stats(domain: DomainId): LogDirtyStats | null {
    const log = this.#logs.get(domain);
    if (!log) return null;
    const { dirtyCount, faultCount, cleans } = log;
    return { dirtyCount, faultCount, cleans };
  }

  /** How many faults of `domain` there were since this was last asked. */
  takeFaults(domain: DomainId): number {
    const log = this.#logs.get(domain);
    if (!log) return 0;
    const { unbilled } = log;
    log.unbilled = 0;
    return unbilled;
  }

  /** A domain was given a frame: nobody has a copy of it. */
  given(domain: DomainId, frame: number): void {
    this.#note(domain, frame);
  }

  save(): SnapshotRecord {
    const logs = [...this.#logs].map(([domain, { dirty, ...counters }]) => ({
      domain,
      dirty: [...dirty],
      ...counters,
    }));
    return { kind: "logDirty", version: 1, state: { logs } };
  }

  /** Memory and the frame table must have been restored: their stores are nobody's. */
  restore(record: SnapshotRecord): void {
    const { logs } = expectRecord(record, "logDirty", 1);
    for (const domain of [...this.#logs.keys()]) this.off(domain);
    for (const { domain, dirty, ...counters } of logs as unknown as readonly SavedLog[]) {
      const log = { dirty: new Set(dirty), ...counters };
      this.#logs.set(domain, log);
      this.#watch([...this.frames.framesOf(domain)].filter((frame) => !log.dirty.has(frame)));
    }
  }

  /** A domain is gone. */
  forget(domain: DomainId): void {
    this.#logs.delete(domain);
  }

  #stored(page: number): void {
    this.memory.unwatch(page, FrameWatch.log);
    const { ramBase, lowRamBytes } = this.memory.plan;
    const index = page - ramBase / FRAME_BYTES;
    const low = lowRamBytes / FRAME_BYTES;
    const frame = index < low ? index : index - low + HIGH_FRAME;
    const owner = this.frames.ownerOf(frame);
    const log = owner === null ? null : this.#note(owner, frame);
    if (!log || this.running() !== owner) return;
    log.faultCount++;
    log.unbilled++;
  }

  /** The log that has a frame which it did not have; `null` if there is none. */
  #note(domain: DomainId, frame: number): Log | null {
    const log = this.#logs.get(domain);
    if (!log || log.dirty.has(frame)) return null;
    log.dirty.add(frame);
    log.dirtyCount++;
    return log;
  }

  #watch(frames: Iterable<number>): void {
    const { readMap } = this.memory;
    this.memory.watchMany(Array.from(frames, (frame) => readMap[frame]), FrameWatch.log);
  }

  #bitmap(domain: DomainId, { dirty }: Log, pages: number): Uint8Array {
    const bits = new Uint8Array(Math.ceil(pages / 8));
    for (const frame of dirty) {
      const pfn = this.map.pfnOf(frame);
      if (pfn < pages && this.frames.ownerOf(frame) === domain) bits[pfn >> 3] |= 1 << (pfn & 7);
    }
    return bits;
  }
}
