/** Debug keys: what the hypervisor writes about itself to its log. Source of the letters: Xen's `debug-keys` `h`. */

import type { DomainId } from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { RUNSTATES } from "../../core/hypervisor/scheduling/ports.ts";
import { listDomains, listVcpus } from "./listings.ts";
import type { Host } from "../host/host.ts";
import type { Toolstack } from "./toolstack.ts";

const DOM0 = 0 as DomainId;

interface DebugKey {
  readonly help: string;
  lines(tools: Toolstack): readonly string[];
}

const KEYS: Readonly<Record<string, DebugKey>> = {
  h: {
    help: "this list",
    lines: () => Object.entries(KEYS).map(([key, { help }]) => ` key '${key}' => ${help}`),
  },
  q: {
    help: "domains and virtual CPUs",
    lines: (tools) => `${listDomains(tools)}\n${listVcpus(tools)}`.split("\n"),
  },
  r: {
    help: "physical CPUs and who holds them",
    lines: ({ host: { dispatcher } }) =>
      dispatcher.cpus.map(({ id, current, pool }) =>
        `CPU${id} ${pool ? `${pool.name} (${pool.policy.name})` : "free"}: ${
          current?.name ?? "idle"
        }`
      ),
  },
  e: {
    help: "event channels",
    lines: ({ host }) =>
      allDomains(host).flatMap(({ id, name }) => [
        `Event channel information for domain ${id} (${name}):`,
        ...[...host.hypervisor.events.list(id)].map(({ port, channel }) =>
          `  ${port}: ${channel.binding.kind}, d${id}v${channel.notifyVcpu}`
        ),
      ]),
  },
  g: {
    help: "grant tables: their frames, and who maps what",
    lines: ({ host }) => grantLines(host),
  },
  m: {
    help: "memory",
    lines: ({ host }) => [
      `free frames: ${host.hypervisor.frames.freeFrames}`,
      ...allDomains(host).map(({ id, pages, maxPages }) =>
        `domain ${id}: ${pages} frames of at most ${maxPages}`
      ),
    ],
  },
  t: {
    help: "time in each runstate, in cycles",
    lines: ({ host: { dispatcher } }) =>
      dispatcher.vcpus.map((vcpu) => {
        const { times } = dispatcher.runstate(vcpu);
        const states = Object.keys(RUNSTATES) as (keyof typeof RUNSTATES)[];
        return `${vcpu.name}: ${states.map((state) => `${state}=${times[state]}`).join(" ")}`;
      }),
  },
};

/** The lines that `key` adds to the log; throws `RangeError` for one that has no meaning. */
export function debugKey(tools: Toolstack, key: string): readonly string[] {
  if (Object.hasOwn(KEYS, key)) return KEYS[key].lines(tools);
  throw new RangeError(`there is no debug key ${key}; there are ${Object.keys(KEYS).join(", ")}`);
}

/** Domains of machine code, of drivers and of modelled kernels. */
function allDomains({ domains, modelled }: Host): Domain[] {
  return [...domains, ...modelled.all].map(({ domain }) => domain);
}

function grantLines(host: Host): string[] {
  const { grants } = host.hypervisor;
  const mapped = new Map<DomainId, Map<DomainId, number>>();
  for (const mapper of [DOM0, ...allDomains(host).map(({ id }) => id)]) {
    for (const { mapping: { dom } } of grants.mappingsOf(mapper)) {
      const of = mapped.get(dom) ?? new Map<DomainId, number>();
      mapped.set(dom, of.set(mapper, (of.get(mapper) ?? 0) + 1));
    }
  }
  return allDomains(host).flatMap(({ id, name }) => [
    `Grant table for domain ${id} (${name}): ${grants.tableFrames(id).length} frames`,
    ...[...mapped.get(id) ?? []].map(([mapper, count]) =>
      `  domain ${mapper} maps ${count} of its pages`
    ),
  ]);
}
