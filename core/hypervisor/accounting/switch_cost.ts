/**
 * What it costs to give a physical CPU to another virtual CPU: the switch itself, and the caches that the newcomer finds
 * filled by others in proportion to how long they ran there.
 */

import type { Cycles } from "../../clock/clock.ts";
import type { CostTable } from "../../clock/profiles/cost_profile.ts";

/** The cost, after others ran on the physical CPU for `displacedCycles` since the newcomer left it (or for ever). */
export function switchCost(table: CostTable, displacedCycles: number): Cycles {
  const displacement = table.cost("cacheDisplacement");
  const share = displacement === 0 ? 1 : Math.min(1, displacedCycles / displacement);
  return table.cost("domainSwitch") + table.cost("cacheRefill", share) as Cycles;
}
