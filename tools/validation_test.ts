import { assertEquals, assertStringIncludes } from "@std/assert";
import { newRecord, type RunRecord } from "../testbed/runs/mod.ts";
import { completeRuns, neededRuns, validationPage } from "./validation.ts";
import { quantile, TARGETS } from "./validation_targets.ts";

type Row = readonly [
  row: string,
  column: string,
  measured: number,
  published: number,
  fitted?: boolean,
];

function recordOf(scenario: string, comparison: string, rows: readonly Row[]): RunRecord {
  const head = { id: "0" as never, scenario, title: "", parameters: { a: 1 }, seed: 1 };
  const record = newRecord({ ...head, profile: "", version: "", startedMs: 0 });
  record.comparisons.push({
    ...{ name: comparison, title: "A table", source: "a paper" },
    cells: rows.map(([row, column, measured, published, fitted = false]) => ({
      ...{ row, column, unit: "us", measured, published, fitted, confidence: null },
      errorPercent: (measured / published - 1) * 100,
    })),
  });
  return { ...record, status: "complete", traceHash: "cafe" };
}

const judged = (what: string, record: RunRecord) =>
  TARGETS.find((target) => target.what === what)!.judge(record);

Deno.test("a cell that a price was fitted to counts in no target", () => {
  const rows: Row[] = [["Xen", "a", 200, 100, true], ["Linux", "b", 103, 100]];
  assertEquals(judged("Table 6, Linux and Xen", recordOf("network_bandwidth", "table6", rows)), {
    found: "1 of 1 within, the worst is off by 3.0 %",
    met: true,
  });
});

Deno.test("a target that no cell is there for is not met", () => {
  assertEquals(judged("Figure 4", recordOf("specweb_scaling", "figure4", [])).met, false);
});

Deno.test("Xen's latencies count in those of native Linux", () => {
  const rows: Row[] = [["L-UP", "fork", 220, 110, true], ["Xen", "fork", 396, 198]];
  const record = recordOf("lmbench", "table3", rows);
  assertEquals(judged("Tables 3 to 5, Xen in that of native Linux", record).met, true);
});

Deno.test("systems in the wrong order are named", () => {
  const rows: Row[] = [["VMW", "fork", 5, 10], ["UML", "fork", 4, 20], ["Xen", "fork", 4, 20.5]];
  const { found, met } = judged(
    "Tables 3 to 5, the order of the systems",
    recordOf("lmbench", "table3", rows),
  );
  assertEquals([found, met], ["2 of 2 pairs wrong: fork, VMW and UML; fork, VMW and Xen", false]);
});

Deno.test("the page has every cell, and says of a scenario without a run that there is none", () => {
  const page = validationPage([
    recordOf("network_bandwidth", "table6", [["Xen", "1500 TX", 899, 897]]),
  ]);
  assertStringIncludes(page, "| Xen | 1500 TX | us | 899 | 897 | 0.2 |  |");
  assertStringIncludes(page, "no run of `lmbench`");
  assertStringIncludes(page, "`cafe`");
});

Deno.test("the latest complete run of each scenario counts", () => {
  const run = (scenario: string, status: RunRecord["status"], seed: number) => ({
    ...recordOf(scenario, "t", []),
    status,
    seed,
  });
  const runs = [
    run("b", "failed", 1),
    run("b", "complete", 2),
    run("b", "complete", 3),
    run("a", "complete", 4),
  ];
  const complete = completeRuns(runs) as RunRecord[];
  assertEquals(complete.map(({ seed }) => seed), [4, 2, 3]);
  assertEquals(neededRuns(complete).map(({ seed }) => seed), [4, 2]);
});

Deno.test("an earlier run adds the cells that no later one has", () => {
  const later = recordOf("specweb_scaling", "figure4", [["Xen", "1 servers", 550, 554]]);
  const earlier = recordOf("specweb_scaling", "figure4", [
    ["Linux", "1 servers", 660, 662],
    ["Xen", "1 servers", 400, 554],
  ]);
  const needed = neededRuns([later, earlier, earlier]);
  assertEquals(
    needed.map(({ comparisons: [{ cells }] }) => cells.map(({ row, measured }) => [row, measured])),
    [[["Xen", 550]], [["Linux", 660]]],
  );
  assertStringIncludes(validationPage(needed), "| Figure 4 | each within 5 % | 2 of 2 within");
});

Deno.test("a quantile is the value that so many do not exceed", () => {
  assertEquals([quantile([3, 1, 2], 0.5), quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9)], [2, 9]);
});
