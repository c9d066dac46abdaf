/**
 * Those that wait, by virtual time: a policy that chooses the smallest finds it without a look at the others.
 */

/** Who waits, and what it is sorted by; the time does not change while it waits. */
export interface Waiting<Who> {
  readonly who: Who;
  readonly time: number;
}

/** Sorted by time; of equals who came first comes first. */
export class VirtualTimeQueue<Who> {
  readonly #entries: Waiting<Who>[] = [];

  insert(who: Who, time: number): void {
    const entries = this.#entries;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle].time <= time) low = middle + 1;
      else high = middle;
    }
    entries.splice(low, 0, { who, time });
  }

  /** Takes `who` out; returns whether it was there. */
  remove(who: Who): boolean {
    const at = this.#entries.findIndex((entry) => entry.who === who);
    if (at >= 0) this.#entries.splice(at, 1);
    return at >= 0;
  }

  clear(): void {
    this.#entries.length = 0;
  }

  /** The first that `suits`, or null. */
  first(suits: (who: Who) => boolean): Waiting<Who> | null {
    for (const entry of this.#entries) if (suits(entry.who)) return entry;
    return null;
  }
}
