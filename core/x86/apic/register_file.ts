/** The 32-bit registers that one local APIC keeps, and the three 256-bit vector sets among them. */

import type { SnapshotValue } from "../../lib/snapshot.ts";
import { APIC_REGISTERS, type REG, REGISTER_COUNT } from "./registers.ts";

/** The first register number of a vector set: in service, trigger mode, requested. */
export type VectorSet = typeof REG.ISR | typeof REG.TMR | typeof REG.IRR;

/** The stored registers of a local APIC, by register number. */
export class RegisterFile {
  readonly #words = new Uint32Array(REGISTER_COUNT);

  get(index: number): number {
    return this.#words[index];
  }

  set(index: number, value: number): void {
    this.#words[index] = value;
  }

  /** Sets every register to its value after reset. */
  reset(): void {
    this.#words.fill(0);
    for (const register of APIC_REGISTERS) {
      if (register) this.#words[register.index] = register.reset;
    }
  }

  has(set: VectorSet, vector: number): boolean {
    return (this.#words[set + (vector >> 5)] & (1 << (vector & 31))) !== 0;
  }

  add(set: VectorSet, vector: number): void {
    this.#words[set + (vector >> 5)] |= 1 << (vector & 31);
  }

  remove(set: VectorSet, vector: number): void {
    this.#words[set + (vector >> 5)] &= ~(1 << (vector & 31));
  }

  /** The highest vector in `set`, or -1. */
  highest(set: VectorSet): number {
    for (let word = 7; word >= 0; word--) {
      const bits = this.#words[set + word];
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    }
    return -1;
  }

  /** The stored registers by name. */
  save(): { readonly [name: string]: SnapshotValue } {
    const values: { [name: string]: SnapshotValue } = {};
    for (const register of APIC_REGISTERS) {
      if (register?.stored) values[register.name] = this.#words[register.index];
    }
    return values;
  }

  /** Replaces the stored registers by what {@link save} returned. */
  restore(values: { readonly [name: string]: SnapshotValue }): void {
    for (const register of APIC_REGISTERS) {
      if (register?.stored) this.#words[register.index] = values[register.name] as number;
    }
  }
}
