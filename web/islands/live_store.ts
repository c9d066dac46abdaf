/** What the live page knows, and what each message changes. */

import type { HostSample, RunSpan } from "../../mod.ts";
import type { LiveMessage, LiveState } from "../live/messages.ts";
import { unreachable } from "../unreachable.ts";

/** Samples of a host that a page keeps: what its plots show. */
const MAX_SAMPLES = 600;
/** Spans of a host's schedule that a page keeps. */
const MAX_SPANS = 4000;
const MAX_LINES = 300;

/** One host as the page knows it. */
export interface HostHistory {
  readonly name: string;
  readonly samples: readonly HostSample[];
  readonly schedule: readonly RunSpan[];
}

/** See the module comment. */
export interface LiveKnowledge extends Omit<LiveState, "samples"> {
  readonly hosts: readonly HostHistory[];
}

/** What is known at first. */
export function knowledgeOf({ samples, ...rest }: LiveState): LiveKnowledge {
  return { ...rest, hosts: samples.reduce(withSample, [] as readonly HostHistory[]) };
}

/** What is known after a message. */
export function afterMessage(known: LiveKnowledge, message: LiveMessage): LiveKnowledge {
  switch (message.kind) {
    case "state":
      return knowledgeOf(message.state);
    case "sample":
      return { ...known, hosts: withSample(known.hosts, message.sample) };
    case "run":
      return { ...known, run: message.run };
    case "consoles":
      return { ...known, consoles: message.consoles };
    case "lines":
      return { ...known, log: [...known.log, ...message.lines].slice(-MAX_LINES) };
    case "piece":
      return known;
    default:
      return unreachable(message);
  }
}

function withSample(hosts: readonly HostHistory[], sample: HostSample): readonly HostHistory[] {
  const known = hosts.find(({ name }) => name === sample.host);
  if (!known) {
    return [...hosts, { name: sample.host, samples: [sample], schedule: sample.schedule }];
  }
  const updated: HostHistory = {
    name: known.name,
    samples: [...known.samples, sample].slice(-MAX_SAMPLES),
    schedule: [...known.schedule, ...sample.schedule].slice(-MAX_SPANS),
  };
  return hosts.map((host) => host === known ? updated : host);
}
