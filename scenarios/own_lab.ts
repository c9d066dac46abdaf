/**
 * A laboratory of your own: copy this file, change what is in it, and run it by its path:
 *
 *     cp scenarios/own_lab.ts my_lab.ts        # outside the repository: import "@xenarium/xenarium" instead of "../mod.ts"
 *     deno task xenarium run ./my_lab.ts --domains 6 --seed 2
 *
 * The question of this one: how much longer does a server take to answer when neighbours compute beside it, and how
 * much does a higher weight help?
 */

import { defineScenario, LoadBox } from "../mod.ts";

/** Questions are tables: a row for each case that is tried. */
const WEIGHTS = [64, 256, 1024] as const;

export default defineScenario({
  // What lists and pages show.
  title: "A laboratory of your own",
  summary: "a template to copy: does a higher weight help a server beside busy neighbours?",
  // The cost profile by which time passes; it becomes part of the record.
  profile: "xeon-2003",

  // What can be told: options of the command line, fields of the dashboard's form, types of `parameters` below.
  // Kinds: integer, number, integers, duration, choice, choices, flag.
  parameters: {
    domains: { kind: "integer", default: 4, min: 0, max: 64, unit: "domains", help: "neighbours" },
    duration: { kind: "duration", default: "10s", min: "1s", max: "600s", help: "simulated time" },
  },

  async run({ parameters, seed, signal, traced, table, series, figure, progress, conclude }) {
    const { domains, duration } = parameters;

    // Results go into tables and series. A unit stands behind a vertical bar.
    const results = table({
      name: "delays",
      title: `A server beside ${domains} domains that compute`,
      columns: ["weight", "requests", "mean delay|ms", "worst delay|ms"],
    });
    const line = series({
      name: "mean",
      title: "Mean delay",
      unit: "ms",
      xName: "weight",
      xUnit: "",
    });

    const means: number[] = [];
    for (const [index, weight] of WEIGHTS.entries()) {
      // How far it is; the terminal and the dashboard show it with an estimate.
      progress(index / WEIGHTS.length, `weight ${weight}`);

      // A machine. `traced` makes what happens in it part of the run's trace hash.
      const box = traced(await LoadBox.boot({ scheduler: "credit", profile: "xeon-2003", seed }));
      const server = box.create({
        name: "server",
        load: { kind: "answers", work: "5ms", rest: "10ms" },
        parameters: { weight },
      });
      for (let n = 1; n <= domains; n++) {
        box.create({ name: `neighbour ${n}`, load: { kind: "computes" } });
      }

      // Simulated time passes only here. The signal is the user's Ctrl-C: what was measured before it is kept.
      await box.run(`${duration}ns`, { signal });
      if (signal.aborted) return;

      const { count, meanMs, worstMs } = server.delays;
      results.row(weight, count, meanMs, worstMs);
      line.add(weight, meanMs);
      means.push(meanMs);
    }

    // How to draw it, and what to say about it: sentences that the figures support.
    figure({ name: "delays", title: "Delay by weight", kind: "lines", of: { series: ["mean"] } });
    const helps = means[means.length - 1] < means[0];
    conclude(`a higher weight ${helps ? "shortens" : "does not shorten"} the server's delay`);
  },
});
