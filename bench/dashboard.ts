/**
 * How fast the dashboard is: the first page of a process that has just started, later ones, the islands; and, where
 * chromium is installed, what a page with 60 live series costs its browser.
 */

import { defineScenario } from "../mod.ts";
import { Assets } from "../web/assets.ts";
import {
  chromiumPath,
  closeBrowser,
  DashboardRig,
  openWindow,
  sampleHost,
} from "../web/testing/dashboard_rig.ts";

/** Domains of the live page: four series each. */
const LIVE_DOMAINS = 15;
const LIVE_SECONDS = 10;
const SAMPLES_A_SECOND = 10;
const LATER_PAGES = 50;

export default defineScenario({
  summary: "the dashboard: first page, islands, 60 live series",

  async run({ print, table }) {
    const rows = table({
      name: "dashboard",
      title: "Dashboard",
      columns: ["what", "value", "unit"],
      hostTime: true,
    });
    const tell = (what: string, value: number, unit: string) => {
      rows.row(what, Number(value.toFixed(1)), unit);
      print(`${what.padEnd(66)} ${value.toFixed(1).padStart(8)} ${unit}`);
    };
    await using rig = new DashboardRig();
    tell("first page of a new dashboard", await pageMs(rig.origin), "ms");
    const later: number[] = [];
    for (let i = 0; i < LATER_PAGES; i++) later.push(await pageMs(rig.origin));
    tell("later pages, median", later.sort((a, b) => a - b)[LATER_PAGES / 2], "ms");
    const begun = performance.now();
    const assets = await new Assets().scripts();
    tell("islands bundled and compressed in", performance.now() - begun, "ms");
    const islands = [...assets].filter(([name]) => !/^xterm|^addon/.test(name));
    const bytes = islands.reduce((sum, [, { gzip }]) => sum + gzip.length, 0);
    tell("islands without the terminal, compressed", bytes / 1000, "kB");
    if (chromiumPath() === null) {
      return print("chromium is not installed: nothing is measured in it");
    }
    tell("first page of a new dashboard in chromium, until text is painted", await paintMs(), "ms");
    await liveSeries(rig, tell);
    await closeBrowser();
  },
});

async function pageMs(origin: string): Promise<number> {
  const begun = performance.now();
  await (await fetch(origin)).text();
  return performance.now() - begun;
}

/** With a browser that runs already: how long one takes to start is not the page's. */
async function paintMs(): Promise<number> {
  const { page, context } = await openWindow({ viewport: { width: 1200, height: 900 } });
  await page.goto("about:blank");
  await using rig = new DashboardRig();
  await page.goto(rig.origin);
  const painted = await page.evaluate(firstPaint);
  await context.close();
  return painted;
}

async function liveSeries(
  rig: DashboardRig,
  tell: (what: string, value: number, unit: string) => void,
): Promise<void> {
  const { page, context } = await openWindow({ viewport: { width: 1200, height: 900 } });
  await page.goto(`${rig.origin}/scenarios/disruptive_neighbour`);
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForURL("**/live/**");
  const run = rig.played[0];
  let samples = 0;
  const sample = () => {
    samples++;
    run.tell({ kind: "sample", sample: sampleHost(samples / SAMPLES_A_SECOND, LIVE_DOMAINS) });
  };
  // A full minute of history, so that plots have what they will have.
  for (let i = 0; i < 60 * SAMPLES_A_SECOND; i++) sample();
  await page.locator(".uplot").first().waitFor();
  const client = await context.newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const cpuMs = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
  };
  const [before, from] = [await cpuMs(), samples];
  const timer = setInterval(sample, 1000 / SAMPLES_A_SECOND);
  const gaps = await page.evaluate(frameGaps, LIVE_SECONDS * 1000);
  clearInterval(timer);
  const spent = await cpuMs() - before;
  gaps.sort((a, b) => a - b);
  tell(`60 live series: CPU time of the page for each sample`, spent / (samples - from), "ms");
  tell("60 live series: frames", gaps.length / LIVE_SECONDS, "1/s");
  tell(
    "60 live series: gap between frames, 95th percentile",
    gaps[Math.floor(gaps.length * 0.95)],
    "ms",
  );
  await context.close();
}

/** In the page: when its content was first painted. */
function firstPaint(): Promise<number> {
  return new Promise((resolve) => {
    new PerformanceObserver((list) => {
      const paint = list.getEntriesByName("first-contentful-paint")[0];
      if (paint) resolve(paint.startTime);
    }).observe({ type: "paint", buffered: true });
  });
}

/** In the page: the gaps between frames over `durationMs`. */
function frameGaps(durationMs: number): Promise<number[]> {
  return new Promise((resolve) => {
    const gaps: number[] = [];
    const begun = performance.now();
    let last = begun;
    const tick = (now: number) => {
      gaps.push(now - last);
      last = now;
      if (now - begun < durationMs) requestAnimationFrame(tick);
      else resolve(gaps);
    };
    requestAnimationFrame(tick);
  });
}
