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
/** What was lost to the disruptive neighbours, in per cent, on which platform. */
const PUBLISHED = { platform: "xen-pv", losses: { database: 4, web: 2 } } as const;
const NAMES = ["database", "web", "third", "fourth"];
/** Less than this share of what it did beside polite neighbours, and nobody would call it a service. */
const USABLE = 0.5;

interface Roles {
  readonly databases: readonly LabSystem[];
  readonly webs: readonly LabSystem[];
}

const CLIENTS = { min: 1, max: 1000, help: "of the web's clients" };
const OF_DEBIAN = { where: "fidelity", is: "instruction", default: 20 };

export default defineScenario({
  title: "Disruptive neighbours",
  summary: "a database and a web server beside a disk hog, a fork bomb and a memory hog (4.4)",
  profile: "xeon-2003",
  parameters: {
    platforms: { kind: "choices", default: SHOWN, choices: PLATFORMS, help: "on what" },
    connections: { ...CLIENTS, kind: "integer", default: 260, instead: OF_DEBIAN },
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
      return await disruptDebian(context, { warmUp, duration, clients: connections });
    }
    print("Four systems on two CPUs: a database, a web server, and two neighbours");
    const results = table({
      name: "results",
      title: "What the database and the web server get done",
      columns: ["platform", "neighbours", "database|tuples/s", "web|Mb/s"].concat(
        [`web, of ${connections} connections|conforming`, "web response|ms"],
      ),
      notes: ["conforming: got at least 320 kb/s, as SPECweb99 asks for"],
    });
    const losses = table({
      name: "kept",
      title: "What is left beside disruptive neighbours, of what there was beside polite ones",
      columns: ["platform", "database|%", "web|%"],
    });
    const beside = context.comparison({
      name: "isolation",
      title: "What is left beside disruptive neighbours, of what each of four of a kind gets",
      source: "SOSP 2003, 4.4; its earlier results are taken to be Figures 4 and 5, four each",
    });

    const steps = platforms.length * CASES.length;
    let step = 0;
    for (const platform of platforms) {
      const found = new Map<string, Awaited<ReturnType<typeof measure>>>();
      for (const neighbours of CASES) {
        progress(step++ / steps, `${platform}, ${neighbours} neighbours`);
        const outcome = await measure(platform as LabPlatform, ([database, web, ...others]) => {
          NEIGHBOURS[neighbours].forEach((work, n) =>
            work.forEach((each) => others[n].start(each))
          );
          return { databases: [database], webs: [web] };
        });
        if (signal.aborted) return;
        found.set(neighbours, outcome);
        const { tuples, megabits, conforming, responseMs } = outcome;
        results.row(platform, neighbours, tuples, megabits, conforming, responseMs);
      }
      const [polite, disruptive] = [found.get("polite")!, found.get("disruptive")!];
      const kept = {
        database: disruptive.tuples / polite.tuples,
        web: disruptive.megabits / polite.megabits,
      };
      losses.row(platform, kept.database * 100, kept.web * 100);
      if (platform === PUBLISHED.platform) {
        const databases = await measure(platform, (systems) => ({ databases: systems, webs: [] }));
        const webs = await measure(platform, (systems) => ({ databases: [], webs: systems }));
        if (signal.aborted) return;
        const measured = {
          database: disruptive.tuples / databases.tuples * 100,
          web: disruptive.megabits / webs.megabits * 100,
        };
        for (const row of ["database", "web"] as const) {
          const published = 100 - PUBLISHED.losses[row];
          beside.cell({ row, column: platform, unit: "%", measured: measured[row], published });
        }
      }
      const isUsable = Math.min(kept.database, kept.web) >= USABLE;
      const verdict = isUsable ? "both keep their service" : "unusable beside such neighbours";
      conclude(`${platform}: ${verdict}`);
    }
    context.figure({
      name: "kept",
      title: "What is left",
      kind: "bars",
      of: { table: "kept", columns: ["database", "web"] },
    });

    /** What one database and one web server get done in a lab of four systems, whose work `assign` begins. */
    async function measure(platform: LabPlatform, assign: (systems: LabSystem[]) => Roles) {
      const lab = traced(await Lab.boot({ platform, cpus: 2, seed }));
      const { databases, webs } = assign(NAMES.map((name) => lab.system({ name, memory: MEMORY })));
      const [tuples] = databases.map((system) => system.start("osdb-ir"));
      const load = webs.length > 0
        ? lab.web(webs, { connections: connections * webs.length })
        : undefined;
      await lab.run(`${warmUp}ns`, { signal });
      load?.reset();
      const [before, since] = [tuples?.count ?? 0, lab.seconds];
      await lab.run(`${duration}ns`, { signal });
      const seconds = lab.seconds - since;
      if (!signal.aborted) done(lab);
      return {
        tuples: ((tuples?.count ?? 0) - before) / seconds,
        megabits: (load?.bytes ?? 0) * 8e-6 / seconds / webs.length,
        conforming: load?.conforming[0] ?? 0,
        responseMs: load?.responseMs ?? 0,
      };
    }
  },
});
