/**
 * System instructions and what happens around instructions: segments, gates, exceptions, interrupts,
 * control registers, MSRs, reset. Functions over a `Cpu`, called by every engine. Not here: the
 * ordinary instructions (`instructions/`), paging (`paging/`), the local APIC (`apic/`).
 *
 * ```ts
 * import type { Cpu } from "../cpu.ts";
 * import { mustStep, resetCpu, stepInstruction, takeInterrupt } from "./mod.ts";
 *
 * declare const cpu: Cpu;
 * declare function runOne(cpu: Cpu): void;
 * resetCpu(cpu);
 * takeInterrupt(cpu); // at each boundary
 * if (mustStep(cpu)) stepInstruction(cpu, runOne);
 * ```
 *
 * @module
 */

export { accessRefused, combineFaults, deliver, deliverPending } from "./delivery.ts";
export { readFlags, writeFlags } from "./flags_image.ts";
export {
  SYSTEM_FUNCTIONS,
  type SystemFunction,
  type SystemFunctionName,
  SystemFunctions,
} from "./functions.ts";
export {
  type BoundaryEvent,
  localApicPort,
  pendingInterrupt,
  takeInterrupt,
} from "./interrupts.ts";
export { ModeKey, updateMode, updateModeKey } from "./mode.ts";
export { MsrFile } from "./msr_file.ts";
export { readMsrValue, writeMsrValue } from "./msr.ts";
export { initCpu, resetCpu, startCpu, stateReplaced } from "./reset.ts";
export { loadSegment } from "./segment_loads.ts";
export { mustStep, stepInstruction } from "./stepping.ts";
