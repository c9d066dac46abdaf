/**
 * How fast modelled figures are: a point of Figure 4 at full length and what the whole sweep follows to be, Figure 6 with 128
 * domains, and what a change of the schedule costs with many domains beside few.
 */

import { defineScenario, FIGURE_4, LoadBox, manyCopies, searchSpecWeb } from "../mod.ts";

/** The point of Figure 4 that is measured: the others differ in connections. */
const SERVERS = 8;
const FEW = 8;
const MANY = 128;
const LOAD_SECONDS = 40;

export default defineScenario({
  summary: "modelled figures: a point of Figure 4, Figure 6 with 128 domains, time by event",
  parameters: {
    duration: { kind: "duration", default: "60s", min: "2s", max: "60s", help: "of the point" },
  },

  async run({ parameters, print, table, seed }) {
    const rows = table({
      name: "figures",
      title: "Modelled figures",
      columns: ["what", "value", "unit"],
      hostTime: true,
    });
    const tell = (what: string, value: number, unit: string) => {
      rows.row(what, Number(value.toFixed(2)), unit);
      print(`${what.padEnd(60)} ${value.toFixed(2).padStart(8)} ${unit}`);
    };
    const [point, best] = await timed(() =>
      searchSpecWeb({
        platform: "native",
        cpus: 2,
        instances: SERVERS,
        seconds: parameters.duration / 1e9,
        seed,
      })
    );
    tell(`Figure 4, ${SERVERS} servers on one Linux: ${best.total} connections`, point, "s");
    const all = FIGURE_4.flatMap((each) => [each.native, each["xen-pv"]]);
    const here = FIGURE_4.find(({ instances }) => instances === SERVERS)!.native;
    const sweep = point / here * all.reduce((sum, each) => sum + each, 0);
    const { hardwareConcurrency } = navigator;
    tell(
      `the sweep on ${hardwareConcurrency} CPUs, by its connections`,
      sweep / hardwareConcurrency,
      "s",
    );
    const [figure6] = await timed(() => manyCopies({ copies: MANY, sliceMs: 5, seconds: 10 }));
    tell(`Figure 6, ${MANY} domains for 10 s`, figure6, "s");
    const [few, many] = [await microsecondsByEvent(FEW), await microsecondsByEvent(MANY)];
    tell(`a change of the schedule, ${FEW} domains`, few, "us");
    tell(`a change of the schedule, ${MANY} domains`, many, "us");
    tell(`the same, ${MANY} in that of ${FEW}`, many / few, "");
  },
});

async function timed<T>(what: () => Promise<T>): Promise<[seconds: number, T]> {
  const begun = performance.now();
  const result = await what();
  return [(performance.now() - begun) / 1000, result];
}

/** Host time for each change of state of a virtual CPU, of so many domains that compute, after a warm-up. */
async function microsecondsByEvent(domains: number): Promise<number> {
  const box = await LoadBox.boot({ cpus: 2, scheduler: "bvt", profile: "xeon-2003" });
  for (let n = 1; n <= domains; n++) box.create({ name: `d${n}`, load: { kind: "computes" } });
  await box.run("5s");
  const before = box.changes;
  const [seconds] = await timed(() => box.run(`${LOAD_SECONDS}s`));
  return seconds * 1e6 / (box.changes - before);
}
