/**
 * The 256 bytes of configuration space of one PCI function, described by a table of registers.
 *
 * A register says which of its bits are writable and which are cleared by writing one; every other
 * bit keeps its reset value. Layout: PCI Local Bus Specification 3.0, chapter 6, "Configuration Space".
 */

import type { PortSize } from "../../core/memory/ports.ts";
import { invariant } from "../../core/lib/assert.ts";

/** One register of a function's configuration space. */
export interface PciRegister {
  /** Position in bytes, 0 to 255. */
  readonly offset: number;
  readonly sizeBytes: 1 | 2 | 4;
  /** The specification's or the data sheet's name. */
  readonly name: string;
  /** The value after reset. */
  readonly reset: number;
  /** Bits that a write replaces; none if left out. */
  readonly writable?: number;
  /** Bits that writing a one clears; none if left out. */
  readonly clearedByOne?: number;
}

/** Size of a function's configuration space in bytes. */
export const CONFIG_SPACE_BYTES = 256;

/** The registers of one function as bytes. Bytes that no register covers read zero and ignore writes. */
export class ConfigSpace {
  readonly #bytes = new Uint8Array(CONFIG_SPACE_BYTES);
  readonly #reset = new Uint8Array(CONFIG_SPACE_BYTES);
  readonly #writable = new Uint8Array(CONFIG_SPACE_BYTES);
  readonly #clearedByOne = new Uint8Array(CONFIG_SPACE_BYTES);

  /** Throws an `InvariantError` if two registers overlap, or one leaves the space. */
  constructor(readonly registers: readonly PciRegister[]) {
    const owner: (string | undefined)[] = [];
    for (const register of registers) {
      const { offset, sizeBytes, name } = register;
      invariant(offset + sizeBytes <= CONFIG_SPACE_BYTES, `register ${name} is out of range`);
      for (let byte = 0; byte < sizeBytes; byte++) {
        const at = offset + byte;
        invariant(owner[at] === undefined, `registers ${name} and ${owner[at]} overlap`);
        owner[at] = name;
        this.#reset[at] = register.reset >>> (8 * byte);
        this.#writable[at] = (register.writable ?? 0) >>> (8 * byte);
        this.#clearedByOne[at] = (register.clearedByOne ?? 0) >>> (8 * byte);
      }
    }
    this.#bytes.set(this.#reset);
  }

  /** Gives every register its reset value. */
  reset(): void {
    this.#bytes.set(this.#reset);
  }

  /** Reads `size` bytes at `offset`, little-endian; beyond the end the bus floats. */
  read(offset: number, size: PortSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) {
      const at = offset + byte;
      value |= (at < CONFIG_SPACE_BYTES ? this.#bytes[at] : 0xff) << (8 * byte);
    }
    return value >>> 0;
  }

  /** Writes as software does: only writable bits change. */
  write(offset: number, size: PortSize, value: number): void {
    for (let byte = 0; byte < size && offset + byte < CONFIG_SPACE_BYTES; byte++) {
      const at = offset + byte;
      const written = (value >>> (8 * byte)) & 0xff;
      const writable = this.#writable[at];
      const kept = this.#bytes[at] & ~(written & this.#clearedByOne[at]);
      this.#bytes[at] = (kept & ~writable) | (written & writable);
    }
  }

  /** Sets bytes as the device itself does, read-only bits too. */
  poke(offset: number, size: PortSize, value: number): void {
    for (let byte = 0; byte < size; byte++) this.#bytes[offset + byte] = value >>> (8 * byte);
  }

  /** A copy of all bytes. */
  save(): Uint8Array {
    return this.#bytes.slice();
  }

  /** Replaces all bytes by what {@link save} returned. */
  restore(bytes: Uint8Array): void {
    this.#bytes.set(bytes.subarray(0, CONFIG_SPACE_BYTES));
  }
}
