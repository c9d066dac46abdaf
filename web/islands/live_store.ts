/** What the live page knows, and what each message changes. */

import type { HostSample, RunSpan } from "../../mod.ts";
import type { LiveMessage, LiveState } from "../live/messages.ts";
import { QUANTITIES, type Quantity, type RateRow, ratesBetween } from "./rates.ts";
import { unreachable } from "../unreachable.ts";

/** Figures of a host (a row for each sample, one of each domain in it) that a page keeps. */
const MAX_FIGURES = 30_000;
const MAX_ROWS = 600;
/** Spans of a host's schedule that a page keeps. */
const MAX_SPANS = 4000;
/** Hosts that a page keeps: a scenario may build one after the other. */
const MAX_HOSTS = 8;
const MAX_LINES = 300;

/** One host as the page knows it. */
export interface HostHistory {
  readonly name: string;
  readonly latest: HostSample;
  readonly before: HostSample | undefined;
  /** Oldest first. */
  readonly rows: readonly RateRow[];
  readonly schedule: readonly RunSpan[];
  /** The quantities that any domain had any of, so that a plot shows something; CPU time always matters. */
  readonly seen: ReadonlySet<Quantity>;
}

/** See the module comment. */
export interface LiveKnowledge extends Omit<LiveState, "samples"> {
  readonly hosts: readonly HostHistory[];
}

/** What is known at first. */
export function knowledgeOf({ samples, ...rest }: LiveState): LiveKnowledge {
  return { ...rest, hosts: samples.reduce(withSample, [] as readonly HostHistory[]) };
}

/** What is known after messages that came together. */
export function afterMessages(
  known: LiveKnowledge,
  messages: readonly LiveMessage[],
): LiveKnowledge {
  return messages.reduce(afterMessage, known);
}

/** What is known after a message. */
function afterMessage(known: LiveKnowledge, message: LiveMessage): LiveKnowledge {
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
  const { schedule } = sample;
  if (!known) {
    const seen: ReadonlySet<Quantity> = new Set(["cpu"]);
    const made = { name: sample.host, latest: sample, before: undefined, rows: [], schedule, seen };
    return [...hosts, made].slice(-MAX_HOSTS);
  }
  const row = ratesBetween(known.latest, sample);
  const kept = Math.min(MAX_ROWS, Math.ceil(MAX_FIGURES / Math.max(1, sample.domains.length)));
  const updated: HostHistory = {
    name: known.name,
    latest: sample,
    before: known.latest,
    rows: row ? [...known.rows, row].slice(-kept) : known.rows,
    schedule: [...known.schedule, ...schedule].slice(-MAX_SPANS),
    seen: row ? seenAfter(known.seen, row) : known.seen,
  };
  return hosts.map((host) => host === known ? updated : host);
}

function seenAfter(seen: ReadonlySet<Quantity>, { domains }: RateRow): ReadonlySet<Quantity> {
  const fresh = QUANTITIES.filter((quantity) =>
    !seen.has(quantity) && domains.values().some((rates) => rates[quantity] > 0)
  );
  return fresh.length === 0 ? seen : new Set([...seen, ...fresh]);
}
