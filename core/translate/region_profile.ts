/** How often regions are entered and left, by place and reason: counters that their code counts up itself. */

import type { ExitReason } from "./region_exits.ts";
import type { Region } from "./region.ts";

/** How often control passed one place of a region for one reason. */
export interface RegionCount {
  readonly reason: ExitReason;
  /** Linear offset of the instruction. */
  readonly code: number;
  readonly modeKey: number;
  readonly count: number;
}

/** A place that is counted, and where its 32-bit counter is. */
type Place = Omit<RegionCount, "count"> & { readonly counter: number };

/** The counters of one machine's regions. */
export class RegionProfile {
  readonly #view: DataView;
  readonly #places = new Map<Region, Place[]>();

  /** `reserve` gives linear memory for counters; -1 if nobody counts. */
  constructor(
    buffer: ArrayBufferLike,
    private readonly reserve: (bytes: number) => number,
  ) {
    this.#view = new DataView(buffer);
  }

  /** Linear offset of a 32-bit counter; -1 if nobody counts. */
  counterOf(region: Region, reason: ExitReason, offset: number): number {
    const counter = this.reserve(4);
    if (counter < 0) return -1;
    this.#view.setUint32(counter, 0, true);
    const place = { counter, reason, code: region.page + offset, modeKey: region.modeKey };
    const places = this.#places.get(region);
    if (places) places.push(place);
    else this.#places.set(region, [place]);
    return counter;
  }

  /** What was counted since the cache was last flushed. */
  counts(): RegionCount[] {
    return [...this.#places.keys()].flatMap((region) => this.countsOf(region));
  }

  /** The same of one region; empty if nobody counts. */
  countsOf(region: Region): RegionCount[] {
    return (this.#places.get(region) ?? []).map(({ counter, ...place }) => ({
      ...place,
      count: this.#view.getUint32(counter, true),
    }));
  }

  /** The memory of the counters is used for something else from now on. */
  clear(): void {
    this.#places.clear();
  }
}
