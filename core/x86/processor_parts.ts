/** What the processors of a machine are made of. */

import type { MachineClock } from "../clock/clock.ts";
import { invariant } from "../lib/assert.ts";
import type { LinearMemory, WasmHost } from "../lib/wasm/port.ts";
import type { IoSpace } from "../memory/io_space.ts";
import type { MachineMemory } from "../memory/machine_memory.ts";
import type { Trace } from "../trace/trace.ts";
import type { ApicBus } from "./apic/apic_bus.ts";
import { ColdEngine, type ColdEngineParts } from "./cold/cold_engine.ts";
import type { Engine, EngineName } from "./engine.ts";
import type { CpuModel } from "./model/cpu_model.ts";
import type { ReferenceEngine } from "./reference/reference_engine.ts";

/** What processors are made of. */
export interface ProcessorsOptions {
  readonly count: number;
  readonly model: CpuModel;
  readonly engine: EngineName;
  /** Makes the hot engine, which stands above this floor. */
  readonly translator?: (parts: ColdEngineParts) => Engine;
  /** Of the cold engine, as {@link ColdEngineParts.passes}. */
  readonly passes?: number;
  readonly host: WasmHost;
  readonly linear: LinearMemory;
  readonly memory: MachineMemory;
  readonly io: IoSpace;
  readonly clock: MachineClock;
  readonly bus: ApicBus;
  readonly trace: Trace;
  acknowledgePic(): number;
}

/** The engine that the options name; the cold and hot ones are made of `parts`. */
export function makeEngine(
  { engine, translator, passes }: ProcessorsOptions,
  reference: ReferenceEngine,
  parts: ColdEngineParts,
): Engine {
  switch (engine) {
    case "reference":
      return reference;
    case "cold":
      return new ColdEngine({ ...parts, passes });
    case "hot":
      invariant(translator, "the hot engine needs a translator");
      return translator(parts);
  }
}
