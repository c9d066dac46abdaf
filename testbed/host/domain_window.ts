/** What a debugger sees of a domain: its virtual CPUs, memory through their page tables, what a person may change. */

import type { KernelCode } from "../../guests/linux/mod.ts";
import { MachineDebugger } from "../debugger/machine_debugger.ts";
import { kernelCodeOf } from "../kernel_code.ts";
import { CpuWindow } from "../machine/cpu_view.ts";
import { MemoryWindow } from "../machine/memory_window.ts";
import type { CpuView, MemoryView } from "../machine_api.ts";
import { DomainChanges } from "./domain_changes.ts";
import type { HostDomain } from "./host_domain.ts";

/** See the module comment. Physical addresses are machine addresses of the host, as in the page tables of the domain. */
export class DomainWindow {
  readonly cpus: readonly CpuView[];
  readonly memory: MemoryView;
  readonly debugger: MachineDebugger;
  readonly change: DomainChanges;

  constructor(target: HostDomain) {
    const { host, domain, config } = target;
    const { memory, clock } = host.hardware;
    const stops = host.stops.of(domain);
    this.cpus = stops.looks.map((look) => new CpuWindow(look));
    this.memory = new MemoryWindow(memory, stops.looks);
    this.change = new DomainChanges(host, domain, stops.looks);
    let code: KernelCode | null | undefined;
    this.debugger = new MachineDebugger({
      machine: target,
      control: stops,
      memory,
      cpus: stops.looks,
      views: this.cpus,
      running: () => host.running,
      now: () => clock.reached,
      kernelCode: () => code === undefined ? code = config && kernelCodeOf(config.kernel) : code,
    });
    stops.list = this.debugger.list;
  }
}
