/** The live page: how the run stands, its hosts, its consoles, what it prints. */

import type { ComponentChildren } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { Status } from "../components/run_parts.tsx";
import {
  type ConsoleCard,
  LIVE_MESSAGE_KINDS,
  type LiveMessage,
  type LiveState,
  type RunStanding,
} from "../live/messages.ts";
import { aboutHost, ConsoleLink, LiveHost } from "./live_host.tsx";
import { afterMessages, type HostHistory, knowledgeOf } from "./live_store.ts";
import { usePalette } from "./palette.ts";

/** See the module comment. */
export function LiveView({ id, initial }: { readonly id: string; readonly initial: LiveState }) {
  const [known, tell] = useReducer(afterMessages, initial, knowledgeOf);
  const isConnected = useStream(`/live/${encodeURIComponent(id)}/stream`, tell);
  const palette = usePalette();
  const { run, hosts, consoles, log } = known;
  const others = consoles.filter(({ key }) =>
    !hosts.some(({ name }) => key.startsWith(`${name}/`))
  );
  return (
    <div class="sheet live">
      {run && <Standing run={run} />}
      {!isConnected && (
        <p class="soft" role="status">
          Not connected; what happens meanwhile is shown as soon as the connection is back.
        </p>
      )}
      {hosts.toReversed().map((host, i) => (
        <Opened key={host.name} isOpenAtFirst={i === 0} host={host}>
          <LiveHost channel={id} host={host} consoles={consoles} palette={palette} />
        </Opened>
      ))}
      {hosts.length === 0 && <p class="soft">No host has been booted yet.</p>}
      {others.length > 0 && <Machines channel={id} consoles={others} />}
      {log.length > 0 && (
        <section>
          <h2>What it prints</h2>
          <pre class="log" tabindex={0}>{log.join("\n")}</pre>
        </section>
      )}
    </div>
  );
}

/** A host that can be folded: of many, the newest is open, until somebody chooses otherwise. */
function Opened({ isOpenAtFirst, host, children }: {
  readonly isOpenAtFirst: boolean;
  readonly host: HostHistory;
  readonly children: ComponentChildren;
}) {
  const [chosen, choose] = useState<boolean | null>(null);
  const isOpen = chosen ?? isOpenAtFirst;
  return (
    <details class="card" open={isOpen}>
      <summary
        onClick={(event) => {
          event.preventDefault();
          choose(!isOpen);
        }}
      >
        {host.name} <span class="soft">{aboutHost(host.latest)}</span>
      </summary>
      {isOpen && children}
    </details>
  );
}

function Standing({ run }: { readonly run: RunStanding }) {
  const { status, progress, error, id } = run;
  const percent = Math.floor(progress.fraction * 100);
  return (
    <section aria-live="polite">
      <p class="row">
        <Status of={status} />
        {status === "running"
          ? <span class="soft">{`${percent} %${progress.step && `, ${progress.step}`}`}</span>
          : <a class="button main" href={`/runs/${id}`}>See its results</a>}
        {status === "running" && <a href={`/runs/${id}`}>results so far</a>}
      </p>
      {status === "running" && (
        <form method="post" action={`/live/${id}/stop`} class="row">
          <button type="submit" class="danger">Stop it</button>
          <span class="soft">What was measured until then is kept.</span>
        </form>
      )}
      <progress max="1" value={progress.fraction} aria-label="Progress" />
      {error !== null && (
        <div class="notice bad">
          <p>{error}</p>
        </div>
      )}
    </section>
  );
}

function Machines({ channel, consoles }: {
  readonly channel: string;
  readonly consoles: readonly ConsoleCard[];
}) {
  return (
    <section>
      <h2>Machines</h2>
      <ul class="conclusions">
        {consoles.map((each) => (
          <li key={each.key}>
            {each.title}: <ConsoleLink channel={channel} of={each} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Hears a channel's stream; browsers connect again by themselves. */
function useStream(url: string, tell: (messages: readonly LiveMessage[]) => void): boolean {
  const [isConnected, setConnected] = useState(true);
  useEffect(() => {
    const source = new EventSource(url);
    const hear = inBatches(tell);
    source.onopen = () => setConnected(true);
    source.onerror = () => setConnected(false);
    for (const kind of LIVE_MESSAGE_KINDS) {
      source.addEventListener(kind, ({ data }) => hear(JSON.parse(data)));
    }
    return () => source.close();
  }, [url]);
  return isConnected;
}

/** The page is drawn anew after this time at the earliest, in milliseconds. */
const REST_MS = 100;
/** It rests this many times as long as drawing took: scrolling and typing stay smooth on a slow or busy computer. */
const REST_SHARE = 4;

/** Hands messages on together, as often as the page can well be drawn. */
function inBatches(
  tell: (messages: readonly LiveMessage[]) => void,
): (message: LiveMessage) => void {
  let waiting: LiveMessage[] = [];
  let isResting = false;
  const flush = () => {
    const begun = performance.now();
    isResting = true;
    tell(waiting);
    waiting = [];
    requestAnimationFrame(() =>
      setTimeout(() => {
        const tookMs = performance.now() - begun;
        setTimeout(() => {
          isResting = false;
          if (waiting.length > 0) flush();
        }, Math.max(REST_MS - tookMs, REST_SHARE * tookMs));
      })
    );
  };
  return (message) => {
    waiting.push(message);
    if (!isResting) flush();
  };
}
