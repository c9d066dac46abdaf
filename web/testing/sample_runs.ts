/** Runs as a store would have them: enough of everything that pages show, hostile names included. */

import type { RunRecord } from "../../mod.ts";

/** Markup that must stay text wherever it turns up. */
export const HOSTILE =
  `<script>window.injected = 1</script><img src=x onerror="window.injected = 1">'"&`;

const HOUR_MS = 3600_000;

/** A complete run with a comparison, tables, series and figures. */
export function sampleRun(change: Partial<RunRecord> = {}): RunRecord {
  const startedMs = Date.now() - HOUR_MS;
  return {
    id: "0a1b2c3d" as RunRecord["id"],
    scenario: "disruptive_neighbour",
    title: "A disruptive neighbour",
    parameters: { platform: "xen-pv", clients: 12, duration: "10s" },
    seed: 1,
    profile: "xeon-2003",
    version: "0.1.0",
    startedMs,
    status: "complete",
    finishedMs: startedMs + 12_345,
    progress: { fraction: 1, step: "" },
    images: [{ name: "debian", sha256: "ab".repeat(32) }],
    tables: [{
      name: "latency",
      title: "Response times",
      columns: [
        { name: "domains", unit: "" },
        { name: "median", unit: "ms" },
        { name: "99th percentile", unit: "ms" },
      ],
      rows: [[1, 1.25, 3.5], [2, 1.5, 4.75], [4, 2.125, 9.5], [8, 4.25, null]],
      notes: ["Over 60 simulated seconds."],
    }],
    comparisons: [{
      name: "isolation",
      title: "Throughput under disturbance",
      source: "Barham et al., SOSP 2003, section 4.4",
      cells: [
        cell("OSDB-IR", "Xen", "tuples/s", 1650, 1714, false),
        cell("OSDB-IR", "native", "tuples/s", 1710, 1702, true),
        cell("SPECweb99", "Xen", "conns", 498, 506, false),
        cell("SPECweb99", "native", "conns", 630, 514, false),
      ],
    }],
    series: [wave("victim", "Victim", 0), wave("neighbour", "Neighbour", 2)],
    figures: [
      {
        name: "load",
        title: "Requests over time",
        kind: "lines",
        of: { series: ["victim", "neighbour"] },
      },
      {
        name: "growth",
        title: "Response times by domains",
        kind: "lines",
        of: { table: "latency" },
      },
    ],
    conclusions: [
      "Under Xen the victim loses 4 % of its throughput.",
      "On native Linux nobody can work.",
    ],
    log: ["booting", "warming up", "measuring"],
    traceHash: "0123456789abcdef",
    error: null,
    ...change,
  };
}

function cell(
  row: string,
  column: string,
  unit: string,
  measured: number,
  published: number,
  fitted: boolean,
) {
  const errorPercent = (measured / published - 1) * 100;
  const confidence = { low: measured * 0.98, high: measured * 1.02, level: 0.95 };
  return { row, column, unit, measured, published, errorPercent, fitted, confidence };
}

function wave(name: string, title: string, phase: number) {
  const points = Array.from({ length: 60 }, (_, i): [number, number] => [
    i,
    Math.round(300 + 80 * Math.sin(i / 5 + phase)),
  ]);
  return { name, title, unit: "requests/s", xName: "time", xUnit: "s", points };
}
