/** VMware Workstation 3.2 and user-mode Linux on `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { HOSTED_COSTS } from "../costs/hosted.ts";
import { assumed, derived, fitted } from "./price.ts";

/** See the module comment. */
export const XEON_2003_HOSTED: Prices<typeof HOSTED_COSTS> = {
  translatedEntry: fitted(672, "Table 3, VMW, null call: 0.73 - 0.45 us"),
  translatedCall: derived(
    40,
    "Adams & Agesen 2006, appendix: call/ret 51 cycles in translated code, 11 native",
  ),
  shadowFault: fitted(
    8480,
    "Table 5, VMW, page fault: 12.4 - 1.42 us are an entry and three faults of the monitor",
  ),
  shadowSwitch: fitted(41_000, "Table 4, VMW, 2p/0K: 18.1 - 0.77 us"),
  shadowTable: assumed(14_000, "a page cleared, its traces set: as Xen's validation"),
  worldSwitch: assumed(9600, "4 us: all registers, descriptor tables and CR3, both ways"),
  ptraceStop: fitted(22300, "Table 3, UML, null call"),
  hostSpace: fitted(
    24_500_000,
    "Table 3, UML, fork: 21 ms, less faults and system calls; half of it is supposed to be the space",
  ),
  hostMapping: derived(101_000, "the other half of what hostSpace says, for each of 242 pages"),
};
