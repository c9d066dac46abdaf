/** The thread that carries out one run for {@link startRun}: see worker_messages.ts for what it says. */

import { LiveWatch } from "../live/live_watch.ts";
import { executeRun } from "./execute_run.ts";
import type { Scenario } from "./scenario.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

/** A worker's global scope, as far as it is used; the types of workers and of pages exclude each other. */
interface WorkerScope {
  onmessage: ((message: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
  close(): void;
}

const scope = globalThis as unknown as WorkerScope;
const stopped = new AbortController();
const watch = new LiveWatch((news) => scope.postMessage(news));

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "start":
      void carryOut(data);
      return;
    case "stop":
      return stopped.abort();
    case "type":
      return void watch.type(data.console, data.text);
  }
};

async function carryOut({ url, settings, seed }: Extract<ToWorker, { kind: "start" }>) {
  const { default: scenario }: { default: Scenario } = await import(url);
  await executeRun({
    scenario,
    settings,
    seed,
    signal: stopped.signal,
    emit(event) {
      if (event.kind === "ended") {
        watch.look();
        watch.stop();
      }
      scope.postMessage(event);
    },
  });
  scope.close();
}
