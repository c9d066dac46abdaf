/**
 * From one to 128 copies of a program that computes, on two CPUs (SOSP 2003, section 4.5 and Figure 6): each in a domain of
 * its own, with slices of 5 ms and of 50 ms, or all on one Linux; and how long a request waits for its domain to get a CPU.
 */

import {
  defineScenario,
  manyCopies,
  measureUdpLatency,
  profileNamed,
  PUBLISHED_LATENCIES,
} from "../mod.ts";

/** What keeps a CPU how long: domains under BVT, or processes of a native kernel. */
const SYSTEMS = { "Xen 5 ms": 5, "Xen 50 ms": 50, Linux: null } as const;
const NAMES = Object.keys(SYSTEMS) as (keyof typeof SYSTEMS)[];
const COUNTS = [1, 2, 4, 8, 16, 32, 64, 96, 128];
const PROFILE = "xeon-2003";
const SOURCE = "SOSP 2003, Figure 6 and section 4.5";

/** The plotted points: throughput in that of one, by copies. */
const PLOTTED: Readonly<Record<string, readonly number[]>> = {
  Linux: [1, 1.99, 1.99, 1.99, 1.99, 1.99, 1.98, 1.98, 1.98],
  "Xen 50 ms": [1, 2, 1.99, 1.99, 1.99, 1.98, 1.98, 1.98, 1.98],
  "Xen 5 ms": [1, 2, 1.93, 1.88, 1.86, 1.86, 1.85, 1.85, 1.85],
};
/** The published delays are those of so many busy domains, with slices of 5 ms. */
const DELAYED_DOMAINS = 128;
const DELAYED = [
  [`one of ${DELAYED_DOMAINS} that compute`, true],
  ["one that idles beside them", false],
] as const;

/** One echo a second is asked for, and most take as long as all others: a mean needs some hundreds. */
const ECHO_TIMES = 40;

const THROUGHPUT = { unit: "domains' worth", xName: "domains", xUnit: "" };

export default defineScenario({
  title: "Many domains",
  summary: "1 to 128 domains that compute on two CPUs: throughput and delays (Figure 6)",
  profile: PROFILE,
  parameters: {
    domains: { kind: "integers", default: COUNTS, min: 1, max: 512, help: "how many domains" },
    systems: { kind: "choices", default: NAMES, choices: NAMES, help: "the figure's lines" },
    duration: {
      kind: "duration",
      default: "10s",
      min: "1s",
      max: "600s",
      help: "least time measured",
    },
  },

  async run(
    {
      parameters,
      seed,
      signal,
      traced,
      done,
      table,
      comparison,
      series,
      figure,
      progress,
      conclude,
    },
  ) {
    const { domains: counts, systems, duration } = parameters;
    const steps = counts.length * systems.length + 1;
    let step = 0;
    const { fittedCells } = profileNamed(PROFILE);
    const figure6 = comparison({
      name: "figure6",
      title: "Throughput in that of one",
      source: SOURCE,
    });
    const speed = table({
      name: "speed",
      title: "Simulation speed",
      columns: ["system", "domains", "host time|s"],
      hostTime: true,
    });
    for (const row of systems as typeof NAMES) {
      const line = series({ ...THROUGHPUT, name: row, title: row });
      for (const copies of counts) {
        if (signal.aborted) return;
        progress(step++ / steps, `${copies} on ${row}`);
        const started = performance.now();
        // At least two rounds of everybody's turns.
        const seconds = Math.max(duration / 1e9, copies * (SYSTEMS[row] ?? 60) / 1000);
        const result = traced(
          await manyCopies({ copies, sliceMs: SYSTEMS[row], seconds, seed, signal }),
        );
        done(result);
        const measured = result.throughput;
        speed.row(row, copies, (performance.now() - started) / 1000);
        line.add(copies, measured);
        const published = PLOTTED[row][COUNTS.indexOf(copies)] ?? null;
        const fitted = fittedCells.some(({ table, row: fittedRow, column }) =>
          table === "Figure 6" && fittedRow === row && column === `${copies}`
        );
        figure6.cell({ row, column: `${copies}`, measured, published, fitted });
      }
    }
    figure({
      name: "figure6",
      title: "Throughput of many",
      kind: "lines",
      of: { series: systems },
    });

    progress(step / steps, "delays");
    const delays = comparison({
      name: "delays",
      title: "Delay of a UDP echo",
      source: SOURCE,
    });
    const options = {
      domains: DELAYED_DOMAINS,
      seconds: duration / 1e9 * ECHO_TIMES,
      seed,
      signal,
    };
    const means: number[] = [];
    for (const [row, isBusy] of DELAYED) {
      const delay = traced(await measureUdpLatency({ ...options, isBusy }));
      done(delay);
      const { meanMs, deviationMs } = delay;
      means.push(meanMs);
      const published = PUBLISHED_LATENCIES[isBusy ? "busy" : "idle"];
      const cell = { row, unit: "ms" };
      const { meanMs: mean, deviationMs: deviation } = published;
      delays.cell({ ...cell, column: "mean", measured: meanMs, published: mean });
      delays.cell({ ...cell, column: "deviation", measured: deviationMs, published: deviation });
      if (signal.aborted) return;
    }
    const [busy, idle] = means;
    const order = idle < busy / 2 ? "well before" : "no sooner than";
    conclude(`a domain that idles is answered ${order} one of those that compute`);
  },
});
