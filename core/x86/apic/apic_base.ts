/**
 * IA32_APIC_BASE: where the register page is, and which of three modes the local APIC is in.
 *
 * Source: Intel SDM vol. 3, "Local APIC Status and Location", "x2APIC State Transitions".
 */

/** EN and EXTD together; EXTD without EN is not a state. */
export type ApicMode = "disabled" | "xapic" | "x2apic";

/** Bits of the low half of IA32_APIC_BASE. */
export const APIC_BASE = { BSP: 0x100, EXTD: 0x400, EN: 0x800, PAGE: 0xfffff000 } as const;

/** The page's place after reset. */
export const APIC_DEFAULT_PAGE = 0xfee00000;

/** The mode that the low half of IA32_APIC_BASE says, or `null` for EXTD without EN. */
export function modeOf(low: number): ApicMode | null {
  if (low & APIC_BASE.EN) return low & APIC_BASE.EXTD ? "x2apic" : "xapic";
  return low & APIC_BASE.EXTD ? null : "disabled";
}

/** Which modes WRMSR may go to from each mode; the others are #GP(0). */
const TRANSITIONS: { readonly [from in ApicMode]: readonly ApicMode[] } = {
  disabled: ["disabled", "xapic"],
  xapic: ["xapic", "disabled", "x2apic"],
  x2apic: ["x2apic", "disabled"],
};

/**
 * The mode after writing `low`, `high` to IA32_APIC_BASE in mode `from`; `null` if the write is #GP(0):
 * a reserved bit, an address beyond `physicalBits`, or a transition that does not exist.
 */
export function nextMode(
  from: ApicMode,
  low: number,
  high: number,
  physicalBits: number,
  hasX2apic: boolean,
): ApicMode | null {
  const legal = APIC_BASE.BSP | APIC_BASE.EN | APIC_BASE.PAGE | (hasX2apic ? APIC_BASE.EXTD : 0);
  if ((low & ~legal) !== 0 || high >= 2 ** (physicalBits - 32)) return null;
  const to = modeOf(low);
  return to !== null && TRANSITIONS[from].includes(to) ? to : null;
}
