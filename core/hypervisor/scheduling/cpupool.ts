/**
 * A cpupool: physical CPUs that share one scheduling policy, and the domains that run on them.
 *
 * Source of the idea and of the names: Xen's `cpupool` control operations in `sysctl.h`.
 */

import type { PhysicalCpu } from "./physical_cpu.ts";
import type { SchedulingPolicy } from "./ports.ts";
import type { VcpuEntry } from "./vcpu_entry.ts";

/** See the module comment; the dispatcher changes it. */
export class Cpupool {
  readonly cpus = new Set<PhysicalCpu>();

  constructor(
    readonly id: number,
    readonly name: string,
    readonly policy: SchedulingPolicy,
  ) {}

  /** Whether `vcpu` may run on one of its physical CPUs. */
  suits(vcpu: VcpuEntry): boolean {
    return [...this.cpus].some((cpu) => vcpu.hardAffinity.has(cpu.id));
  }
}
