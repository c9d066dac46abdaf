/** The four guest paging modes as tables (SDM vol. 3, "Paging"; maximal physical address 40 bits). */

import type { RadixFormat, RadixLevel } from "../../memory/radix_walker.ts";
import { Cr0, Cr4, Efer } from "../state/bits.ts";

/** Width of a physical address (MAXPHYADDR), as CPUID leaf 0x80000008 reports it. */
export const PHYSICAL_ADDRESS_BITS = 40;

/** Bits 51..40 of an entry, in its high half. */
const ABOVE_PHYSICAL = 0x000f_ff00;
const NX = 0x8000_0000 | 0;

function level(
  shift: number,
  indexBits: number,
  leaf: RadixLevel["leaf"],
  parts: Partial<RadixLevel> = {},
): RadixLevel {
  const nothing = { leafReservedLow: 0, reservedLow: 0, reservedHigh: 0 };
  return { shift, indexBits, leaf, hasFlags: true, ...nothing, ...parts };
}

/** 32-bit paging, without and with 4 MiB pages (CR4.PSE). */
export const LEGACY: RadixFormat = {
  name: "32-bit",
  entryBytes: 4,
  presentMask: 1,
  levels: [level(22, 10, "never"), level(12, 10, "always")],
};
export const LEGACY_PSE: RadixFormat = {
  name: "32-bit with PSE",
  entryBytes: 4,
  presentMask: 1,
  // Bits 20..13 are address bits 39..32 (PSE-36); bit 21 is reserved.
  levels: [level(22, 10, "bit7", { leafReservedLow: 0x0020_0000 }), level(12, 10, "always")],
};

/** PAE paging and 4-level paging; bit 63 is reserved while EFER.NXE is clear. */
function pae(nx: boolean): RadixFormat {
  const reservedHigh = ABOVE_PHYSICAL | (nx ? 0 : NX);
  return {
    name: "PAE",
    entryBytes: 8,
    presentMask: 1,
    levels: [
      // The page directory pointers carry no permissions.
      level(30, 2, "never", {
        hasFlags: false,
        reservedLow: 0x1e6,
        reservedHigh: 0xffff_ff00 | 0,
      }),
      level(21, 9, "bit7", {
        leafReservedLow: 0x001f_e000,
        reservedHigh: reservedHigh | 0x7ff0_0000,
      }),
      level(12, 9, "always", { reservedHigh: reservedHigh | 0x7ff0_0000 }),
    ],
  };
}

function fourLevel(nx: boolean): RadixFormat {
  const reservedHigh = ABOVE_PHYSICAL | (nx ? 0 : NX);
  return {
    name: "4-level",
    entryBytes: 8,
    presentMask: 1,
    levels: [
      level(39, 9, "never", { reservedLow: 0x80, reservedHigh }),
      level(30, 9, "bit7", { leafReservedLow: 0x3fff_e000, reservedHigh }),
      level(21, 9, "bit7", { leafReservedLow: 0x001f_e000, reservedHigh }),
      level(12, 9, "always", { reservedHigh }),
    ],
  };
}

export const PAE = pae(false);
export const PAE_NX = pae(true);
export const FOUR_LEVEL = fourLevel(false);
export const FOUR_LEVEL_NX = fourLevel(true);

/** The paging mode that the control registers select, or null while paging is off. */
export function pagingFormat(cr0: number, cr4: number, efer: number): RadixFormat | null {
  if ((cr0 & Cr0.PG) === 0) return null;
  const nx = (efer & Efer.NXE) !== 0;
  if ((efer & Efer.LMA) !== 0) return nx ? FOUR_LEVEL_NX : FOUR_LEVEL;
  if ((cr4 & Cr4.PAE) !== 0) return nx ? PAE_NX : PAE;
  return (cr4 & Cr4.PSE) !== 0 ? LEGACY_PSE : LEGACY;
}
