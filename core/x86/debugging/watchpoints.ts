/**
 * Watched stretches of memory, of a debugger: pages that hold one take the slow path, where each access is compared.
 *
 * Linear ones are compared with what instructions and the CPU's own tables are accessed by; physical ones, here, with
 * loads only: stores to a frame pass the barrier of `core/memory`, whoever makes them.
 */

/** A watched stretch. */
export interface Watchpoint {
  /** `linear`: `low` and `high` are the address. `load`: loads from a physical address, which they are. */
  readonly kind: "linear" | "load";
  readonly low: number;
  readonly high: number;
  readonly bytes: number;
  readonly onRead: boolean;
  readonly onWrite: boolean;
}

/** An access that hit. */
export type OnWatched = (cpu: number, watchpoint: Watchpoint, write: boolean) => void;

/** The watchpoints of one machine, which its CPUs share. */
export class Watchpoints {
  #points: readonly Watchpoint[] = [];
  onHit: OnWatched = () => {};

  get any(): boolean {
    return this.#points.length !== 0;
  }

  get points(): readonly Watchpoint[] {
    return this.#points;
  }

  replace(points: readonly Watchpoint[]): void {
    this.#points = points;
  }

  /** Whether accesses through a translation of page (low, high) to physical page `frame` must be seen. */
  isOnPage(low: number, high: number, frame: number): boolean {
    return this.#points.some((point) =>
      point.kind === "linear"
        ? point.high === high && ((point.low ^ low) & 0xfffff000) === 0
        : frameOf(point) === frame
    );
  }

  /** Whether a load through a translation to physical page `frame` must be seen for its physical address. */
  isLoadWatched(frame: number): boolean {
    return this.#points.some((point) => point.kind === "load" && frameOf(point) === frame);
  }

  /** Compares an access to linear memory. */
  linear(cpu: number, low: number, high: number, bytes: number, write: boolean): void {
    for (const point of this.#points) {
      if (point.kind !== "linear" || !(write ? point.onWrite : point.onRead)) continue;
      if (overlaps(point, low, high, bytes)) this.onHit(cpu, point, write);
    }
  }

  /** Compares a load of `bytes` bytes at byte `offset` of physical page `frame`. */
  load(cpu: number, frame: number, offset: number, bytes: number): void {
    const low = (frame << 12) | offset;
    const high = frame >>> 20;
    for (const point of this.#points) {
      if (point.kind === "load" && overlaps(point, low, high, bytes)) this.onHit(cpu, point, false);
    }
  }
}

function frameOf({ low, high }: Watchpoint): number {
  return ((low >>> 12) | (high << 20)) >>> 0;
}

/** A stretch may go on in the next page: the watchpoint itself does not. */
function overlaps(point: Watchpoint, low: number, high: number, bytes: number): boolean {
  const first = low >>> 0;
  const start = point.low >>> 0;
  return point.high === high && first < start + point.bytes && start < first + bytes;
}
