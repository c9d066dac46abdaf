/**
 * When translations must be dropped because a frame's use has changed.
 *
 * A guest flushes what it changes. The hypervisor must only see to it that no CPU writes through an old
 * translation to a frame that has since become a page table or somebody else's: frames remember when they were
 * given up, and a flush is needed if there was none since (Xen's `tlbflush_timestamp`).
 */

/** Drops every translation on every CPU. */
export type FlushAll = () => void;

/** Counts flushes, and asks for those that are needed. */
export class TlbFlushes {
  #flushes = 1;

  constructor(private readonly drop: FlushAll) {}

  /** The stamp of a frame that is given up now. */
  get stamp(): number {
    return this.#flushes;
  }

  /** Drops everything unless that was done since `stamp` was taken. */
  since(stamp: number): void {
    if (stamp >= this.#flushes) this.all();
  }

  /** Drops every translation on every CPU. */
  all(): void {
    this.#flushes++;
    this.drop();
  }
}
