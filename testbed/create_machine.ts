/** `createMachine` for the public face: what machines are made of is loaded when the first one is made. */

import type { CreateMachine } from "./machine_api.ts";

/** Builds a machine; rejects with an error that names the option, the value and what is accepted. */
export const createMachine: CreateMachine = async (options) =>
  await (await import("./machine.ts")).createMachine(options);
