/**
 * Segment descriptors that a guest puts into its GDT or LDT (SDM vol. 3, "Segment Descriptors").
 *
 * 64-bit guests run in ring 3 and kernels of 32-bit ones in ring 1, so that no code or data segment is dangerous once
 * its privilege level is not below that; a 32-bit guest has no 64-bit code. System segments are refused; a call gate
 * is refused too.
 *
 * @deviation A call gate is refused, where Xen keeps it with its privilege level lowered and emulates calls through it;
 * Xen 4.17's interface `update_descriptor`.
 */

import type { DataModel } from "../../abi/struct_layout.ts";

const PRESENT = 0x8000;
const CODE_OR_DATA = 0x1000;
const TYPE = 0x0f00;
const DPL = 0x6000;
/** The L bit: 64-bit code. */
const LONG = 0x20_0000;
/** The lowest privilege level, in place, by the guest's data model. */
const LOWEST_DPL: Readonly<Record<DataModel, number>> = { lp64: 0x6000, ilp32: 0x2000 };

/** Bits 63..32 of a descriptor as it may be used, or `null` if it may not. */
export function checkedDescriptor(model: DataModel, _low: number, high: number): number | null {
  if ((high & PRESENT) === 0) return high;
  if ((high & CODE_OR_DATA) !== 0) {
    if (model === "ilp32" && (high & LONG) !== 0) return null;
    const lowest = LOWEST_DPL[model];
    return (high & DPL) < lowest ? ((high & ~DPL) | lowest) >>> 0 : high;
  }
  // The upper half of a 16-byte descriptor.
  return (high & TYPE) === 0 ? high : null;
}
