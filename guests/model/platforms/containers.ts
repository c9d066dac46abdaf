/** One native kernel shared by all, with resource containers: what anybody does costs what it costs natively. */

import type { CostTable } from "../../../core/clock/profiles/cost_profile.ts";
import { type Platform, pricedPlatform } from "../kernel/primitives.ts";
import { nativePrices } from "./native.ts";

/** See the module comment. */
export function containers(costs: CostTable, cpus: number): Platform {
  const about = { name: "containers", isSmp: cpus > 1, systemsBelow: 0 };
  return pricedPlatform(about, nativePrices(costs, cpus > 1));
}
