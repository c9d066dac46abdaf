/** Modelled systems for the public face: what they are made of is loaded when the first one is booted. */

import type {
  DatabaseInstances,
  InstancesResult,
  MeasureOptions,
  StorageResult,
} from "./model/databases.ts";
import type {
  ApplicationSystem,
  ComputingBenchmark,
  StorageBenchmark,
} from "./model/application_figures.ts";
import type { ComputingOptions, ComputingResult } from "./model/computing.ts";
import type { ManyCopiesOptions, ManyCopiesResult } from "./model/many_domains.ts";
import type { LmbenchResult } from "./model/lmbench.ts";
import type { LmbenchColumn, LmbenchRow } from "./model/lmbench_figures.ts";
import type { ModelBox as BoxOfModels, ModelBoxOptions } from "./model/model_box.ts";

/** A machine of its own for a modelled Linux. */
export type ModelBox = BoxOfModels;

/**
 * Starts machines with a modelled Linux.
 *
 * ```ts
 * import { call, exit, ModelBox } from "@xenarium/xenarium";
 *
 * const box = await ModelBox.boot({ profile: "xeon-2003", platform: "user-mode-linux" });
 * box.kernel.spawn({
 *   name: "asker",
 *   steps: {
 *     begin: () => call("getppid", {}, "told"),
 *     told: ({ now }) => call("report", { name: "cycles so far", value: now }, "end"),
 *     end: () => exit(),
 *   },
 * });
 * await box.run("1s");
 * console.log(box.kernel.reports[0].name); // cycles so far
 * ```
 */
export const ModelBox = {
  /** Starts a machine whose kernel has nothing to do. Rejects with `RangeError` or `SyntaxError` for a wrong option. */
  boot: async (options: ModelBoxOptions): Promise<ModelBox> =>
    (await import("./model/model_box.ts")).ModelBox.boot(options),
} as const;

/** Runs one of lmbench's benchmarks on a machine of its own, in the paper's row of that name. */
export async function lmbench(
  row: LmbenchRow,
  column: LmbenchColumn,
  seed?: number,
): Promise<LmbenchResult> {
  return await (await import("./model/lmbench.ts")).lmbench(row, column, seed);
}

/** Runs many copies of a program that computes, in domains or in one native kernel (the paper's Figure 6). */
export async function manyCopies(options: ManyCopiesOptions): Promise<ManyCopiesResult> {
  return await (await import("./model/many_domains.ts")).manyCopies(options);
}

/** Runs a column of the paper's Figure 3 that is about files and databases, on one of its four systems. */
export async function storageBenchmark(
  system: ApplicationSystem,
  benchmark: StorageBenchmark,
  options: MeasureOptions = {},
): Promise<StorageResult> {
  return await (await import("./model/databases.ts")).storageBenchmark(system, benchmark, options);
}

/** Runs SPEC INT2000 or the build of a kernel on one of Figure 3's systems. */
export async function computingBenchmark(
  system: ApplicationSystem,
  benchmark: ComputingBenchmark,
  options: ComputingOptions = {},
): Promise<ComputingResult> {
  return await (await import("./model/computing.ts"))
    .computingBenchmark(system, benchmark, options);
}

/** Runs databases, each in a domain of its own, on two CPUs and one disk (the paper's Figure 5). */
export async function databaseInstances(options: DatabaseInstances): Promise<InstancesResult> {
  return await (await import("./model/databases.ts")).databaseInstances(options);
}
