/**
 * A kernel that knows it runs on Xen (SOSP 2003, section 3.3): system calls go straight to it, exceptions are handed on by the
 * hypervisor, page tables are the hardware's own and every change of them is validated, singly or in batches.
 */

import type { CostTable } from "../../../core/clock/profiles/cost_profile.ts";
import { type Platform, pricedPlatform } from "../kernel/primitives.ts";
import { nativePrices } from "./native.ts";

/** Updates that one hypercall takes (section 4.2: 8 MB of address space). */
const BATCH = 2048;

/** See the module comment. */
export function xenPv(costs: CostTable, cpus: number): Platform {
  const native = nativePrices(costs, cpus > 1);
  const hypercall = costs.each("hypercall");
  const bounce = costs.each("trapBounce");
  const validation = hypercall + costs.each("tableValidation");
  const about = { name: "xen-pv", isSmp: cpus > 1, systemsBelow: 1 };
  return pricedPlatform(about, {
    ...native,
    fault: native.fault + bounce,
    interrupt: native.interrupt + bounce,
    timerProgram: hypercall,
    interProcessor: hypercall + costs.each("events"),
    addressSpaceSwitch: native.addressSpaceSwitch + costs.each("addressSpaceSwitch"),
    entryWrites: hypercall + costs.each("pageTableUpdate"),
    entryBatch: costs.each("batchedUpdate"),
    tablesMade: native.tablesMade + validation,
    tablesFreed: native.tablesFreed + validation,
    spacesMade: native.spacesMade + validation,
    spacesFreed: native.spacesFreed + validation,
    // A single entry's update flushes its page.
    pageFlushes: 0,
    spaceFlushes: native.spaceFlushes + hypercall,
    deviceAccess: hypercall,
    plainAccess: hypercall,
    // A front end's doorbell is an event; what it sends, the hypervisor takes from the ring before the call returns.
    doorbells: hypercall + costs.each("events"),
    framesSent: costs.each("requests") + costs.each("frames"),
    eventSend: hypercall + costs.each("events"),
    grantOps: hypercall + costs.each("grantOperations"),
  }, { entryBatch: { units: BATCH, cycles: hypercall } });
}
