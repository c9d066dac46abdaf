/** Structures of the ABI in a caller's memory. */

import type { Fields, StructLayout, StructValue } from "../../abi/struct_layout.ts";
import type { Caller } from "./caller.ts";

const TWO_32 = 0x1_0000_0000;

/** The structure at linear address `address`, or `null` if it cannot be read. */
export function readStruct<F extends Fields>(
  { guest, domain: { model } }: Caller,
  layout: StructLayout<F>,
  address: number,
): StructValue<F> | null {
  const bytes = new Uint8Array(layout.sizeBytes(model));
  return guest.read(address, bytes) ? layout.read(bytes, 0, model) : null;
}

/** Stores a structure at linear address `address`; false if it cannot be written. */
export function writeStruct<F extends Fields>(
  { guest, domain: { model } }: Caller,
  layout: StructLayout<F>,
  address: number,
  value: Partial<StructValue<F>>,
): boolean {
  return guest.write(address, layout.toBytes(value, model));
}

/** The guest pointer at linear address `address`, or `null` on a fault. */
export function readHandle({ guest, domain }: Caller, address: number): number | null {
  const words = new Int32Array(2);
  if (!guest.readWords(address, words, domain.model === "lp64" ? 2 : 1)) return null;
  return words[1] * TWO_32 + (words[0] >>> 0);
}

/** An array of words as wide as the guest's longs in its memory: `xen_pfn_t`, `xen_ulong_t`, guest pointers. */
export class LongList {
  readonly #word = new Int32Array(2);
  readonly #words: 1 | 2;

  constructor(private readonly caller: Caller, private readonly address: number) {
    this.#words = caller.domain.model === "lp64" ? 2 : 1;
  }

  /** Entry `index`, or `null` on a fault. */
  get(index: number): number | null {
    const word = this.#word;
    word[1] = 0;
    if (!this.caller.guest.readWords(this.#place(index), word, this.#words)) return null;
    return (word[1] >>> 0) * TWO_32 + (word[0] >>> 0);
  }

  /** The first `count` entries, or `null` on a fault. */
  take(count: number): number[] | null {
    const words = new Int32Array(this.#words * count);
    if (!this.caller.guest.readWords(this.address, words, words.length)) return null;
    const high = (i: number) => this.#words === 2 ? (words[2 * i + 1] >>> 0) * TWO_32 : 0;
    return Array.from({ length: count }, (_, i) => high(i) + (words[this.#words * i] >>> 0));
  }

  /** Stores entry `index`; false on a fault. */
  set(index: number, value: number): boolean {
    this.#word[0] = value | 0;
    this.#word[1] = Math.floor(value / TWO_32);
    return this.caller.guest.writeWords(this.#place(index), this.#word, this.#words);
  }

  #place(index: number): number {
    return this.address + 4 * this.#words * index;
  }
}
