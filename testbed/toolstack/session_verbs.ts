/** Verbs that xl has no need of: simulated time passes only while somebody asks for it, and consoles can be scripted. */

import type { Cycles } from "../../core/clock/clock.ts";
import { ScheduleTrace } from "../../core/hypervisor/accounting/schedule_trace.ts";
import { writeHost } from "../host/host_file.ts";
import { recordHost } from "../host/host_recorder.ts";
import { formatDuration, parseDuration } from "../units.ts";
import { describeStop } from "../views.ts";
import type { Verb } from "./verbs.ts";

/** What a wait is given unless it says otherwise. */
const PATIENCE = "300s";

/** The verbs by name. */
export const SESSION_VERBS: Readonly<Record<string, Verb>> = {
  run: {
    usage: "Duration",
    words: [1, 1],
    help: "let simulated time pass, for example 500ms",
    async run({ tools, signal }, [duration]) {
      const { clock } = tools.host.hardware;
      const forCycles = cyclesOf(duration, clock.frequencyHz);
      const stop = await tools.run({ forCycles, signal });
      return `${formatDuration(clock.nowNs)}: ${describeStop(stop)}`;
    },
  },
  xentrace: {
    usage: "Duration File",
    words: [2, 2],
    help: "let time pass, and write who ran when to a file for chrome://tracing or ui.perfetto.dev",
    async run({ tools, signal }, [duration, path]) {
      const { dispatcher, hardware: { clock } } = tools.host;
      const trace = new ScheduleTrace(dispatcher);
      await tools.run({ forCycles: cyclesOf(duration, clock.frequencyHz), signal });
      trace.stop();
      await Deno.writeTextFile(path, JSON.stringify(trace.toChrome()));
    },
  },
  record: {
    usage: "File",
    words: [1, 1],
    help: "write all that the host is given from now on to a log, which xenarium replay reads",
    run: async ({ tools }, [path]) => void await recordHost(tools.host, path),
  },
  snapshot: {
    usage: "File",
    words: [1, 1],
    help: "write the whole host to a file: with its domains, their disks, what is on its way",
    run: async ({ tools }, [path]) => void await writeHost(tools.host, path),
  },
  wait: {
    usage: "[-t Duration] Domain Text",
    words: [2, 64],
    help: `run until a domain's console prints a text, ${PATIENCE} at most`,
    options: { timeout: { type: "string", short: "t" } },
    async run({ tools, signal }, [domain, ...text], { timeout = PATIENCE }) {
      const { console } = tools.domain(domain);
      await console.waitFor(text.join(" "), { timeoutSimulated: timeout as string, signal });
    },
  },
  send: {
    usage: "Domain Text",
    words: [2, 64],
    help: "type a line at a domain's console",
    run: ({ tools }, [domain, ...text]) => tools.domain(domain).console.send(`${text.join(" ")}\n`),
  },
  log: {
    usage: "Domain",
    words: [1, 1],
    help: "show what a domain's console has printed",
    run: ({ tools }, [domain]) => tools.domain(domain).console.text,
  },
};

function cyclesOf(duration: string, frequencyHz: number): Cycles {
  return Math.round(parseDuration(duration) * frequencyHz / 1e9) as Cycles;
}
