/** A dashboard with a store in memory and scenarios that a test plays, and a browser in front of it. */

import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import type { HostSample, RunRecord } from "../../mod.ts";
import { type Dashboard, type DashboardOptions, serveDashboard } from "../serve.ts";
import type { DashboardServices, ParameterField, RunNews, ScenarioCard } from "../services.ts";
import { HOSTILE, sampleRun } from "./sample_runs.ts";

/** A run that a page started; the test says what happens in it. */
export interface PlayedRun {
  readonly id: string;
  readonly scenario: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly typed: { readonly console: string; readonly text: string }[];
  stopped: boolean;
  tell(news: RunNews): void;
  end(status: "complete" | "interrupted"): void;
}

/** See the module comment. */
export class DashboardRig implements AsyncDisposable {
  readonly runs = new Map<string, RunRecord>();
  readonly played: PlayedRun[] = [];
  readonly #dashboard: Dashboard;

  constructor(options: { readonly token?: string } = {}) {
    this.runs.set("0a1b2c3d", sampleRun());
    this.#dashboard = serveDashboard({ services: this.#services(), port: 0, ...options });
  }

  /** Without a slash at its end, and without the token. */
  get origin(): string {
    return `http://localhost:${this.#dashboard.port}`;
  }

  get url(): string {
    return this.#dashboard.url;
  }

  get port(): number {
    return this.#dashboard.port;
  }

  /** Starts a second dashboard over the same runs. */
  another(options: Omit<DashboardOptions, "services">): Dashboard {
    return serveDashboard({ services: this.#services(), ...options });
  }

  add(change: Partial<RunRecord>): void {
    const run = sampleRun(change);
    this.runs.set(run.id, run);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dashboard.close();
  }

  #services(): DashboardServices {
    return {
      version: "0.1.0",
      runs: {
        list: () => [...this.runs.values()].reverse(),
        find: (id) => this.runs.get(id) ?? null,
        remove: (id) => void this.runs.delete(id),
        exports: (run) => [
          { name: "run.json", text: JSON.stringify(run) },
          { name: "latency.csv", text: "domains,median (ms)\r\n" },
        ],
      },
      scenarios: {
        list: () => Promise.resolve(CARDS),
        start: (name, fields, onNews) => {
          if (Number(fields.clients) > 100) {
            return Promise.reject(
              new RangeError("clients is at most 100, found " + fields.clients),
            );
          }
          return Promise.resolve(this.#play(name, fields, onNews));
        },
      },
    };
  }

  #play(
    scenario: string,
    fields: Readonly<Record<string, string>>,
    onNews: (news: RunNews) => void,
  ) {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const id = `feed000${this.played.length}`;
    this.add({ id: id as RunRecord["id"], scenario, status: "running", finishedMs: null });
    const run: PlayedRun = {
      id,
      scenario,
      fields,
      typed: [],
      stopped: false,
      tell: onNews,
      end: (status) => {
        this.add({ id: id as RunRecord["id"], scenario, status });
        onNews({
          kind: "ended",
          end: { status, finishedMs: Date.now(), traceHash: null, error: null },
        });
        resolve();
      },
    };
    this.played.push(run);
    return {
      id,
      ended,
      stop: () => void (run.stopped = true),
      type: (console: string, text: string) => void run.typed.push({ console, text }),
    };
  }
}

const SEED: ParameterField = {
  name: "seed",
  input: "number",
  help: "What is random follows from it.",
  unit: "",
  initial: "1",
  choices: [],
  min: 0,
  whole: true,
};

const CARDS: readonly ScenarioCard[] = [{
  name: "disruptive_neighbour",
  title: "A disruptive neighbour",
  summary: "Two domains work while two others do their worst.",
  fields: [
    {
      name: "clients",
      input: "number",
      help: "How many clients load each server.",
      unit: "clients",
      initial: "12",
      choices: [],
      min: 1,
      max: 100,
      whole: true,
    },
    {
      name: "platform",
      input: "choice",
      help: "What isolates them.",
      unit: "",
      initial: "xen-pv",
      choices: ["native", "xen-pv"],
    },
    { name: "duration", input: "text", help: "Simulated.", unit: "", initial: "10s", choices: [] },
    SEED,
    {
      name: "trace",
      input: "checkbox",
      help: "Keep a trace.",
      unit: "",
      initial: "false",
      choices: [],
    },
  ],
}, {
  name: "hostile",
  title: HOSTILE,
  summary: HOSTILE,
  fields: [SEED],
}];

/** A sample of a host with some domains that compute, send and write. */
export function sampleHost(seconds: number, domains = 4): HostSample {
  const ids = Array.from({ length: domains }, (_, i) => i);
  return {
    host: "host1",
    timeNs: seconds * 1e9,
    scheduler: "credit2",
    memoryBytes: 2 ** 31,
    cpus: [0, 1].map((cpu) => ({ cpu, busyNs: seconds * 9e8 })),
    domains: ids.map((id) => ({
      id,
      name: id === 0 ? "Domain-0" : `web${id}`,
      activity: id % 2 === 0 ? "running" : "blocked",
      vcpus: 1,
      cpuNs: seconds * 1e8 * (id + 1 + Math.sin(seconds + id) / 4),
      waitNs: seconds * 1e7,
      memoryBytes: id * 2 ** 26,
      maxMemoryBytes: id * 2 ** 26,
      disk: {
        reads: seconds * 10,
        writes: seconds * 5,
        readBytes: seconds * 4e5 * id,
        writtenBytes: seconds * 2e5,
      },
      hasConsole: id > 0,
    })),
    links: ids.slice(1).map((id) => ({
      bridge: "br0",
      port: `vif${id}.0`,
      domain: id,
      receivedFrames: seconds * 1000,
      receivedBytes: seconds * 1e6 * id * id,
      sentFrames: seconds * 500,
      sentBytes: seconds * 5e5,
      droppedFrames: 0,
    })),
    schedule: Array.from({ length: 40 }, (_, i) => ({
      cpu: i % 2,
      domain: (i * 7 + (i >> 2)) % domains,
      vcpu: 0,
      fromNs: (seconds - 0.2 + Math.floor(i / 2) * 0.01) * 1e9,
      toNs: (seconds - 0.2 + (Math.floor(i / 2) + 0.85) * 0.01) * 1e9,
    })),
  };
}

/** Where Debian's chromium is; `null` if it is not installed. */
export function chromiumPath(): string | null {
  for (const path of ["/usr/bin/chromium", "/usr/bin/chromium-browser"]) {
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      continue;
    }
  }
  return null;
}

/** For tests that need the browser: without it they are skipped, except where nothing may be. */
export const NEEDS_BROWSER = {
  ignore: chromiumPath() === null && Deno.env.get("CI") === undefined,
};

let browser: Promise<Browser> | null = null;

/** A new window; what goes wrong in its pages is collected. */
export async function openWindow(
  options: BrowserContextOptions = {},
): Promise<{ context: BrowserContext; page: Page; problems: string[] }> {
  const executablePath = chromiumPath();
  if (!executablePath) {
    throw new Error("Debian's chromium is not installed: apt-get install chromium");
  }
  browser ??= launch(executablePath);
  const context = await (await browser).newContext(options);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return { context, page, problems };
}

async function launch(executablePath: string): Promise<Browser> {
  // One of its libraries looks, when it is loaded, for files of Windows that Deno shows to nobody without all rights;
  // with this variable it looks when it is asked, which is never.
  Deno.env.set("__IS_WSL_TEST__", "1");
  const { chromium } = await import("playwright-core");
  // Containers run as root and have little shared memory.
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  return await chromium.launch({ executablePath, args });
}

/** Tries `claim` until it holds; when it takes too long, what it throws is thrown. */
export async function eventually(
  claim: () => Promise<void>,
  patienceMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await claim();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Ends the browser, if one was started. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = null;
}
