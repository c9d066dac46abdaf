/**
 * Servers for rent: customers come at random, each gets a domain with a database for some seconds, and goes. How long does a
 * customer wait for the first answer, while others come and go beside it?
 */

import { defineScenario, Lab, type LabSystem, type LabWorkload } from "../mod.ts";

interface Customer {
  readonly system: LabSystem;
  readonly database: LabWorkload;
  readonly came: number;
  readonly leaves: number;
  answered: number | null;
}

/** Simulated time between two looks at who comes and goes. */
const LOOK_MS = 10;

export default defineScenario({
  title: "Servers for rent",
  summary: "customers come and go, each with a domain of its own: time to a serving domain",
  profile: "xeon-2003",
  parameters: {
    customers: { kind: "integer", default: 20, min: 1, max: 60, help: "how many come in all" },
    arrival: {
      kind: "duration",
      default: "300ms",
      min: "10ms",
      max: "60s",
      help: "mean time between two customers",
    },
    stay: { kind: "duration", default: "2s", min: "500ms", max: "600s", help: "for how long" },
    memory: {
      kind: "choice",
      default: "64MiB",
      choices: ["32MiB", "64MiB", "128MiB"],
      help: "each",
    },
  },

  async run({ parameters, seed, signal, traced, table, series, figure, progress, conclude }) {
    const { customers, arrival, stay, memory } = parameters;
    const [arrivalS, stayS] = [arrival / 1e9, stay / 1e9];
    const lab = traced(await Lab.boot({ platform: "xen-pv", cpus: 2, seed }));
    const rows = table({
      name: "customers",
      title: "Customers",
      columns: ["customer", "came|s", "until the first answer|ms", "tuples", "servers beside it"],
      notes: ["a modelled kernel comes up at once: booting and domain 0's work are not in it"],
    });
    const line = series({ name: "servers", title: "Servers that are let", unit: "servers" });
    const waits: number[] = [];
    const present: Customer[] = [];
    let random = (seed * 7919 + 104_729) % 2_147_483_646 + 1;
    const draw = () => (random = random * 48_271 % 2_147_483_647) / 2_147_483_647;

    let [come, next] = [0, 0];
    while ((come < customers || present.length > 0) && !signal.aborted) {
      if (come < customers && lab.seconds >= next) {
        const system = lab.system({ name: `customer ${++come}`, memory });
        const database = system.start("osdb-ir");
        const came = lab.seconds;
        present.push({ system, database, came, leaves: came + stayS, answered: null });
        next = came - Math.log(draw()) * arrivalS;
        line.add(came, present.length);
      }
      progress(come / customers, `${present.length} servers`);
      await lab.run(`${LOOK_MS}ms`, { signal });
      for (const customer of present.slice()) {
        const { system, database, came } = customer;
        if (database.count > 0) customer.answered ??= lab.seconds;
        if (lab.seconds < customer.leaves) continue;
        const wait = customer.answered === null ? null : (customer.answered - came) * 1000;
        if (wait !== null) waits.push(wait);
        rows.row(system.name, came, wait, database.count, present.length - 1);
        lab.destroy(system);
        present.splice(present.indexOf(customer), 1);
        line.add(lab.seconds, present.length);
      }
    }
    figure({ name: "servers", title: "Servers", kind: "step", of: { series: ["servers"] } });
    if (signal.aborted) return;
    const served = waits.length === come
      ? "every customer"
      : `${waits.length} of ${come} customers`;
    const mean = waits.reduce((sum, each) => sum + each, 0) / waits.length;
    conclude(
      `${served} got a server that answers, after ${mean < 1000 ? "less" : "more"} than a second`,
    );
  },
});
