/**
 * Four systems on one machine, with equal shares: a database, a web server, one that fills the disk, one that forks and
 * allocates without end (SOSP 2003, section 4.4). What is left for the first two, on one kernel and on a hypervisor?
 */

import { defineScenario, Lab } from "../mod.ts";
import type { LabPlatform, LabSystem, LabWorkloadName } from "../mod.ts";
import { disruptDebian } from "./instruction/disruptive_debian.ts";

const PLATFORMS = ["native", "xen-pv", "containers"] as const;
const SHOWN = PLATFORMS.slice(0, 2);
const MEMORY = "450MiB";

/** What the two neighbours do, by case. */
const NEIGHBOURS: Readonly<Record<string, readonly (readonly LabWorkloadName[])[]>> = {
  idle: [[], []],
  polite: [["compute"], ["compute"]],
  disruptive: [["disk hog", "small files"], ["fork bomb", "memory toucher"]],
};
const CASES = Object.keys(NEIGHBOURS);
/** What was lost to the disruptive neighbours, in per cent. */
const PUBLISHED = { "xen-pv": { database: 4, web: 2 } };
/** Less than this share of what it did beside polite neighbours, and nobody would call it a service. */
const USABLE = 0.5;

interface Done {
  readonly tuples: number;
  readonly requests: number;
  readonly conforming: number;
  readonly responseMs: number;
}

export default defineScenario({
  title: "Disruptive neighbours",
  summary: "a database and a web server beside a disk hog, a fork bomb and a memory hog (4.4)",
  profile: "xeon-2003",
  parameters: {
    platforms: { kind: "choices", default: SHOWN, choices: PLATFORMS, help: "on what" },
    connections: { kind: "integer", default: 200, min: 1, max: 1000, help: "of the web's clients" },
    warmUp: { kind: "duration", default: "2s", min: "1s", max: "60s", help: "not measured" },
    duration: { kind: "duration", default: "3s", min: "1s", max: "600s", help: "measured" },
    fidelity: {
      kind: "choice",
      default: "model",
      choices: ["model", "instruction"],
      help: "modelled systems, or Debian domains with busybox httpd (images add debian)",
    },
  },

  async run(context) {
    const { parameters, seed, signal, traced, done, table, progress, conclude, print } = context;
    const { platforms, connections, warmUp, duration, fidelity } = parameters;
    if (fidelity === "instruction") {
      return await disruptDebian(context, { warmUp, duration, clients: 20 });
    }
    print("Four systems on two CPUs: a database, a web server, and two neighbours");
    const results = table({
      name: "results",
      title: "What the database and the web server get done",
      columns: [
        "platform",
        "neighbours",
        "database|tuples/s",
        "web|requests/s",
        `web, of ${connections} connections|conforming`,
        "web response|ms",
      ],
      notes: ["conforming: got at least 320 kb/s, as SPECweb99 asks for"],
    });
    const losses = table({
      name: "kept",
      title: "What is left beside disruptive neighbours, of what there was beside polite ones",
      columns: ["platform", "database|%", "web|%"],
    });
    const beside = context.comparison({
      name: "isolation",
      title: "What is left beside disruptive neighbours",
      source: "SOSP 2003, section 4.4, which does not say what its neighbours did before",
    });

    let step = 0;
    for (const platform of platforms) {
      const found = new Map<string, Done>();
      for (const neighbours of CASES) {
        progress(
          step++ / (platforms.length * CASES.length),
          `${platform}, ${neighbours} neighbours`,
        );
        const lab = traced(await Lab.boot({ platform: platform as LabPlatform, cpus: 2, seed }));
        const [database, web, ...others] = ["database", "web", "third", "fourth"].map((name) =>
          lab.system({ name, memory: MEMORY })
        );
        NEIGHBOURS[neighbours].forEach((work, n) => work.forEach((each) => others[n].start(each)));
        const outcome = await measure(lab, database, web);
        if (signal.aborted) return;
        done(lab);
        found.set(neighbours, outcome);
        const { tuples, requests, conforming, responseMs } = outcome;
        results.row(platform, neighbours, tuples, requests, conforming, responseMs);
      }
      const [polite, disruptive] = [found.get("polite")!, found.get("disruptive")!];
      const kept = {
        database: disruptive.tuples / polite.tuples,
        web: disruptive.requests / polite.requests,
      };
      losses.row(platform, kept.database * 100, kept.web * 100);
      if (platform === "xen-pv") {
        for (const row of ["database", "web"] as const) {
          const published = 100 - PUBLISHED[platform][row];
          beside.cell({ row, column: platform, unit: "%", measured: kept[row] * 100, published });
        }
      }
      const usable = Math.min(kept.database, kept.web) >= USABLE;
      conclude(
        `${platform}: ${usable ? "both keep their service" : "unusable beside such neighbours"}`,
      );
    }
    context.figure({
      name: "kept",
      title: "What is left",
      kind: "bars",
      of: { table: "kept", columns: ["database", "web"] },
    });

    async function measure(lab: Lab, database: LabSystem, web: LabSystem): Promise<Done> {
      const tuples = database.start("osdb-ir");
      const load = lab.web([web], { connections });
      await lab.run(`${warmUp}ns`, { signal });
      load.reset();
      const [before, since] = [tuples.count, lab.seconds];
      await lab.run(`${duration}ns`, { signal });
      const seconds = lab.seconds - since;
      return {
        tuples: (tuples.count - before) / seconds,
        requests: load.requests / seconds,
        conforming: load.conforming[0],
        responseMs: load.responseMs,
      };
    }
  },
});
