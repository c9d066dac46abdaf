/** `createMachine` for the public face: what machines are made of is loaded when the first one is made. */

import type { CreateMachine, LoadMachine, ReplayMachine } from "./machine_api.ts";

/** Builds a machine; rejects with an error that names the option, the value and what is accepted. */
export const createMachine: CreateMachine = async (options) =>
  await (await import("./machine.ts")).createMachine(options);

/** Builds the machine of a snapshot file. */
export const loadMachine: LoadMachine = async (path, options) =>
  await (await import("./machine.ts")).loadMachine(path, options);

/** Builds the machine of a log and runs it as it was recorded. */
export const replay: ReplayMachine = async (path, options) =>
  await (await import("./replay_machine.ts")).replay(path, options);
