/** Network cards, and the network's back ends, on `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { NETWORK_COSTS } from "../costs/network.ts";
import { derived, fitted } from "./price.ts";

/** See the module comment. */
export const XEON_2003_NETWORK: Prices<typeof NETWORK_COSTS> = {
  requests: fitted(
    1330,
    "Table 6, 500 B TX: 602 and 516 Mb/s are 6.64 and 7.75 us a packet; half of the 2660 cycles",
  ),
  frames: derived(1330, "the other half of what requests says"),
};
