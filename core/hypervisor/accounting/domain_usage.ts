/** What a domain's virtual CPUs did with their time: the figures behind `xl list` and `xl top`. */

import type { Cycles } from "../../clock/clock.ts";
import type { DomainId } from "../../lib/brand.ts";
import type { CpuDispatcher } from "../scheduling/dispatcher.ts";
import { type Runstate, RUNSTATES } from "../scheduling/ports.ts";

/** Sums over a domain's virtual CPUs, in cycles. */
export interface DomainUsage {
  readonly vcpus: number;
  readonly times: Readonly<Record<Runstate, Cycles>>;
  /** The share of time in which one that wanted to run had to wait, of the time in which it wanted to. */
  readonly stealShare: number;
}

/** The usage of `domain` up to now. */
export function domainUsage(dispatcher: CpuDispatcher, domain: DomainId): DomainUsage {
  const infos = dispatcher.vcpus.filter((vcpu) => vcpu.domain === domain)
    .map((vcpu) => dispatcher.runstate(vcpu).times);
  const sum = (state: Runstate) => infos.reduce((total, times) => total + times[state], 0);
  const times = Object.fromEntries(
    (Object.keys(RUNSTATES) as Runstate[]).map((state) => [state, sum(state)]),
  ) as Record<Runstate, Cycles>;
  const wanted = times.running + times.runnable;
  return { vcpus: infos.length, times, stealShare: wanted === 0 ? 0 : times.runnable / wanted };
}
