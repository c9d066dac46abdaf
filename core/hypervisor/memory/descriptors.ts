/**
 * Segment descriptors that a guest puts into its GDT or LDT (SDM vol. 3, "Segment Descriptors").
 *
 * 64-bit guests run in ring 3, so that no code or data segment is dangerous once its privilege level is 3. System
 * segments are refused; a call gate is refused too.
 *
 * @deviation A call gate is refused, where Xen keeps it with its privilege level lowered and emulates calls through it;
 * Xen 4.17's interface `update_descriptor`.
 */

const PRESENT = 0x8000;
const CODE_OR_DATA = 0x1000;
const TYPE = 0x0f00;
const DPL = 0x6000;

/** Bits 63..32 of a descriptor as it may be used, or `null` if it may not. */
export function checkedDescriptor(_low: number, high: number): number | null {
  if ((high & PRESENT) === 0) return high;
  if ((high & CODE_OR_DATA) !== 0) return (high | DPL) >>> 0;
  // The upper half of a 16-byte descriptor.
  return (high & TYPE) === 0 ? high : null;
}
