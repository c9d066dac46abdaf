/**
 * Runs scenarios from code, each in a thread of its own, so that a server that starts one stays responsive.
 *
 * Why a worker and not a process: a simulation computes without a pause, so it cannot share the server's thread; a child
 * process would need the permission to start programs, which is the permission to do anything, while a worker has at
 * most those of its maker. What is given up: a run that exhausts the memory of the process takes the server along. The
 * store has then what the run had said, and marks it incomplete.
 */

import type { LiveNews } from "../live/live_watch.ts";
import type { RunEnd, RunNews } from "../runs/run_events.ts";
import type { RunId } from "../runs/run_record.ts";
import type { RunStore } from "../runs/run_store.ts";
import { messageOf } from "./execute_run.ts";
import { DEFAULT_SEED, newRun } from "./new_run.ts";
import type { Settings } from "./parameters.ts";
import { ownScenarios, type ScenarioShelf } from "./scenario_shelf.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

/** How long a run that was asked to stop may take over what it keeps, in milliseconds, before its thread is ended. */
const STOP_MS = 15_000;

/** How to run it. */
export interface StartOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Where the run is kept; nowhere by default. */
  readonly store?: RunStore | null;
  /** Hears of everything that happens, after it was kept. */
  readonly onEvent?: (news: RunNews) => void;
  /** Interrupts the run when it fires. */
  readonly signal?: AbortSignal;
  /** Where names are looked up; default: the scenarios that come with Xenarium. */
  readonly shelf?: ScenarioShelf;
}

/** A run that goes on. */
export interface StartedRun {
  readonly id: RunId;
  /** Asks it to stop; what was measured so far is kept. */
  stop(): void;
  /** Types at a console of one of its guests, named as in `LiveNews`. */
  type(console: string, text: string): void;
  /** Resolves with the end, whatever it is; never rejects. */
  readonly ended: Promise<RunEnd>;
}

/**
 * Starts the scenario called `name` (or a file) with `parameters`, as text or as values.
 *
 * Rejects with `RangeError`, `SyntaxError` or `TypeError` if there is no such scenario or a parameter is wrong.
 *
 * ```ts ignore
 * const run = await startRun("scheduler_fairness", { schedulers: "bvt,credit2" }, {
 *   onEvent: (news) => console.log(news.kind),
 * });
 * console.log((await run.ended).traceHash);
 * ```
 */
export async function startRun(
  name: string,
  parameters: Settings = {},
  options: StartOptions = {},
): Promise<StartedRun> {
  const { seed = DEFAULT_SEED, store = null, onEvent, signal, shelf = ownScenarios } = options;
  const found = await shelf.load(name);
  const { head, settings, keep } = newRun(found, parameters, seed, store);
  onEvent?.({ kind: "started", head });
  const worker = new Worker(new URL("./run_worker.ts", import.meta.url), { type: "module" });
  const send = (message: ToWorker) => worker.postMessage(message);
  const { promise, resolve } = Promise.withResolvers<RunEnd>();
  let overdue: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  const hear = (news: RunNews) => {
    if (over) return;
    try {
      if (!isLive(news)) keep(news);
    } catch (error) {
      return finish({
        status: "failed",
        error: `the store cannot be written: ${messageOf(error)}`,
      });
    }
    onEvent?.(news);
    if (news.kind === "ended") close(news.end);
  };
  /** Ends a run that did not end by itself. */
  const finish = (how: Pick<RunEnd, "status" | "error">) => {
    if (over) return;
    const end: RunEnd = { ...how, finishedMs: Date.now(), traceHash: null };
    try {
      keep({ kind: "ended", end });
    } catch {
      // The store was the reason, or has it as incomplete.
    }
    onEvent?.({ kind: "ended", end });
    close(end);
  };
  const close = (end: RunEnd) => {
    over = true;
    clearTimeout(overdue);
    signal?.removeEventListener("abort", stop);
    worker.terminate();
    resolve(end);
  };
  const stop = () => {
    if (over || overdue !== undefined) return;
    send({ kind: "stop" });
    overdue = setTimeout(() => finish({ status: "interrupted", error: null }), STOP_MS);
  };

  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => hear(data);
  worker.onerror = (event) => {
    event.preventDefault();
    finish({ status: "failed", error: event.message });
  };
  send({ kind: "start", url: found.url, settings, seed });
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop);
  return {
    id: head.id,
    stop,
    type: (console, text) => send({ kind: "type", console, text }),
    ended: promise,
  };
}

function isLive(news: RunNews): news is LiveNews {
  return news.kind === "sample" || news.kind === "console" || news.kind === "output";
}
