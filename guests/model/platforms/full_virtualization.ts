/**
 * An unmodified kernel under a hosted monitor, as VMware Workstation 3.2: its code is translated, so that entries go through the
 * monitor and calls are looked up; the hardware walks shadow tables that the monitor fills at faults, and it watches the
 * kernel's own tables. Devices are reached by way of the host system.
 */

import type { CostTable } from "../../../core/clock/profiles/cost_profile.ts";
import { type Platform, pricedPlatform } from "../kernel/primitives.ts";
import { nativePrices } from "./native.ts";

/** Faults with which a shadow table that was given up comes into use again: the top, and the tables of code, heap, stack. */
const COLD_FAULTS = 4;

/** Accesses to the virtual card's ports for each frame that is sent (Am79C970: address and data port, demand and status). */
const PORT_ACCESSES = 5;

/** See the module comment. The monitor of that version shows one CPU. */
export function fullVirtualization(costs: CostTable): Platform {
  const native = nativePrices(costs, false);
  const entry = costs.each("translatedEntry");
  const shadow = costs.each("shadowFault");
  const shadowTable = costs.each("shadowTable");
  // A hosted monitor's process: to the host system, a call there, and back.
  const host = 2 * costs.each("worldSwitch") + costs.each("systemCall");
  const about = { name: "full-virtualization", isSmp: false, systemsBelow: 1 };
  return pricedPlatform(about, {
    ...native,
    calls: costs.each("translatedCall"),
    systemCall: native.systemCall + entry,
    // The monitor finds that the guest's own tables lack the page, and hands the fault on.
    fault: native.fault + shadow + entry,
    interrupt: native.interrupt + shadow + entry,
    signalReturns: native.signalReturns + entry,
    addressSpaceSwitch: native.addressSpaceSwitch + costs.each("shadowSwitch"),
    coldSpaces: COLD_FAULTS * shadow,
    // The write is caught, and the shadow's entry is filled when the page is used.
    entryWrites: native.entryWrites + 2 * shadow,
    entryBatch: native.entryBatch + shadow,
    tablesMade: native.tablesMade + shadowTable,
    tablesFreed: native.tablesFreed + shadowTable,
    spacesMade: native.spacesMade + shadowTable,
    spacesFreed: native.spacesFreed + shadowTable,
    pageFlushes: shadow,
    spaceFlushes: shadow,
    deviceAccess: host,
    // The monitor knows what the register holds.
    plainAccess: costs.each("portAccess"),
    masked: 2 * costs.each("translatedCall"),
    // The monitor's process is resumed in the host, finds the request by select, and hands the frame on by write.
    doorbells: PORT_ACCESSES * costs.each("portAccess") + host + costs.each("systemCall") +
      native.processSwitch + native.addressSpaceSwitch,
    framesSent: costs.each("hostFrameSent") + costs.each("userCopy"),
    framesReceived: costs.each("hostFrameReceived") + costs.each("systemCall") +
      costs.each("userCopy"),
    // The host copies it between the monitor's process and itself.
    frameBytes: costs.each("copiedKernelByte"),
  });
}
