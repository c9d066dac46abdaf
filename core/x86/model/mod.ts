/**
 * CPU models: what a CPU says that it is, by CPUID, and which optional behaviour it has. Not here: the
 * instructions themselves, and registers that CPUID only mentions.
 *
 * ```ts
 * import { cpuModel } from "./mod.ts";
 *
 * const model = cpuModel("default,-smap");
 * model.has("SSE4.2"); // true
 * model.has("smap"); // false
 * ```
 *
 * @module
 */

export { CpuModel, type CpuModelOptions, type VendorBehaviour } from "./cpu_model.ts";
export { CPU_MODEL_NAMES, cpuModel } from "./presets.ts";
export { type CpuidAnswer, type CpuidContext, cpuidLeaf } from "./cpuid_leaves.ts";
export { type Feature, featureNamed, FEATURES } from "./features.ts";
