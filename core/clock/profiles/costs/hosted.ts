/** Costs of virtual machines that are programs of a host system: binary translation, shadow tables, traced processes. */

/** What has a price, and for what unit. */
export const HOSTED_COSTS = {
  translatedEntry:
    "binary translation: a system call's way through the monitor, beyond a native one",
  translatedCall: "binary translation: a call and return looked up, beyond a native one",
  shadowFault:
    "a fault taken by the monitor: handed on, or a watched table's write emulated, or the shadow filled",
  shadowSwitch: "another shadow table for another address space",
  shadowTable: "a shadow page table made or dropped",
  worldSwitch: "from the monitor to the host system, or back",
  ptraceStop:
    "a traced process stopped, its tracer run and the process continued, beyond the host's own operations",
  hostSpace: "an address space of a host process made and given up",
  hostMapping: "a page mapped into an address space of a host process that is being copied",
} as const;
