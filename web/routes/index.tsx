/** The runs there are: found, sorted, chosen for comparison. */

import { Status } from "../components/run_parts.tsx";
import { formatAgo, formatElapsed, formatInstant } from "../format.ts";
import { type RunSummary, settingText } from "../../mod.ts";
import { chooseRuns, type RunChoice, SORT_KEYS, type SortKey } from "../run_choice.ts";
import type { Route } from "../route.ts";

const HEADINGS: Readonly<Record<SortKey, string>> = {
  scenario: "Scenario",
  status: "Status",
  started: "Started",
  took: "Took",
};
/** Parameters that a row has room for. */
const SHOWN_PARAMETERS = 4;

const route: Route = {
  path: "/",
  async get({ url, services }) {
    const all = await services.runs.list();
    const choice = chooseRuns(all, url.searchParams);
    return {
      title: "Runs",
      place: "runs",
      body: all.length === 0 ? <NoRuns /> : (
        <>
          <Filters choice={choice} scenarios={[...new Set(all.map(({ scenario }) => scenario))]} />
          <form action="/compare" class="sheet">
            <RunTable choice={choice} />
            {choice.runs.length > 1 && (
              <p class="row">
                <button type="submit">Compare the chosen runs</button>
                <span class="soft">Choose two or more by their boxes.</span>
              </p>
            )}
          </form>
        </>
      ),
    };
  },
};

export default route;

function NoRuns() {
  return (
    <div class="empty">
      <p>
        No run is stored yet. <a href="/scenarios">Start a scenario</a>, or type{" "}
        <code>xenarium run NAME</code> in a terminal.
      </p>
    </div>
  );
}

function Filters({ choice, scenarios }: {
  readonly choice: RunChoice;
  readonly scenarios: readonly string[];
}) {
  const statuses = ["running", "complete", "interrupted", "failed", "incomplete"];
  return (
    <form class="filters" role="search" aria-label="Runs">
      <label>
        <span>Find</span>
        <input type="search" name="q" value={choice.query} placeholder="name, id, parameter" />
      </label>
      <Choice name="scenario" label="Scenario" chosen={choice.scenario} of={scenarios} />
      <Choice name="status" label="Status" chosen={choice.status} of={statuses} />
      <input type="hidden" name="sort" value={choice.sort} />
      <input type="hidden" name="order" value={choice.order} />
      <button type="submit">Show</button>
      {(choice.query || choice.scenario || choice.status) && <a href="/">Show all</a>}
    </form>
  );
}

function Choice({ name, label, chosen, of }: {
  readonly name: string;
  readonly label: string;
  readonly chosen: string;
  readonly of: readonly string[];
}) {
  return (
    <label>
      <span>{label}</span>
      <select name={name}>
        <option value="">all</option>
        {of.map((each) => <option key={each} value={each} selected={each === chosen}>{each}
        </option>)}
      </select>
    </label>
  );
}

function RunTable({ choice }: { readonly choice: RunChoice }) {
  if (choice.runs.length === 0) {
    return (
      <div class="empty">
        <p>No run fits.</p>
      </div>
    );
  }
  const now = Date.now();
  return (
    <div class="scroll">
      <table class="things">
        <caption class="hidden">Stored runs</caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="hidden">Choose for comparison</span>
            </th>
            {SORT_KEYS.map((key) => <SortHeading key={key} of={key} choice={choice} />)}
            <th scope="col">Parameters</th>
            <th scope="col">Seed</th>
          </tr>
        </thead>
        <tbody>{choice.runs.map((run) => <RunRow key={run.id} run={run} now={now} />)}</tbody>
      </table>
    </div>
  );
}

function SortHeading({ of, choice }: { readonly of: SortKey; readonly choice: RunChoice }) {
  const isSorted = choice.sort === of;
  const order = isSorted && choice.order === "down" ? "up" : "down";
  const query = new URLSearchParams({
    q: choice.query,
    scenario: choice.scenario,
    status: choice.status,
    sort: of,
    order,
  });
  return (
    <th
      scope="col"
      aria-sort={isSorted ? (choice.order === "down" ? "descending" : "ascending") : "none"}
    >
      <a href={`/?${query}`}>
        {HEADINGS[of]}
        {isSorted && <span aria-hidden="true">{choice.order === "down" ? " ↓" : " ↑"}</span>}
      </a>
    </th>
  );
}

function RunRow({ run, now }: { readonly run: RunSummary; readonly now: number }) {
  const parameters = Object.entries(run.parameters);
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          name="run"
          value={run.id}
          aria-label={`Compare ${run.title} ${run.id}`}
        />
      </td>
      <th scope="row">
        <a href={`/runs/${run.id}`}>{run.title}</a>
        <div class="soft mono">{run.scenario} {run.id}</div>
      </th>
      <td>
        <Status of={run.status} />
        {run.status === "running" && (
          <div class="soft">{Math.floor(run.progress.fraction * 100)} %</div>
        )}
      </td>
      <td data-label="Started" class="short">
        <time dateTime={new Date(run.startedMs).toISOString()} title={formatInstant(run.startedMs)}>
          {formatAgo(run.startedMs, now)}
        </time>
      </td>
      <td data-label="Took" class="short">
        {run.finishedMs === null ? "–" : formatElapsed(run.finishedMs - run.startedMs)}
      </td>
      <td data-label="Parameters" class="soft">
        {parameters.slice(0, SHOWN_PARAMETERS)
          .map(([name, value]) => `${name} ${settingText(value)}`).join(", ") || "defaults"}
        {parameters.length > SHOWN_PARAMETERS && ", …"}
      </td>
      <td data-label="Seed">{run.seed}</td>
    </tr>
  );
}
