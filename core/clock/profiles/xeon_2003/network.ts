/** Network cards, and the network's back ends, on `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { NETWORK_COSTS } from "../costs/network.ts";
import { assumed, derived, fitted } from "./price.ts";

/** See the module comment. */
export const XEON_2003_NETWORK: Prices<typeof NETWORK_COSTS> = {
  requests: fitted(
    650,
    "Table 6, Xen, 500 B TX: 602 and 516 Mb/s are 14290 and 16670 cycles for a packet and half an acknowledgment",
  ),
  frames: derived(650, "the other half of what requests says"),
  nicSent: assumed(1300, "what a front end does less than a card's driver (net_work.ts)"),
  nicReceived: assumed(2600, "what a front end does less than a card's driver (net_work.ts)"),
  portAccess: assumed(
    4000,
    "an exception into the monitor, an instruction decoded, a device emulated, and back",
  ),
  hostFrameSent: derived(5800, "native Linux's dev_queue_xmit, driver and kfree_skb (net_work.ts)"),
  tapFrame: fitted(
    48_000,
    "Table 6, UML, 500 B TX: what 61.1 Mb/s leave when all else is paid; the mechanism is not known",
  ),
  hostFrameReceived: derived(
    5800,
    "native Linux's driver, netif_rx and a socket's queue (net_work.ts)",
  ),
};
