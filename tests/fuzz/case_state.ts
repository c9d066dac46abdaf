/** A case in the making: the record that the oracle gets, and what is to become of it. */

import type { CaseForm } from "./case_forms.ts";
import type { CaseValues } from "./case_values.ts";
import { DATA, DATA_BYTES, PATCH_BYTES, Request } from "./host_process.ts";
import type { Random } from "./softfloat_operands.ts";

const MASK32 = 0xffff_ffffn;

/** The state before the instruction, and the places that its operands name. */
export class CaseState {
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  form!: CaseForm;
  /** Linear address that the memory operand is to have, and its size. */
  target = 0n;
  size = 0;
  singleStep = true;
  /** Offset of the patch in the data pages. */
  patchAt = 0;
  /** ModRM.reg and ModRM.rm with their REX bits. */
  reg = 0;
  rm = 0;

  constructor(readonly values: CaseValues) {
    this.bytes = new Uint8Array(Request.sizeBytes);
    this.words = new Uint32Array(this.bytes.buffer);
    this.view = new DataView(this.bytes.buffer);
  }

  get random(): Random {
    return this.values.random;
  }

  general(register: number): bigint {
    return this.view.getBigUint64(Request.general + 8 * register, true);
  }

  /** Sets a general register; in 32-bit code its upper half is zero. */
  setGeneral(register: number, value: bigint): void {
    const kept = this.form.long ? value : value & MASK32;
    this.view.setBigUint64(Request.general + 8 * register, BigInt.asUintN(64, kept), true);
  }

  /** Puts `register` at an address in the data pages with `size` bytes behind it. */
  pointIntoData(register: number, size: number): void {
    this.setGeneral(register, BigInt(DATA + this.random.below(DATA_BYTES - size)));
  }

  /** Writes to the data pages at a linear address, as far as the patch holds it. */
  setPatch(address: bigint, value: bigint, bytes: number): void {
    const at = Number(BigInt.asIntN(32, address)) - DATA - this.patchAt;
    for (let i = 0; i < bytes; i++) {
      if (at + i < 0 || at + i >= PATCH_BYTES) continue;
      this.bytes[Request.patch + at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    }
  }

  /** Moves the patch so that it holds the bytes at `address`, if they lie in the data pages. */
  movePatch(address: bigint): void {
    const offset = Number(BigInt.asIntN(32, address)) - DATA;
    const most = DATA_BYTES - PATCH_BYTES;
    this.patchAt = Math.min(Math.max(offset, 0), most) & ~3;
  }
}
