/**
 * The kernel's timers: by handler and key, in a heap. Setting a timer to a later instant, which is what network protocols
 * do all the time, costs nothing until the earlier one has passed.
 */

import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

interface Entry {
  readonly name: string;
  readonly key: number;
  /** When it runs out; `Infinity`: it was cleared. */
  at: number;
  /** Its place in the heap; no later than `at`. */
  queuedAt: number;
  /** Breaks ties: the order of setting. */
  sequence: number;
}

/** See the module comment. */
export class KernelTimers {
  readonly #heap: Entry[] = [];
  readonly #byName = new Map<string, Map<number, Entry>>();
  #sequence = 0;

  /** Sets the timer of `name` and `key` to `at`. */
  set(name: string, key: number, at: number): void {
    let keys = this.#byName.get(name);
    if (!keys) this.#byName.set(name, keys = new Map());
    const known = keys.get(key);
    if (known && known.queuedAt <= at) {
      known.at = at;
      return;
    }
    if (known) known.at = Infinity;
    const entry = { name, key, at, queuedAt: at, sequence: this.#sequence++ };
    keys.set(key, entry);
    this.#push(entry);
  }

  /** Clears it; without effect if it is not set. */
  clear(name: string, key: number): void {
    const entry = this.#byName.get(name)?.get(key);
    if (entry) entry.at = Infinity;
  }

  /** When the next one runs out, or earlier; `Infinity` if none is set. */
  get nextDeadline(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0].queuedAt;
  }

  /** Takes out the next one that has run out at `now`, or null. */
  takeDue(now: number): { readonly name: string; readonly key: number } | null {
    while (this.#heap.length > 0 && this.#heap[0].queuedAt <= now) {
      const entry = this.#pop();
      const keys = this.#byName.get(entry.name)!;
      if (entry.at === Infinity) {
        if (keys.get(entry.key) === entry) keys.delete(entry.key);
      } else if (entry.at > now) {
        entry.queuedAt = entry.at;
        entry.sequence = this.#sequence++;
        this.#push(entry);
      } else {
        keys.delete(entry.key);
        return entry;
      }
    }
    return null;
  }

  /** Those that are set, in the order in which they would run out. */
  save(): SnapshotValue {
    return this.#heap.filter(({ at }) => at !== Infinity)
      .sort(before)
      .map(({ name, key, at, queuedAt }) => ({ name, key, at, queuedAt }));
  }

  restore(saved: SnapshotValue): void {
    this.#heap.length = 0;
    this.#byName.clear();
    for (const { name, key, at, queuedAt } of saved as unknown as Entry[]) {
      this.set(name, key, queuedAt);
      this.set(name, key, at);
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (before(heap[parent], entry) <= 0) break;
      heap[place] = heap[parent];
      place = parent;
    }
    heap[place] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child]) < 0) child++;
      if (before(last, heap[child]) <= 0) break;
      heap[place] = heap[child];
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

/** Negative if `a` runs out before `b`. */
function before(a: Entry, b: Entry): number {
  return a.queuedAt - b.queuedAt || a.sequence - b.sequence;
}
