/** The TLB banks of one CPU: one for each of the last few VM ids, the first for 0 alone. */

import { BANK_BYTES, BANKS, TlbBank } from "./tlb.ts";

/** Banks by VM id. */
export class TlbBanks {
  readonly all: readonly TlbBank[];
  readonly #vmIds: number[] = [0, ...new Array(BANKS - 1).fill(-1)];
  #current = 0;

  /** `base` is the linear offset of TLB_SIZE_BYTES bytes. */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.all = Array.from({ length: BANKS }, (_, i) => new TlbBank(buffer, base + i * BANK_BYTES));
  }

  /** Makes the bank of a VM id the current one, in the place of another's if need be; returns it. */
  select(vmId: number): TlbBank {
    if (this.#vmIds[this.#current] === vmId) return this.all[this.#current];
    let index = this.#vmIds.indexOf(vmId);
    if (index < 0) {
      index = 1 + (vmId % (BANKS - 1));
      this.all[index].flush(false);
      this.#vmIds[index] = vmId;
    }
    this.#current = index;
    return this.all[index];
  }
}
