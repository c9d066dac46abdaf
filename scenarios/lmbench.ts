/**
 * lmbench's latencies on five systems (SOSP 2003, Tables 3 to 5): one kernel, one machine, and what it costs to run the kernel
 * natively, on Xen, under a monitor that translates it, or as a process of another.
 */

import {
  defineScenario,
  lmbench,
  LMBENCH_COLUMNS,
  LMBENCH_ROWS,
  type LmbenchRow,
  profileNamed,
} from "../mod.ts";

const PROFILE = "xeon-2003";
const ROWS = Object.keys(LMBENCH_ROWS) as LmbenchRow[];
const NATIVE: LmbenchRow = "L-UP";
const TABLES = {
  "Table 3": "Processes",
  "Table 4": "Context switches",
  "Table 5": "Files and memory",
} as const;

export default defineScenario({
  title: "lmbench",
  summary: "System calls, processes, switches, files and memory on five systems (Tables 3 to 5)",
  profile: PROFILE,
  parameters: {
    systems: { kind: "choices", default: ROWS, choices: ROWS, help: "the paper's rows" },
  },

  async run({ parameters, seed, signal, traced, done, comparison, progress, conclude }) {
    const { systems } = parameters;
    const { fittedCells } = profileNamed(PROFILE);
    const tables = Object.fromEntries(
      Object.entries(TABLES).map(([name, title]) => [
        name,
        comparison({
          name: name.toLowerCase().replace(" ", ""),
          title,
          source: `SOSP 2003, ${name}`,
        }),
      ]),
    );
    const found = new Map<string, number>();
    let step = 0;
    for (const { table, column, microseconds } of LMBENCH_COLUMNS) {
      for (const row of systems) {
        if (signal.aborted) return;
        progress(step++ / (LMBENCH_COLUMNS.length * systems.length), `${column} on ${row}`);
        const result = traced(await lmbench(row as LmbenchRow, column, seed));
        done(result);
        found.set(`${row} ${column}`, result.microseconds);
        // Native Linux is what the machine's prices were fitted to.
        const fitted = row.startsWith("L-") ||
          fittedCells.some((cell) =>
            cell.table === table && cell.row === row && cell.column === column
          );
        const published = microseconds[row as LmbenchRow];
        tables[table].cell({
          row,
          column,
          unit: "us",
          measured: result.microseconds,
          published,
          fitted,
        });
      }
    }
    const times = (row: LmbenchRow, column: string) =>
      found.get(`${row} ${column}`)! / found.get(`${NATIVE} ${column}`)!;
    const compared: readonly LmbenchRow[] = [NATIVE, "Xen", "UML"];
    if (!compared.every((row) => systems.includes(row))) return;
    const [fork, call] = [times("Xen", "fork"), times("UML", "null call")];
    conclude(`making a process takes ${fork > 1.3 ? "longer" : "no longer"} on Xen than natively`);
    conclude(
      `a system call takes ${call > 10 ? "more" : "less"} than ten times as long under UML`,
    );
  },
});
