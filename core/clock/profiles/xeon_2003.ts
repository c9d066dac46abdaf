/**
 * `xeon-2003`: the machine of "Xen and the Art of Virtualization" (SOSP 2003), a Dell 2650 with two 2.4 GHz Xeons,
 * hyper-threading off, 2 GB of memory and a Tigon 3 card.
 *
 * Prices are fitted to the rows L-UP and L-SMP of that paper's Tables 3 to 6, native Linux, and to the cells of other rows
 * that are listed here; every other figure of a model with this profile is a prediction.
 */

import type { CostProfile, FittedCell } from "./cost_profile.ts";
import { XEON_2003_CPU } from "./xeon_2003/cpu.ts";
import { XEON_2003_DISK } from "./xeon_2003/disk.ts";
import { XEON_2003_FILES } from "./xeon_2003/files.ts";
import { XEON_2003_HOSTED } from "./xeon_2003/hosted.ts";
import { XEON_2003_HYPERVISOR } from "./xeon_2003/hypervisor.ts";
import { XEON_2003_KERNEL } from "./xeon_2003/kernel.ts";
import { XEON_2003_NETWORK } from "./xeon_2003/network.ts";
import { FREQUENCY_HZ } from "./xeon_2003/price.ts";

/** At most 12 for all that is ever modelled with this profile. */
const FITTED_CELLS: readonly FittedCell[] = [
  { table: "Table 5", row: "Xen", column: "prot fault", cost: "trapBounce" },
  { table: "Table 5", row: "Xen", column: "page fault", cost: "pageTableUpdate" },
  { table: "Table 4", row: "Xen", column: "2p/0K", cost: "addressSpaceSwitch" },
  { table: "Table 3", row: "Xen", column: "fork", cost: "tableValidation" },
  { table: "Figure 6", row: "Xen 5 ms", column: "128", cost: "cacheRefill" },
  { table: "Table 6", row: "Xen", column: "500 TX", cost: "requests" },
  { table: "Table 6", row: "UML", column: "500 TX", cost: "tapFrame" },
  { table: "Table 3", row: "VMW", column: "null call", cost: "translatedEntry" },
  { table: "Table 4", row: "VMW", column: "2p/0K", cost: "shadowSwitch" },
  { table: "Table 5", row: "VMW", column: "page fault", cost: "shadowFault" },
  { table: "Table 3", row: "UML", column: "null call", cost: "ptraceStop" },
  { table: "Table 3", row: "UML", column: "fork", cost: "hostSpace" },
];

/** See the module comment. */
export const XEON_2003: CostProfile = {
  name: "xeon-2003",
  about:
    "Dell 2650, 2 x Intel Xeon 2.4 GHz, 2 GB, Broadcom Tigon 3 (SOSP 2003, section 4); fitted to native Linux's rows",
  frequencyHz: FREQUENCY_HZ,
  prices: {
    ...XEON_2003_CPU,
    ...XEON_2003_KERNEL,
    ...XEON_2003_HYPERVISOR,
    ...XEON_2003_NETWORK,
    ...XEON_2003_FILES,
    ...XEON_2003_DISK,
    ...XEON_2003_HOSTED,
  },
  fittedCells: FITTED_CELLS,
};
