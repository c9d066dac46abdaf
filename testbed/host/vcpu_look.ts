/** A virtual CPU as a debugger sees it, wherever its registers are. */

import type { Processors } from "../../core/x86/processors.ts";
import type { Vcpu } from "../../core/hypervisor/vcpu.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { pagingFormat } from "../../core/x86/paging/formats.ts";
import { GuestWalker } from "../../core/x86/paging/guest_walker.ts";
import { type CpuState, openCpuState } from "../../core/x86/state/cpu_state.ts";
import { Activity, STATE_SIZE_BYTES } from "../../core/x86/state/layout.ts";
import { updateModeKey } from "../../core/x86/system/mod.ts";

/** Domains have no task-priority register. */
const NO_APIC = { cr8: 0 } as const;
const ALL_ADDRESSES = 0xffff_ffff;

/** See the module comment. Its state is a copy, brought up to date whenever it is asked for. */
export class VcpuLook implements CpuLook {
  readonly apic = NO_APIC;
  readonly ports: CpuLook["ports"];
  readonly mmu: CpuLook["mmu"];
  readonly memory: MachineMemory;
  readonly #vcpu: Vcpu;
  readonly #processors: Processors;
  readonly #state: CpuState = openCpuState(new ArrayBuffer(STATE_SIZE_BYTES), 0);

  constructor(vcpu: Vcpu, processors: Processors, memory: MachineMemory) {
    this.#vcpu = vcpu;
    this.#processors = processors;
    this.memory = memory;
    const walker = new GuestWalker(this.#state, memory);
    this.mmu = {
      peek: (low, high) => {
        const { cr0, cr4, efer } = this.state;
        return walker.peek(pagingFormat(cr0, cr4, efer)!, low, high);
      },
      get banks() {
        return vcpu.loadedOn < 0 ? [] : processors.cpus[vcpu.loadedOn].mmu.banks;
      },
    };
    this.ports = {
      cycle: () => processors.cycleNow(),
      requestStop: () => {
        if (vcpu.loadedOn >= 0) processors.cpus[vcpu.loadedOn].ports.requestStop();
      },
    };
  }

  get index(): number {
    return this.#vcpu.id;
  }

  get state(): CpuState {
    const { loadedOn, registers, sched } = this.#vcpu;
    const isLoaded = loadedOn >= 0;
    const state = this.#state;
    state.u8.set(isLoaded ? this.#processors.cpus[loadedOn].state.u8 : registers);
    state.index = this.#vcpu.id;
    state.a20Mask = ALL_ADDRESSES;
    const isReady = sched.state === "running" || sched.state === "runnable";
    state.activity = isReady ? Activity.active : Activity.hlt;
    if (!isLoaded) updateModeKey(state);
    return state;
  }
}
