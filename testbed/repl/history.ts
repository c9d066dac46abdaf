/** The lines of earlier sessions, one to a line of a file, oldest first. */

import { dirname } from "node:path";

/** How many lines are kept. */
export const MAX_HISTORY_LINES = 2000;

/** The file of the history: in `$XENARIUM_CACHE`, else in `~/.cache/xenarium`; `null` without either. */
export function historyPath(environment: { get(name: string): string | undefined }): string | null {
  const home = environment.get("HOME");
  const cache = environment.get("XENARIUM_CACHE") ?? (home && `${home}/.cache/xenarium`);
  return cache ? `${cache}/history` : null;
}

/** Reads the history, oldest first; an absent file is an empty history. */
export function readHistory(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "")
      .slice(-MAX_HISTORY_LINES);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Writes the history; only its owner may read it. */
export function writeHistory(path: string, lines: readonly string[]): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  const text = lines.slice(-MAX_HISTORY_LINES).map((line) => `${line.replaceAll("\n", " ")}\n`);
  Deno.writeTextFileSync(path, text.join(""), { mode: 0o600 });
}
