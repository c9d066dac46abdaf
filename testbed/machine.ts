/** Making machines. */

import { machines } from "./machine_registry.ts";
import type { CreateMachine, LoadMachine, Machine, MachineOptions } from "./machine_api.ts";
import { PcMachine } from "./machine/machine.ts";
import { gatherParts } from "./machine/parts.ts";
import type { LoggedInput } from "./replay/input_journal.ts";
import { readSnapshotFile, type SavedMachine } from "./snapshot/snapshot_file.ts";

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

/** Builds the machine that `path` holds, as it stood when it was saved; see {@link LoadMachine}. */
export const loadMachine: LoadMachine = async (path, { name } = {}) =>
  await machineOf(await readSnapshotFile(path), name);

/** The machine that a file tells of, under its own name if that is free. */
export async function machineOf(
  saved: Omit<SavedMachine, "digest">,
  name?: string,
): Promise<Machine> {
  const { images, options, record, ram, inputs } = saved;
  if (name !== undefined && machines.get(name)) {
    throw new RangeError(`option name: there is a machine named ${name} already`);
  }
  const free = name ?? (machines.get(saved.name) ? machines.nextName() : saved.name);
  const machine = new PcMachine(await gatherParts(options, free, images));
  machine.restore(record, ram);
  machine.expectInputs(inputs as unknown as readonly LoggedInput[]);
  machines.add(machine);
  return machine;
}
