/** Data breakpoints of one CPU (SDM vol. 3, "Debug Registers"): which accesses hit which of them. */

/** A data breakpoint: `bytes` bytes from a linear address in halves, aligned. */
export interface DataBreakpoint {
  readonly low: number;
  readonly high: number;
  readonly bytes: number;
  /** Whether loads hit it as well as stores. */
  readonly onRead: boolean;
  /** The bit of `debugPending` (of DR6) that a hit sets. */
  readonly bit: number;
}

/** The enabled data breakpoints. */
export class DataBreakpoints {
  #points: readonly DataBreakpoint[] = [];

  get any(): boolean {
    return this.#points.length !== 0;
  }

  /** Sets new ones; false if there were none and are none. */
  replace(points: readonly DataBreakpoint[]): boolean {
    const changes = this.any || points.length !== 0;
    this.#points = points;
    return changes;
  }

  /** Whether one lies on the page that holds the address. */
  isOnPage(low: number, high: number): boolean {
    return this.#points.some((point) =>
      point.high === high && ((point.low ^ low) & 0xfffff000) === 0
    );
  }

  /** DR6 bits of those that an access of `bytes` bytes hits. */
  hits(low: number, high: number, bytes: number, write: boolean): number {
    let bits = 0;
    const first = low >>> 0;
    for (const point of this.#points) {
      const overlaps = point.high === high && first < (point.low >>> 0) + point.bytes &&
        (point.low >>> 0) < first + bytes;
      if (overlaps && (write || point.onRead)) bits |= point.bit;
    }
    return bits;
  }
}
