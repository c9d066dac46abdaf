/**
 * How fast one TCP connection is on four systems (SOSP 2003, section 4.2 and Table 6): sent and received, in large frames,
 * for which the cable is the limit, and in small ones, for which the CPU is.
 */

import { defineScenario, measureTtcp, profileNamed, TABLE_6, TABLE_6_COLUMNS } from "../mod.ts";

const PROFILE = "xeon-2003";
const SYSTEMS = Object.keys(TABLE_6);
/** An even number of full segments of 1448 and of 448 bytes: the last one waits for no acknowledgment. */
const UNIT_BYTES = 1448 * 448 * 2;
/** The cable is full from here on, in Mb/s of payload. */
const FULL_MBPS = 800;

export default defineScenario({
  title: "Network bandwidth",
  summary: "one TCP connection on four systems: ttcp in frames of 1500 and 500 bytes (Table 6)",
  profile: PROFILE,
  parameters: {
    systems: { kind: "choices", default: SYSTEMS, choices: SYSTEMS, help: "the paper's rows" },
    megabytes: { kind: "integer", default: 20, min: 2, max: 400, unit: "MB", help: "to transfer" },
  },

  async run(
    { parameters, seed, signal, traced, done, table, comparison, figure, progress, conclude },
  ) {
    const { systems, megabytes } = parameters;
    const bytes = Math.ceil(megabytes * 1e6 / UNIT_BYTES) * UNIT_BYTES;
    const { fittedCells } = profileNamed(PROFILE);
    const table6 = comparison({ name: "table6", title: "ttcp", source: "SOSP 2003, Table 6" });
    const rows = table({
      name: "ttcp",
      title: "Bandwidth",
      columns: ["system", ...TABLE_6_COLUMNS.map(({ name }) => `${name}|Mb/s`)],
    });
    let step = 0;
    for (const row of systems) {
      const { platform, published } = TABLE_6[row];
      const found: number[] = [];
      for (const [index, { name: column, mtu, direction }] of TABLE_6_COLUMNS.entries()) {
        progress(step++ / (systems.length * TABLE_6_COLUMNS.length), `${column} on ${row}`);
        const transfer = { profile: PROFILE, platform, mtu, direction, bytes, seed };
        const speed = traced(await measureTtcp(transfer));
        done(speed);
        const measured = speed.megabitsPerSecond;
        // Others may want to say something: a transfer computes without a pause.
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (signal.aborted) return;
        found.push(measured);
        // Native Linux is what the machine's prices were fitted to.
        const fitted = row === "Linux" ||
          fittedCells.some((cell) =>
            cell.table === "Table 6" && cell.row === row && cell.column === column
          );
        table6.cell({ row, column, unit: "Mb/s", measured, published: published[index], fitted });
      }
      rows.row(row, ...found);
      const best = Math.max(...found);
      conclude(`${row} ${best >= FULL_MBPS ? "fills the cable" : "does not fill the cable"}`);
    }
    const columns = TABLE_6_COLUMNS.map(({ name }) => name);
    figure({ name: "table6", title: "Bandwidth", kind: "bars", of: { table: "ttcp", columns } });
  },
});
