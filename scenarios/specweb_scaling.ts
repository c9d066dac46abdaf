/**
 * One to sixteen web servers on two CPUs (SOSP 2003, section 4.3 and Figure 4): all on one native kernel, or each in a domain of
 * its own; and one server on one CPU of four systems (section 4.1, Figure 3). A server's result is the largest number of
 * connections that get 320 kb/s.
 */

import { defineScenario, FIGURE_3_WEB99, FIGURE_4, searchSpecWeb } from "../mod.ts";

const PLATFORMS = ["native", "xen-pv"] as const;
const NAMES = { native: "Linux", "xen-pv": "Xen" } as const;
const INSTANCES = FIGURE_4.map(({ instances }) => instances);
const SYSTEMS = Object.keys(FIGURE_3_WEB99);

/** Of so many connections tried, how many conform with a probability of 95 %, each for itself. */
function intervalOf(total: number, tried: number) {
  const half = 1.96 * Math.sqrt(total * (1 - total / tried));
  return { low: total - half, high: Math.min(tried, total + half), level: 0.95 };
}

export default defineScenario({
  title: "Web servers",
  summary: "SPECweb99: 1 to 16 servers on two CPUs, on one Linux or in domains (Figure 4)",
  profile: "xeon-2003",
  parameters: {
    instances: { kind: "integers", default: INSTANCES, min: 1, max: 16, help: "how many servers" },
    platforms: { kind: "choices", default: PLATFORMS, choices: PLATFORMS, help: "on two CPUs" },
    systems: { kind: "choices", default: SYSTEMS, choices: SYSTEMS, help: "on one CPU" },
    duration: { kind: "duration", default: "60s", min: "2s", max: "1200s", help: "measured time" },
  },

  async run(
    { parameters, seed, signal, traced, done, table, comparison, figure, progress, conclude },
  ) {
    const { instances, platforms, systems, duration } = parameters;
    const seconds = duration / 1e9;
    const parts: number[] = [];
    const search = (
      platform: typeof FIGURE_3_WEB99[string]["platform"],
      cpus: number,
      count: number,
    ) => {
      const place = parts.push(0) - 1;
      const what = `${count} on ${cpus} CPUs, ${platform}`;
      const onProgress = (part: number) => {
        // A search is two short measurements and one long one, or two; the host's CPUs work on several at once.
        parts[place] = Math.max(parts[place], part / 2);
        progress(parts.reduce((sum, each) => sum + each) / parts.length, what);
      };
      const searched = searchSpecWeb({ platform, cpus, instances: count, seconds, seed }, {
        signal,
        onProgress,
      });
      // Who is interrupted gives up at the first one that is waited for.
      searched.then(() => parts[place] = 1, () => {});
      return searched;
    };
    const kept = async (searched: ReturnType<typeof searchSpecWeb>) => {
      const best = traced(await searched);
      done(best);
      return best;
    };
    const chosen = platforms as readonly typeof PLATFORMS[number][];
    const onTwo = chosen.flatMap((platform) =>
      instances.map((count) => ({ platform, count, searched: search(platform, 2, count) }))
    );
    const onOne = systems.map((name) => search(FIGURE_3_WEB99[name].platform, 1, 1));
    const figure4 = comparison({
      name: "figure4",
      title: "Two CPUs",
      source: "SOSP 2003, Figure 4",
    });
    const points = table({
      name: "points",
      title: "What the points are made of",
      columns: [
        "system",
        "servers",
        "tried",
        "conforming",
        "requests|1/s",
        "traffic|Mb/s",
        "CPUs busy|%",
      ],
    });
    const found = new Map<string, number>();
    for (const { platform, count, searched } of onTwo) {
      if (signal.aborted) return;
      const best = await kept(searched);
      const { total, connections, requestsPerSecond, megabitsPerSecond, utilization } = best;
      found.set(`${platform} ${count}`, total);
      const published = FIGURE_4.find((each) => each.instances === count)?.[platform] ?? null;
      const confidence = intervalOf(total, connections);
      const cell = {
        row: NAMES[platform],
        column: `${count} servers`,
        unit: "connections",
        confidence,
      };
      figure4.cell({
        ...cell,
        measured: total,
        published,
        fitted: platform === "native" && count <= 2,
      });
      const rates = [Math.round(requestsPerSecond), megabitsPerSecond, utilization * 100];
      points.row(NAMES[platform], count, connections, total, ...rates);
    }
    const figure3 = comparison({
      name: "figure3",
      title: "One CPU",
      source: "SOSP 2003, Figure 3, WEB99",
    });
    for (const [place, name] of systems.entries()) {
      if (signal.aborted) return;
      const { published } = FIGURE_3_WEB99[name];
      const { total, connections } = await kept(onOne[place]);
      const confidence = intervalOf(total, connections);
      const cell = { row: name, column: "WEB99", unit: "connections", confidence };
      figure3.cell({ ...cell, measured: total, published, fitted: name === "Linux" });
    }
    const columns = ["conforming"];
    figure({
      name: "figure4",
      title: "Conforming connections",
      kind: "bars",
      of: { table: "points", columns },
    });
    for (const count of instances) {
      const [linux, xen] = PLATFORMS.map((platform) => found.get(`${platform} ${count}`));
      if (!linux || !xen) continue;
      const [ahead, by] = [xen > linux ? "Xen" : "Linux", Math.abs(xen / linux - 1) * 100];
      conclude(`${count} servers: ${by < 2 ? "both alike" : `${ahead} is ahead`}`);
    }
  },
});
