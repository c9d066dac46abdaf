/**
 * The machine's disk under the hypervisor, whose driver is the hypervisor's, as in the paper's Xen: the adapter's interrupts are work
 * of the CPU that takes them, whoever runs there.
 */

import type { Cycles, MachineClock } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { PhysicalCpuId } from "../../core/lib/brand.ts";
import { ADAPTER_WORK, SCSI_ADAPTER } from "../../guests/model/vfs/mod.ts";
import { MACHINE_DISK } from "./machine_disk.ts";
import { SharedDisk } from "./shared_disk.ts";

/** The CPU that takes the adapter's interrupts. */
const DISK_CPU = 0 as PhysicalCpuId;

/** What it is made of. */
export interface HypervisorDiskOptions {
  readonly clock: MachineClock;
  readonly dispatcher: CpuDispatcher;
  readonly costs: CostTable;
}

/** The disk, in parts for several domains. A command that its domain starts itself is among what its request costs. */
export function hypervisorDisk({ clock, dispatcher, costs }: HypervisorDiskOptions): SharedDisk {
  const { command, interrupt } = SCSI_ADAPTER;
  const register = costs.each("deviceRegister");
  const taken = costs.each("interrupt") + interrupt.acting * register + ADAPTER_WORK.done;
  const started = ADAPTER_WORK.command + command.acting * register;
  return new SharedDisk({
    ...MACHINE_DISK,
    clock,
    interrupted: (commands) =>
      dispatcher.occupy(DISK_CPU, Math.round(taken + commands * started) as Cycles),
  });
}
