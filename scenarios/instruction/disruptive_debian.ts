/**
 * The disruptive neighbours with real kernels: a Debian domain serves pages by busybox's httpd to clients outside, while
 * others write their disks by dd and fork without end.
 */

import { DebianLab, type LabRole, type ScenarioContext } from "../../mod.ts";

const MEMORY = "96MiB";
const NEIGHBOURS: readonly LabRole[] = ["disk hog", "fork loop", "memory toucher"];
/** Less than this share of what it did alone, and nobody would call it a service. */
const USABLE = 0.5;

/** How long to wait and to measure, in nanoseconds, and how many clients ask. */
export interface DisruptiveDebian {
  readonly warmUp: number;
  readonly duration: number;
  readonly clients: number;
}

/** Tells the story; its tables become the run's. Rejects if Debian's kernel was not added to the images. */
export async function disruptDebian(
  { boot, seed, signal, image, table, figure, progress, conclude }: ScenarioContext,
  { warmUp, duration, clients }: DisruptiveDebian,
): Promise<void> {
  const results = table({
    name: "debian",
    title: `What a Debian domain serves to ${clients} clients`,
    columns: ["neighbours", "answers|1/s", "mean response|ms", "worst response|ms", "failures"],
  });
  const host = await boot({
    cpus: 2,
    memory: "512MiB",
    scheduler: "credit2",
    profile: "xeon-2003",
  });
  const lab = await DebianLab.on(host, { seed });
  const roles: readonly LabRole[] = ["server", ...NEIGHBOURS];
  for (const [n, role] of roles.entries()) {
    progress(n / (roles.length + 2), `a Debian domain: ${role}`);
    await lab.add({ name: role.replace(" ", "-"), role, memory: MEMORY }, signal);
  }
  if (lab.image) image(lab.image);
  const [server, ...neighbours] = lab.domains;
  server.start();
  const load = lab.load(server, { clients });
  const rates: number[] = [];
  for (const [n, name] of ["idle", "disruptive"].entries()) {
    progress((roles.length + n) / (roles.length + 2), `${name} neighbours`);
    if (name === "disruptive") { for (const each of neighbours) each.start(); }
    await lab.run(`${warmUp}ns`, { signal });
    load.reset();
    await lab.run(`${duration}ns`, { signal });
    if (signal.aborted) return;
    const { answers, meanMs, worstMs, failures } = load.results;
    rates.push(answers / (duration / 1e9));
    results.row(name, rates[n], meanMs, worstMs, failures);
  }
  figure({
    name: "debian",
    title: "Answers beside neighbours",
    kind: "bars",
    of: { table: "debian", columns: ["answers"] },
  });
  const isUsable = rates[1] >= rates[0] * USABLE;
  conclude(`Debian domains: ${isUsable ? "a service still" : "no service any more"}`);
}
