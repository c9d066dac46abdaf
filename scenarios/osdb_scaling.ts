/**
 * One to eight databases on two CPUs and one disk, each in a domain of its own (SOSP 2003, section 4.3 and Figure 5): how far
 * they scale, and whether unequal weights divide the machine as they should.
 */

import { DATABASE_BARS, databaseInstances, defineScenario } from "../mod.ts";

const SOURCE = "SOSP 2003, Figure 5";
const TESTS = ["ir", "oltp"] as const;
type Test = typeof TESTS[number];
const TITLES: Readonly<Record<Test, string>> = {
  ir: "OSDB-IR: tuples retrieved",
  oltp: "OSDB-OLTP: tuples changed",
};

/** Shares of the aggregate that eight weights had, the largest weight first: heights of the printed bar's segments. */
const PUBLISHED_SHARES: Readonly<Record<Test, readonly number[]>> = {
  ir: [0.406, 0.359, 0.319, 0.252, 0.201, 0.151, 0.098, 0.049],
  oltp: [0.231, 0.180, 0.190, 0.173, 0.163, 0.143, 0.108, 0.078],
};

/** Two do nearly twice as much as one from this ratio on. */
const SCALES = 1.8;

const name = (instances: number, weighted: boolean) => `${instances}${weighted ? " weighted" : ""}`;
const BARS = DATABASE_BARS.map(({ instances, weighted }) => name(instances, weighted));
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

export default defineScenario({
  title: "Databases in domains",
  summary: "1 to 8 PostgreSQL-like databases on two CPUs, alike and weighted (Figure 5)",
  profile: "xeon-2003",
  parameters: {
    tests: { kind: "choices", default: TESTS, choices: TESTS, help: "OSDB's tests" },
    bars: { kind: "choices", default: BARS, choices: BARS, help: "how many databases" },
    duration: { kind: "duration", default: "5s", min: "1s", max: "600s", help: "measured time" },
  },

  async run({ parameters, seed, signal, done, traced, comparison, progress, conclude }) {
    const { tests, bars, duration } = parameters;
    const seconds = duration / 1e9;
    const chosen = DATABASE_BARS.filter(({ instances, weighted }) =>
      bars.includes(name(instances, weighted))
    );
    let step = 0;
    for (const test of tests as readonly Test[]) {
      const totals = comparison({ name: test, title: TITLES[test], source: SOURCE });
      const shares = comparison({
        name: `${test} shares`,
        title: `${TITLES[test]}, by weight`,
        source: SOURCE,
      });
      const found = new Map<string, number>();
      for (const { instances, weighted, tuplesPerSecond: published } of chosen) {
        if (signal.aborted) return;
        const column = name(instances, weighted);
        progress(step++ / (tests.length * chosen.length), `${column} databases, ${test}`);
        const options = { test, instances, weighted, seconds, seed, signal };
        const result = traced(await databaseInstances(options));
        if (signal.aborted) return;
        done(result);
        const total = sum(result.tuplesPerSecond);
        found.set(column, total);
        totals.cell({
          row: "Xen",
          column,
          unit: "tuples/s",
          measured: total,
          published: published[test],
        });
        if (!weighted) continue;
        const printed = PUBLISHED_SHARES[test];
        result.tuplesPerSecond.forEach((each, place) =>
          shares.cell({
            row: `weight ${instances - place}`,
            column: "share",
            unit: "%",
            measured: each / total * 100,
            published: printed[place] / sum(printed) * 100,
          })
        );
      }
      const [one, two] = [found.get("1"), found.get("2")];
      if (one === undefined || two === undefined) continue;
      const scales = two / one >= SCALES ? "nearly twice as much as" : "far from twice as much as";
      conclude(`two databases do ${scales} one (${test})`);
    }
  },
});
