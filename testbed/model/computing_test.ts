import { assert } from "@std/assert";
import {
  APPLICATION_SYSTEMS,
  type ApplicationSystem,
  COMPUTING_BENCHMARKS,
  type ComputingBenchmark,
} from "./application_figures.ts";
import { computingBenchmark } from "./computing.ts";

/** How near the paper's figure a system has to be, in percent. */
const TOLERANCE: Readonly<Record<ApplicationSystem, number>> = { L: 2, X: 7, V: 25, U: 25 };

for (const benchmark of Object.keys(COMPUTING_BENCHMARKS) as ComputingBenchmark[]) {
  Deno.test(`${benchmark} on four systems is near Figure 3's, and in its order`, async () => {
    const { published } = COMPUTING_BENCHMARKS[benchmark];
    const slowness: number[] = [];
    for (const system of Object.keys(APPLICATION_SYSTEMS) as ApplicationSystem[]) {
      const { score } = await computingBenchmark(system, benchmark, { files: 10 });
      const error = (score / published[system] - 1) * 100;
      assert(Math.abs(error) < TOLERANCE[system], `${system}: ${score}`);
      slowness.push(benchmark === "Linux build" ? score : 1 / score);
    }
    assert(slowness.every((each, i) => i === 0 || each > slowness[i - 1]), `${slowness}`);
  });
}
