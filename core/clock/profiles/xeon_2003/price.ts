/** How prices of `xeon-2003` are written down. */

import type { Price } from "../cost_profile.ts";

/** Cycles per second. */
export const FREQUENCY_HZ = 2_400_000_000;

/** Worked out from printed figures. */
export function derived(cycles: number, source: string): Price {
  return { cycles, basis: "derived", source };
}

/** Chosen such that the model meets printed figures. */
export function fitted(cycles: number, source: string): Price {
  return { cycles, basis: "fitted", source };
}

/** Supposed. */
export function assumed(cycles: number, source: string): Price {
  return { cycles, basis: "assumed", source };
}
