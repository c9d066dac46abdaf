/** The cost profiles by name. */

import { type CostName, type CostProfile, COSTS, type Price } from "./cost_profile.ts";
import { XEON_2003 } from "./xeon_2003.ts";

const FREE: Price = { cycles: 0, basis: "assumed", source: "nothing has a price" };

/** `free`: no operation costs anything but the instructions that it takes. */
export const FREE_PROFILE: CostProfile = {
  name: "free",
  about: "a machine on which the hypervisor's work takes no time",
  frequencyHz: 1_000_000_000,
  prices: Object.fromEntries(Object.keys(COSTS).map((name) => [name, FREE])) as Record<
    CostName,
    Price
  >,
  fittedCells: [],
};

/** All cost profiles. */
export const PROFILES: readonly CostProfile[] = [FREE_PROFILE, XEON_2003];

/** The profile of that name; throws `RangeError` if there is none. */
export function profileNamed(name: string): CostProfile {
  const profile = PROFILES.find((each) => each.name === name);
  if (profile) return profile;
  const names = PROFILES.map((each) => each.name).join(", ");
  throw new RangeError(`there is no cost profile ${name}; there are ${names}`);
}
