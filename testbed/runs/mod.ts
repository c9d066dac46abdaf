/**
 * Runs of scenarios: their records, the events that make them, the store that keeps them, exports and comparisons.
 *
 * Not how a scenario is carried out: that is `testbed/scenarios/`.
 *
 * ```ts ignore
 * const store = RunStore.open(defaultStorePath(Deno.env));
 * console.log(store.read(store.find("last").id).tables);
 * ```
 */

export { type ComparedNumber, compareRuns } from "./compare_runs.ts";
export { csv, type ExportedFile, toCsv, toJson } from "./export.ts";
export * from "./run_events.ts";
export * from "./run_record.ts";
export { type NumberedEvent, RunStore, RunWriter } from "./run_store.ts";
export { SCHEMA_VERSION, StoreError } from "./store_file.ts";
export { defaultStorePath, STORE_VARIABLE } from "./store_path.ts";
