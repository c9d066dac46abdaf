/** Debug keys: what the hypervisor writes about itself to its log. Source of the letters: Xen's `debug-keys` `h`. */

import { RUNSTATES } from "../../core/hypervisor/scheduling/ports.ts";
import { listDomains, listVcpus } from "./listings.ts";
import type { Toolstack } from "./toolstack.ts";

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
      host.domains.flatMap(({ id, name }) => [
        `Event channel information for domain ${id} (${name}):`,
        ...[...host.hypervisor.events.list(id)].map(({ port, channel }) =>
          `  ${port}: ${channel.binding.kind}, d${id}v${channel.notifyVcpu}`
        ),
      ]),
  },
  m: {
    help: "memory",
    lines: ({ host: { hypervisor: { frames }, domains } }) => [
      `free frames: ${frames.freeFrames}`,
      ...domains.map(({ id, domain: { pages, maxPages } }) =>
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
