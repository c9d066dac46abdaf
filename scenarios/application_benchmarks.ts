/**
 * Applications on four systems (SOSP 2003, section 4.1 and Figure 3): the same compiler, database and file server, on bare
 * hardware, on Xen, under a hosted monitor and as a process of another Linux.
 */

import {
  APPLICATION_SYSTEMS,
  type ApplicationSystem,
  COMPUTING_BENCHMARKS,
  type ComputingBenchmark,
  computingBenchmark,
  defineScenario,
  STORAGE_BENCHMARKS,
  type StorageBenchmark,
  storageBenchmark,
} from "../mod.ts";

const SYSTEMS = Object.keys(APPLICATION_SYSTEMS) as ApplicationSystem[];
const COLUMNS = { ...COMPUTING_BENCHMARKS, ...STORAGE_BENCHMARKS };
type Benchmark = ComputingBenchmark | StorageBenchmark;
const BENCHMARKS = Object.keys(COLUMNS) as Benchmark[];
const NAMES: Readonly<Record<ApplicationSystem, string>> = {
  L: "Linux",
  X: "Xen",
  V: "VMware",
  U: "UML",
};
/** How often these use new memory was chosen with the printed figures at hand: they are no predictions. */
const CHOSEN_BY: readonly Benchmark[] = ["OSDB-IR", "SPEC INT2000", "Linux build"];
/** What keeps so much of native's speed is close to it. */
const CLOSE = 0.85;

async function measure(
  system: ApplicationSystem,
  benchmark: Benchmark,
  options: { readonly seconds: number; readonly seed: number; readonly signal: AbortSignal },
) {
  if (benchmark === "SPEC INT2000" || benchmark === "Linux build") {
    return await computingBenchmark(system, benchmark, { ...options, files: BUILT_FILES });
  }
  return await storageBenchmark(system, benchmark, options);
}

/** Of the 930 files of a kernel: a hundred tell how long all of them take. */
const BUILT_FILES = 100;

export default defineScenario({
  title: "Applications",
  summary: "Computing, a database and a file server on four systems (Figure 3)",
  profile: "xeon-2003",
  parameters: {
    systems: { kind: "choices", default: SYSTEMS, choices: SYSTEMS, help: "L, X, V, U" },
    benchmarks: { kind: "choices", default: BENCHMARKS, choices: BENCHMARKS, help: "which ones" },
    duration: {
      kind: "duration",
      default: "5s",
      min: "1s",
      max: "600s",
      help: "measured time of databases",
    },
  },

  async run({ parameters, seed, signal, traced, done, comparison, progress, conclude }) {
    const { systems, benchmarks, duration } = parameters;
    const figure3 = comparison({
      name: "figure3",
      title: "Applications",
      source: "SOSP 2003, Figure 3",
    });
    let step = 0;
    for (const benchmark of benchmarks as readonly Benchmark[]) {
      const { unit, published } = COLUMNS[benchmark];
      const scores: Partial<Record<ApplicationSystem, number>> = {};
      for (const system of systems as readonly ApplicationSystem[]) {
        if (signal.aborted) return;
        progress(step++ / (benchmarks.length * systems.length), `${benchmark} on ${NAMES[system]}`);
        const options = { seconds: duration / 1e9, seed, signal };
        const result = traced(await measure(system, benchmark, options));
        if (signal.aborted) return;
        done(result);
        scores[system] = result.score;
        figure3.cell({
          row: NAMES[system],
          column: benchmark,
          unit,
          measured: result.score,
          published: published[system],
          // Native Linux is what workloads were fitted to.
          fitted: system === "L" || CHOSEN_BY.includes(benchmark),
        });
      }
      const { L, X } = scores;
      if (L === undefined || X === undefined) continue;
      const speed = benchmark === "Linux build" ? L / X : X / L;
      conclude(`${benchmark} on Xen is ${speed >= CLOSE ? "close to" : "well behind"} native`);
    }
  },
});
