/** A host as live views see it: domain 0, domains of machine code, modelled ones, and the bridges. */

import type { Domain } from "../../core/hypervisor/domain.ts";
import type { SerialConsole } from "../machine_api.ts";
import { type LinkSample, NO_DISK, type WatchedBox, type WatchedDomain } from "../watched_boxes.ts";
import type { DomainZero } from "./domain_zero.ts";
import type { Host } from "./host.ts";

const PAGE_BYTES = 4096;

/** See the module comment. */
export function watchedHost({ dispatcher, hardware, zero, domains, modelled }: Host): WatchedBox {
  return {
    dispatcher,
    clock: hardware.clock,
    memoryBytes: hardware.memory.plan.ramBytes,
    domains: () => [
      DOMAIN_ZERO,
      ...domains.map(({ domain, console }) => view(zero, domain, console)),
      ...modelled.all.map(({ domain }) => view(zero, domain, null)),
    ],
    links: () => links(zero),
  };
}

/** Its memory is not the machine's: it is a program beside it. */
const DOMAIN_ZERO: WatchedDomain = {
  id: 0,
  name: "Domain-0",
  memoryBytes: 0,
  maxMemoryBytes: 0,
  halt: null,
  disk: NO_DISK,
  console: null,
};

function view(zero: DomainZero, domain: Domain, console: SerialConsole | null): WatchedDomain {
  const { id, name, pages, maxPages, shutdown, pauses } = domain;
  return {
    id,
    name,
    memoryBytes: pages * PAGE_BYTES,
    maxMemoryBytes: maxPages * PAGE_BYTES,
    halt: shutdown !== null ? "shut down" : pauses > 0 ? "paused" : null,
    disk: zero.disksOf(id).map(({ driver }) => driver.counters).reduce((sum, each) => ({
      reads: sum.reads + each.reads,
      writes: sum.writes + each.writes,
      readBytes: sum.readBytes + each.readBytes,
      writtenBytes: sum.writtenBytes + each.writtenBytes,
    }), NO_DISK),
    console,
  };
}

function links(zero: DomainZero): LinkSample[] {
  return zero.bridges.flatMap((bridge) =>
    bridge.ports.filter(({ attached }) => attached).map(({ name, counters }) => ({
      bridge: bridge.name,
      port: name,
      domain: domainOfPort(name),
      ...counters,
    }))
  );
}

/** The domain whose network card is in a port, from the port's name (`vif3.0`). */
function domainOfPort(name: string): number | null {
  const match = /^vif(\d+)\.\d+$/.exec(name);
  return match && Number(match[1]);
}
