/** The dispatcher's record of one physical CPU. */

import type { Cycle } from "../../clock/clock.ts";
import type { PhysicalCpuId } from "../../lib/brand.ts";
import type { Cpupool } from "./cpupool.ts";
import type { VcpuEntry } from "./vcpu_entry.ts";

/** See the module comment. */
export class PhysicalCpu {
  /** The cycle up to which it has run or idled. */
  at = 0 as Cycle;
  /** Who holds it. */
  current: VcpuEntry | null = null;
  /** Who held it last: switching back after an idle time costs nothing. */
  last: VcpuEntry | null = null;
  /** When `current`'s slice ends. */
  sliceEnd = Infinity;
  /** A choice is due. */
  reschedule = false;
  /** Its cpupool, if it is in one. */
  pool: Cpupool | null = null;
  /** Cycles during which somebody held it, up to the latest change. */
  busyCycles = 0;
  /** How often it went to another virtual CPU at the price of a switch. */
  switches = 0;
  /** What these switches cost; part of the busy cycles. */
  switchCycles = 0;

  constructor(readonly id: PhysicalCpuId) {}

  /** Whether somebody must be chosen before it goes on. */
  get needsChoice(): boolean {
    return this.reschedule || (this.current !== null && this.at >= this.sliceEnd);
  }
}
