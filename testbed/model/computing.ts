/** Figure 3's programs that compute (SOSP 2003): SPEC INT2000 and the build of a kernel, on one CPU of each system. */

import { BUILD_FILES, compiler, kernelBuild } from "../../guests/model/workloads/kernel_build.ts";
import { specInt } from "../../guests/model/workloads/spec_int.ts";
import {
  APPLICATION_SYSTEMS,
  type ApplicationSystem,
  COMPUTING_BENCHMARKS,
  type ComputingBenchmark,
} from "./application_figures.ts";
import { ModelBox } from "./model_box.ts";

/** What {@link computingBenchmark} may be told. */
export interface ComputingOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Source files of the build, of 930: with fewer of them the time is what all would take at that rate. */
  readonly files?: number;
}

/** What a benchmark came to, in the unit of its column, and the digest of all that happened. */
export interface ComputingResult {
  readonly score: number;
  readonly trace: { readonly hash: string };
}

/** Seconds of work that stand for the suite. */
const SPEC_SECONDS = 20;
const LIMIT = "3000s";

/** Runs a benchmark on a machine of its own. Rejects with the signal's reason if it is aborted. */
export async function computingBenchmark(
  system: ApplicationSystem,
  benchmark: ComputingBenchmark,
  options: ComputingOptions = {},
): Promise<ComputingResult> {
  const { seed = 0, signal, files = BUILD_FILES } = options;
  const box = ModelBox.boot({ profile: "xeon-2003", seed, platform: APPLICATION_SYSTEMS[system] });
  const { kernel } = box;
  const { frequencyHz } = kernel;
  if (benchmark === "Linux build") {
    kernel.programs.add(compiler);
    kernel.spawn(kernelBuild, { locals: { files, frequencyHz } });
  } else kernel.spawn(specInt, { locals: { seconds: SPEC_SECONDS, frequencyHz } });
  await box.run(LIMIT, { signal });
  signal?.throwIfAborted();
  const report = kernel.reports.find(({ name }) => name === "cycles");
  if (!report) throw new Error(`${benchmark} on ${system} did not come to an end`);
  const seconds = report.value as number / frequencyHz;
  const score = benchmark === "Linux build"
    ? seconds * BUILD_FILES / files
    // The score of native Linux is what a machine has that takes as long as the work is.
    : COMPUTING_BENCHMARKS[benchmark].published.L * SPEC_SECONDS / seconds;
  return { score, trace: { hash: box.trace.hash } };
}
