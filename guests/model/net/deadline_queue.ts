/**
 * When connections want to be looked at: a heap of (instant, connection).
 *
 * A deadline that moves back stays where it is and is looked at too early, which is cheaper than to move it: the
 * retransmission timer moves with each acknowledgment and hardly ever expires.
 */

import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

/** One entry. Of those of one instant, the one that was queued first comes first. */
interface Entry {
  readonly at: number;
  readonly order: number;
  readonly id: number;
}

/** See the module comment. */
export class DeadlineQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  /** The next instant, or `Infinity`. */
  get next(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0].at;
  }

  push(at: number, id: number): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, id };
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = entry;
  }

  /** Takes the first entry; the id, or -1 if there is none. */
  pop(): number {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last) return -1;
    if (heap.length > 0) this.#sink(last);
    return first.id;
  }

  save(): SnapshotValue {
    return { order: this.#order, heap: this.#heap.map((entry) => ({ ...entry })) };
  }

  restore(saved: SnapshotValue): void {
    const { order, heap } = saved as unknown as { order: number; heap: readonly Entry[] };
    this.#order = order;
    this.#heap.splice(0, this.#heap.length, ...heap.map((entry) => ({ ...entry })));
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    const half = heap.length >> 1;
    let index = 0;
    while (index < half) {
      let child = 2 * index + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], entry)) break;
      heap[index] = heap[child];
      index = child;
    }
    heap[index] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
