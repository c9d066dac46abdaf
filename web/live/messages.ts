/** What the dashboard tells a browser that watches: plain data, the same types on both sides of the wire. */

import type { HostSample, RunProgress, RunStatus } from "../../mod.ts";

/** How the run that is watched stands. */
export interface RunStanding {
  readonly id: string;
  readonly status: RunStatus;
  readonly progress: RunProgress;
  readonly error: string | null;
}

/** A console that can be opened. */
export interface ConsoleCard {
  readonly key: string;
  readonly title: string;
}

/** Everything a page needs to begin, and to begin anew after it was cut off. */
export interface LiveState {
  readonly title: string;
  /** `null` if this is a session. */
  readonly run: RunStanding | null;
  /** Samples of every host, oldest first; older ones are forgotten. */
  readonly samples: readonly HostSample[];
  readonly consoles: readonly ConsoleCard[];
  /** The last lines that were printed. */
  readonly log: readonly string[];
}

/** A piece of a console's text, and how many characters came before it. */
export interface ConsolePiece {
  readonly offset: number;
  readonly text: string;
}

/** One server-sent event; `kind` is its name. */
export type LiveMessage =
  | { readonly kind: "state"; readonly state: LiveState }
  | { readonly kind: "sample"; readonly sample: HostSample }
  | { readonly kind: "run"; readonly run: RunStanding }
  | { readonly kind: "consoles"; readonly consoles: readonly ConsoleCard[] }
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  | { readonly kind: "piece"; readonly piece: ConsolePiece };

export const LIVE_MESSAGE_KINDS = ["state", "sample", "run", "consoles", "lines", "piece"] as const;
