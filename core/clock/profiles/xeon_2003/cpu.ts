/** Processor and memory of `xeon-2003`. */

import type { Prices } from "../cost_profile.ts";
import type { CPU_COSTS } from "../costs/cpu.ts";
import { assumed, derived, fitted } from "./price.ts";

/** See the module comment. */
export const XEON_2003_CPU: Prices<typeof CPU_COSTS> = {
  systemCall: fitted(1000, "Table 3, L-UP, null call: 1080 cycles, less getppid itself"),
  exception: fitted(
    1500,
    "Table 5, L-UP, prot fault and page fault: as a system call, with error code and CR2",
  ),
  interrupt: assumed(2200, "as an exception, and the 8259 or I/O APIC acknowledged"),
  lockedOperation: fitted(192, "Table 3, null call: L-SMP 0.53 us, L-UP 0.45 us, one operation"),
  copiedKernelByte: assumed(0.5, "REP MOVSD from cache to cache"),
  clearedPage: assumed(2200, "4 KiB at some 2 bytes a cycle"),
  copiedPage: assumed(4000, "4 KiB read and written, half of it out of cache"),
  entryWrite: assumed(10, "a store"),
  pageFlush: assumed(500, "INVLPG serialises"),
  spaceFlush: assumed(500, "a move to CR3 serialises"),
  translationRefill: assumed(
    48,
    "two loads from the second-level cache, 18 cycles each, and the walk",
  ),
  lineRefill: fitted(
    80,
    "Table 4, L-UP: 16p/64K beyond 2p/64K is 87700 cycles for some 1100 lines of 64 bytes",
  ),
  scatteredLine: fitted(
    135,
    "Figure 4, native Linux, 4 to 16 servers on two CPUs, whose data no cache holds, beside 2; half of some 150 ns, since two are fetched at a time",
  ),
  contendedLine: derived(
    12,
    "64 bytes take 20 ns, 48 cycles, of a bus of 3.2 GB/s, of which another CPU's lines take a quarter",
  ),
  deviceRegister: assumed(1000, "a posted write and what it holds up"),
  interProcessorInterrupt: assumed(400, "the local APIC's command register written"),
};
