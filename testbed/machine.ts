/** Making machines. */

import { machines } from "./machine_registry.ts";
import type { CreateMachine, Machine, MachineOptions } from "./machine_api.ts";
import { PcMachine } from "./machine/machine.ts";
import { gatherParts } from "./machine/parts.ts";

/** Builds a machine; rejects with an error that names the option, the value and what is accepted. */
export const createMachine: CreateMachine = async (options: MachineOptions): Promise<Machine> => {
  const name = options.name ?? machines.nextName();
  if (machines.get(name)) {
    throw new RangeError(`option name: there is a machine named ${name} already`);
  }
  const machine = new PcMachine(await gatherParts(options, name));
  machines.add(machine);
  return machine;
};
