/** The dashboard's services by the testbed: its run store, its scenarios, and what goes on in this process. */

import {
  accepted,
  DEFAULT_SEED,
  defaultText,
  LiveWatch,
  MAX_SEED,
  ownScenarios,
  type Parameter,
  PROGRAM_VERSION,
  type RunStore,
  type Settings,
  settingText,
  startRun,
  toCsv,
  toJson,
} from "../mod.ts";
import type {
  DashboardServices,
  ParameterField,
  ScenarioCard,
  WatchedSession,
} from "./services.ts";

/** Services over `store`; with `session`, pages show what this process itself runs. */
export function testbedServices(store: RunStore, session?: WatchedSession): DashboardServices {
  return {
    version: PROGRAM_VERSION,
    session,
    runs: {
      list: () => store.list(),
      find(id) {
        const known = store.list().find((run) => run.id === id);
        return known ? store.read(known.id) : null;
      },
      remove(id) {
        store.delete(store.find(id).id);
      },
      exports: (run) => [{ name: `${run.id}.json`, text: toJson(run) }, ...toCsv(run)],
    },
    scenarios: {
      async list() {
        const names = await ownScenarios.names();
        return await Promise.all(names.map(scenarioCard));
      },
      async start(name, { seed, ...fields }, onNews) {
        const { id, stop, type, ended } = await startRun(name, await changed(name, fields), {
          seed: seed === undefined ? DEFAULT_SEED : Number(seed),
          store,
          onEvent: onNews,
        });
        return { id, stop, type, ended: ended.then(() => {}) };
      },
    },
  };
}

/** What a form's reader changed: a field that still shows its default says nothing. */
async function changed(name: string, fields: Settings): Promise<Settings> {
  const { parameters = {} } = (await ownScenarios.load(name)).scenario;
  return Object.fromEntries(
    Object.entries(fields).filter(([field, value]) =>
      !Object.hasOwn(parameters, field) ||
      settingText(value) !== settingText(parameters[field].default)
    ),
  );
}

/** The session of this process: its hosts and machines, whoever made them. */
export function ownSession(title: string): WatchedSession {
  let watch: LiveWatch | null = null;
  return {
    title,
    watch(onNews) {
      watch?.stop();
      const started = watch = new LiveWatch(onNews);
      return () => started.stop();
    },
    type: (console, text) => void watch?.type(console, text),
  };
}

async function scenarioCard(name: string): Promise<ScenarioCard> {
  const { scenario } = await ownScenarios.load(name);
  const fields = Object.entries(scenario.parameters ?? {}).map(([key, parameter]) =>
    fieldOf(key, parameter)
  );
  return {
    name,
    title: scenario.title ?? name,
    summary: sentence(scenario.summary),
    fields: [...fields, SEED],
  };
}

/** Every scenario has one. */
const SEED: ParameterField = {
  name: "seed",
  input: "number",
  help: "Another seed draws other random numbers; the conclusions should stay.",
  unit: "",
  initial: String(DEFAULT_SEED),
  choices: [],
  min: 0,
  max: MAX_SEED,
  whole: true,
};

/** How a form asks for a parameter. */
function fieldOf(name: string, parameter: Parameter): ParameterField {
  const common = {
    name,
    help: parameter.instead
      ? `${sentence(parameter.help)} Default: ${defaultText(parameter)}.`
      : sentence(parameter.help),
    unit: "unit" in parameter ? parameter.unit ?? "" : "",
    initial: settingText(parameter.default),
    choices: [],
  };
  switch (parameter.kind) {
    case "integer":
    case "number": {
      const { min, max, kind } = parameter;
      return { ...common, input: "number", min, max, whole: kind === "integer" };
    }
    case "integers":
    case "duration":
    case "choices":
      return {
        ...common,
        input: "text",
        help: `${common.help} ${sentence(accepted(parameter))}`,
      };
    case "choice":
      return { ...common, input: "choice", choices: parameter.choices };
    case "flag":
      return { ...common, input: "checkbox" };
  }
}

function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
