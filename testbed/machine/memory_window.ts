/** Memory as scripts see it, read-only: guest-physical, and linear through a CPU's paging. */

import type { PhysicalAddress } from "../../core/lib/brand.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { CpuLook } from "../../core/x86/cpu_look.ts";
import type { MemoryView } from "../machine_api.ts";

const PAGE_BYTES = 4096;

/** The view of one machine's memory. */
export class MemoryWindow implements MemoryView {
  readonly #memory: MachineMemory;
  readonly #cpus: readonly CpuLook[];

  constructor(memory: MachineMemory, cpus: readonly CpuLook[]) {
    this.#memory = memory;
    this.#cpus = cpus;
  }

  get sizeBytes(): number {
    return this.#memory.plan.ramBytes;
  }

  readBytes(address: PhysicalAddress, lengthBytes: number): Uint8Array {
    if (!(address >= 0 && this.#memory.readableLinear(address + lengthBytes - 1) >= 0)) {
      throw new RangeError(`no RAM at ${address}, length ${lengthBytes}`);
    }
    const bytes = new Uint8Array(lengthBytes);
    this.#memory.readBytes(address, bytes);
    return bytes;
  }

  readLinear(cpu: number, address: bigint, lengthBytes: number): Uint8Array {
    const { mmu } = this.#cpus[cpu];
    const bytes = new Uint8Array(lengthBytes);
    for (let done = 0; done < lengthBytes;) {
      const linear = address + BigInt(done);
      const physical = mmu.peek(
        Number(BigInt.asIntN(32, linear)),
        Number(BigInt.asIntN(32, linear >> 32n)),
      );
      if (physical < 0 || this.#memory.readableLinear(physical) < 0) return bytes.subarray(0, done);
      const length = Math.min(lengthBytes - done, PAGE_BYTES - (physical % PAGE_BYTES));
      const part = bytes.subarray(done, done + length);
      this.#memory.readBytes(physical as PhysicalAddress, part);
      done += length;
    }
    return bytes;
  }
}
