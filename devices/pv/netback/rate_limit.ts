/**
 * A limit on what a guest may send: so many bytes in each interval (`rate=` of a vif).
 *
 * Source: the node `rate` of `io/netif.h`, "BYTES,USECS". Whole intervals are counted from power-on and
 * nothing ticks: when the credit is used up, the next packet waits for the interval's end.
 */

import type { Nanoseconds } from "../../../core/clock/clock.ts";

/** A limit. */
export interface Rate {
  readonly bytes: number;
  readonly intervalNs: Nanoseconds;
}

/** Reads "10240,50000": bytes and microseconds; `null` if there is no limit or the text is no rate. */
export function parseRate(text: string | null): Rate | null {
  const match = /^(\d{1,15}),(\d{1,12})$/.exec(text ?? "");
  if (!match || Number(match[1]) === 0 || Number(match[2]) === 0) return null;
  return { bytes: Number(match[1]), intervalNs: Number(match[2]) * 1000 as Nanoseconds };
}

/** How much of the present interval's credit is left. */
export class RateLimit {
  #interval = 0;
  #used = 0;

  constructor(readonly rate: Rate) {}

  /**
   * Takes `lengthBytes` from the credit at `now` if there is any left (a packet may overdraw it, and the next
   * intervals pay); answers 0, or the instant at which to ask again.
   */
  take(lengthBytes: number, now: Nanoseconds): Nanoseconds {
    const { bytes, intervalNs } = this.rate;
    const interval = Math.floor(now / intervalNs);
    const passed = interval - this.#interval;
    this.#used = Math.max(0, this.#used - passed * bytes);
    this.#interval = interval;
    if (this.#used >= bytes) {
      const wait = Math.floor(this.#used / bytes);
      return (interval + wait) * intervalNs as Nanoseconds;
    }
    this.#used += lengthBytes;
    return 0 as Nanoseconds;
  }

  save(): { interval: number; used: number } {
    return { interval: this.#interval, used: this.#used };
  }

  restore({ interval, used }: { readonly interval: number; readonly used: number }): void {
    this.#interval = interval;
    this.#used = used;
  }
}
