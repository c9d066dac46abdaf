/** The hypervisor on `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { HYPERVISOR_COSTS } from "../costs/hypervisor.ts";
import { assumed, derived, fitted } from "./price.ts";

/** See the module comment. */
export const XEON_2003_HYPERVISOR: Prices<typeof HYPERVISOR_COSTS> = {
  trapBounce: fitted(816, "Table 5, Xen, prot fault: 1.40 - 1.06 us is one bounce"),
  hypercall: derived(816, "as trapBounce: a page fault is said to need two entries alike"),
  pageTableUpdate: fitted(
    1512,
    "Table 5, Xen, page fault: 2.73 - 1.42 us is 3144 cycles, less a bounce and a hypercall",
  ),
  batchedUpdate: assumed(150, "a tenth of pageTableUpdate: no entry of its own, tables at hand"),
  tableValidation: fitted(
    11800,
    "Table 3, Xen, fork: what 198 - 110 us leave when all else is paid",
  ),
  dirtyFault: derived(2328, "a hypercall, for the entry and the return, and a pageTableUpdate"),
  addressSpaceSwitch: fitted(
    2921,
    "Table 4, Xen, 2p/0K: 1.97 us, of which the model's native switch takes 0.75",
  ),
  domainSwitch: derived(2921, "as addressSpaceSwitch"),
  cacheRefill: fitted(
    897_079,
    "Figure 6 and section 4.5, 128 domains: 7.5 % of slices of 5 ms are 375 us a switch, less domainSwitch",
  ),
  cacheDisplacement: assumed(8_970_790, "ten times cacheRefill: one access in ten misses"),
  grantOperations: assumed(1512, "as pageTableUpdate: what the paper's page exchange does"),
  copiedBytes: assumed(1, "no figure in the paper; a byte a cycle"),
  events: assumed(200, "two bits and a test, beside the hypercall"),
  storeOperations: assumed(24_000, "10 us; the paper's control plane has no figure"),
};
