/**
 * Servers consolidated with real kernels: Debian domains on one machine, each of which serves pages by busybox's httpd to a
 * few clients outside that seldom ask. Domains come to those that are there already, as on a box that fills up.
 */

import { DebianLab, type ScenarioContext, type WebClients } from "../../mod.ts";

const MIB = 2 ** 20;
/** Kernel and initramfs alone need 80, and the server's processes the rest. */
const SERVER_MIB = 96;
/** Of the hypervisor's own, beside the servers'. */
const HOST_MIB = 64;
const CPUS = 2;
/** Mean time from an answer to a client's next request: servers with little to do. */
const THINK = "1s";
const WARM_UP = "2s";
/** Servers are quick enough while their answers take no longer on average, in milliseconds. */
const ENOUGH_MS = 20;

/** How many servers to measure with, for how long in nanoseconds, and how many clients each has. */
export interface ConsolidatedDebian {
  readonly counts: readonly number[];
  readonly duration: number;
  readonly clients: number;
}

/** Tells the story; its tables become the run's. Rejects if Debian's kernel was not added to the images. */
export async function consolidateDebian(
  { boot, seed, signal, image, table, series, figure, progress, conclude }: ScenarioContext,
  { counts, duration, clients }: ConsolidatedDebian,
): Promise<void> {
  const results = table({
    name: "servers",
    title: `Debian servers with ${clients} clients each, on two CPUs`,
    columns: [
      "servers",
      "CPU used|%",
      "memory of all servers|MiB",
      "answers|1/s",
      "mean response|ms",
      "worst response|ms",
      "failures",
    ],
    notes: [`a client asks ${THINK} after it was answered, on average`],
  });
  const x = { xName: "servers", xUnit: "" };
  const response = series({ ...x, name: "response", title: "Mean response", unit: "ms" });
  const used = series({ ...x, name: "used", title: "CPU used", unit: "%" });

  const steps = [...new Set(counts)].sort((a, b) => a - b);
  const last = steps.at(-1)!;
  const host = await boot({
    cpus: CPUS,
    memory: `${last * SERVER_MIB + HOST_MIB}MiB`,
    scheduler: "credit2",
    profile: "xeon-2003",
  });
  const lab = await DebianLab.on(host, { seed });
  const loads: WebClients[] = [];
  let most = 0;
  for (const count of steps) {
    while (lab.domains.length < count) {
      const n = lab.domains.length + 1;
      progress((n - 1) / last, `a Debian domain: server ${n} of ${last}`);
      const memory = `${SERVER_MIB}MiB`;
      const server = await lab.add({ name: `server-${n}`, role: "server", memory }, signal);
      if (n === 1 && lab.image) image(lab.image);
      server.start();
      loads.push(lab.load(server, { clients, think: THINK }));
    }
    progress((count - 0.5) / last, `${count} servers at work`);
    await lab.run(WARM_UP, { signal });
    for (const load of loads) load.reset();
    const [busy, since] = [lab.busySeconds, lab.seconds];
    await lab.run(`${duration}ns`, { signal });
    if (signal.aborted) return;
    const seconds = lab.seconds - since;
    const utilization = (lab.busySeconds - busy) / (CPUS * seconds) * 100;
    const all = loads.map((load) => load.results);
    const sum = (of: (each: typeof all[0]) => number) => all.reduce((n, each) => n + of(each), 0);
    const answers = sum((each) => each.answers);
    const meanMs = sum((each) => each.meanMs * each.answers) / Math.max(1, answers);
    const worstMs = Math.max(...all.map((each) => each.worstMs));
    const memory = (host.hardware.memory.plan.ramBytes - lab.freeBytes) / MIB;
    const failures = sum((each) => each.failures);
    results.row(count, utilization, memory, answers / seconds, meanMs, worstMs, failures);
    response.add(count, meanMs);
    used.add(count, utilization);
    if (meanMs <= ENOUGH_MS && failures === 0) most = count;
  }
  figure({ name: "response", title: "Response", kind: "lines", of: { series: ["response"] } });
  figure({ name: "used", title: "CPU used", kind: "lines", of: { series: ["used"] } });
  conclude(
    `up to ${most} Debian servers answer all their clients within ${ENOUGH_MS} ms on average`,
  );
}
