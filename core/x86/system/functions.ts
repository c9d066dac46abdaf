/** How engines call system functions: by number, with faults as return values. */

import { invariant } from "../../lib/assert.ts";
import { type Cpu, GUEST_FAULT } from "../cpu.ts";

/** One system function. */
export interface SystemFunction {
  readonly name: string;
  readonly run: (cpu: Cpu) => void;
  /** It may change control flow, mode, paging, interrupt state or the memory map. */
  readonly endsBlock: boolean;
  /** The owner of ring 0 may want to carry it out instead. */
  readonly sensitive?: boolean;
}

/** A numbered set of system functions. */
export class SystemFunctions {
  readonly #ids = new Map<string, number>();

  constructor(private readonly functions: readonly SystemFunction[]) {
    functions.forEach(({ name }, id) => {
      invariant(!this.#ids.has(name), `two system functions are named ${name}`);
      this.#ids.set(name, id);
    });
  }

  idOf(name: string): number {
    const id = this.#ids.get(name);
    invariant(id !== undefined, `no system function is named ${name}`);
    return id;
  }

  /** For the builder of programs. */
  readonly catalogue = (name: string): SystemFunction | undefined => {
    const id = this.#ids.get(name);
    return id === undefined ? undefined : this.functions[id];
  };

  /** Calls function `id` on the arguments in the CPU's state; false with an exception pending. */
  call(cpu: Cpu, id: number): boolean {
    const entry = this.functions[id];
    if (entry.sensitive && cpu.owner?.intercept?.(cpu, entry.name)) return true;
    try {
      entry.run(cpu);
      return true;
    } catch (thrown) {
      if (thrown === GUEST_FAULT) return false;
      throw thrown;
    }
  }
}
