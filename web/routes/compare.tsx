/** Runs side by side. */

import type { RunRecord } from "../../mod.ts";
import { type BarGroup, Bars, Hatch, PublishedLegend } from "../components/bars.tsx";
import { Scroll, Status } from "../components/run_parts.tsx";
import { type ComparedGroup, differences, sideBySide } from "../comparison.ts";
import { formatNumber, formatSigned } from "../format.ts";
import { PageError, type Route } from "../route.ts";

/** Runs that one page has room for. */
const MAX_RUNS = 6;
/** Groups larger than this are shown as tables only. */
const MAX_BARS = 60;

const route: Route = {
  path: "/compare",
  async get({ url, services }) {
    const ids = [...new Set(url.searchParams.getAll("run"))];
    if (ids.length < 2 || ids.length > MAX_RUNS) {
      throw new PageError(
        400,
        `Choose 2 to ${MAX_RUNS} runs to compare; ${ids.length} were chosen.`,
      );
    }
    const runs = await Promise.all(ids.map(async (id) => {
      const run = await services.runs.find(id);
      if (!run) throw new PageError(404, `There is no run ${id}.`);
      return run;
    }));
    return { title: "Runs compared", place: "runs", body: <Compared runs={runs} /> };
  },
};

export default route;

function Compared({ runs }: { readonly runs: readonly RunRecord[] }) {
  const hashes = runs.map(({ traceHash }) => traceHash);
  const isSame = hashes[0] !== null && hashes.every((hash) => hash === hashes[0]);
  return (
    <>
      <Hatch />
      <section>
        <h2>What was asked</h2>
        <p class="soft">
          {isSame
            ? "All have the same trace hash: they behaved alike to the last cycle."
            : "Their trace hashes differ."}
        </p>
        <Scroll label="What was asked">
          <table>
            <thead>
              <tr>
                <th scope="col">Run</th>
                {runs.map((run, i) => (
                  <th scope="col" key={run.id}>
                    <span class={`swatch s${i}`} />
                    <a href={`/runs/${run.id}`}>{letter(i)} {run.title}</a>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <tr>
                <th scope="row">status</th>
                {runs.map((run) => (
                  <td key={run.id}>
                    <Status of={run.status} />
                  </td>
                ))}
              </tr>
              {differences(runs).map(([name, values]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  {values.map((value, i) => <td key={i}>{value}</td>)}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </section>
      {sideBySide(runs).map((group, i) => <Group key={i} group={group} runs={runs} />)}
    </>
  );
}

function Group({ group, runs }: {
  readonly group: ComparedGroup;
  readonly runs: readonly RunRecord[];
}) {
  const hasPublished = group.rows.some(({ published }) => published !== null);
  return (
    <section>
      <h2>{group.title}</h2>
      {hasPublished && <PublishedLegend />}
      {group.rows.length * runs.length <= MAX_BARS && <Bars groups={barsOf(group)} />}
      <Scroll label={group.title}>
        <table>
          <thead>
            <tr>
              <th scope="col">What</th>
              {runs.map((run, i) => (
                <th scope="col" class="number" key={run.id}>
                  {letter(i)}
                  {i > 0 && <span class="unit">{` against ${letter(0)}`}</span>}
                </th>
              ))}
              {hasPublished && <th scope="col" class="number">Published</th>}
            </tr>
          </thead>
          <tbody>
            {group.rows.map(({ row, column, unit, values, changePercent, published }, i) => (
              <tr key={i}>
                <th scope="row">{row}, {column} {unit && <span class="unit">{unit}</span>}</th>
                {values.map((value, i) => (
                  <td class="number" key={i}>
                    {value === null ? "–" : formatNumber(value)}
                    {i > 0 && changePercent[i] !== null && (
                      <span class="unit">{` ${formatSigned(changePercent[i])} %`}</span>
                    )}
                  </td>
                ))}
                {hasPublished && (
                  <td class="number">{published === null ? "–" : formatNumber(published)}</td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function barsOf({ rows }: ComparedGroup): BarGroup[] {
  return rows.map(({ row, column, unit, values, published }) => ({
    label: `${row}, ${column}`,
    unit,
    bars: [
      ...values.flatMap((value, series) =>
        value === null ? [] : [{ name: letter(series), series, value, published: false }]
      ),
      ...(published === null
        ? []
        : [{ name: "published", series: 6, value: published, published: true }]),
    ],
  }));
}

function letter(index: number): string {
  return String.fromCharCode(65 + index);
}
