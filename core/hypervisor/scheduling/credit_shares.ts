/**
 * How the credit scheduler shares a period's credit out: by weight, but to nobody more than it can use in a period and
 * has overdrawn, or than its cap allows; what that leaves goes to the others, again by weight.
 *
 * Xen lets everybody earn beyond a period's use while all together have overdrawn. Those that run all the time then earn
 * what they cannot spend, and the others' weights are lost.
 */

import type { DomainId } from "../../lib/brand.ts";

/** An active virtual CPU with its domain's parameters. */
export interface Claim {
  readonly domain: DomainId;
  /** What it has, in cycles; negative if overdrawn. */
  readonly credit: number;
  readonly weight: number;
  /** In per cent of one physical CPU for the whole domain; 0: none. */
  readonly cap: number;
}

/** What a claim gets. */
export interface Share {
  /** In cycles. */
  readonly credit: number;
  /** The virtual CPU's part of its domain's cap, in cycles of a period; 0: none. */
  readonly cap: number;
}

/** Shares `cpus` times `period` cycles out; the result is in the order of `claims`. */
export function shareCredit(period: number, cpus: number, claims: readonly Claim[]): Share[] {
  const perDomain = new Map<DomainId, number>();
  for (const { domain } of claims) perDomain.set(domain, (perDomain.get(domain) ?? 0) + 1);
  const caps = claims.map(({ domain, cap }) =>
    Math.ceil(cap * period / 100 / perDomain.get(domain)!)
  );
  const peaks = claims.map(({ credit }, i) => {
    const usable = period + Math.max(0, -credit);
    return caps[i] > 0 ? Math.min(usable, caps[i]) : usable;
  });
  const shares = new Array<number>(claims.length).fill(0);
  let open = claims.map((_, i) => i);
  let left = cpus * period;
  while (open.length > 0) {
    const weight = open.reduce((sum, i) => sum + claims[i].weight, 0);
    const full = open.filter((i) => left * claims[i].weight / weight >= peaks[i]);
    if (full.length === 0) {
      for (const i of open) shares[i] = Math.floor(left * claims[i].weight / weight);
      break;
    }
    for (const i of full) {
      shares[i] = Math.floor(peaks[i]);
      left -= shares[i];
    }
    open = open.filter((i) => !full.includes(i));
  }
  return shares.map((credit, i) => ({ credit, cap: caps[i] }));
}
