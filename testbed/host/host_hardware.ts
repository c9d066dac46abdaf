/** The hardware under a hypervisor: CPUs, memory and time. Devices come with driver domains. */

import { MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { codeLinesBytes, MachineMemory } from "../../core/memory/machine_memory.ts";
import { Trace } from "../../core/trace/trace.ts";
import { ApicBus } from "../../core/x86/apic/mod.ts";
import { HotEngine } from "../../core/translate/mod.ts";
import type { EngineName } from "../../core/x86/engine.ts";
import { cpuModel } from "../../core/x86/model/mod.ts";
import { processorAreaBytes } from "../../core/x86/processor_area.ts";
import { Processors } from "../../core/x86/processors.ts";
import { wasmHost } from "../wasm_host.ts";

/** RAM below 4 GiB ends here at the latest. */
const LOW_RAM_LIMIT = 0xc000_0000;
/** What an interrupt controller without interrupts answers. */
const SPURIOUS_VECTOR = 7;

/** What hardware is asked for. */
export interface HostHardwareOptions {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly cpuModel?: string;
  readonly engine?: EngineName;
  /** Cycles per second; default 1 GHz. */
  readonly frequencyHz?: number;
}

/** CPUs, memory and time of one host. */
export class HostHardware {
  readonly clock: MachineClock;
  readonly trace = new Trace();
  readonly memory: MachineMemory;
  readonly processors: Processors;

  constructor(options: HostHardwareOptions) {
    const { cpus, memoryBytes } = options;
    this.clock = new MachineClock(options.frequencyHz);
    const ramBase = processorAreaBytes(cpus);
    const codeLinesBase = ramBase + memoryBytes;
    const plan = {
      ramBytes: memoryBytes,
      lowRamBytes: Math.min(memoryBytes, LOW_RAM_LIMIT),
      ramBase,
      romBase: ramBase,
      romBytes: 0,
      codeLinesBase,
    };
    const linear = wasmHost.createMemory(codeLinesBase + codeLinesBytes(plan));
    this.memory = new MachineMemory(linear.buffer, plan);
    this.processors = new Processors({
      count: cpus,
      model: cpuModel(options.cpuModel).with({
        cores: cpus,
        frequencyHz: this.clock.frequencyHz,
      }),
      engine: options.engine ?? "hot",
      translator: (parts) => new HotEngine(parts),
      host: wasmHost,
      linear,
      memory: this.memory,
      io: new IoSpace(),
      clock: this.clock,
      bus: new ApicBus(),
      trace: this.trace,
      acknowledgePic: () => SPURIOUS_VECTOR,
    });
    // The hypervisor decides what runs: no CPU waits for a start-up IPI.
    for (const { state } of this.processors.cpus) state.activity = 0;
  }
}
