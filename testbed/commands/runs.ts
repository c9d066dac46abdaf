/** `xenarium runs`: what earlier runs measured. */

import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { compareRuns } from "../runs/compare_runs.ts";
import { toCsv, toJson } from "../runs/export.ts";
import { RUN_STATUSES } from "../runs/run_record.ts";
import type { RunStore } from "../runs/run_store.ts";
import { table } from "../tables.ts";
import { headText, listText, resultsText, shown } from "./run_report.ts";
import type { Services } from "./services.ts";

const EXAMPLES = `
A run is named by its id, by the beginning of it, or as \`last\`.

Examples:
  xenarium runs list --scenario many_domains
  xenarium runs show last
  xenarium runs compare 3f9a 77c1
  xenarium runs export last --format csv --output results`;

/** The command and its subcommands. */
export function runsCommand(services: Services): CommandUnknownOpts {
  const { terminal } = services;
  const command = new Command("runs")
    .description("runs of scenarios: list, show, compare, export, delete")
    .addHelpText("after", EXAMPLES);
  const withStore = async <T>(file: string | undefined, use: (store: RunStore) => T) => {
    const store = await services.runStore(file);
    try {
      return use(store);
    } finally {
      store.close();
    }
  };
  const STORE = ["--store <file>", "the file that keeps the runs"] as const;

  command.command("list")
    .description("all runs, the latest first")
    .option(...STORE)
    .option("--scenario <name>", "only runs of this scenario")
    .addOption(new Option("--status <status>", "only runs that ended so").choices(RUN_STATUSES))
    .option("--json", "as JSON")
    .action(async ({ store, scenario, status, json }) => {
      const runs = (await withStore(store, (open) => open.list())).filter((run) =>
        (scenario === undefined || run.scenario === scenario) &&
        (status === undefined || run.status === status)
      );
      const text = runs.length === 0 ? "no runs" : listText(runs);
      terminal.write(`${json ? JSON.stringify(runs, null, 2) : text}\n`);
    });
  command.command("show <run>")
    .description("what a run was asked and what it measured")
    .option(...STORE)
    .option("--json", "the whole record as JSON")
    .action(async (name, { store, json }) => {
      const record = await withStore(store, (open) => open.read(open.find(name).id));
      terminal.write(json ? toJson(record) : `${headText(record)}\n${resultsText(record)}`);
    });
  command.command("compare <run> <run...>")
    .description("numbers of several runs side by side, with the change from the first")
    .option(...STORE)
    .action(async (first, others, { store }) => {
      const records = await withStore(
        store,
        (open) => [first, ...others].map((name) => open.read(open.find(name).id)),
      );
      const head = records.flatMap(({ id }, index) => index === 0 ? [id] : [id, "change %"]);
      const rows = compareRuns(records).map((
        { table, row, column, unit, values, changePercent },
      ) => [
        table,
        row,
        unit === "" ? column : `${column} (${unit})`,
        ...values.flatMap((value, index) =>
          index === 0 ? [shown(value)] : [shown(value), changePercent[index]?.toFixed(1) ?? "-"]
        ),
      ]);
      const text = rows.length === 0
        ? "these runs have no numbers"
        : table(["", "", "", ...head], rows);
      terminal.write(`${text}\n`);
    });
  command.command("export <run>")
    .description("a run for other programs")
    .option(...STORE)
    .addOption(
      new Option("--format <format>", "csv: one file for each table and series")
        .choices(["json", "csv"]).default("json" as const),
    )
    .option("-o, --output <path>", "a file for JSON, a folder for CSV; default: print")
    .action(async (name, { store, format, output }) => {
      const record = await withStore(store, (open) => open.read(open.find(name).id));
      const files = format === "json"
        ? [{ name: output ?? "", text: toJson(record) }]
        : toCsv(record);
      for (const file of files) {
        if (output === undefined) terminal.write(file.text);
        else services.writeText(format === "csv" ? `${output}/${file.name}` : output, file.text);
      }
      if (output !== undefined) {
        terminal.write(
          files.map((file) => `${format === "csv" ? `${output}/` : ""}${file.name}\n`).join(""),
        );
      }
    });
  command.command("delete <run...>")
    .description("forget runs; asks first, at a terminal")
    .option(...STORE)
    .option("-y, --yes", "do not ask")
    .action(async (names, { store, yes }) => {
      const open = await services.runStore(store);
      try {
        for (const { id, scenario } of names.map((name) => open.find(name))) {
          const ask = terminal.interactive && !yes;
          if (ask && !await services.questions.confirm(`Delete run ${id} (${scenario})?`)) continue;
          open.delete(id);
        }
      } finally {
        open.close();
      }
    });
  return command;
}
