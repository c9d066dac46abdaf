/** Rates out of samples: what happened between each two of them, a second of simulated time. */

import type { DomainSample, HostSample, LinkSample } from "../../mod.ts";

/** The quantities that are plotted for each domain. */
export const QUANTITIES = ["cpu", "memory", "network", "disk"] as const;
export type Quantity = typeof QUANTITIES[number];

/** Bytes received and sent by a domain's network cards. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

/** What a domain's cards have received and sent so far; the bridge's port sees it the other way round. */
export function trafficOf(sample: HostSample, domain: number): Traffic {
  return sample.links.filter((link) => link.domain === domain).reduce(
    (sum, { receivedBytes, sentBytes }) => ({
      received: sum.received + sentBytes,
      sent: sum.sent + receivedBytes,
    }),
    { received: 0, sent: 0 },
  );
}

/** CPU time between two samples as a share of the time between them, in percent of one CPU. */
export function cpuPercent(before: DomainSample, after: DomainSample, spanNs: number): number {
  return spanNs > 0 ? 100 * (after.cpuNs - before.cpuNs) / spanNs : 0;
}

/** What a quantity was between two samples; `null` for a domain that was not there. */
export function quantityOf(
  quantity: Quantity,
  domain: number,
  before: HostSample,
  after: HostSample,
): number | null {
  const [from, to] = [before, after].map(({ domains }) => domains.find(({ id }) => id === domain));
  if (!from || !to) return null;
  const spanNs = after.timeNs - before.timeNs;
  const perSecond = (bytes: number) => spanNs > 0 ? Math.max(0, bytes) * 1e9 / spanNs : 0;
  switch (quantity) {
    case "cpu":
      return cpuPercent(from, to, spanNs);
    case "memory":
      return to.memoryBytes;
    case "network": {
      const [old, now] = [trafficOf(before, domain), trafficOf(after, domain)];
      return perSecond(now.received + now.sent - old.received - old.sent);
    }
    case "disk":
      return perSecond(diskBytes(to) - diskBytes(from));
  }
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
  const bytes = link.receivedBytes + link.sentBytes - old.receivedBytes - old.sentBytes;
  return Math.max(0, bytes) * 1e9 / spanNs;
}

/** The quantity of each domain over time: what a plot takes. A sample that time did not pass before is left out. */
export function linesOver(
  samples: readonly HostSample[],
  domains: readonly number[],
  quantity: Quantity,
): { readonly seconds: number[]; readonly values: (number | null)[][] } {
  const seconds: number[] = [];
  const values: (number | null)[][] = domains.map(() => []);
  for (let i = 1; i < samples.length; i++) {
    const [before, after] = [samples[i - 1], samples[i]];
    if (after.timeNs <= before.timeNs) continue;
    seconds.push(after.timeNs / 1e9);
    domains.forEach((id, at) => values[at].push(quantityOf(quantity, id, before, after)));
  }
  return { seconds, values };
}

function diskBytes({ disk }: DomainSample): number {
  return disk.readBytes + disk.writtenBytes;
}
