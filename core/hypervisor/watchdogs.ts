/**
 * Watchdogs: a kernel that does not come back in time has its domain shut down. A domain has two of them; one is in
 * use while its timer is armed. Source: Xen 4.17's `sched.h`, "SCHEDOP_watchdog".
 */

import { ERRNO, type Errno } from "../abi/errno.ts";
import type { DomainId } from "../abi/ids.ts";
import type { Clock, Nanoseconds, Timer } from "../clock/clock.ts";
import type { Domain } from "./domain.ts";

/** `NR_DOMAIN_WATCHDOG_TIMERS`. */
const WATCHDOGS = 2;
/** A time-out that is later than this comes then: twelve days, which a clock can count. */
const LATEST_SECONDS = 2 ** 20;

/** The watchdogs of all domains. */
export class Watchdogs {
  readonly #timers = new Map<DomainId, readonly Timer[]>();

  /** `expired` is told of a domain whose kernel is late. */
  constructor(private readonly clock: Clock, private readonly expired: (domain: Domain) => void) {}

  /** A domain comes into being. */
  attach(domain: Domain): void {
    const timers = Array.from(
      { length: WATCHDOGS },
      (_, n) => this.clock.createTimer(`d${domain.id}.watchdog${n}`, () => this.expired(domain)),
    );
    this.#timers.set(domain.id, timers);
  }

  /** A domain is gone. */
  release({ id }: Domain): void {
    this.#timers.get(id)?.forEach((timer) => timer.release());
    this.#timers.delete(id);
  }

  /**
   * `SCHEDOP_watchdog`. Number 0 takes one that is free, and the answer is its number, from 1 on, or -ENOSPC; another
   * number sets that one anew, or with a time of 0 seconds gives it up: 0, or -EINVAL if it is not in use.
   */
  set({ id }: Domain, number: number, seconds: number): number | Errno {
    const timers = this.#timers.get(id) ?? [];
    const delayNs = (Math.min(seconds, LATEST_SECONDS) * 1e9) as Nanoseconds;
    if (number === 0) {
      const free = timers.findIndex(({ deadline }) => deadline === null);
      if (free < 0) return ERRNO.ENOSPC;
      timers[free].armIn(delayNs);
      return free + 1;
    }
    const timer = timers[number - 1];
    if (timer === undefined || timer.deadline === null) return ERRNO.EINVAL;
    if (seconds === 0) timer.disarm();
    else timer.armIn(delayNs);
    return 0;
  }
}
