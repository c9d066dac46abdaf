/** One scenario: its parameters as a form, and a button that starts it. */

import { formatAgo } from "../../format.ts";
import type { RunSummary } from "../../../mod.ts";
import { Status } from "../../components/run_parts.tsx";
import { type Page, PageError, type Route, seeOther, type Visit } from "../../route.ts";
import type { ParameterField, ScenarioCard } from "../../services.ts";

/** Runs of the scenario that are listed. */
const MAX_LATEST = 5;
/** What a form may send at most, in bytes. */
const MAX_FORM_BYTES = 64 * 1024;

const route: Route = {
  path: "/scenarios/:name",
  get: async (visit) => page(visit, await card(visit), {}, null),
  async post(visit) {
    const scenario = await card(visit);
    const fields = await readForm(visit.request, scenario);
    try {
      const channel = await visit.live.start(scenario.name, scenario.title, fields);
      return seeOther(`/live/${channel.id}`);
    } catch (error) {
      if (!isTypedWrongly(error)) throw error;
      return page(visit, scenario, fields, error.message);
    }
  },
};

export default route;

async function card({ params, services }: Visit): Promise<ScenarioCard> {
  const cards = await services.scenarios.list();
  const found = cards.find(({ name }) => name === params.name);
  if (!found) throw new PageError(404, `There is no scenario ${params.name}.`, "scenarios");
  return found;
}

/** What was typed, by field; empty fields are left out, a box that is not ticked is `false`. */
async function readForm(
  request: Request,
  { fields }: ScenarioCard,
): Promise<Readonly<Record<string, string>>> {
  const body = await request.text();
  if (body.length > MAX_FORM_BYTES) {
    throw new PageError(400, `A form has at most ${MAX_FORM_BYTES} bytes.`, "scenarios");
  }
  const typed = new URLSearchParams(body);
  const known = fields.map(({ name, input }): [string, string] => [
    name,
    input === "checkbox" ? String(typed.has(name)) : typed.get(name)?.trim() ?? "",
  ]);
  return Object.fromEntries(known.filter(([, value]) => value !== ""));
}

function isTypedWrongly(error: unknown): error is Error {
  return error instanceof RangeError || error instanceof SyntaxError || error instanceof TypeError;
}

async function page(
  { services }: Visit,
  scenario: ScenarioCard,
  typed: Readonly<Record<string, string>>,
  mistake: string | null,
): Promise<Page> {
  const runs = (await services.runs.list()).filter((run) => run.scenario === scenario.name);
  return {
    title: scenario.title,
    place: "scenarios",
    status: mistake === null ? 200 : 400,
    body: (
      <>
        <p>{scenario.summary}</p>
        <Form scenario={scenario} typed={typed} mistake={mistake} />
        {runs.length > 0 && <Latest runs={runs.slice(0, MAX_LATEST)} />}
      </>
    ),
  };
}

function Form({ scenario, typed, mistake }: {
  readonly scenario: ScenarioCard;
  readonly typed: Readonly<Record<string, string>>;
  readonly mistake: string | null;
}) {
  return (
    <form
      method="post"
      action={`/scenarios/${encodeURIComponent(scenario.name)}`}
      class="card sheet"
      aria-label="Parameters"
    >
      {mistake !== null && (
        <div class="notice bad" role="alert">
          <p>{mistake}</p>
        </div>
      )}
      {scenario.fields.map((field) => (
        <Field
          key={field.name}
          field={field}
          value={typed[field.name] ?? field.initial}
          isWrong={mistake?.includes(field.name) ?? false}
        />
      ))}
      <p class="row">
        <button type="submit" class="main">Start</button>
        <span class="soft">It can be watched and stopped; what it measures is stored.</span>
      </p>
    </form>
  );
}

function Field({ field, value, isWrong }: {
  readonly field: ParameterField;
  readonly value: string;
  readonly isWrong: boolean;
}) {
  const { name, help, unit, input } = field;
  const id = `field-${name}`;
  const common = {
    id,
    name,
    "aria-describedby": `${id}-help`,
    "aria-invalid": isWrong ? "true" as const : undefined,
  };
  return (
    <div class="field">
      <label for={id}>{name}</label>
      <div class="with-unit">
        <Input field={field} value={value} common={common} />
        {unit && <span class="unit">{unit}</span>}
      </div>
      <div class="help" id={`${id}-help`}>
        {help} {input === "number" && <Range field={field} />}
      </div>
    </div>
  );
}

function Input({ field, value, common }: {
  readonly field: ParameterField;
  readonly value: string;
  readonly common: { readonly id: string; readonly name: string };
}) {
  switch (field.input) {
    case "choice":
      return (
        <select {...common}>
          {field.choices.map((each) => (
            <option key={each} value={each} selected={each === value}>{each}</option>
          ))}
        </select>
      );
    case "checkbox":
      return <input {...common} type="checkbox" checked={value === "true"} />;
    case "number":
      return (
        <input
          {...common}
          type="number"
          value={value}
          min={field.min}
          max={field.max}
          step={field.whole ? 1 : "any"}
        />
      );
    case "text":
      return <input {...common} type="text" value={value} autocomplete="off" spellcheck={false} />;
  }
}

function Range({ field: { min, max, whole } }: { readonly field: ParameterField }) {
  const kind = whole ? "A whole number" : "A number";
  if (min !== undefined && max !== undefined) return <>{`${kind} from ${min} to ${max}.`}</>;
  if (min !== undefined) return <>{`${kind}, at least ${min}.`}</>;
  return <>{max === undefined ? `${kind}.` : `${kind}, at most ${max}.`}</>;
}

function Latest({ runs }: { readonly runs: readonly RunSummary[] }) {
  const now = Date.now();
  return (
    <section>
      <h2>Its latest runs</h2>
      <ul class="conclusions">
        {runs.map((run) => (
          <li key={run.id}>
            <a href={`/runs/${run.id}`}>{formatAgo(run.startedMs, now)}</a>,{" "}
            <Status of={run.status} />
            , seed {run.seed}
          </li>
        ))}
      </ul>
    </section>
  );
}
