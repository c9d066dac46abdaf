/** What the thread that started a run and the thread that carries it out say to each other. */

import type { RunNews } from "../runs/run_events.ts";
import type { Settings } from "./parameters.ts";

/** To the worker. */
export type ToWorker =
  | {
    readonly kind: "start";
    /** The scenario's module. */
    readonly url: string;
    readonly settings: Settings;
    readonly seed: number;
  }
  | { readonly kind: "stop" }
  /** Types at a console. */
  | { readonly kind: "type"; readonly console: string; readonly text: string };

/** From the worker: news, the run's end last. */
export type FromWorker = RunNews;
