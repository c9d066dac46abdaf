/**
 * From one to 128 domains on two CPUs (SOSP 2003, section 4.5 and Figure 6): what is lost to switching between them,
 * with slices of 5 ms and of 50 ms, and how long a request waits for its domain to get a CPU.
 */

import { defineScenario, LoadBox } from "../mod.ts";

const SLICES = ["5ms", "50ms"] as const;
const COUNTS = [1, 2, 4, 8, 16, 32, 64, 96, 128];
const SOURCE = "SOSP 2003, Figure 6 and section 4.5";

/** The plotted points: throughput in that of one domain, by slice and number of domains. */
const PLOTTED: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  "5ms": { 1: 1, 2: 2, 4: 1.93, 8: 1.88, 16: 1.86, 32: 1.86, 64: 1.85, 96: 1.85, 128: 1.85 },
  "50ms": { 1: 1, 2: 2, 4: 1.99, 8: 1.99, 16: 1.99, 32: 1.98, 64: 1.98, 96: 1.98, 128: 1.98 },
};
/** The cost of refilling caches was fitted to this point: it is no prediction. */
const FITTED = { slice: "5ms", domains: 128 };
/** The published delays are those of so many busy domains, with slices of 5 ms. */
const DELAYED_DOMAINS = 128;

const THROUGHPUT = { unit: "domains' worth", xName: "domains", xUnit: "" };

export default defineScenario({
  title: "Many domains",
  summary: "1 to 128 domains that compute on two CPUs: throughput and delays (Figure 6)",
  profile: "xeon-2003",
  parameters: {
    domains: { kind: "integers", default: COUNTS, min: 1, max: 512, help: "how many domains" },
    slices: { kind: "choices", default: SLICES, choices: SLICES, help: "slices of BVT" },
    duration: { kind: "duration", default: "20s", min: "1s", max: "600s", help: "simulated time" },
    // The paper does not tell its own.
    requests: {
      kind: "duration",
      default: "1s",
      min: "10ms",
      max: "60s",
      help: "between requests",
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
    const { domains: counts, slices, duration, requests } = parameters;
    const steps = counts.length * slices.length + 1;
    let step = 0;
    const figure6 = comparison({
      name: "figure6",
      title: "Throughput in that of one domain",
      source: SOURCE,
    });
    const speed = table({
      name: "speed",
      title: "Simulation speed",
      columns: ["slice", "domains", "host time per schedule change|us"],
      hostTime: true,
    });
    const boot = async (slice: string) =>
      traced(
        await LoadBox.boot({
          cpus: 2,
          scheduler: "bvt",
          schedulerParameters: { ctx_allow: parseFloat(slice) * 1e6 },
          profile: "xeon-2003",
          seed,
        }),
      );

    for (const slice of slices) {
      const line = series({
        ...THROUGHPUT,
        name: `throughput ${slice}`,
        title: `Slices of ${slice}`,
      });
      for (const count of counts) {
        if (signal.aborted) return;
        progress(step++ / steps, `${count} domains, slices of ${slice}`);
        const box = await boot(slice);
        const domains = Array.from(
          { length: count },
          (_, n) => box.create({ name: `domain ${n + 1}`, load: { kind: "computes" } }),
        );
        const work = () => domains.reduce((sum, { workSeconds }) => sum + workSeconds, 0);
        await box.run("2s", { signal });
        const [before, changes, started] = [work(), box.changes, performance.now()];
        await box.run(`${duration / 1e9}s`, { signal });
        if (signal.aborted) return;
        const measured = (work() - before) / (duration / 1e9);
        speed.row(slice, count, (performance.now() - started) * 1000 / (box.changes - changes));
        done(box);
        line.add(count, measured);
        const published = PLOTTED[slice][count] ?? null;
        const fitted = slice === FITTED.slice && count === FITTED.domains;
        figure6.cell({ row: slice, column: `${count} domains`, measured, published, fitted });
      }
    }
    const names = slices.map((slice) => `throughput ${slice}`);
    figure({
      name: "figure6",
      title: "Throughput of many domains",
      kind: "lines",
      of: { series: names },
    });

    progress(step / steps, "delays");
    const delays = comparison({
      name: "delays",
      title: "Delay of a request to a domain",
      source: SOURCE,
    });
    const asked = { work: "50us", rest: `${requests}ns` };
    const box = await boot("5ms");
    const [busy] = Array.from({ length: DELAYED_DOMAINS }, (_, n) =>
      box.create({
        name: `domain ${n + 1}`,
        load: n === 0 ? { kind: "computes and answers", ...asked } : { kind: "computes" },
      }));
    const idle = box.create({ name: "idle", load: { kind: "answers", ...asked } });
    await box.run(`${duration / 1e9 * 10}s`, { signal });
    for (
      const [row, domain, mean, deviation] of [
        [`one of ${DELAYED_DOMAINS} that compute`, busy, 147, 97],
        ["one that idles beside them", idle, 5.4, 16],
      ] as const
    ) {
      const { meanMs, deviationMs } = domain.delays;
      delays.cell({ row, column: "mean", unit: "ms", measured: meanMs, published: mean });
      delays.cell({
        row,
        column: "deviation",
        unit: "ms",
        measured: deviationMs,
        published: deviation,
      });
    }
    conclude("short slices cost throughput: caches are filled again and again");
    conclude("a domain that idles is answered long before its turn among those that compute");
  },
});
