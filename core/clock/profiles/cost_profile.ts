/**
 * Cost profiles: what operations cost on a named machine, each figure with where it comes from.
 *
 * What real instructions cost follows from the instructions themselves; a profile prices what no instruction stands for:
 * the hypervisor's own work, and the operations of modelled kernels.
 */

import type { Cycles } from "../clock.ts";

/** What has a price, and for what unit. */
export const COSTS = {
  hypercall: "an entry into the hypervisor asked for by a guest, and the return",
  trapBounce:
    "an exception or interrupt of a guest that enters the hypervisor and is handed to the guest's kernel",
  pageTableUpdate: "a page-table entry validated and written on behalf of a guest",
  addressSpaceSwitch: "what a guest's change of address space costs beyond a native one",
  domainSwitch: "a physical CPU goes from one virtual CPU to another: registers, address space",
  cacheRefill: "a virtual CPU finds nothing of its own in the caches any more",
  cacheDisplacement: "for how long others must run on a physical CPU to displace all of it",
  requests: "a request taken from a ring, checked and answered",
  frames: "a network frame through the hypervisor's bridge",
  grantOperations: "a grant mapped, unmapped or claimed for a copy",
  copiedBytes: "a byte copied between domains",
  diskBytes: "a byte between memory and a disk",
  events: "an event sent",
  storeOperations: "an operation of XenStore",
  nativeSystemCall: "a modelled kernel's cheapest system call",
  nativeIo: "reading or writing one byte",
  nativeStat: "stat",
  nativeOpenClose: "open and close",
  nativeSignalInstall: "installing a signal handler",
  nativeSignalHandle: "catching a signal",
  nativeFork: "fork and exit",
  nativeExec: "fork and execve",
  nativeShell: "fork and a shell that runs a program",
  nativeProcessSwitch: "a switch between two processes",
  nativeProtectionFault: "a protection fault",
  nativePageFault: "a page fault on a page of a file",
  nativeMmap: "mapping and unmapping a file",
  nativeFileCreate: "creating an empty file",
  nativeFileDelete: "deleting an empty file",
} as const;

export type CostName = keyof typeof COSTS;

/** How sure a figure is: printed in a source, worked out from printed ones, or supposed. */
export type Basis = "measured" | "derived" | "assumed";

/** The price of one unit. */
export interface Price {
  /** Cycles of the profile's clock for each unit. */
  readonly cycles: number;
  readonly basis: Basis;
  /** Table and row, or the reckoning. */
  readonly source: string;
}

/** The costs of one machine. */
export interface CostProfile {
  readonly name: string;
  /** The hardware. */
  readonly about: string;
  readonly frequencyHz: number;
  readonly prices: Readonly<Record<CostName, Price>>;
}

/** A profile's prices in cycles of one machine's clock. */
export class CostTable {
  readonly #perUnit: Readonly<Record<CostName, number>>;

  constructor(readonly profile: CostProfile, frequencyHz: number) {
    const scale = frequencyHz / profile.frequencyHz;
    const entries = Object.entries(profile.prices).map((
      [name, { cycles }],
    ) => [name, cycles * scale]);
    this.#perUnit = Object.fromEntries(entries) as Record<CostName, number>;
  }

  /** What `count` units cost, in whole cycles. */
  cost(name: CostName, count = 1): Cycles {
    return Math.round(this.#perUnit[name] * count) as Cycles;
  }
}
