import { assertEquals } from "@std/assert";
import type { RunRecord } from "../runs/run_record.ts";
import { resultsText } from "./run_report.ts";

Deno.test("what a run did not come to is left out: tables and comparisons without a row", () => {
  const column = { name: "round", unit: "" };
  const table = { name: "t", title: "Rounds", columns: [column], notes: ["in short"], rows: [] };
  const comparison = { name: "c", title: "Totals", source: "a paper", cells: [] };
  const tables = [{ ...table, title: "Reached", rows: [[1]] }, table];
  const record = { tables, comparisons: [comparison], conclusions: [] };
  assertEquals(
    resultsText(record as unknown as RunRecord),
    "\nReached\nround\n    1\nin short\n",
  );
});
