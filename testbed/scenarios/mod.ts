/**
 * Scenarios: what one is, how it is told what to do, and how it is carried out.
 *
 * Not the scenarios themselves (`scenarios/`), and not what becomes of their results (`testbed/runs/`).
 *
 * ```ts ignore
 * const run = await startRun("tiny_kernels", {}, { onEvent: (news) => console.log(news) });
 * await run.ended;
 * ```
 */

export {
  accepted,
  checkSettings,
  defaultText,
  type Parameter,
  type ParameterTable,
  type Settings,
  settingText,
  type ValuesOf,
} from "./parameters.ts";
export { commandLineOf } from "./command_line.ts";
export { DEFAULT_SEED, MAX_SEED } from "./new_run.ts";
export { PROGRAM_VERSION } from "./program_version.ts";
export * from "./scenario.ts";
export { type FoundScenario, ownScenarios, type ScenarioShelf } from "./scenario_shelf.ts";
export { type StartedRun, type StartOptions, startRun } from "./start_run.ts";
