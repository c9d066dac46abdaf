/** Where runs are kept if nobody says otherwise. */

/** The environment variable that names the store's file. */
export const STORE_VARIABLE = "XENARIUM_STORE";

/**
 * The store's file: what the environment names, else a file in the user's data folder as the system has it
 * (XDG's base directories, macOS's Application Support, Windows' local application data).
 *
 * Throws `RangeError` if the environment names no home either.
 */
export function defaultStorePath(
  environment: { get(name: string): string | undefined },
  system: typeof Deno.build.os = Deno.build.os,
): string {
  const named = environment.get(STORE_VARIABLE);
  if (named) return named;
  const home = environment.get("HOME");
  const folder = system === "windows"
    ? environment.get("LOCALAPPDATA")
    : system === "darwin"
    ? home && `${home}/Library/Application Support`
    : environment.get("XDG_DATA_HOME") || (home && `${home}/.local/share`);
  if (folder) return `${folder}/xenarium/runs.sqlite`;
  throw new RangeError(
    `no place for the run store: neither ${STORE_VARIABLE} nor a home folder is set; name a file with --store`,
  );
}
