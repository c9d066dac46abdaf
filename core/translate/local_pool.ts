/** Locals for values that live no longer than an instruction, or until their flags are overwritten. */

import type { WasmType } from "../lib/wasm/opcodes.ts";
import type { FunctionWriter } from "../lib/wasm/writer.ts";

/** The temporary locals of one function. */
export class LocalPool {
  readonly #types = new Map<number, WasmType>();
  readonly #free: Record<WasmType, number[]> = { i32: [], i64: [], v128: [] };
  #held: number[] = [];

  /** `isNeeded` tells whether a local that was given back must be kept a while. */
  constructor(
    private readonly code: FunctionWriter,
    private readonly isNeeded: (local: number) => boolean,
  ) {}

  take(type: WasmType): number {
    const free = this.#free[type].pop();
    if (free !== undefined) return free;
    const local = this.code.local(type);
    this.#types.set(local, type);
    return local;
  }

  giveBack(locals: readonly number[]): void {
    const held = this.#held;
    this.#held = [];
    for (const local of [...held, ...locals]) {
      if (this.isNeeded(local)) this.#held.push(local);
      else this.#free[this.#types.get(local)!].push(local);
    }
  }
}
