/**
 * Linear addresses before whose instruction engines stop, so that somebody can look: breakpoints of a debugger, which
 * no guest can notice.
 *
 * Engines find code by its physical place. Where a stop's page lies is learned when a code TLB takes it in, and from
 * then on no block of the cold tier and no region contains the instruction at that place: control comes to the engine's
 * slow path, which compares the linear address. Without stops nothing is compared anywhere.
 */

import { FRAME_BYTES } from "../../memory/machine_memory.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";

const RIP = offsetOf("rip");
const CS_BASE = offsetOf("csBase");

interface Stop {
  /** The linear address in halves; outside long mode the high one is 0. */
  readonly low: number;
  readonly high: number;
  /** Linear memory offsets at which its instruction was found so far. */
  readonly places: Set<number>;
}

/** The stops of one machine. */
export class CodeStops {
  #stops: Stop[] = [];
  readonly #places = new Map<number, number>();
  /** Told of each place that becomes one, or is none any more: code there must be decoded anew. */
  onPlaceChange: (place: number) => void = () => {};

  get any(): boolean {
    return this.#stops.length !== 0;
  }

  /** Whether no block or region may contain the instruction at linear memory offset `place`. */
  isPlace(place: number): boolean {
    return this.#places.size !== 0 && this.#places.has(place);
  }

  /** Whether a place lies in bytes [from, to) of linear memory. */
  isPlaceWithin(from: number, to: number): boolean {
    if (this.#places.size === 0) return false;
    for (const place of this.#places.keys()) if (place >= from && place < to) return true;
    return false;
  }

  /** Replaces the stops. Returns the addresses that are new, for whoever knows where their pages lie at present. */
  replace(
    addresses: readonly bigint[],
  ): readonly { readonly low: number; readonly high: number }[] {
    const wanted = addresses.map((address) => ({
      low: Number(BigInt.asIntN(32, address)),
      high: Number(BigInt.asIntN(32, address >> 32n)),
    }));
    const same = (a: { low: number; high: number }, b: { low: number; high: number }) =>
      a.low === b.low && a.high === b.high;
    const before = this.#stops;
    const kept = before.filter((stop) => wanted.some((each) => same(each, stop)));
    const added = wanted.filter((each, i) =>
      !before.some((stop) => same(stop, each)) && wanted.findIndex((one) => same(one, each)) === i
    );
    this.#stops = [...kept, ...added.map((each) => ({ ...each, places: new Set<number>() }))];
    for (const stop of before) if (!kept.includes(stop)) this.#forget(stop);
    return added;
  }

  /** A code TLB has taken in page (low, high), which lies in page `linearPage` of linear memory. */
  found(low: number, high: number, linearPage: number): void {
    for (const stop of this.#stops) {
      if (stop.high !== high || ((stop.low ^ low) & 0xfffff000) !== 0) continue;
      const place = linearPage * FRAME_BYTES + (stop.low & (FRAME_BYTES - 1));
      if (stop.places.has(place)) continue;
      stop.places.add(place);
      const users = this.#places.get(place) ?? 0;
      this.#places.set(place, users + 1);
      if (users === 0) this.onPlaceChange(place);
    }
  }

  /** Whether the next instruction of a CPU has a stop. */
  isAt(state: CpuState): boolean {
    // Code of 64 bits has a base of 0, any other has addresses of 32 bits.
    const low = (state.low(RIP) + state.low(CS_BASE)) | 0;
    const high = state.high(RIP);
    return this.#stops.some((stop) => stop.low === low && stop.high === high);
  }

  #forget(stop: Stop): void {
    for (const place of stop.places) {
      const users = this.#places.get(place)! - 1;
      if (users > 0) this.#places.set(place, users);
      else {
        this.#places.delete(place);
        this.onPlaceChange(place);
      }
    }
  }
}
