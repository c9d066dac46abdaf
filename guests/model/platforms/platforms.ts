/** The platforms by name. */

import type { CostTable } from "../../../core/clock/profiles/cost_profile.ts";
import type { Platform } from "../kernel/primitives.ts";
import { containers } from "./containers.ts";
import { fullVirtualization } from "./full_virtualization.ts";
import { native } from "./native.ts";
import { userModeLinux } from "./user_mode_linux.ts";
import { xenPv } from "./xen_pv.ts";

/** Every platform: makes one of a price list, for a kernel of so many CPUs. */
export const PLATFORMS = {
  native,
  "xen-pv": xenPv,
  "full-virtualization": fullVirtualization,
  "user-mode-linux": userModeLinux,
  containers,
} as const satisfies Record<string, (costs: CostTable, cpus: number) => Platform>;

export type PlatformName = keyof typeof PLATFORMS;
