/**
 * All schedulers side by side: domains that compute all the time share the CPUs by weight, while one that mostly
 * rests wants to be answered quickly. What does each policy give them?
 */

import { defineScenario, LoadBox, type SchedulerName, type SchedulerParameters } from "../mod.ts";

const SCHEDULERS = ["bvt", "sedf", "credit", "credit2", "rtds", "null"] as const;

/** A domain's weight among all, and the share of one CPU that this comes to. */
interface Terms {
  readonly weight: number;
  readonly share: number;
}

/** How each scheduler is told the same thing. */
const TERMS: Readonly<Record<SchedulerName, (terms: Terms) => SchedulerParameters>> = {
  bvt: ({ weight }) => ({ mcu_adv: Math.round(25_600 / weight) }),
  sedf: ({ share }) => ({ period: 100e6, slice: Math.round(100e6 * share), extratime: 1 }),
  credit: ({ weight }) => ({ weight }),
  credit2: ({ weight }) => ({ weight }),
  rtds: ({ share }) => ({ period: 10_000, budget: Math.round(10_000 * share), flags: 0 }),
  null: () => ({}),
};

/** The visitor asks 50 times a second for a fifth of a millisecond: one per cent of a CPU. */
const VISITOR = { kind: "answers", work: "200us", rest: "20ms" } as const;
/** Reserved for it where a scheduler deals in reservations: refilling its caches takes more than its work. */
const VISITOR_SHARE = 0.1;

export default defineScenario({
  title: "Scheduler fairness",
  summary:
    "all schedulers side by side: shares by weight, and the delay of a domain that mostly rests",
  profile: "xeon-2003",
  parameters: {
    cpus: { kind: "integer", default: 2, min: 1, max: 16, unit: "CPUs", help: "physical CPUs" },
    weights: {
      kind: "integers",
      default: [256, 256, 512, 512, 768],
      min: 16,
      max: 4096,
      help: "weights of the domains that compute",
    },
    duration: { kind: "duration", default: "20s", min: "1s", max: "600s", help: "simulated time" },
    schedulers: { kind: "choices", default: SCHEDULERS, choices: SCHEDULERS, help: "which ones" },
  },

  async run({ parameters, seed, signal, traced, table, progress, figure, conclude, print }) {
    const { cpus, weights, duration, schedulers } = parameters;
    const seconds = duration / 1e9;
    const fair = fairShares(weights, cpus);
    print(`${weights.length} domains that compute, and a visitor, on ${cpus} CPUs`);
    const columns: Shares[] = [];
    const judged = table({
      name: "schedulers",
      title: "What each scheduler makes of it",
      columns: [
        "scheduler",
        "largest deviation from the fair share|%",
        "work done|% of the CPUs",
        "visitor's requests answered|1/s",
        "visitor's mean delay|ms",
        "visitor's worst delay|ms",
      ],
      notes: ["delay: from a request of 0.2 ms until it is answered, 50 times a second"],
    });
    for (const [index, scheduler] of schedulers.entries()) {
      if (signal.aborted) break;
      progress(index / schedulers.length, scheduler);
      const box = traced(await LoadBox.boot({ cpus, scheduler, profile: "xeon-2003", seed }));
      const visitor = box.create({
        name: "visitor",
        load: VISITOR,
        parameters: TERMS[scheduler]({ weight: 256, share: VISITOR_SHARE }),
      });
      const domains = weights.map((weight, n) =>
        box.create({
          name: `domain ${n + 1}`,
          load: { kind: "computes" },
          parameters: TERMS[scheduler]({ weight, share: fair[n] * (1 - VISITOR_SHARE) }),
        })
      );
      await box.run(`${seconds / 10}s`, { signal });
      const before = domains.map(({ cpuSeconds, workSeconds }) => ({ cpuSeconds, workSeconds }));
      await box.run(`${seconds}s`, { signal });
      if (signal.aborted) break;
      const given = domains.map((domain, n) => domain.cpuSeconds - before[n].cpuSeconds);
      const worked = domains.map((domain, n) => domain.workSeconds - before[n].workSeconds);
      const shares = given.map((each) => each / sum(given) * Math.min(cpus, weights.length));
      columns.push({ scheduler, shares });
      const deviations = shares.map((share, n) => Math.abs(share / fair[n] - 1) * 100);
      const { count, meanMs, worstMs } = visitor.delays;
      const work = sum(worked) / (cpus * seconds) * 100;
      judged.row(
        scheduler,
        Math.max(...deviations),
        work,
        count / (seconds * 1.1),
        meanMs,
        worstMs,
      );
    }
    const shares = table({
      name: "shares",
      title: "Shares of one CPU",
      columns: ["domain", "weight", "fair|%", ...columns.map(({ scheduler }) => `${scheduler}|%`)],
    });
    for (const [n, weight] of weights.entries()) {
      const found = columns.map((column) => column.shares[n] * 100);
      shares.row(`domain ${n + 1}`, weight, fair[n] * 100, ...found);
    }
    const names = columns.map(({ scheduler }) => scheduler);
    figure({
      name: "shares",
      title: "Shares of one CPU",
      kind: "bars",
      of: { table: "shares", columns: ["fair", ...names] },
    });
    if (signal.aborted) return;
    const exact = columns.filter(({ shares }) =>
      shares.every((share, n) => Math.abs(share / fair[n] - 1) < 0.02)
    ).map(({ scheduler }) => scheduler);
    conclude(`within 2 % of the fair shares: ${exact.join(", ") || "none"}`);
  },
});

interface Shares {
  readonly scheduler: SchedulerName;
  readonly shares: readonly number[];
}

/** What each of `weights` can have, in CPUs: by weight, but one CPU at most, since each has one virtual CPU. */
function fairShares(weights: readonly number[], cpus: number): number[] {
  const full = new Set<number>();
  for (;;) {
    const open = weights.map((weight, n) => full.has(n) ? 0 : weight);
    const left = cpus - full.size;
    const shares = open.map((weight, n) => full.has(n) ? 1 : weight / sum(open) * left);
    const over = shares.findIndex((share, n) => share > 1 && !full.has(n));
    if (over < 0) return shares;
    full.add(over);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
