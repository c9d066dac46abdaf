/**
 * When connections want to be looked at: a heap of (instant, connection).
 *
 * A deadline that moves back stays where it is and is looked at too early, which is cheaper than to move it: the
 * retransmission timer moves with each acknowledgment and hardly ever expires.
 */

import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

/** One entry, as it is saved. Of those of one instant, the one that was queued first comes first. */
interface Entry {
  readonly at: number;
  readonly order: number;
  readonly id: number;
}

/** See the module comment. */
export class DeadlineQueue {
  /** The heap, a column for each field: one is queued for most packets, and an object for each would cost more than the rest. */
  readonly #at: number[] = [];
  readonly #orders: number[] = [];
  readonly #ids: number[] = [];
  #order = 0;

  /** The next instant, or `Infinity`. */
  get next(): number {
    return this.#at.length === 0 ? Infinity : this.#at[0];
  }

  push(at: number, id: number): void {
    let index = this.#at.length;
    const order = this.#order++;
    this.#set(index, at, order, id);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      // Whoever is queued later comes later, at the same instant.
      if (at >= this.#at[parent]) break;
      this.#copy(parent, index);
      index = parent;
    }
    this.#set(index, at, order, id);
  }

  /** Takes the first entry; the id, or -1 if there is none. */
  pop(): number {
    if (this.#at.length === 0) return -1;
    const first = this.#ids[0];
    const [at, order, id] = [this.#at.pop()!, this.#orders.pop()!, this.#ids.pop()!];
    if (this.#at.length > 0) this.#sink(at, order, id);
    return first;
  }

  save(): SnapshotValue {
    const heap = this.#at.map((at, i) => ({ at, order: this.#orders[i], id: this.#ids[i] }));
    return { order: this.#order, heap };
  }

  restore(saved: SnapshotValue): void {
    const { order, heap } = saved as unknown as { order: number; heap: readonly Entry[] };
    this.#order = order;
    this.#at.length = this.#orders.length = this.#ids.length = 0;
    heap.forEach(({ at, order, id }, index) => this.#set(index, at, order, id));
  }

  #sink(at: number, order: number, id: number): void {
    const { length } = this.#at;
    const half = length >> 1;
    let index = 0;
    while (index < half) {
      let child = 2 * index + 1;
      const other = child + 1;
      if (other < length && this.#isBefore(other, this.#at[child], this.#orders[child])) child++;
      if (!this.#isBefore(child, at, order)) break;
      this.#copy(child, index);
      index = child;
    }
    this.#set(index, at, order, id);
  }

  #isBefore(index: number, at: number, order: number): boolean {
    const own = this.#at[index];
    return own < at || (own === at && this.#orders[index] < order);
  }

  #copy(from: number, to: number): void {
    this.#set(to, this.#at[from], this.#orders[from], this.#ids[from]);
  }

  #set(index: number, at: number, order: number, id: number): void {
    this.#at[index] = at;
    this.#orders[index] = order;
    this.#ids[index] = id;
  }
}
