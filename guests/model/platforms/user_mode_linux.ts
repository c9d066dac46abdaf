/**
 * A kernel that is a process of a native one, as user-mode Linux with the skas3 patch: its programs are host processes that it
 * traces. Each of their system calls and faults stops them twice, and their memory is mappings that the kernel has the host make.
 */

import type { CostTable } from "../../../core/clock/profiles/cost_profile.ts";
import { type Platform, pricedPlatform } from "../kernel/primitives.ts";
import { nativePrices } from "./native.ts";

/** The tracer's calls at a stop: `wait4`, registers read and written, and the one that lets the process go on. */
const CALLS_PER_STOP = 4;

const CACHE_LINE_BYTES = 64;

/** See the module comment. */
export function userModeLinux(costs: CostTable): Platform {
  const host = nativePrices(costs, false);
  const hostSwitch = host.processSwitch + host.addressSpaceSwitch;
  const stop = 2 * hostSwitch + CALLS_PER_STOP * host.systemCall + costs.each("ptraceStop");
  const about = { name: "user-mode-linux", isSmp: false, systemsBelow: 1 };
  return pricedPlatform(about, {
    ...host,
    systemCall: 2 * stop,
    fault: host.fault + 2 * stop,
    // A host signal.
    interrupt: host.signalFrames + host.signalReturns + 2 * host.systemCall,
    timerProgram: host.systemCall,
    // The signals that stand for interrupts are blocked, and unblocked.
    maskings: 2 * host.systemCall,
    // Each copy saves the signal mask, in case it faults.
    userCopies: host.userCopies + host.systemCall,
    addressSpaceSwitch: host.addressSpaceSwitch + stop,
    spaceFlushes: host.spaceFlushes + host.systemCall,
    newEntries: host.newEntries + costs.each("hostMapping"),
    spacesMade: host.spacesMade + costs.each("hostSpace"),
    deviceAccess: host.systemCall,
    plainAccess: host.systemCall,
    // Interrupts are signals: to mask them is a call of the host.
    masked: 2 * host.systemCall,
    // A frame is written to, or read from, the host's tap device.
    doorbells: 0,
    framesSent: costs.each("hostFrameSent") + costs.each("tapFrame") + host.systemCall +
      host.userCopies,
    framesReceived: costs.each("hostFrameReceived") + host.systemCall + host.userCopies,
    frameBytes: costs.each("copiedKernelByte") + costs.each("lineRefill") / CACHE_LINE_BYTES,
  });
}
