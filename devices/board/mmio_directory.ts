/** The memory-mapped ranges of the board: passes claims on to memory, and remembers them for listings. */

import type { PhysicalAddress } from "../../core/lib/brand.ts";
import type { MmioBus, MmioDevice } from "../../core/memory/ports.ts";

/** A range that is mapped now. */
export interface MmioClaim {
  readonly base: PhysicalAddress;
  readonly sizeBytes: number;
  readonly name: string;
}

/** A bus that knows who is on it. */
export class MmioDirectory implements MmioBus {
  readonly #claims = new Map<PhysicalAddress, MmioClaim>();

  constructor(private readonly bus: MmioBus) {}

  attachMmio(base: PhysicalAddress, sizeBytes: number, name: string, device: MmioDevice): void {
    this.bus.attachMmio(base, sizeBytes, name, device);
    this.#claims.set(base, { base, sizeBytes, name });
  }

  detachMmio(base: PhysicalAddress): void {
    this.bus.detachMmio(base);
    this.#claims.delete(base);
  }

  /** The ranges by ascending base. */
  claims(): readonly MmioClaim[] {
    return [...this.#claims.values()].sort((a, b) => a.base - b.base);
  }
}
