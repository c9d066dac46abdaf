/** The machines of this process, by name, for listings; a machine nobody holds any more leaves it. */

import type { Machine } from "./machine_api.ts";

/** Machines by name. Holds them weakly: memory is freed when a script lets go of a machine. */
export class MachineRegistry {
  readonly #machines = new Map<string, WeakRef<Machine>>();
  #made = 0;

  /** `machine1`, `machine2`, …: the first such name that no machine has. */
  nextName(): string {
    do this.#made++; while (this.get(`machine${this.#made}`));
    return `machine${this.#made}`;
  }

  /** Adds a machine; throws `RangeError` if another one has its name. */
  add(machine: Machine): void {
    const other = this.get(machine.name);
    if (other === machine) return;
    if (other) throw new RangeError(`there is a machine named ${machine.name} already`);
    this.#machines.set(machine.name, new WeakRef(machine));
  }

  get(name: string): Machine | undefined {
    return this.#machines.get(name)?.deref();
  }

  /** The machines there are, oldest first. */
  *[Symbol.iterator](): IterableIterator<Machine> {
    for (const [name, reference] of this.#machines) {
      const machine = reference.deref();
      if (machine) yield machine;
      else this.#machines.delete(name);
    }
  }
}

/** Every machine that `createMachine` made in this process. */
export const machines: MachineRegistry = new MachineRegistry();
