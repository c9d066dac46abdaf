/**
 * A box without a hypervisor: one modelled kernel that has all CPUs for itself. Native Linux, and all platforms whose
 * hypervisor is a program of such a kernel.
 */

import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { SteppedExecutor } from "../../core/hypervisor/executors/stepped_executor.ts";
import { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { DomainId, VcpuId } from "../../core/lib/brand.ts";
import type { MachinePort, VirtualCpuPort } from "../../guests/model/kernel/ports.ts";
import type { Kernel, KernelCpu } from "../../guests/model/mod.ts";

/** What a bare box is made of. */
export interface BareBoxOptions {
  readonly cpus: number;
  readonly frequencyHz: number;
  /** Puts a kernel on the machine. */
  kernel(machine: MachinePort, clock: MachineClock): Kernel;
}

const NOBODY = 0 as DomainId;

/** See the module comment. */
export class BareBox {
  readonly clock: MachineClock;
  readonly dispatcher: CpuDispatcher;
  readonly kernel: Kernel;

  constructor({ cpus, frequencyHz, kernel }: BareBoxOptions) {
    this.clock = new MachineClock(frequencyHz);
    this.dispatcher = new CpuDispatcher({ clock: this.clock, cpus, scheduler: "null" });
    const executor = new SteppedExecutor<KernelCpu>("modelled kernel");
    const { clock, dispatcher } = this;
    const vcpus = Array.from(
      { length: cpus },
      (_, id) => dispatcher.add({ domain: NOBODY, id: id as VcpuId, executor }),
    );
    const ports = vcpus.map((vcpu, id): VirtualCpuPort => {
      const timer = clock.createTimer(`cpu.${id}`, () => this.kernel.cpus[id].timerFired());
      return {
        block: () => dispatcher.block(vcpu),
        wake: () => dispatcher.wake(vcpu),
        armTimer: (at) => {
          if (at === null) timer.disarm();
          else if (at !== timer.deadline) timer.armAt(at);
        },
      };
    });
    const machine = {
      now: () => dispatcher.now,
      frequencyHz,
      cpus: ports,
      othersWork: () => dispatcher.heldCpus > 1,
    };
    this.kernel = kernel(machine, clock);
    vcpus.forEach((vcpu, id) => {
      executor.adopt(vcpu, this.kernel.cpus[id]);
      dispatcher.online(vcpu);
    });
  }

  /** The CPUs stand still from now on, or go on: what runs the machine waits for something else. */
  stall(stalled: boolean): void {
    for (const vcpu of this.dispatcher.vcpus) {
      if (stalled) this.dispatcher.offline(vcpu);
      else this.dispatcher.online(vcpu);
    }
  }

  /** Advances simulated time to `until`, or until nothing can happen any more. */
  advance(until: Cycle): void {
    this.dispatcher.advance(until);
  }
}
