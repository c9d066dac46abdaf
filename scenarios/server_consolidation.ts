/**
 * Many servers that are hardly used, on one machine: web servers in domains of their own, a few connections each. How many
 * fit, and what do CPU and memory say?
 */

import { defineScenario, Lab } from "../mod.ts";
import { consolidateDebian } from "./instruction/consolidated_debian.ts";

/** What a server with little to do needs. */
const SERVER_MEMORY = "24MiB";
/** Servers are fast enough while so many of their connections get what SPECweb99 asks for, in per cent. */
const ENOUGH = 99;

export default defineScenario({
  title: "Server consolidation",
  summary: "many under-used web servers on one machine: utilization, response times, memory",
  profile: "xeon-2003",
  parameters: {
    servers: {
      kind: "integers",
      default: [1, 4, 8, 16, 32],
      instead: { where: "fidelity", is: "instruction", default: [1, 4, 8] },
      min: 1,
      max: 64,
      help:
        "how many servers, each in a domain of its own; a Debian takes 10 s of host time to boot",
    },
    connections: {
      kind: "integer",
      default: 20,
      min: 1,
      max: 200,
      unit: "connections",
      help: "of each server's clients",
    },
    duration: { kind: "duration", default: "3s", min: "1s", max: "600s", help: "measured time" },
    fidelity: {
      kind: "choice",
      default: "model",
      choices: ["model", "instruction"],
      help: "modelled systems, or Debian domains with busybox httpd (images add debian)",
    },
  },

  async run(context) {
    const { parameters, seed, signal, traced, done } = context;
    const { table, series, figure, progress, conclude } = context;
    const { servers: counts, connections, duration, fidelity } = parameters;
    if (fidelity === "instruction") {
      return await consolidateDebian(context, { counts, duration, clients: connections });
    }
    const results = table({
      name: "servers",
      title: `Servers with ${connections} connections each, on two CPUs and 2 GiB`,
      columns: [
        "servers",
        "CPU used|%",
        "memory of all servers|MiB",
        "requests|1/s",
        "response|ms",
        "conforming connections|%",
        "errors",
      ],
      notes: ["a response is read at 400 kb/s: most of its time is the line's"],
    });
    const x = { xName: "servers", xUnit: "" };
    const response = series({ ...x, name: "response", title: "Response", unit: "ms" });
    const used = series({ ...x, name: "used", title: "CPU used", unit: "%" });

    let most = 0;
    for (const [index, count] of counts.entries()) {
      progress(index / counts.length, `${count} servers`);
      const lab = traced(await Lab.boot({ platform: "xen-pv", cpus: 2, seed }));
      const systems = Array.from(
        { length: count },
        (_, n) => lab.system({ name: `server ${n + 1}`, memory: SERVER_MEMORY }),
      );
      const load = lab.web(systems, { connections: connections * count });
      await lab.run("3s", { signal });
      load.reset();
      const [busy, since] = [lab.busySeconds, lab.seconds];
      await lab.run(`${duration}ns`, { signal });
      if (signal.aborted) return;
      const seconds = lab.seconds - since;
      const utilization = (lab.busySeconds - busy) / (2 * seconds) * 100;
      const whole = load.conforming.reduce((sum, each) => sum + each, 0);
      const conforming = whole / (connections * count) * 100;
      const { requests, responseMs, errors } = load;
      results.row(
        count,
        utilization,
        parseFloat(SERVER_MEMORY) * count,
        requests / seconds,
        responseMs,
        conforming,
        errors,
      );
      done(lab);
      response.add(count, responseMs);
      used.add(count, utilization);
      if (conforming >= ENOUGH) most = Math.max(most, count);
    }
    figure({ name: "response", title: "Response", kind: "lines", of: { series: ["response"] } });
    figure({ name: "used", title: "CPU used", kind: "lines", of: { series: ["used"] } });
    conclude(`up to ${most} servers give their connections what SPECweb99 asks for`);
  },
});
