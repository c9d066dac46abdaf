/** Linux 2.4's own mechanisms on `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { KERNEL_COSTS } from "../costs/kernel.ts";
import { assumed, fitted } from "./price.ts";

/** See the module comment. */
export const XEON_2003_KERNEL: Prices<typeof KERNEL_COSTS> = {
  processSwitch: fitted(1000, "Table 4, L-UP, 2p/0K"),
  runQueueEntry: assumed(40, "a loop over a list: one line each, mostly in cache"),
  timerTick: assumed(2000, "do_timer and update_process_times"),
  timerProgram: assumed(0, "2.4's tick is periodic"),
  userCopy: assumed(40, "access_ok and the copy's prologue"),
  signalFrame: fitted(1000, "Table 3, L-UP, sig hndl"),
  signalReturn: fitted(600, "Table 3, L-UP, sig hndl"),
  tableMade: assumed(600, "a page allocated; its clearing is counted apart"),
  tableFreed: assumed(400, "a page freed"),
  spaceMade: fitted(2500, "Table 3, L-UP, fork: a page allocated, half of it cleared, half copied"),
  spaceFreed: assumed(400, "a page freed"),
};
