/** One run: what came out, beside what was published; what was asked, and how to get the data. */

import { commandLineOf, type RunRecord, settingText } from "../../../mod.ts";
import { Hatch } from "../../components/bars.tsx";
import {
  ComparisonView,
  Facts,
  ResultTable,
  RunFigure,
  Status,
} from "../../components/run_parts.tsx";
import { Lines } from "../../components/lines.tsx";
import { formatElapsed, formatInstant } from "../../format.ts";
import { PageError, type Route } from "../../route.ts";

/** How often the page of a run that goes on is loaded anew. */
const REFRESH_SECONDS = 5;

const route: Route = {
  path: "/runs/:id",
  async get({ params, services, live }) {
    const run = await services.runs.find(params.id);
    if (!run) throw new PageError(404, `There is no run ${params.id}.`);
    const isRunning = run.status === "running";
    return {
      title: run.title,
      place: "runs",
      refreshSeconds: isRunning ? REFRESH_SECONDS : undefined,
      body: (
        <RunView
          run={run}
          files={services.runs.exports(run).map(({ name }) => name)}
          isLive={isRunning && live.find(run.id) !== undefined}
        />
      ),
    };
  },
};

export default route;

function RunView({ run, files, isLive }: {
  readonly run: RunRecord;
  readonly files: readonly string[];
  readonly isLive: boolean;
}) {
  return (
    <>
      <Hatch />
      <div class="heading">
        <p class="row">
          <Status of={run.status} />
          <span class="soft">{statusText(run)}</span>
        </p>
        <p class="row">
          {isLive && <a class="button main" href={`/live/${run.id}`}>Watch it live</a>}
          <a class="button" href="#data">Data</a>
        </p>
      </div>
      {run.status === "running" && (
        <progress max="1" value={run.progress.fraction} aria-label="Progress" />
      )}
      {run.error !== null && (
        <div class="notice bad">
          <p>{run.error}</p>
        </div>
      )}
      {run.conclusions.length > 0 && (
        <section>
          <h2>What it shows</h2>
          <ul class="conclusions">{run.conclusions.map((text, i) => <li key={i}>{text}</li>)}</ul>
        </section>
      )}
      <Results run={run} />
      <About run={run} />
      <section id="data">
        <h2>Data</h2>
        <ul class="conclusions">
          {files.map((name) => (
            <li key={name}>
              <a href={`/runs/${run.id}/files/${encodeURIComponent(name)}`} download>{name}</a>
            </li>
          ))}
        </ul>
      </section>
      {run.log.length > 0 && (
        <details>
          <summary>What it printed</summary>
          <pre class="log" tabindex={0}>{run.log.join("\n")}</pre>
        </details>
      )}
      {run.status !== "running" && (
        <details>
          <summary>Delete this run</summary>
          <form method="post" action={`/runs/${run.id}/delete`} class="row">
            <button type="submit" class="danger">Delete it for good</button>
            <span class="soft">Nothing else keeps its results.</span>
          </form>
        </details>
      )}
    </>
  );
}

/** Figures that the run asks for, then what no figure shows. */
function Results({ run }: { readonly run: RunRecord }) {
  const drawn = new Set(run.figures.flatMap(({ of }) => "series" in of ? of.series : []));
  return (
    <>
      {run.comparisons.map((each) => <ComparisonView key={each.name} of={each} />)}
      {run.figures.map((figure) => <RunFigure key={figure.name} figure={figure} run={run} />)}
      {run.tables.map((table) => <ResultTable key={table.name} table={table} />)}
      {run.series.filter(({ name }) => !drawn.has(name)).map((series) => (
        <section key={series.name}>
          <h2>{series.title}</h2>
          <Lines
            lines={[{ name: series.title, points: series.points }]}
            x={{ name: series.xName, unit: series.xUnit }}
            y={{ name: series.title, unit: series.unit }}
            label={series.title}
          />
        </section>
      ))}
    </>
  );
}

function About({ run }: { readonly run: RunRecord }) {
  const parameters = Object.entries(run.parameters);
  return (
    <section class="card">
      <h2>What was asked</h2>
      <Facts
        of={[
          ["Scenario", <ScenarioLink key="scenario" name={run.scenario} />],
          ["Run", run.id],
          ["Seed", String(run.seed)],
          ["Cost profile", run.profile || "none"],
          ["Version", run.version],
          ["Started", formatInstant(run.startedMs)],
          ...parameters.map(([name, value]) => [name, settingText(value)] as const),
        ]}
      />
      <Facts
        long
        of={[
          ["Trace hash", run.traceHash ?? "none yet"],
          ["The same again", commandLineOf(run)],
          ...run.images.map(({ name, sha256 }) => [`sha256 of ${name}`, sha256] as const),
        ]}
      />
    </section>
  );
}

function ScenarioLink({ name }: { readonly name: string }) {
  return <a href={`/scenarios/${encodeURIComponent(name)}`}>{name}</a>;
}

function statusText({ status, startedMs, finishedMs, progress }: RunRecord): string {
  switch (status) {
    case "running":
      return `${Math.floor(progress.fraction * 100)} %${progress.step && `, ${progress.step}`}`;
    case "complete":
      return finishedMs === null ? "" : `in ${formatElapsed(finishedMs - startedMs)}`;
    case "interrupted":
      return "stopped by its user; what was measured until then is kept";
    case "failed":
      return "an error ended it; what was measured until then is kept";
    case "incomplete":
      return "its process ended without a word; what was measured until then is kept";
  }
}
