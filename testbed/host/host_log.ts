/** The log of a host: what it was given, and after how many slices of its runs. */

import type { Cycle } from "../../core/clock/clock.ts";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import type { HostInput } from "./host_inputs.ts";
import type { LoggedDisk } from "./logged_disks.ts";
import { type LogStart, readContent } from "../replay/log_file.ts";

/**
 * An instant of a recorded host, between two slices of its runs. A cycle alone would not tell it: a slice may end at the cycle at
 * which it began, and where slices end decides how physical CPUs take turns.
 */
export interface HostInstant {
  readonly cycle: Cycle;
  /** Slices that had passed since the recording began; one that a stop cut short is none. */
  readonly slices: number;
}

/** What a log holds behind its start, in the order in which it happened. */
export type HostLogEntry =
  & HostInstant
  & (
    | { readonly kind: "input"; readonly input: HostInput<LoggedDisk> }
    /** The trace hash on the way. */
    | { readonly kind: "mark"; readonly hash: string }
    /** The recording was ended. */
    | { readonly kind: "end"; readonly hash: string }
  );

/** A log as it counts. */
export interface HostLog {
  readonly start: LogStart;
  readonly entries: readonly HostLogEntry[];
  /** The cycle of its last word. */
  readonly recordedTo: Cycle;
  /** Bytes of a record at its end that is not whole; 0 if all are. */
  readonly tornBytes: number;
}

const KINDS: readonly string[] = ["input", "mark", "end"] satisfies HostLogEntry["kind"][];

/** Reads a log. Throws {@link SnapshotError} that says what is wrong with it. */
export function readHostLog(bytes: Uint8Array): HostLog {
  const { start, entries, tornBytes } = readContent<HostLogEntry>(bytes, "host");
  const strange = entries.find(({ kind }) => !KINDS.includes(kind));
  if (strange) throw new SnapshotError(`it has a record of kind ${strange.kind}`);
  const recordedTo = entries.at(-1)?.cycle ?? start.cycle;
  return { start, entries, recordedTo, tornBytes };
}
