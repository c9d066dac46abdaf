/** Rates out of samples: what happened between each two of them, a second of simulated time. */

import type { DomainSample, HostSample, LinkSample } from "../../mod.ts";

/** The quantities that are plotted for each domain. */
export const QUANTITIES = ["cpu", "memory", "network", "disk"] as const;
export type Quantity = typeof QUANTITIES[number];

/** CPU in percent of one; memory in bytes; network and disk in bytes a second, both ways. */
export type Rates = Readonly<Record<Quantity, number>>;

/** What happened between two samples. */
export interface RateRow {
  /** The instant of the later sample, in seconds of simulated time. */
  readonly seconds: number;
  /** By domain; only those that both samples have. */
  readonly domains: ReadonlyMap<number, Rates>;
}

/** What happened from `before` to `after`; `null` if no time passed. */
export function ratesBetween(before: HostSample, after: HostSample): RateRow | null {
  const spanNs = after.timeNs - before.timeNs;
  if (spanNs <= 0) return null;
  const perSecond = (count: number) => Math.max(0, count) * 1e9 / spanNs;
  const known = new Map(before.domains.map((domain) => [domain.id, domain]));
  const [sentBefore, sentAfter] = [before, after].map(networkBytes);
  const domains = after.domains.flatMap((domain): [number, Rates][] => {
    const { id, cpuNs, memoryBytes } = domain;
    const old = known.get(id);
    if (!old) return [];
    return [[id, {
      cpu: perSecond(cpuNs - old.cpuNs) / 1e7,
      memory: memoryBytes,
      network: perSecond((sentAfter.get(id) ?? 0) - (sentBefore.get(id) ?? 0)),
      disk: perSecond(diskBytes(domain) - diskBytes(old)),
    }]];
  });
  return { seconds: after.timeNs / 1e9, domains: new Map(domains) };
}

/** Bytes a second through a port, both ways, between two samples. */
export function linkRate(
  before: HostSample | undefined,
  after: HostSample,
  link: LinkSample,
): number {
  const old = before?.links.find(({ bridge, port }) =>
    bridge === link.bridge && port === link.port
  );
  const spanNs = before ? after.timeNs - before.timeNs : 0;
  if (!old || spanNs <= 0) return 0;
  return Math.max(0, linkBytes(link) - linkBytes(old)) * 1e9 / spanNs;
}

/** A quantity of each of `domains` over `rows`: what a plot takes. */
export function linesOver(
  rows: readonly RateRow[],
  domains: readonly number[],
  quantity: Quantity,
): { readonly seconds: number[]; readonly values: (number | null)[][] } {
  return {
    seconds: rows.map(({ seconds }) => seconds),
    values: domains.map((id) => rows.map((row) => row.domains.get(id)?.[quantity] ?? null)),
  };
}

/** Bytes through the network cards of each domain. */
function networkBytes({ links }: HostSample): Map<number, number> {
  const sums = new Map<number, number>();
  for (const link of links) {
    if (link.domain === null) continue;
    sums.set(link.domain, (sums.get(link.domain) ?? 0) + linkBytes(link));
  }
  return sums;
}

function linkBytes({ receivedBytes, sentBytes }: LinkSample): number {
  return receivedBytes + sentBytes;
}

function diskBytes({ disk }: DomainSample): number {
  return disk.readBytes + disk.writtenBytes;
}
