/**
 * `xeon-2003`: the machine of "Xen and the Art of Virtualization" (SOSP 2003), a Dell 2650 with two 2.4 GHz Xeons,
 * hyper-threading off, 2 GB of memory and a Tigon 3 card.
 *
 * Figures are from that paper's Tables 3 to 6 and Figure 6: its L-UP rows are the native operations; what its Xen rows have
 * more is shared out among the hypervisor's own operations, as each source line says.
 */

import type { Basis, CostProfile, Price } from "./cost_profile.ts";

const FREQUENCY_HZ = 2_400_000_000;

/** A price given in microseconds. */
function us(microseconds: number, source: string, basis: Basis = "measured"): Price {
  return { cycles: Math.round(microseconds * FREQUENCY_HZ / 1e6), basis, source };
}

function derived(cycles: number, source: string): Price {
  return { cycles, basis: "derived", source };
}

function assumed(cycles: number, source: string): Price {
  return { cycles, basis: "assumed", source };
}

/** See the module comment. */
export const XEON_2003: CostProfile = {
  name: "xeon-2003",
  about: "Dell 2650, 2 x Intel Xeon 2.4 GHz, 2 GB, Broadcom Tigon 3 (SOSP 2003, section 4)",
  frequencyHz: FREQUENCY_HZ,
  prices: {
    trapBounce: derived(816, "Table 5, prot fault: 1.40 - 1.06 us is one bounce"),
    hypercall: derived(816, "as trapBounce: a page fault is said to need two entries alike"),
    pageTableUpdate: derived(
      1512,
      "Table 5, page fault: 2.73 - 1.42 us is 3144 cycles, less a bounce and a hypercall",
    ),
    addressSpaceSwitch: derived(2880, "Table 4, 2p/0K: 1.97 - 0.77 us"),
    domainSwitch: derived(2880, "as addressSpaceSwitch"),
    cacheRefill: derived(
      789_000,
      "Figure 6, 128 domains: 1.85 of Linux's 1.98 in slices of 5 ms is 330 us a switch, less domainSwitch",
    ),
    cacheDisplacement: assumed(7_890_000, "ten times cacheRefill: one access in ten misses"),
    requests: derived(
      1330,
      "Table 6, 500 B TX: 602 and 516 Mb/s are 6.64 and 7.75 us a packet; half of the 2660 cycles",
    ),
    frames: derived(1330, "the other half of what requests says"),
    grantOperations: assumed(1512, "as pageTableUpdate: what the paper's page exchange does"),
    copiedBytes: assumed(1, "no figure in the paper; a byte a cycle"),
    diskBytes: assumed(0, "the disk's controller moves them"),
    events: assumed(200, "two bits and a test, beside the hypercall"),
    storeOperations: assumed(24_000, "10 us; the paper's control plane has no figure"),
    nativeSystemCall: us(0.45, "Table 3, L-UP, null call"),
    nativeIo: us(0.50, "Table 3, L-UP, null I/O"),
    nativeStat: us(1.28, "Table 3, L-UP, stat"),
    nativeOpenClose: us(1.92, "Table 3, L-UP, open close"),
    nativeSignalInstall: us(0.68, "Table 3, L-UP, sig inst"),
    nativeSignalHandle: us(2.49, "Table 3, L-UP, sig hndl"),
    nativeFork: us(110, "Table 3, L-UP, fork"),
    nativeExec: us(530, "Table 3, L-UP, exec"),
    nativeShell: us(4000, "Table 3, L-UP, sh"),
    nativeProcessSwitch: us(0.77, "Table 4, L-UP, 2p/0K"),
    nativeProtectionFault: us(1.06, "Table 5, L-UP, prot fault"),
    nativePageFault: us(1.42, "Table 5, L-UP, page fault"),
    nativeMmap: us(68, "Table 5, L-UP, mmap lat"),
    nativeFileCreate: us(32.1, "Table 5, L-UP, 0K create"),
    nativeFileDelete: us(6.08, "Table 5, L-UP, 0K delete"),
  },
};
