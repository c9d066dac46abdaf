/** Disks, and their back ends, on `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { DISK_COSTS } from "../costs/disk.ts";
import { assumed } from "./price.ts";

/** See the module comment. */
export const XEON_2003_DISK: Prices<typeof DISK_COSTS> = {
  diskBytes: assumed(0, "the disk's controller moves them"),
};
